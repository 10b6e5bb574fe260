/* database.c - see database.h.
 *
 * WAL and synchronous = FULL: what is committed is on disk. The files beside it, -wal and -shm, stay
 * when the database is closed (SQLITE_FCNTL_PERSIST_WAL): SQLite would remove them by name, and the
 * names may be those of another file's by then. */
#include "gateway/database.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/failpoint.h"
#include "gateway/database_at_once.h"

enum {
	OPERATIONS_PER_LOOK = 5000, /* of SQLite's machine, between two looks at the clock */
	BUSY_PAUSE_MS = 10,
	MOMENT_MS = 2, /* of computing that other fibers may be made to wait for */
};

/* Before a line of the file is believed. */
static const char *const careful[] = {
	"PRAGMA cell_size_check = ON",
	"PRAGMA temp_store = MEMORY",
	NULL,
};

/* ---- errors ---- */

/* What a person can do about an error of SQLite. */
static const char *
advice(const struct database_form *form, int code)
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
		return form->mend;
	}
}

int
database_explain(
    const struct database_form *form, const char *path, sqlite3 *db, struct error *e)
{
	int code = sqlite3_extended_errcode(db);
	int number = sqlite3_system_errno(db);
	bool has_cause =
	    number != 0 && ((code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN);

	if ((code & 0xff) == SQLITE_NOMEM || code == SQLITE_IOERR_NOMEM)
		return error_set(e, ERR_NO_MEMORY, "no memory for %s", form->what);
	return error_set(e, ERR_TEMPORARY, "%s: %s%s%s%s; %s", path, sqlite3_errmsg(db),
	    has_cause ? " (" : "", has_cause ? strerror(number) : "", has_cause ? ")" : "",
	    advice(form, code));
}

void
database_close(struct database *db)
{
	database_reads_wait();
	db->at_once = false;
	db->deadline = 0; /* wait for nobody */
	for (size_t i = 0; i < db->count; i++) {
		sqlite3_finalize(db->statements[i]);
		db->statements[i] = NULL;
	}
	sqlite3_close(db->db);
	db->db = NULL;
	db->lazy = false;
}

/* It is tried again by somebody who has time, and says what is wrong. */
static int
not_at_once(const struct database *db, struct error *e)
{
	return error_set(e, ERR_TEMPORARY, "%s: cannot be read at once", db->path);
}

/* Only a file that others have locked stays open: what was seen of any other may be outdated by the
 * time that somebody has mended it. */
int
database_fail(struct database *db, struct error *e)
{
	int code = sqlite3_errcode(db->db) & 0xff;
	int rc;

	if (db->at_once)
		return not_at_once(db, e);
	rc = database_explain(db->form, db->path, db->db, e);
	if (code != SQLITE_BUSY)
		database_close(db);
	return rc;
}

/* ---- opening ---- */

int
database_execute(struct database *db, const char *const *texts, struct error *e)
{
	for (; *texts != NULL; texts++)
		if (sqlite3_exec(db->db, *texts, NULL, NULL, NULL) != SQLITE_OK)
			return database_fail(db, e);
	return 0;
}

/* Runs TEXT up to its first row. *OUT is to be finalized. */
static int
first_row(struct database *db, const char *text, sqlite3_stmt **out, struct error *e)
{
	*out = NULL;
	if (sqlite3_prepare_v2(db->db, text, -1, out, NULL) == SQLITE_OK &&
	    sqlite3_step(*out) == SQLITE_ROW)
		return 0;
	sqlite3_finalize(*out);
	return database_fail(db, e);
}

static int
ask_number(struct database *db, const char *text, int64_t *out, struct error *e)
{
	sqlite3_stmt *statement;
	int rc;

	if ((rc = first_row(db, text, &statement, e)) != 0)
		return rc;
	*out = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return 0;
}

/* Other popgates wait meanwhile, or have the older form open, which goes on for them. */
static int
upgrade(struct database *db, int64_t version, struct error *e)
{
	int rc = 0;

	for (; version < db->form->version && rc == 0; version++)
		rc = database_execute(db, db->form->upgrades[version - 1], e);
	return rc;
}

/* Whether the file is ours and of a form that we know. An empty one gets that form, and an older one
 * is made one of it. */
static int
identify(struct database *db, struct error *e)
{
	int64_t application, version, things;
	int rc;

	if ((rc = ask_number(db, "PRAGMA application_id", &application, e)) != 0 ||
	    (rc = ask_number(db, "PRAGMA user_version", &version, e)) != 0 ||
	    (rc = ask_number(db, "SELECT count(*) FROM sqlite_schema", &things, e)) != 0)
		return rc;
	if (application == 0 && version == 0 && things == 0)
		return database_execute(db, db->form->schema, e);
	if (application != db->form->application_id || version < 1)
		return error_set(e, ERR_TEMPORARY, "%s: is another program's database; %s",
		    db->path, db->form->mend);
	if (version > db->form->version)
		return error_set(e, ERR_TEMPORARY,
		    "%s: was written by a newer popgate (form %" PRId64 "); run that, or %s",
		    db->path, version, db->form->mend);
	return upgrade(db, version, e);
}

static int
look_for_damage(struct database *db, struct error *e)
{
	sqlite3_stmt *statement;
	const char *word;
	int64_t pages;
	bool intact;
	int rc;

	if (db->form->pages_max == 0)
		return 0;
	if ((rc = ask_number(db, "PRAGMA page_count", &pages, e)) != 0)
		return rc;
	if (pages > db->form->pages_max)
		return error_set(
		    e, ERR_TEMPORARY, "%s: is too large; %s", db->path, db->form->mend);
	if ((rc = first_row(db, "PRAGMA quick_check(1)", &statement, e)) != 0)
		return rc;
	word = (const char *) sqlite3_column_text(statement, 0);
	intact = word != NULL && strcmp(word, "ok") == 0;
	sqlite3_finalize(statement);
	return intact ? 0
		      : error_set(e, ERR_TEMPORARY, "%s: is damaged; %s", db->path,
			    db->form->mend);
}

static int
prepare_statements(struct database *db, struct error *e)
{
	for (size_t i = 0; i < db->count; i++)
		if (sqlite3_prepare_v3(db->db, db->texts[i], -1, SQLITE_PREPARE_PERSISTENT,
			&db->statements[i], NULL) != SQLITE_OK)
			return database_fail(db, e);
	return 0;
}

static int
on_busy(void *arg, int count)
{
	const struct database *db = arg;

	(void) count;
	if (db->at_once || database_clock() >= db->deadline)
		return 0;
	sqlite3_sleep(BUSY_PAUSE_MS);
	return 1;
}

static int
on_progress(void *arg)
{
	const struct database *db = arg;

	return database_clock() >= db->deadline;
}

/* The schema in the file is not trusted either: no triggers, no views, no functions in it. */
static void
be_careful(struct database *db)
{
	int persist = 1;

	sqlite3_extended_result_codes(db->db, 1);
	sqlite3_busy_handler(db->db, on_busy, db);
	sqlite3_progress_handler(db->db, OPERATIONS_PER_LOOK, on_progress, db);
	sqlite3_limit(db->db, SQLITE_LIMIT_LENGTH, db->form->row_octets_max);
	sqlite3_db_config(db->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(db->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_file_control(db->db, "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
}

static int
open_database(struct database *db, const char *path, struct error *e)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX |
		    SQLITE_OPEN_PRIVATECACHE;
	int rc;

	if (sqlite3_open_v2(path, &db->db, flags, NULL) != SQLITE_OK)
		return database_fail(db, e);
	be_careful(db);
	if ((rc = database_execute(db, careful, e)) != 0 || (rc = identify(db, e)) != 0 ||
	    (rc = database_execute(db, db->form->settings, e)) != 0 ||
	    (rc = look_for_damage(db, e)) != 0)
		return rc;
	return prepare_statements(db, e);
}

static int
open_file(struct database *db, struct error *e)
{
	char *path;
	int lock, rc;

	if ((rc = FAILPOINT_ERROR(db->form->open_failpoint, e)) != 0 ||
	    (rc = database_place_prepare(
		 db->directory, db->form->name, db->deadline, &path, &lock, e)) != 0)
		return rc;
	if ((rc = open_database(db, path, e)) != 0)
		database_close(db);
	close(lock);
	free(path);
	return rc;
}

/* Whether its name leads to another file by now, or to none. */
static bool
was_moved(struct database *db)
{
	int moved = 0;

	return sqlite3_file_control(db->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK ||
	       moved != 0;
}

static int
enter_at_once(struct database *db, struct error *e)
{
	if (db->db == NULL || was_moved(db) || !database_reads_at_once())
		return not_at_once(db, e);
	db->at_once = true;
	db->deadline = database_clock() + MOMENT_MS;
	return 0;
}

int
database_enter(struct database *db, uint64_t deadline, struct error *e)
{
	if (deadline == DATABASE_AT_ONCE)
		return enter_at_once(db, e);
	database_reads_wait();
	db->at_once = false;
	if (db->db != NULL && was_moved(db))
		database_close(db);
	db->deadline = deadline;
	return db->db != NULL ? 0 : open_file(db, e);
}

/* ---- statements ---- */

int
database_set_lazy(struct database *db, bool lazy, struct error *e)
{
	static const char *const eager_text[] = { "PRAGMA synchronous = FULL", NULL };
	static const char *const lazy_text[] = { "PRAGMA synchronous = NORMAL", NULL };
	int rc;

	if (lazy == db->lazy)
		return 0;
	if ((rc = database_execute(db, lazy ? lazy_text : eager_text, e)) == 0)
		db->lazy = lazy;
	return rc;
}

void
database_bind_text(sqlite3_stmt *statement, int at, const char *text)
{
	sqlite3_bind_text64(statement, at, text, strlen(text), SQLITE_STATIC, SQLITE_UTF8);
}

void
database_rest(struct database *db, size_t which)
{
	if (db->statements[which] == NULL) /* an error has closed the file */
		return;
	sqlite3_reset(db->statements[which]);
	sqlite3_clear_bindings(db->statements[which]);
}

int
database_change(struct database *db, size_t which, struct error *e)
{
	int rc;

	if ((rc = FAILPOINT_ERROR(db->form->write_failpoint, e)) != 0)
		return rc;
	return sqlite3_step(db->statements[which]) == SQLITE_DONE ? 0 : database_fail(db, e);
}

int
database_begin(struct database *db, struct error *e)
{
	static const char *const texts[] = { "BEGIN IMMEDIATE", NULL };

	return database_execute(db, texts, e);
}

int
database_commit(struct database *db, struct error *e)
{
	static const char *const texts[] = { "COMMIT", NULL };

	return database_execute(db, texts, e);
}

void
database_rollback(struct database *db)
{
	if (db->db == NULL || sqlite3_get_autocommit(db->db) != 0)
		return;
	/* Without memory that fails too; the end of the connection does not. */
	if (sqlite3_exec(db->db, "ROLLBACK", NULL, NULL, NULL) != SQLITE_OK)
		database_close(db);
}

/* ---- the whole ---- */

int
database_init(struct database *db, const struct database_form *form, const char *directory,
    const char *const *texts, size_t count)
{
	*db = (struct database){ .form = form, .texts = texts, .count = count };
	db->directory = strdup(directory);
	if (db->directory == NULL || asprintf(&db->path, "%s/%s", directory, form->name) < 0) {
		db->path = NULL;
		return ERR_NO_MEMORY;
	}
	return 0;
}

void
database_clear(struct database *db)
{
	database_close(db);
	free(db->directory);
	free(db->path);
	db->directory = db->path = NULL;
}

int
database_check(struct database *db, uint64_t deadline, struct error *e)
{
	const char *const write[] = { db->form->write, NULL };
	int rc;

	database_close(db);
	if ((rc = database_enter(db, deadline, e)) == 0)
		rc = database_execute(db, write, e);
	database_close(db);
	return rc;
}
