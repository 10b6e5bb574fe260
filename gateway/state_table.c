/* state_table.c - see state_table.h. The table is made with the state store (state_store.c). */
#include "gateway/state_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <sqlite3.h>

#include "base/digest.h"
#include "base/text.h"
#include "gateway/ledger.h"
#include "gateway/state_store.h"

/* Numbers in the table: never change one. */
_Static_assert(USER_STATE_OLD == 0 && USER_STATE_NEW == 1, "states are stored");
_Static_assert(STATE_OF_USER == 0 && STATE_OF_DOMAIN == 1 && STATE_OF_SHARE == 2 && STATE_OF_ALL == 3,
    "scopes are stored");

const char *
user_state_name(enum user_state state)
{
	return state == USER_STATE_NEW ? "new" : "old";
}

const char *
state_scope_name(enum state_scope scope)
{
	static const char *const names[] = {
		[STATE_OF_USER] = "user",
		[STATE_OF_DOMAIN] = "domain",
		[STATE_OF_SHARE] = "share",
		[STATE_OF_ALL] = "default",
		[STATE_UNSET] = "unset",
	};

	return names[scope];
}

int
user_state_parse(const char *word, enum user_state *out)
{
	if (strcmp(word, "old") != 0 && strcmp(word, "new") != 0)
		return ERR_INVALID;
	*out = strcmp(word, "new") == 0 ? USER_STATE_NEW : USER_STATE_OLD;
	return 0;
}

/* Accounts are the same in letters of any case: servers differ there, and two states for one mailbox
 * would be worse. */
static int
fold_name(const char *name, char out[STATE_NAME_MAX + 1])
{
	size_t len = strlen(name);

	if (len == 0 || len > STATE_NAME_MAX || !text_is_utf8(name, len))
		return ERR_INVALID;
	for (size_t i = 0; i <= len; i++) {
		char c = name[i];

		if ((unsigned char) c < 0x20 && i < len)
			return ERR_INVALID;
		out[i] = c >= 'A' && c <= 'Z' ? (char) (c | 0x20) : c;
	}
	return 0;
}

/* "20%", "12.5%" or "0.25%", in hundredths of a percent. */
static int
parse_share(const char *text, unsigned *out)
{
	const char *dot = strchr(text, '.');
	size_t len = strlen(text) - 1, whole_len = dot != NULL ? (size_t) (dot - text) : len;
	size_t part_len = dot != NULL ? len - whole_len - 1 : 0;
	uint64_t whole, part = 0;

	if (text_to_number(text, whole_len, 100, &whole) != 0 || part_len > 2 ||
	    (dot != NULL && text_to_number(dot + 1, part_len, 99, &part) != 0))
		return ERR_INVALID;
	if (part_len == 1)
		part *= 10;
	*out = (unsigned) (whole * 100 + part);
	return *out <= STATE_SHARE_WHOLE ? 0 : ERR_INVALID;
}

int
state_subject_parse(const char *subject, char name[STATE_NAME_MAX + 1], struct state_row *row)
{
	size_t len = strlen(subject);

	*row = (struct state_row){ .scope = STATE_OF_ALL, .name = name };
	name[0] = '\0';
	if (strcmp(subject, "default") == 0)
		return 0;
	if (len > 0 && subject[len - 1] == '%') {
		row->scope = STATE_OF_SHARE;
		return parse_share(subject, &row->share);
	}
	row->scope = subject[0] == '@' ? STATE_OF_DOMAIN : STATE_OF_USER;
	return fold_name(subject + (subject[0] == '@'), name);
}

unsigned
state_place(const char *account)
{
	char name[STATE_NAME_MAX + 1], hex[DIGEST_HEX + 1];

	if (fold_name(account, name) != 0)
		return 0;
	digest_hex(name, strlen(name), hex);
	hex[8] = '\0';
	return (unsigned) (strtoul(hex, NULL, 16) % STATE_SHARE_WHOLE);
}

/* ---- the table ---- */

static int
fail(struct sqlite3 *db, struct error *e)
{
	return database_explain(&state_store_form, sqlite3_db_filename(db, "main"), db, e);
}

/* Prepares TEXT, and binds scope and name of ROW (NULL: neither) to its first parameters. */
static int
prepare(struct sqlite3 *db, const char *text, const struct state_row *row, sqlite3_stmt **out,
    struct error *e)
{
	if (sqlite3_prepare_v2(db, text, -1, out, NULL) != SQLITE_OK)
		return fail(db, e);
	if (row == NULL)
		return 0;
	sqlite3_bind_int(*out, 1, (int) row->scope);
	sqlite3_bind_text(*out, 2, row->name, -1, SQLITE_STATIC);
	return 0;
}

