/* journal_file.c - see journal_file.h.
 *
 * One table, a row for each entry, each change one statement that is its own transaction. */
#include "gateway/journal_file.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/uidset_text.h"
#include "gateway/database.h"
#include "gateway/journal_row.h"

enum {
	PAGES_MAX = 65536,	    /* 256 MiB: more would take too long to look through */
	ROW_OCTETS_MAX = 64 << 20,  /* a million UIDs, none adjacent, take 11 MB */
	ENTRIES_MAX = 1000,	    /* that one call returns */
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

/* Once it is known to be ours. */
static const char *const settled[] = {
	"PRAGMA journal_mode = WAL",
	"PRAGMA wal_autocheckpoint = 128",
	"PRAGMA journal_size_limit = 1048576",
	"PRAGMA max_page_count = 65536",
	"PRAGMA synchronous = FULL",
	NULL,
};

static const struct database_form form = {
	.name = "journal.db",
	.what = "the journal",
	.mend = "move it away, popgate then makes a new one",
	.application_id = 1349480551, /* "Popg" */
	.version = 1,
	.schema = schema,
	.settings = settled,
	.pages_max = PAGES_MAX,
	.row_octets_max = ROW_OCTETS_MAX,
	.write = "PRAGMA user_version = 1",
	.open_failpoint = "journal.open",
	.write_failpoint = "journal.write",
};

struct journal_file {
	struct database db;
};

static int64_t
microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int
insert_row(struct journal_file *file, const struct maildrop_key *key,
    const struct journal_entry *entry, const char *const sets[3], struct error *e)
{
	sqlite3_stmt *statement = file->db.statements[INSERT];
	int rc;

	sqlite3_bind_int64(statement, 1, microseconds());
	database_bind_text(statement, 2, key->upstream);
	database_bind_text(statement, 3, key->user);
	database_bind_text(statement, 4, key->mailbox);
	sqlite3_bind_int64(statement, 5, entry->uidvalidity);
	sqlite3_bind_int64(statement, 6, entry->task);
	sqlite3_bind_int64(statement, 7, entry->begun);
	database_bind_text(statement, 8, entry->how);
	for (int i = 0; i < 3; i++)
		database_bind_text(statement, 9 + i, sets[i]);
	rc = database_change(&file->db, INSERT, e);
	database_rest(&file->db, INSERT);
	return rc;
}

int
journal_file_insert(struct journal_file *file, uint64_t deadline, const struct maildrop_key *key,
    const struct journal_entry *entry, int64_t *id, struct error *e)
{
	char *sets[3] = { NULL, NULL, NULL };
	int rc;

	if (uidset_format(&entry->ours, &sets[0]) != 0 ||
	    uidset_format(&entry->flagged_before, &sets[1]) != 0 ||
	    uidset_format(&entry->lifted, &sets[2]) != 0)
		rc = error_set(e, ERR_NO_MEMORY, "no memory for the journal");
	else if ((rc = database_enter(&file->db, deadline, e)) == 0 &&
		 (rc = database_set_lazy(&file->db, false, e)) == 0 &&
		 (rc = insert_row(file, key, entry, (const char *const *) sets, e)) == 0)
		*id = sqlite3_last_insert_rowid(file->db.db);
	for (int i = 0; i < 3; i++)
		free(sets[i]);
	return rc;
}

static int
update_row(struct journal_file *file, int64_t id, enum journal_task task, const char *lifted,
    struct error *e)
{
	sqlite3_stmt *statement = file->db.statements[UPDATE];
	int rc;

	sqlite3_bind_int64(statement, 1, id);
	sqlite3_bind_int64(statement, 2, task);
	database_bind_text(statement, 3, lifted);
	rc = database_change(&file->db, UPDATE, e);
	database_rest(&file->db, UPDATE);
	if (rc == 0 && sqlite3_changes(file->db.db) == 0)
		rc = error_set(e, ERR_TEMPORARY,
		    "%s: has no entry %" PRId64 " any more; was the file moved away?", file->db.path,
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
	if ((rc = database_enter(&file->db, deadline, e)) == 0 &&
	    (rc = database_set_lazy(&file->db, false, e)) == 0)
		rc = update_row(file, id, task, text, e);
	free(text);
	return rc;
}

int
journal_file_delete(struct journal_file *file, uint64_t deadline, int64_t id, struct error *e)
{
	int rc;

	if ((rc = database_enter(&file->db, deadline, e)) != 0 ||
	    (rc = database_set_lazy(&file->db, true, e)) != 0)
		return rc;
	sqlite3_bind_int64(file->db.statements[DELETE], 1, id);
	rc = database_change(&file->db, DELETE, e);
	database_rest(&file->db, DELETE);
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
	sqlite3_stmt *statement = file->db.statements[SELECT];
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
		    file->db.path, (int64_t) sqlite3_column_int64(statement, 0), why.text);
	(*entries)[(*count)++] = entry;
	return 0;
}

static int
read_rows(struct journal_file *file, struct journal_entry **entries, size_t *count, struct error *e)
{
	bool passed_over = false;
	size_t room = 0;
	int step, rc;

	while ((step = sqlite3_step(file->db.statements[SELECT])) == SQLITE_ROW) {
		rc = append_row(file, entries, count, &room, e);
		if (rc == ERR_INVALID)
			passed_over = true;
		else if (rc != 0)
			return rc;
	}
	if (step != SQLITE_DONE)
		return database_fail(&file->db, e);
	return passed_over ? ERR_TEMPORARY : 0;
}

int
journal_file_select(struct journal_file *file, uint64_t deadline, const struct maildrop_key *key,
    struct journal_entry **entries, size_t *count, bool *empty, struct error *e)
{
	sqlite3_stmt *statement;
	int rc;

	*entries = NULL;
	*count = 0;
	*empty = false;
	if ((rc = database_enter(&file->db, deadline, e)) != 0)
		return rc;
	statement = file->db.statements[SELECT];
	database_bind_text(statement, 1, key->upstream);
	database_bind_text(statement, 2, key->user);
	database_bind_text(statement, 3, key->mailbox);
	sqlite3_bind_int(statement, 4, ENTRIES_MAX);
	rc = read_rows(file, entries, count, e);
	database_rest(&file->db, SELECT);
	if (rc == 0 && *count == 0 && file->db.db != NULL) {
		*empty = sqlite3_step(file->db.statements[ANY]) == SQLITE_DONE;
		database_rest(&file->db, ANY);
	}
	return rc;
}

/* ---- the file ---- */

int
journal_file_check(struct journal_file *file, uint64_t deadline, struct error *e)
{
	return database_check(&file->db, deadline, e);
}

int
journal_file_new(const char *directory, struct journal_file **out)
{
	struct journal_file *file = calloc(1, sizeof(*file));

	if (file == NULL)
		return ERR_NO_MEMORY;
	if (database_init(&file->db, &form, directory, statement_texts, STATEMENTS) != 0) {
		journal_file_free(file);
		return ERR_NO_MEMORY;
	}
	*out = file;
	return 0;
}

void
journal_file_free(struct journal_file *file)
{
	database_clear(&file->db);
	free(file);
}

const char *
journal_file_path(const struct journal_file *file)
{
	return file->db.path;
}
