/* ledger_guard.c - see ledger_guard.h. */
#include "gateway/ledger_guard.h"

#include <string.h>
#include <time.h>

#include "gateway/ledger_internal.h"

/* An account, or those that end as a domain does, or all. */
#define SUBJECT                                                                                    \
	"?1 IS NULL OR account = ?1 OR (substr(?1, 1, 1) = '@' AND "                               \
	"lower(substr(account, -length(?1))) = lower(?1))"

/* *COUNT: of all logins that were stopped. */
static int
read_stops(struct ledger_file *file, uint64_t *count, struct error *e)
{
	sqlite3_stmt *statement = file->db.statements[LEDGER_STOPS];
	int rc = 0;

	if (sqlite3_step(statement) == SQLITE_ROW)
		*count = (uint64_t) sqlite3_column_int64(statement, 0);
	else
		rc = database_fail(&file->db, e);
	database_rest(&file->db, LEDGER_STOPS);
	return rc;
}

static int
write_stop(struct ledger_file *file, const char *account, const struct maildrop_key *key,
    const struct ledger_difference *difference, struct error *e)
{
	sqlite3_stmt *statement = file->db.statements[LEDGER_STOP];

	database_bind_text(statement, 1, key->user);
	database_bind_text(statement, 2, key->mailbox);
	database_bind_text(statement, 3, key->upstream);
	database_bind_text(statement, 4, account);
	sqlite3_bind_int64(statement, 5, (int64_t) difference->seen);
	sqlite3_bind_int64(statement, 6, (int64_t) difference->missing.count);
	sqlite3_bind_int64(statement, 7, (int64_t) time(NULL));
	sqlite3_bind_int64(statement, 8, (int64_t) difference->fresh.count);
	database_bind_text(statement, 9, difference->missing.text);
	database_bind_text(statement, 10, difference->fresh.text);
	return ledger_change(file, LEDGER_STOP, e);
}

int
ledger_file_stopped(struct ledger_file *file, uint64_t deadline, const char *account,
    const struct maildrop_key *key, const struct ledger_difference *difference, uint64_t *so_far,
    struct error *e)
{
	int rc;

	if ((rc = ledger_begin_writing(file, deadline, true, e)) != 0)
		return rc;
	if ((rc = write_stop(file, account, key, difference, e)) == 0 &&
	    (rc = ledger_change(file, LEDGER_COUNT_STOP, e)) == 0)
		rc = read_stops(file, so_far, e);
	return ledger_end_writing(file, rc, e);
}

int
ledger_file_stops(struct ledger_file *file, uint64_t deadline, uint64_t *count, struct error *e)
{
	int rc = database_enter(&file->db, deadline, e);

	return rc == 0 ? read_stops(file, count, e) : rc;
}

/* TEXT with the subject bound. */
static int
prepare(struct ledger_file *file, uint64_t deadline, const char *text, const char *subject,
    sqlite3_stmt **out, struct error *e)
{
	int rc;

	*out = NULL;
	if ((rc = database_enter(&file->db, deadline, e)) != 0 ||
	    (rc = database_set_lazy(&file->db, false, e)) != 0)
		return rc;
	if (sqlite3_prepare_v2(file->db.db, text, -1, out, NULL) != SQLITE_OK)
		return database_fail(&file->db, e);
	if (subject != NULL)
		database_bind_text(*out, 1, subject);
	return 0;
}

static const char *
column_text(sqlite3_stmt *statement, int at)
{
	const char *text = (const char *) sqlite3_column_text(statement, at);

	return text != NULL ? text : "";
}

static struct ledger_stop
read_stop(sqlite3_stmt *statement)
{
	return (struct ledger_stop){
		.account = column_text(statement, 0),
		.key = { column_text(statement, 1), column_text(statement, 2),
		    column_text(statement, 3) },
		.seen = (uint64_t) sqlite3_column_int64(statement, 4),
		.missing = (uint64_t) sqlite3_column_int64(statement, 5),
		.first = sqlite3_column_int64(statement, 6),
		.last = sqlite3_column_int64(statement, 7),
		.logins = (uint64_t) sqlite3_column_int64(statement, 8),
		.approved = sqlite3_column_int64(statement, 9),
		.fresh = (uint64_t) sqlite3_column_int64(statement, 10),
		.missing_uidls = column_text(statement, 11),
		.fresh_uidls = column_text(statement, 12),
	};
}

int
ledger_file_each_stop(struct ledger_file *file, uint64_t deadline, const char *subject,
    int (*each)(void *ctx, const struct ledger_stop *stop), void *ctx, struct error *e)
{
	sqlite3_stmt *statement;
	struct ledger_stop stop;
	int rc, code = SQLITE_DONE;

	rc = prepare(file, deadline,
	    "SELECT account, upstream, user, mailbox, seen, missing, first, last, logins, approved, "
	    "fresh, missing_uidls, fresh_uidls FROM guard WHERE " SUBJECT " ORDER BY account",
	    subject, &statement, e);
	while (rc == 0 && (code = sqlite3_step(statement)) == SQLITE_ROW) {
		stop = read_stop(statement);
		rc = each(ctx, &stop);
	}
	sqlite3_finalize(statement);
	return rc == 0 && code != SQLITE_DONE ? database_fail(&file->db, e) : rc;
}

int
ledger_file_approve(struct ledger_file *file, uint64_t deadline, const char *subject,
    uint64_t *count, struct error *e)
{
	sqlite3_stmt *statement;
	int rc, code;

	rc = prepare(file, deadline, "UPDATE guard SET approved = ?2 WHERE " SUBJECT, subject,
	    &statement, e);
	if (rc != 0)
		return rc;
	sqlite3_bind_int64(statement, 2, (int64_t) time(NULL));
	code = sqlite3_step(statement);
	sqlite3_finalize(statement); /* what it said is said by its end again */
	if (code != SQLITE_DONE)
		rc = database_fail(&file->db, e);
	*count = rc == 0 ? (uint64_t) sqlite3_changes64(file->db.db) : 0;
	return rc;
}