/* Runs a statement that gives no rows. */
static int
run(struct sqlite3 *db, sqlite3_stmt *statement, struct error *e)
{
	int rc = sqlite3_step(statement);

	if (rc == SQLITE_DONE)
		rc = 0;
	else
		rc = fail(db, e);
	sqlite3_finalize(statement);
	return rc;
}

int
state_table_find(struct sqlite3 *db, const char *account, enum user_state *state,
    enum state_scope *source, struct error *e)
{
	static const char text[] =
	    "SELECT scope, state FROM state WHERE (scope = 0 AND name = ?1) "
	    "OR (scope = 1 AND name = ?2) OR (scope = 2 AND share > ?3) OR scope = 3 "
	    "ORDER BY scope LIMIT 1";
	char name[STATE_NAME_MAX + 1];
	sqlite3_stmt *statement;
	const char *at;
	int rc;

	*state = USER_STATE_OLD;
	*source = STATE_UNSET;
	if (fold_name(account, name) != 0)
		return error_set(e, ERR_TEMPORARY, "a name that has no state");
	if ((rc = prepare(db, text, NULL, &statement, e)) != 0)
		return rc;
	at = strrchr(name, '@');
	sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, at != NULL ? at + 1 : "", -1, SQLITE_STATIC);
	sqlite3_bind_int(statement, 3, (int) state_place(name));
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW) {
		*source = (enum state_scope) sqlite3_column_int(statement, 0);
		*state = sqlite3_column_int(statement, 1) == USER_STATE_NEW ? USER_STATE_NEW
									    : USER_STATE_OLD;
	}
	rc = rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : fail(db, e);
	sqlite3_finalize(statement);
	return rc;
}

int
state_table_set(struct sqlite3 *db, const struct state_row *row, struct error *e)
{
	static const char text[] =
	    "INSERT OR REPLACE INTO state (scope, name, share, state, changed) "
	    "VALUES (?1, ?2, ?3, ?4, ?5)";
	sqlite3_stmt *statement;
	int rc;

	if ((rc = prepare(db, text, row, &statement, e)) != 0)
		return rc;
	sqlite3_bind_int(statement, 3, (int) row->share);
	sqlite3_bind_int(statement, 4, (int) row->state);
	sqlite3_bind_int64(statement, 5, (int64_t) time(NULL));
	return run(db, statement, e);
}

int
state_table_unset(struct sqlite3 *db, const struct state_row *row, bool *found, struct error *e)
{
	sqlite3_stmt *statement;
	int rc;

	*found = false;
	rc = prepare(db, "DELETE FROM state WHERE scope = ?1 AND name = ?2", row, &statement, e);
	if (rc != 0 || (rc = run(db, statement, e)) != 0)
		return rc;
	*found = sqlite3_changes(db) > 0;
	return 0;
}

int
state_table_each(struct sqlite3 *db, int (*each)(void *ctx, const struct state_row *row), void *ctx,
    struct error *e)
{
	sqlite3_stmt *statement;
	int rc, step;

	rc = prepare(db, "SELECT scope, name, share, state, changed FROM state ORDER BY scope, name",
	    NULL, &statement, e);
	if (rc != 0)
		return rc;
	while ((step = sqlite3_step(statement)) == SQLITE_ROW && rc == 0) {
		const struct state_row row = {
			.scope = (enum state_scope) sqlite3_column_int(statement, 0),
			.name = (const char *) sqlite3_column_text(statement, 1),
			.share = (unsigned) sqlite3_column_int(statement, 2),
			.state = sqlite3_column_int(statement, 3) == USER_STATE_NEW ? USER_STATE_NEW
										    : USER_STATE_OLD,
			.changed = sqlite3_column_int64(statement, 4),
		};

		rc = each(ctx, &row);
	}
	if (rc == 0 && step != SQLITE_DONE)
		rc = fail(db, e);
	sqlite3_finalize(statement);
	return rc;
}

/* ---- in a worker ---- */

/* What is looked up on another thread. */
struct look_up {
	char *account;
	enum user_state state;
	enum state_scope source;
};

static int
look_up(struct sqlite3 *db, void *arg, struct error *e)
{
	struct look_up *l = arg;

	return state_table_find(db, l->account, &l->state, &l->source, e);
}

static void
discard(void *arg)
{
	struct look_up *l = arg;

	free(l->account);
	free(l);
}

int
state_find(struct ledger *ledger, const char *account, enum user_state *state,
    enum state_scope *source, struct error *e)
{
	struct look_up *l = calloc(1, sizeof(*l));
	int rc;

	if (l == NULL || (l->account = strdup(account)) == NULL) {
		free(l);
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	}
	if ((rc = ledger_run(ledger, look_up, discard, l, e)) == ERR_CANCELLED)
		return rc;
	*state = l->state;
	*source = l->source;
	discard(l);
	return rc;
}
