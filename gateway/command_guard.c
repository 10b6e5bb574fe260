/* command_guard.c - "popgate guard": whom the guard against new downloads has stopped, why, and that
 * they may pass. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "base/text.h"
#include "gateway/command.h"
#include "gateway/config.h"
#include "gateway/identity.h"
#include "gateway/ledger_guard.h"
#include "gateway/state_directory.h"

enum { PATIENCE_MS = 30000 };

struct guard_command {
	struct ledger_file *file;
	size_t count;
};

static uint64_t
deadline(void)
{
	return database_clock() + PATIENCE_MS;
}

/* Names came from clients. */
static const char *
printable(const char *text, char *buf, size_t room)
{
	text_escape(text, strlen(text), buf, room);
	return buf;
}

static void
format_time(int64_t when, char *buf, size_t room)
{
	time_t seconds = (time_t) when;
	struct tm parts;

	if (gmtime_r(&seconds, &parts) == NULL ||
	    strftime(buf, room, "%Y-%m-%d %H:%M:%SZ", &parts) == 0)
		snprintf(buf, room, "?");
}

/* ---- list ---- */

static int
print_stop(void *ctx, const struct ledger_stop *stop)
{
	struct guard_command *g = ctx;
	char account[120], upstream[60], last[40];

	if (g->count++ == 0)
		printf("%-32s %-20s %9s %9s %9s %7s  %-20s %s\n", "account", "upstream", "seen",
		    "missing", "new", "logins", "last login", "state");
	format_time(stop->last, last, sizeof(last));
	printf("%-32s %-20s %9llu %9llu %9llu %7llu  %-20s %s\n",
	    printable(stop->account, account, sizeof(account)),
	    printable(stop->key.upstream, upstream, sizeof(upstream)),
	    (unsigned long long) stop->seen, (unsigned long long) stop->missing,
	    (unsigned long long) stop->fresh, (unsigned long long) stop->logins, last,
	    stop->approved != 0 ? "approved" : "stopped");
	return 0;
}

static int
list(struct guard_command *g, const char *subject, struct error *e)
{
	uint64_t stops;
	int rc = ledger_file_each_stop(g->file, deadline(), subject, print_stop, g, e);

	if (rc != 0 || subject != NULL)
		return rc;
	if (g->count == 0)
		printf("nobody is stopped\n");
	if ((rc = ledger_file_stops(g->file, deadline(), &stops, e)) == 0)
		printf("logins stopped so far: %llu\n", (unsigned long long) stops);
	return rc;
}

/* ---- show ---- */

/* Those of UIDLS, a sample of COUNT, with SIGN before each. */
static void
print_side(char sign, const char *uidls, uint64_t count)
{
	char uidl[UIDL_MAX + 1], shown[4 * UIDL_MAX + 1];
	uint64_t printed = 0;

	for (; uidl_sample_next(&uidls, uidl); printed++)
		printf("%c %s\n", sign, printable(uidl, shown, sizeof(shown)));
	if (printed < count)
		printf("%c ... and %llu more\n", sign, (unsigned long long) (count - printed));
}

static void
print_difference(const struct ledger_stop *stop)
{
	if (stop->missing_uidls[0] == '\0') {
		printf("\nWhich ones was not noted by the version of popgate that stopped it.\n");
		return;
	}
	printf("\n");
	print_side('-', stop->missing_uidls, stop->missing);
	print_side('+', stop->fresh_uidls, stop->fresh);
}

static int
print_details(void *ctx, const struct ledger_stop *stop)
{
	struct guard_command *g = ctx;
	char text[400], first[40];

	g->count++;
	format_time(stop->first, first, sizeof(first));
	printf("account   %s\n", printable(stop->account, text, sizeof(text)));
	printf("upstream  %s\n", printable(stop->key.upstream, text, sizeof(text)));
	printf("login     %s\n", printable(stop->key.user, text, sizeof(text)));
	printf("mailbox   %s\n", printable(stop->key.mailbox, text, sizeof(text)));
	printf("missing   %llu of %llu that it saw last\n", (unsigned long long) stop->missing,
	    (unsigned long long) stop->seen);
	printf("new       %llu that it has not seen\n", (unsigned long long) stop->fresh);
	printf("stopped   %llu logins since %s\n", (unsigned long long) stop->logins, first);
	printf("state     %s\n", stop->approved != 0 ? "approved: the next login passes" : "stopped");
	print_difference(stop);
	return 0;
}

static int
show(struct guard_command *g, const char *account, struct error *e)
{
	return ledger_file_each_stop(g->file, deadline(), account, print_details, g, e);
}

/* ---- approve ---- */

