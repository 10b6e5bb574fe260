/* command_state.c - "popgate state": shows and changes who is served by the old server, and who by the
 * new one.
 *
 * A change is for the next login: nothing is reloaded, and running sessions go on. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include <sqlite3.h>

#include "base/text.h"
#include "gateway/command.h"
#include "gateway/config.h"
#include "gateway/database_place.h"
#include "gateway/identity.h"
#include "gateway/ledger_file.h"
#include "gateway/state_directory.h"
#include "gateway/state_store.h"
#include "gateway/state_table.h"

enum { PATIENCE_MS = 10000, SUBJECT_MAX = STATE_NAME_MAX + 2 };

static const char help[] =
    "usage: popgate state [--config FILE] [show [USER]...]\n"
    "       popgate state [--config FILE] set SUBJECT... old|new\n"
    "       popgate state [--config FILE] unset SUBJECT...\n\n"
    "  show, or change from the next login on, who is served by the old server and who by the new\n\n"
    "  SUBJECT is a user, a domain (\"@example.org\"), a share of all users (\"20%\"), \"default\",\n"
    "  or \"-\": one of these a line on standard input. The first of them that is set counts.\n\n"
    "  -c, --config FILE     the configuration; default " CONFIG_DEFAULT_FILE "\n"
    "  -h, --help            this text\n";

static int
try_help(void)
{
	fprintf(stderr, "Try \"popgate state --help\".\n");
	return EX_USAGE;
}

static int
usage_error(const char *message)
{
	fprintf(stderr, "popgate state: %s\n", message);
	return try_help();
}

static int
failed(const struct error *e)
{
	fprintf(stderr, "popgate state: %s\n", e->text);
	return e->code == ERR_NO_MEMORY ? EX_OSERR : EX_TEMPFAIL;
}

/* ---- show ---- */

/* Writes what a row is for, as on the command line. */
static void
write_subject(const struct state_row *row, char out[SUBJECT_MAX + 1])
{
	switch (row->scope) {
	case STATE_OF_USER:
		snprintf(out, SUBJECT_MAX + 1, "%s", row->name);
		break;
	case STATE_OF_DOMAIN:
		snprintf(out, SUBJECT_MAX + 1, "@%s", row->name);
		break;
	case STATE_OF_SHARE:
		snprintf(out, SUBJECT_MAX + 1, row->share % 100 == 0 ? "%u%%" : "%u.%02u%%",
		    row->share / 100, row->share % 100);
		break;
	default:
		snprintf(out, SUBJECT_MAX + 1, "default");
	}
}

static int
print_row(void *ctx, const struct state_row *row)
{
	char subject[SUBJECT_MAX + 1], shown[4 * SUBJECT_MAX], when[32];
	time_t changed = (time_t) row->changed;
	struct tm utc;

	write_subject(row, subject);
	text_escape(subject, strlen(subject), shown, sizeof(shown));
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&changed, &utc));
	printf("%-40s  %-3s  %s\n", shown, user_state_name(row->state), when);
	++*(size_t *) ctx;
	return 0;
}

static int
show_all(sqlite3 *db)
{
	struct error e = { 0 };
	size_t rows = 0;

	if (state_table_each(db, print_row, &rows, &e) != 0)
		return failed(&e);
	if (rows == 0)
		printf("nothing is set: users whose upstream has an old server are served by it\n");
	return 0;
}

static int
show_users(sqlite3 *db, char **users, int count)
{
	char shown[4 * SUBJECT_MAX];
	enum state_scope source;
	enum user_state state;
	struct error e = { 0 };

	for (int i = 0; i < count; i++) {
		if (state_table_find(db, users[i], &state, &source, &e) != 0)
			return failed(&e);
		text_escape(users[i], strlen(users[i]), shown, sizeof(shown));
		printf("%-40s  %-3s  %s%s\n", shown, user_state_name(state),
		    source == STATE_UNSET ? "as nothing is set" : "by ",
		    source == STATE_UNSET ? "" : state_scope_name(source));
	}
	return 0;
}

/* ---- set, unset ---- */

/* What is to be done with each subject. */
struct change {
	sqlite3 *db;
	bool remove;
	enum user_state state;
	size_t changed, missing;
};

/* Returns an exit status. */
static int
change_one(struct change *c, const char *subject)
{
	char name[STATE_NAME_MAX + 1], shown[4 * SUBJECT_MAX];
	struct state_row row;
	struct error e = { 0 };
	bool found = true;
	int rc;

	if (state_subject_parse(subject, name, &row) != 0) {
		text_escape(subject, strlen(subject), shown, sizeof(shown));
		fprintf(stderr,
		    "popgate state: \"%s\" is no user, @domain, percentage or \"default\"\n", shown);
		return EX_USAGE;
	}
	row.state = c->state;
	rc = c->remove ? state_table_unset(c->db, &row, &found, &e) : state_table_set(c->db, &row, &e);
	if (rc != 0)
		return failed(&e);
	c->changed += found;
	c->missing += !found;
	return 0;
}

