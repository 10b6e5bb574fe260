/* uidl_import.c - "popgate uidl import": all users, a few at a time (docs/migration.md). */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "gateway/crew.h"
#include "gateway/import_report.h"
#include "gateway/importer.h"
#include "gateway/uidl_csv.h"
#include "gateway/uidl_options.h"

struct import {
	const struct uidl_options *options;
	struct uidl_bench bench;
	struct importer importer;
	struct import_item *items;
	size_t count, room;
	char *csv; /* the file of --file */
	size_t csv_len;
	struct import_report report;
};

static struct import_item *
add_item(struct import *m)
{
	if (m->count == m->room) {
		size_t room = m->room == 0 ? 64 : 2 * m->room;
		struct import_item *items = realloc(m->items, room * sizeof(*items));

		if (items == NULL)
			return NULL;
		m->items = items;
		m->room = room;
	}
	m->items[m->count] = (struct import_item){ 0 };
	return &m->items[m->count++];
}

/* ---- users by a list ---- */

static int
list_users(struct import *m)
{
	const struct user_list *users = &m->bench.users;

	for (size_t i = 0; i < users->count; i++) {
		struct import_item *item = add_item(m);

		if (item == NULL)
			return uidl_complain(m->options, EX_OSERR, "users", "out of memory");
		item->account = users->users[i].name;
		item->old_password = users->users[i].old_password;
		item->new_password = users->users[i].new_password;
	}
	return 0;
}

/* ---- users by a CSV file ---- */

static int
read_csv(struct import *m)
{
	const char *path = m->options->file;
	FILE *file = fopen(path, "re");
	size_t room = 1 << 16;
	char *more;
	int status = 0;

	if (file == NULL)
		return uidl_complain(m->options, EX_NOINPUT, path, strerror(errno));
	m->csv = malloc(room);
	while (m->csv != NULL && !feof(file) && !ferror(file)) {
		m->csv_len += fread(m->csv + m->csv_len, 1, room - m->csv_len, file);
		if (m->csv_len < room)
			continue;
		if ((more = realloc(m->csv, 2 * room)) == NULL)
			break;
		m->csv = more;
		room *= 2;
	}
	if (ferror(file))
		status = uidl_complain(m->options, EX_IOERR, path, "cannot be read");
	else if (m->csv == NULL || !feof(file))
		status = uidl_complain(m->options, EX_OSERR, path, "out of memory");
	fclose(file);
	return status;
}

static int
compare_users(const void *a, const void *b)
{
	return strcmp(((const struct listed_user *) a)->name, ((const struct listed_user *) b)->name);
}

static const struct listed_user *
find_listed(const struct import *m, const char *name)
{
	const struct user_list *users = &m->bench.users;
	const struct listed_user wanted = { .name = name };

	if (users->count == 0)
		return NULL;
	return bsearch(&wanted, users->users, users->count, sizeof(wanted), compare_users);
}

/* The line at AT belongs to USER. */
static int
add_csv_line(struct import *m, const char *user, const char *at, size_t len, unsigned number)
{
	struct import_item *item = m->count > 0 ? &m->items[m->count - 1] : NULL;
	char *name;

	if (item == NULL || strcmp(item->account, user) != 0) {
		if ((name = strdup(user)) == NULL || (item = add_item(m)) == NULL) {
			free(name);
			return uidl_complain(m->options, EX_OSERR, m->options->file, "out of memory");
		}
		item->account = name;
		item->csv = at;
		item->csv_line = number;
	}
	item->csv_len = (size_t) (at - item->csv) + len;
	return 0;
}

static int
complain_of_line(const struct import *m, unsigned number, const char *why)
{
	fprintf(stderr, "%s: %s: line %u: %s\n", m->options->command, m->options->file, number, why);
	return EX_DATAERR;
}

/* A user in two places: the lines between them would make two maildrops of one. */
static int
find_torn(const struct import *m)
{
	struct listed_user *users = calloc(m->count + 1, sizeof(*users));
	int status = users == NULL ? uidl_complain(m->options, EX_OSERR, "--file", "out of memory") : 0;

	for (size_t i = 0; i < m->count && status == 0; i++)
		users[i].name = m->items[i].account;
	if (status == 0)
		qsort(users, m->count, sizeof(*users), compare_users);
	for (size_t i = 1; i < m->count && status == 0; i++)
		if (strcmp(users[i - 1].name, users[i].name) == 0)
			status = uidl_complain(m->options, EX_DATAERR, users[i].name,
			    "the lines of this user do not stand together");
	free(users);
	return status;
}

/* Where users are listed or named, it is them, with their passwords; else the file says who, and the master of
 * the new server logs in. */