static int
approve(struct guard_command *g, const char *subject, struct error *e)
{
	uint64_t count;
	int rc = ledger_file_approve(g->file, deadline(), subject, &count, e);

	g->count = (size_t) count;
	if (rc == 0 && count > 0)
		printf("approved: %llu\n", (unsigned long long) count);
	return rc;
}

/* ---- the command ---- */

static const char help[] =
    "usage: popgate guard [--config FILE] [list [USER|@DOMAIN]]\n"
    "       popgate guard [--config FILE] show USER\n"
    "       popgate guard [--config FILE] approve USER|@DOMAIN|--all\n\n"
    "  whose logins are stopped, as their clients would download everything again\n\n"
    "  -a, --all             approve all that are stopped\n"
    "  -c, --config FILE     the configuration; default " CONFIG_DEFAULT_FILE "\n"
    "  -h, --help            this text\n";

/* What the command was called with. */
struct words {
	const char *config;
	const char *what;
	const char *subject; /* NULL: none */
	bool all;
};

static int
try_help(void)
{
	fprintf(stderr, "Try \"popgate guard --help\".\n");
	return EX_USAGE;
}

static int
usage_error(const char *message)
{
	fprintf(stderr, "popgate guard: %s\n", message);
	return try_help();
}

static int
run(struct guard_command *g, const struct words *w, struct error *e)
{
	if (strcmp(w->what, "list") == 0)
		return list(g, w->subject, e);
	if (strcmp(w->what, "show") == 0)
		return show(g, w->subject, e);
	return approve(g, w->subject, e);
}

/* What is wrong with the words; NULL: they go together. */
static const char *
find_fault(const struct words *w)
{
	bool is_domain = w->subject != NULL && w->subject[0] == '@';

	if (strcmp(w->what, "approve") == 0)
		return (w->subject != NULL) == w->all
			   ? "approve takes a user, a domain (\"@example.org\") or --all"
			   : NULL;
	if (w->all)
		return "--all goes with approve only";
	if (strcmp(w->what, "show") == 0)
		return w->subject == NULL || is_domain ? "show takes the name of a user" : NULL;
	return strcmp(w->what, "list") == 0 ? NULL : "expected list, show or approve";
}

/* With the configuration at hand. */
static int
run_with(const struct config *config, const struct words *w)
{
	struct guard_command g = { 0 };
	struct error e = { 0 };
	int rc;

	if ((rc = identity_assume_owner(config->user, config->state_directory, &e)) == 0 &&
	    (rc = state_directory_prepare(config->state_directory, &e)) == 0 &&
	    (rc = ledger_file_new(config->state_directory, &g.file)) != 0)
		error_set(&e, rc, "out of memory");
	if (rc == 0)
		rc = run(&g, w, &e);
	ledger_file_free(g.file);
	if (rc != 0) {
		fprintf(stderr, "popgate guard: %s\n", e.text);
		return rc == ERR_NO_MEMORY ? EX_OSERR : EX_TEMPFAIL;
	}
	if (g.count > 0 || (w->subject == NULL && !w->all))
		return 0;
	fprintf(stderr, "popgate guard: nobody is stopped%s\n", w->all ? "" : " by that name");
	return 1;
}

static int
run_words(const struct words *w)
{
	struct config_report report = { 0 };
	struct config *config = NULL;
	int rc, status;

	if ((rc = config_load(w->config, &config, &report)) == 0) {
		status = run_with(config, w);
	} else {
		config_report_print(&report, w->config, stderr);
		status = rc == ERR_NO_MEMORY ? EX_OSERR : EX_CONFIG;
	}
	config_unref(config);
	config_report_clear(&report);
	return status;
}

int
command_guard(int argc, char **argv)
{
	static const struct option options[] = {
		{ "all", no_argument, NULL, 'a' },
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct words w = { .config = CONFIG_DEFAULT_FILE, .what = "list" };
	char name[] = "popgate guard"; /* getopt's messages begin with argv[0] */
	const char *fault;
	int option;

	argv[0] = name;
	while ((option = getopt_long(argc, argv, "ac:h", options, NULL)) != -1) {
		if (option == 'h')
			return fputs(help, stdout) < 0 ? EX_IOERR : 0;
		if (option == 'c')
			w.config = optarg;
		else if (option == 'a')
			w.all = true;
		else
			return try_help();
	}
	if (optind < argc)
		w.what = argv[optind++];
	if (optind < argc)
		w.subject = argv[optind++];
	if (optind < argc)
		return usage_error("too many arguments");
	return (fault = find_fault(&w)) == NULL ? run_words(&w) : usage_error(fault);
}