static int
change_lines(struct change *c)
{
	char *text = NULL, *line;
	bool is_first = true;
	size_t room = 0;
	int status = 0;

	for (; status == 0 && getline(&text, &room, stdin) >= 0; is_first = false) {
		line = text + (is_first ? text_mark(text, strlen(text)) : 0);
		line[strcspn(line, "\r\n")] = '\0';
		if (line[0] != '\0' && line[0] != '#')
			status = change_one(c, line);
	}
	free(text);
	if (ferror(stdin)) {
		fprintf(stderr, "popgate state: standard input cannot be read\n");
		return EX_NOINPUT;
	}
	return status;
}

/* All or nothing. */
static int
change_all(struct change *c, char **subjects, int count)
{
	struct error e = { 0 };
	int status = 0;

	if (sqlite3_exec(c->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		goto failed;
	for (int i = 0; i < count && status == 0; i++)
		status = strcmp(subjects[i], "-") == 0 ? change_lines(c) : change_one(c, subjects[i]);
	if (status != 0) {
		sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
		return status;
	}
	if (sqlite3_exec(c->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		goto failed;
	printf("%zu %s\n", c->changed, c->remove ? "removed" : "set");
	if (c->missing > 0)
		fprintf(stderr, "popgate state: %zu were not there\n", c->missing);
	return 0;
failed:
	database_explain(&state_store_form, sqlite3_db_filename(c->db, "main"), c->db, &e);
	error_prefix(&e, "nothing is changed");
	return failed(&e);
}

/* ---- the command line ---- */

/* What stands behind the options. Returns an exit status. */
static int
run_words(sqlite3 *db, char **words, int count)
{
	struct change change = { .db = db };

	if (count == 0 || (count == 1 && strcmp(words[0], "show") == 0))
		return show_all(db);
	if (strcmp(words[0], "show") == 0)
		return show_users(db, words + 1, count - 1);
	change.remove = strcmp(words[0], "unset") == 0;
	if (!change.remove && user_state_parse(words[--count], &change.state) != 0)
		return usage_error("the last word of \"set\" is the state: old or new");
	return change_all(&change, words + 1, count - 1);
}

static int
check_words(char **words, int count)
{
	if (count == 0)
		return 0;
	if (strcmp(words[0], "show") == 0) {
		for (int i = 1; i < count; i++)
			if (words[i][0] == '@')
				return usage_error("show takes names of users");
		return 0;
	}
	if (strcmp(words[0], "set") != 0 && strcmp(words[0], "unset") != 0)
		return usage_error("expected show, set or unset");
	if (count < (words[0][0] == 's' ? 3 : 2))
		return usage_error("a user, domain, percentage or \"default\" is missing");
	return 0;
}

static bool
has_old_server(const struct config *config)
{
	for (size_t i = 0; i < config->upstream_count; i++)
		if (config->upstreams[i].old != NULL)
			return true;
	return false;
}

static int
run_with(const struct config *config, char **words, int count)
{
	struct ledger_file *file;
	struct error e = { 0 };
	sqlite3 *db;
	int status;

	if (identity_assume_owner(config->user, config->state_directory, &e) != 0 ||
	    state_directory_prepare(config->state_directory, &e) != 0)
		return failed(&e);
	if (ledger_file_new(config->state_directory, &file) != 0)
		return EX_OSERR;
	if (ledger_file_database(file, database_clock() + PATIENCE_MS, &db, &e) == 0)
		status = run_words(db, words, count);
	else
		status = failed(&e);
	ledger_file_free(file);
	if (status == 0 && count > 0 && strcmp(words[0], "set") == 0 && !has_old_server(config))
		fprintf(stderr, "popgate state: no upstream of the configuration has an old server "
				"(\"old\"): this has no effect yet\n");
	return status;
}

int
command_state(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *path = CONFIG_DEFAULT_FILE;
	struct config_report report = { 0 };
	struct config *config = NULL;
	char name[] = "popgate state"; /* getopt's messages begin with argv[0] */
	int option, rc, status;

	argv[0] = name;
	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if (option == 'h')
			return fputs(help, stdout) < 0 ? EX_IOERR : 0;
		if (option != 'c')
			return try_help();
		path = optarg;
	}
	if ((status = check_words(argv + optind, argc - optind)) != 0)
		return status;
	if ((rc = config_load(path, &config, &report)) == 0) {
		status = run_with(config, argv + optind, argc - optind);
	} else {
		config_report_print(&report, path, stderr);
		status = rc == ERR_NO_MEMORY ? EX_OSERR : EX_CONFIG;
	}
	config_unref(config);
	config_report_clear(&report);
	return status;
}
