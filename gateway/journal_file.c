/* journal_file.c - see journal_file.h.
 *
 * One table, a row for each entry, each change one statement that is its own transaction. WAL and
 * synchronous = FULL: what is committed is on disk. The files beside it, -wal and -shm, stay when
 * the database is closed (SQLITE_FCNTL_PERSIST_WAL): SQLite would remove them by name, and the
 * names may be those of another file's by then. */
#include "gateway/journal_file.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/failpoint.h"
#include "base/uidset_text.h"
#include "gateway/journal_row.h"

enum {
	APPLICATION_ID = 1349480551, /* "Popg" */
	SCHEMA_VERSION = 1,
	PAGES_MAX = 65536,	    /* 256 MiB: more would take too long to look through */
	ROW_OCTETS_MAX = 64 << 20,  /* a million UIDs, none adjacent, take 11 MB */
	ENTRIES_MAX = 1000,	    /* that one call returns */
	OPERATIONS_PER_LOOK = 5000, /* of SQLite's machine, between two looks at the clock */
	BUSY_PAUSE_MS = 10,
};

enum statement { INSERT, UPDATE, DELETE, SELECT, ANY, STATEMENTS };

/* An entry's number is at least the microsecond in which it was made: a new file must not give a
 * number again that somebody still holds who wants to end an entry of the old one. */
static const char *const statement_texts[STATEMENTS] = {
	[INSERT] =
	    ("INSERT INTO entry (id, upstream, user, mailbox, uidvalidity, task, begun, how, "
	     "ours, flagged_before, lifted) "
	     "VALUES (max(?1, (SELECT coalesce(max(id), 0) + 1 FROM entry)), "
	     "?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"),
	[UPDATE] = "UPDATE entry SET task = ?2, lifted = ?3 WHERE id = ?1",
	[DELETE] = "DELETE FROM entry WHERE id = ?1",
	[SELECT] =
	    ("SELECT id, uidvalidity, task, begun, how, ours, flagged_before, lifted FROM entry "
	     "WHERE upstream = ?1 AND user = ?2 AND mailbox = ?3 ORDER BY id LIMIT ?4"),
	[ANY] = "SELECT 1 FROM entry LIMIT 1",
};

/* In this order: auto_vacuum only takes in a file that is still empty. */
static const char *const schema[] = {
	"PRAGMA auto_vacuum = FULL",
	"PRAGMA journal_mode = WAL",
	"BEGIN IMMEDIATE",
	("CREATE TABLE entry (id INTEGER PRIMARY KEY, upstream TEXT NOT NULL, user TEXT NOT NULL, "
	 "mailbox TEXT NOT NULL, uidvalidity INTEGER NOT NULL, task INTEGER NOT NULL, "
	 "begun INTEGER NOT NULL, how TEXT NOT NULL, ours TEXT NOT NULL, flagged_before TEXT NOT "
	 "NULL, "
	 "lifted TEXT NOT NULL) STRICT"),
	"CREATE INDEX entry_maildrop ON entry (upstream, user, mailbox)",
	"PRAGMA application_id = 1349480551",
	"PRAGMA user_version = 1",
	"COMMIT",
	NULL,
};

/* Before a line of the file is believed. */
static const char *const careful[] = {
	"PRAGMA cell_size_check = ON",
	"PRAGMA temp_store = MEMORY",
	NULL,
};

/* Once it is known to be ours. */
static const char *const settled[] = {
	"PRAGMA journal_mode = WAL",
	"PRAGMA wal_autocheckpoint = 128",
	"PRAGMA journal_size_limit = 1048576",
	"PRAGMA max_page_count = 65536",
	"PRAGMA synchronous = FULL",
	NULL,
};

struct journal_file {
	char *directory;
	char *path;  /* for messages */
	sqlite3 *db; /* NULL: not open */
	sqlite3_stmt *statements[STATEMENTS];
	uint64_t deadline; /* of what is going on */
	bool lazy;	   /* synchronous = NORMAL for now */
};

/* ---- errors ---- */

/* What a person can do about an error of SQLite. */
static const char *
advice(int code)
{
	switch (code & 0xff) {
	case SQLITE_FULL:
		return "make room on its disk";
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return "another program holds it locked, which only popgate should do";
	case SQLITE_INTERRUPT:
		return "it took too long; is the disk slow or the file huge?";
	case SQLITE_IOERR:
	case SQLITE_PROTOCOL:
		return "see whether its disk works and has room";
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_READONLY:
		return "popgate must be able to make and write files there";
	default:
		return "move it away, popgate then makes a new one";
	}
}

