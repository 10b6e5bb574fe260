/* database.h - an SQLite file of ours in the state directory: made, opened with care, and noticed
 * when it was moved away. Knows nothing of fibers.
 *
 * Functions block, from any thread but one at a time for each struct database. After an error the
 * file is closed, so that the next use begins anew. DEADLINE is a point on database_clock, by which
 * they come back unless the system holds them. Results: 0, ERR_TEMPORARY with a text that names the
 * file and what to do, ERR_NO_MEMORY. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "base/error.h"
#include "gateway/database_place.h"

/* What a file is. Lists of texts end with NULL. */
struct database_form {
	const char *name; /* "journal.db" */
	const char *what; /* "the journal" */
	const char *mend; /* what to do about a damaged one, e.g. "move it away, ..." */
	int64_t application_id, version;
	const char *const *schema;   /* makes an empty file one of this form */
	const char *const *const *upgrades; /* each makes the next version of one, from 1 on */
	const char *const *settings; /* pragmas, once it is known to be ours */
	int64_t pages_max;	     /* that are looked through for damage at each opening; 0: none are */
	int row_octets_max;
	const char *write; /* says nothing new, but is written: "PRAGMA user_version = ..." */
	const char *open_failpoint, *write_failpoint; /* see base/failpoint.h */
};

#define DATABASE_STATEMENTS_MAX 40

struct database {
	const struct database_form *form;
	const char *const *texts; /* of the statements */
	size_t count;
	char *directory;
	char *path;  /* for messages */
	sqlite3 *db; /* NULL: not open */
	sqlite3_stmt *statements[DATABASE_STATEMENTS_MAX];
	uint64_t deadline; /* of what is going on */
	bool lazy;	   /* synchronous = NORMAL for now */
	bool at_once;	   /* what is going on must not wait */
};

/* For the file of FORM in DIRECTORY, with the statements TEXTS (COUNT), which must outlive it. Touches
 * nothing yet. Returns 0 or ERR_NO_MEMORY; DB is to be cleared in any case. */
int database_init(struct database *db, const struct database_form *form, const char *directory,
    const char *const *texts, size_t count);
void database_clear(struct database *db);

/* Opens, looks, writes and closes. */
int database_check(struct database *db, uint64_t deadline, struct error *e);

/* Makes it ready for something that may take until DEADLINE: opens it where it is not, or was moved
 * away. DATABASE_AT_ONCE (database_at_once.h): for something that reads and must not wait; nothing is
 * opened or closed then, whatever happens. */
int database_enter(struct database *db, uint64_t deadline, struct error *e);
void database_close(struct database *db);

/* Runs each of TEXTS. */
int database_execute(struct database *db, const char *const *texts, struct error *e);

/* What LAZY changes commit is on disk with the next one that is not, or with a checkpoint. */
int database_set_lazy(struct database *db, bool lazy, struct error *e);

/* Tells what the last call of SQLite about DB said, a file of FORM at PATH, and what to do. Returns
 * ERR_TEMPORARY or ERR_NO_MEMORY. */
int database_explain(
    const struct database_form *form, const char *path, sqlite3 *db, struct error *e);

/* The same; and closes what others have not only locked. No statement but its own may be left. */
int database_fail(struct database *db, struct error *e);

/* Ends the use of statement WHICH, whose texts are about to go. */
void database_rest(struct database *db, size_t which);

/* Binds TEXT, which must outlive the use of the statement. */
void database_bind_text(sqlite3_stmt *statement, int at, const char *text);

/* Runs statement WHICH, which changes something and gives no rows. */
int database_change(struct database *db, size_t which, struct error *e);

/* A transaction for writing: ended by either. */
int database_begin(struct database *db, struct error *e);
int database_commit(struct database *db, struct error *e);
void database_rollback(struct database *db);