static void
keep_listed(struct import *m)
{
	const struct listed_user *user;
	size_t kept = 0;

	if (m->bench.users.count == 0)
		return;
	for (size_t i = 0; i < m->count; i++) {
		if ((user = find_listed(m, m->items[i].account)) == NULL) {
			free((char *) (uintptr_t) m->items[i].account);
			continue;
		}
		m->items[kept] = m->items[i];
		m->items[kept++].new_password = user->new_password;
	}
	m->count = kept;
	if (kept < m->bench.users.count)
		fprintf(stderr, "%s: %s: has no line of %zu of %zu users\n", m->options->command,
		    m->options->file, m->bench.users.count - kept, m->bench.users.count);
}

/* Looks through the whole file, so that what is wrong with it is said before anything is done. */
static int
list_csv(struct import *m)
{
	struct uidl_csv csv = { 0 };
	const char *at, *end, *columns = NULL;
	size_t columns_len = 0, len;
	struct uidl_csv_row row;
	unsigned number = 1;
	struct error e;
	bool is_row;
	int status = 0;

	if (m->bench.users.count > 0)
		qsort(m->bench.users.users, m->bench.users.count, sizeof(struct listed_user),
		    compare_users);
	end = m->csv + m->csv_len;
	for (at = m->csv; at < end && status == 0; at += len, number++) {
		const char *lf = memchr(at, '\n', (size_t) (end - at));

		len = (size_t) ((lf != NULL ? lf + 1 : end) - at);
		if (uidl_csv_read(&csv, at, len - (lf != NULL), &row, &is_row, &e) != 0)
			return complain_of_line(m, number, e.text);
		if (is_row)
			status = add_csv_line(m, row.user, at, len, number);
		else if (columns == NULL && csv.begun)
			columns = at, columns_len = len - (lf != NULL);
	}
	for (size_t i = 0; i < m->count; i++) {
		m->items[i].csv_columns = columns;
		m->items[i].csv_columns_len = columns_len;
	}
	if (status == 0 && (status = find_torn(m)) == 0)
		keep_listed(m);
	return status;
}

/* ---- the work ---- */

static bool
pass(void *ctx, size_t at)
{
	struct import *m = ctx;
	struct import_result result;

	if (!importer_passes(&m->importer, &m->items[at], &result))
		return false;
	import_report_add(&m->report, m->items[at].account, &result);
	return true;
}

static void
work(void *ctx, size_t at)
{
	struct import *m = ctx;
	struct import_result result;

	importer_run(&m->importer, &m->items[at], &result);
	import_report_add(&m->report, m->items[at].account, &result);
}

static void
tick(void *ctx)
{
	struct import *m = ctx;

	progress_view_tick(&m->report.view);
}

static void
called_off(void *ctx)
{
	struct import *m = ctx;

	progress_view_pause(&m->report.view);
	uidl_tell_called_off(m->options);
}

static int
run(struct import *m)
{
	const struct crew crew = { .jobs = m->count,
		.hands = m->options->jobs,
		.per_minute = m->options->per_minute,
		.pass = pass,
		.work = work,
		.tick = tick,
		.called_off = called_off,
		.ctx = m };
	size_t left;
	int rc;

	m->importer = (struct importer){ .migration = &m->bench.migration,
		.from_file = m->options->file != NULL,
		.ledger = m->bench.ledger,
		.depth = m->options->depth,
		.repeat = m->options->again ? IMPORT_AGAIN : IMPORT_ONCE };
	m->report.table = stdout;
	import_report_begin(&m->report, m->count);
	rc = crew_run(&crew, &left);
	import_report_end(&m->report);
	if (rc != 0)
		return uidl_complain(m->options, EX_OSERR, "import", error_name(rc));
	if (left > 0)
		return uidl_complain_of_left(m->options, left);
	return m->report.totals.failed > 0 ? EX_TEMPFAIL : 0;
}

static int
prepare(struct import *m)
{
	const struct uidl_options *o = m->options;
	int status;

	if (o->file == NULL && o->users == NULL && o->operand_count == 0)
		return uidl_complain(m->options, EX_USAGE, "users", "give --users, --file, or names");
	if (o->report != NULL && (m->report.json = uidl_open_output(o, o->report)) == NULL)
		return EX_CANTCREAT;
	if (o->file != NULL && (status = read_csv(m)) != 0)
		return status; /* before root becomes somebody who could not read it */
	if ((status = uidl_bench_prepare(&m->bench, o)) != 0)
		return status;
	if (o->file == NULL && m->bench.migration.usual_old == NULL)
		return uidl_complain(m->options, EX_CONFIG, o->config,
		    "there is no upstream with protocol = pop3 to read from");
	return o->file != NULL ? list_csv(m) : list_users(m);
}

int
uidl_import(const struct uidl_options *o)
{
	struct import m = { .options = o };
	int status;

	if ((status = prepare(&m)) == 0)
		status = run(&m);
	if (m.report.json != NULL && fclose(m.report.json) != 0 && status == 0)
		status = uidl_complain(o, EX_IOERR, o->report, strerror(errno));
	for (size_t i = 0; i < m.count && o->file != NULL; i++)
		free((char *) (uintptr_t) m.items[i].account);
	free(m.items);
	free(m.csv);
	uidl_bench_clear(&m.bench);
	return status;
}