static void
close_database(struct journal_file *file)
{
	file->deadline = 0; /* wait for nobody */
	for (int i = 0; i < STATEMENTS; i++) {
		sqlite3_finalize(file->statements[i]);
		file->statements[i] = NULL;
	}
	sqlite3_close(file->db);
	file->db = NULL;
	file->lazy = false;
}

/* Tells what the last call of SQLite said. Only a file that others have locked stays open: what was
 * seen of any other may be outdated by the time that somebody has mended it. */
static int
fail(struct journal_file *file, struct error *e)
{
	int code = sqlite3_extended_errcode(file->db);
	int number = sqlite3_system_errno(file->db);
	bool has_cause =
	    number != 0 && ((code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN);

	error_set(e, ERR_TEMPORARY, "%s: %s%s%s%s; %s", file->path, sqlite3_errmsg(file->db),
	    has_cause ? " (" : "", has_cause ? strerror(number) : "", has_cause ? ")" : "",
	    advice(code));
	if ((code & 0xff) != SQLITE_BUSY)
		close_database(file);
	if ((code & 0xff) != SQLITE_NOMEM && code != SQLITE_IOERR_NOMEM)
		return ERR_TEMPORARY;
	return error_set(e, ERR_NO_MEMORY, "no memory for the journal");
}

/* ---- opening ---- */

static int
execute(struct journal_file *file, const char *const *texts, struct error *e)
{
	for (; *texts != NULL; texts++)
		if (sqlite3_exec(file->db, *texts, NULL, NULL, NULL) != SQLITE_OK)
			return fail(file, e);
	return 0;
}

/* Runs TEXT up to its first row. *OUT is to be finalized. */
static int
first_row(struct journal_file *file, const char *text, sqlite3_stmt **out, struct error *e)
{
	*out = NULL;
	if (sqlite3_prepare_v2(file->db, text, -1, out, NULL) == SQLITE_OK &&
	    sqlite3_step(*out) == SQLITE_ROW)
		return 0;
	sqlite3_finalize(*out);
	return fail(file, e);
}

static int
ask_number(struct journal_file *file, const char *text, int64_t *out, struct error *e)
{
	sqlite3_stmt *statement;
	int rc;

	if ((rc = first_row(file, text, &statement, e)) != 0)
		return rc;
	*out = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return 0;
}

/* Whether the file is ours and of a form that we know. An empty one gets that form. */
static int
identify(struct journal_file *file, struct error *e)
{
	int64_t application, version, things;
	int rc;

	if ((rc = ask_number(file, "PRAGMA application_id", &application, e)) != 0 ||
	    (rc = ask_number(file, "PRAGMA user_version", &version, e)) != 0 ||
	    (rc = ask_number(file, "SELECT count(*) FROM sqlite_schema", &things, e)) != 0)
		return rc;
	if (application == 0 && version == 0 && things == 0)
		return execute(file, schema, e);
	if (application != APPLICATION_ID || version < 1)
		return error_set(e, ERR_TEMPORARY,
		    "%s: is another program's database; move it away, popgate then makes a new one",
		    file->path);
	if (version > SCHEMA_VERSION)
		return error_set(e, ERR_TEMPORARY,
		    "%s: was written by a newer popgate (form %" PRId64 "); run that, or move the "
		    "file away, popgate then makes a new one",
		    file->path, version);
	return 0;
}

static int
look_for_damage(struct journal_file *file, struct error *e)
{
	sqlite3_stmt *statement;
	const char *word;
	int64_t pages;
	bool intact;
	int rc;

	if ((rc = ask_number(file, "PRAGMA page_count", &pages, e)) != 0)
		return rc;
	if (pages > PAGES_MAX)
		return error_set(
		    e, ERR_TEMPORARY, "%s: is too large; %s", file->path, advice(SQLITE_CORRUPT));
	if ((rc = first_row(file, "PRAGMA quick_check(1)", &statement, e)) != 0)
		return rc;
	word = (const char *) sqlite3_column_text(statement, 0);
	intact = word != NULL && strcmp(word, "ok") == 0;
	sqlite3_finalize(statement);
	return intact ? 0
		      : error_set(e, ERR_TEMPORARY, "%s: is damaged; %s", file->path,
			    advice(SQLITE_CORRUPT));
}

static int
prepare_statements(struct journal_file *file, struct error *e)
{
	for (int i = 0; i < STATEMENTS; i++)
		if (sqlite3_prepare_v3(file->db, statement_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
			&file->statements[i], NULL) != SQLITE_OK)
			return fail(file, e);
	return 0;
}

static int
on_busy(void *arg, int count)
{
	const struct journal_file *file = arg;

	(void) count;
	if (journal_clock() >= file->deadline)
		return 0;
	sqlite3_sleep(BUSY_PAUSE_MS);
	return 1;
}

static int
on_progress(void *arg)
{
	const struct journal_file *file = arg;

	return journal_clock() >= file->deadline;
}

/* The schema in the file is not trusted either: no triggers, no views, no functions in it. */
static void
be_careful(struct journal_file *file)
{
	int persist = 1;

	sqlite3_extended_result_codes(file->db, 1);
	sqlite3_busy_handler(file->db, on_busy, file);
	sqlite3_progress_handler(file->db, OPERATIONS_PER_LOOK, on_progress, file);
	sqlite3_limit(file->db, SQLITE_LIMIT_LENGTH, ROW_OCTETS_MAX);
	sqlite3_db_config(file->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(file->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(file->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(file->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_file_control(file->db, "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
}

static int
open_database(struct journal_file *file, const char *path, struct error *e)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX |
		    SQLITE_OPEN_PRIVATECACHE;
	int rc;

	if (sqlite3_open_v2(path, &file->db, flags, NULL) != SQLITE_OK)
		return fail(file, e);
	be_careful(file);
	if ((rc = execute(file, careful, e)) != 0 || (rc = identify(file, e)) != 0 ||
	    (rc = execute(file, settled, e)) != 0 || (rc = look_for_damage(file, e)) != 0)
		return rc;
	return prepare_statements(file, e);
}

static int
open_file(struct journal_file *file, struct error *e)
{
	char *path;
	int lock, rc;

	if ((rc = FAILPOINT_ERROR("journal.open", e)) != 0 ||
	    (rc = journal_place_prepare(file->directory, file->deadline, &path, &lock, e)) != 0)
		return rc;
	if ((rc = open_database(file, path, e)) != 0)
		close_database(file);
	close(lock);
	free(path);
	return rc;
}

/* Whether its name leads to another file by now, or to none. */
static bool
was_moved(struct journal_file *file)
{
	int moved = 0;

	return sqlite3_file_control(file->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) !=
		   SQLITE_OK ||
	       moved != 0;
}

/* Makes the database ready for something that may take until DEADLINE. */
static int
enter(struct journal_file *file, uint64_t deadline, struct error *e)
{
	if (file->db != NULL && was_moved(file))
		close_database(file);
	file->deadline = deadline;
	return file->db != NULL ? 0 : open_file(file, e);
}

/* ---- statements ---- */

/* What LAZY changes commit is on disk with the next one that is not, or with a checkpoint. */
static int
set_lazy(struct journal_file *file, bool lazy, struct error *e)
{
	static const char *const eager_text[] = { "PRAGMA synchronous = FULL", NULL };
	static const char *const lazy_text[] = { "PRAGMA synchronous = NORMAL", NULL };
	int rc;

	if (lazy == file->lazy)
		return 0;
	if ((rc = execute(file, lazy ? lazy_text : eager_text, e)) == 0)
		file->lazy = lazy;
	return rc;
}

static void
bind_text(sqlite3_stmt *statement, int at, const char *text)
{
	sqlite3_bind_text64(statement, at, text, strlen(text), SQLITE_STATIC, SQLITE_UTF8);
}

/* Ends the use of a statement, whose texts are about to go. */
static void
rest(struct journal_file *file, enum statement which)
{
	if (file->statements[which] == NULL)
		return;
	sqlite3_reset(file->statements[which]);
	sqlite3_clear_bindings(file->statements[which]);
}

/* Runs a statement that changes something. */
static int
change(struct journal_file *file, enum statement which, struct error *e)
{
	int rc;

	if ((rc = FAILPOINT_ERROR("journal.write", e)) != 0)
		return rc;
	return sqlite3_step(file->statements[which]) == SQLITE_DONE ? 0 : fail(file, e);
}

static int64_t
microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int
insert_row(struct journal_file *file, const struct journal_key *key,
    const struct journal_entry *entry, const char *const sets[3], struct error *e)
{
	sqlite3_stmt *statement = file->statements[INSERT];
	int rc;

	sqlite3_bind_int64(statement, 1, microseconds());
	bind_text(statement, 2, key->upstream);
	bind_text(statement, 3, key->user);
	bind_text(statement, 4, key->mailbox);
	sqlite3_bind_int64(statement, 5, entry->uidvalidity);
	sqlite3_bind_int64(statement, 6, entry->task);
	sqlite3_bind_int64(statement, 7, entry->begun);
	bind_text(statement, 8, entry->how);
	for (int i = 0; i < 3; i++)
		bind_text(statement, 9 + i, sets[i]);
	rc = change(file, INSERT, e);
	rest(file, INSERT);
	return rc;
}

int
journal_file_insert(struct journal_file *file, uint64_t deadline, const struct journal_key *key,
    const struct journal_entry *entry, int64_t *id, struct error *e)
{
	char *sets[3] = { NULL, NULL, NULL };
	int rc;

	if (uidset_format(&entry->ours, &sets[0]) != 0 ||
	    uidset_format(&entry->flagged_before, &sets[1]) != 0 ||
	    uidset_format(&entry->lifted, &sets[2]) != 0)
		rc = error_set(e, ERR_NO_MEMORY, "no memory for the journal");
	else if ((rc = enter(file, deadline, e)) == 0 && (rc = set_lazy(file, false, e)) == 0 &&
		 (rc = insert_row(file, key, entry, (const char *const *) sets, e)) == 0)
		*id = sqlite3_last_insert_rowid(file->db);
	for (int i = 0; i < 3; i++)
		free(sets[i]);
	return rc;
}

static int
update_row(struct journal_file *file, int64_t id, enum journal_task task, const char *lifted,
    struct error *e)
{
	sqlite3_stmt *statement = file->statements[UPDATE];
	int rc;

	sqlite3_bind_int64(statement, 1, id);
	sqlite3_bind_int64(statement, 2, task);
	bind_text(statement, 3, lifted);
	rc = change(file, UPDATE, e);
	rest(file, UPDATE);
	if (rc == 0 && sqlite3_changes(file->db) == 0)
		rc = error_set(e, ERR_TEMPORARY,
		    "%s: has no entry %" PRId64 " any more; was the file moved away?", file->path,
		    id);
	return rc;
}

int
journal_file_update(struct journal_file *file, uint64_t deadline, int64_t id,
    enum journal_task task, const struct uidset *lifted, struct error *e)
{
	char *text;
	int rc;

	if (uidset_format(lifted, &text) != 0)
		return error_set(e, ERR_NO_MEMORY, "no memory for the journal");
	if ((rc = enter(file, deadline, e)) == 0 && (rc = set_lazy(file, false, e)) == 0)
		rc = update_row(file, id, task, text, e);
	free(text);
	return rc;
}

int
journal_file_delete(struct journal_file *file, uint64_t deadline, int64_t id, struct error *e)
{
	int rc;

	if ((rc = enter(file, deadline, e)) != 0 || (rc = set_lazy(file, true, e)) != 0)
		return rc;
	sqlite3_bind_int64(file->statements[DELETE], 1, id);
	rc = change(file, DELETE, e);
	rest(file, DELETE);
	return rc;
}

/* ---- reading ---- */

static bool
column_number(sqlite3_stmt *statement, int at, int64_t *out)
{
	*out = sqlite3_column_int64(statement, at);
	return sqlite3_column_type(statement, at) == SQLITE_INTEGER;
}

static bool
column_text(sqlite3_stmt *statement, int at, struct journal_text *out)
{
	if (sqlite3_column_type(statement, at) != SQLITE_TEXT)
		return false;
	out->text = (const char *) sqlite3_column_text(statement, at);
	out->len = (size_t) sqlite3_column_bytes(statement, at);
	return out->text != NULL || out->len == 0;
}

/* The row that STATEMENT has come to. */
static int
read_row(sqlite3_stmt *statement, struct journal_entry *out, struct error *e)
{
	struct journal_row row;

	if (!column_number(statement, 0, &row.id) ||
	    !column_number(statement, 1, &row.uidvalidity) ||
	    !column_number(statement, 2, &row.task) || !column_number(statement, 3, &row.begun) ||
	    !column_text(statement, 4, &row.how) || !column_text(statement, 5, &row.ours) ||
	    !column_text(statement, 6, &row.flagged_before) ||
	    !column_text(statement, 7, &row.lifted))
		return error_set(e, ERR_INVALID, "a column has the wrong type");
	return journal_row_decode(&row, out, e);
}

/* Appends the row that the statement has come to, if it makes sense. */
static int
append_row(struct journal_file *file, struct journal_entry **entries, size_t *count, size_t *room,
    struct error *e)
{
	sqlite3_stmt *statement = file->statements[SELECT];
	struct journal_entry entry = { 0 };
	struct error why = { 0 };
	int rc;

	if (*count == *room) {
		size_t more = *room * 2 + 4;
		struct journal_entry *grown = realloc(*entries, more * sizeof(**entries));

		if (grown == NULL)
			return error_set(e, ERR_NO_MEMORY, "no memory for the journal");
		*entries = grown;
		*room = more;
	}
	rc = read_row(statement, &entry, &why);
	if (rc == ERR_NO_MEMORY)
		return error_set(e, rc, "%s", why.text);
	if (rc != 0)
		return error_set(e, ERR_INVALID,
		    "%s: entry %" PRId64
		    " makes no sense and is passed over: %s; delete it, or move "
		    "the file away",
		    file->path, (int64_t) sqlite3_column_int64(statement, 0), why.text);
	(*entries)[(*count)++] = entry;
	return 0;
}

static int
read_rows(struct journal_file *file, struct journal_entry **entries, size_t *count, struct error *e)
{
	bool passed_over = false;
	size_t room = 0;
	int step, rc;

	while ((step = sqlite3_step(file->statements[SELECT])) == SQLITE_ROW) {
		rc = append_row(file, entries, count, &room, e);
		if (rc == ERR_INVALID)
			passed_over = true;
		else if (rc != 0)
			return rc;
	}
	if (step != SQLITE_DONE)
		return fail(file, e);
	return passed_over ? ERR_TEMPORARY : 0;
}

int
journal_file_select(struct journal_file *file, uint64_t deadline, const struct journal_key *key,
    struct journal_entry **entries, size_t *count, bool *empty, struct error *e)
{
	sqlite3_stmt *statement;
	int rc;

	*entries = NULL;
	*count = 0;
	*empty = false;
	if ((rc = enter(file, deadline, e)) != 0)
		return rc;
	statement = file->statements[SELECT];
	bind_text(statement, 1, key->upstream);
	bind_text(statement, 2, key->user);
	bind_text(statement, 3, key->mailbox);
	sqlite3_bind_int(statement, 4, ENTRIES_MAX);
	rc = read_rows(file, entries, count, e);
	rest(file, SELECT);
	if (rc == 0 && *count == 0 && file->db != NULL) {
		*empty = sqlite3_step(file->statements[ANY]) == SQLITE_DONE;
		rest(file, ANY);
	}
	return rc;
}

/* ---- the file ---- */

int
journal_file_check(struct journal_file *file, uint64_t deadline, struct error *e)
{
	/* Says nothing new, but is written. */
	static const char *const write[] = { "PRAGMA user_version = 1", NULL };
	int rc;

	close_database(file);
	if ((rc = enter(file, deadline, e)) == 0)
		rc = execute(file, write, e);
	close_database(file);
	return rc;
}

int
journal_file_new(const char *directory, struct journal_file **out)
{
	struct journal_file *file = calloc(1, sizeof(*file));

	if (file == NULL)
		return ERR_NO_MEMORY;
	if ((file->directory = strdup(directory)) == NULL ||
	    asprintf(&file->path, "%s/" JOURNAL_NAME, directory) < 0) {
		free(file->directory);
		free(file);
		return ERR_NO_MEMORY;
	}
	*out = file;
	return 0;
}

void
journal_file_free(struct journal_file *file)
{
	close_database(file);
	free(file->directory);
	free(file->path);
	free(file);
}

const char *
journal_file_path(const struct journal_file *file)
{
	return file->path;
}
