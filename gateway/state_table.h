/* state_table.h - who is still served by the old server, and who by the new one.
 *
 * While mailboxes move, each account has a state. It is what was set for the account, else for its
 * domain, else for a share of all accounts that it belongs to, else for everybody. A share is drawn
 * by a hash of the account's name: a larger one holds all that a smaller one held. The rows lie in
 * the state store, so that every worker sees a change at the next login. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct sqlite3;

enum user_state {
	USER_STATE_OLD, /* the old server's: POP3 is passed through */
	USER_STATE_NEW, /* the new server's */
};

enum state_scope { /* the first that has a row decides */
	STATE_OF_USER,
	STATE_OF_DOMAIN,
	STATE_OF_SHARE,
	STATE_OF_ALL,
	STATE_UNSET, /* nothing was set: USER_STATE_OLD, for nobody has moved yet */
};

enum { STATE_SHARE_WHOLE = 10000 }; /* a share is in hundredths of a percent */

/* A row. */
struct state_row {
	enum state_scope scope;
	const char *name; /* account or domain (without "@"), in lower case; "" for the others */
	unsigned share;	  /* of STATE_OF_SHARE */
	enum user_state state;
	int64_t changed; /* seconds since 1970 */
};

/* "old" and "new"; "user", "domain", "share", "default", "unset". */
const char *user_state_name(enum user_state state);
const char *state_scope_name(enum state_scope scope);

/* Reads WORD. Returns 0 or ERR_INVALID. */
int user_state_parse(const char *word, enum user_state *out);

enum { STATE_NAME_MAX = 320 }; /* octets of an account or domain */

/* Reads what a row is for: "joe@example.org", "@example.org", "20%" or "12.5%", "default". NAME gets
 * the row's name. Returns 0 with scope, name and share of ROW set, or ERR_INVALID. */
int state_subject_parse(const char *subject, char name[STATE_NAME_MAX + 1], struct state_row *row);

/* The place of ACCOUNT among all, from 0 to STATE_SHARE_WHOLE - 1: stable for ever. */
unsigned state_place(const char *account);

/* ---- with the state store at hand, blocking ---- */

/* The state of ACCOUNT and which row says so. Returns 0, or ERR_TEMPORARY with a text in E. */
int state_table_find(struct sqlite3 *db, const char *account, enum user_state *state,
    enum state_scope *source, struct error *e);

/* Writes ROW (all but changed), in place of one for the same subject. */
int state_table_set(struct sqlite3 *db, const struct state_row *row, struct error *e);

/* Removes the row for ROW's subject. *FOUND: there was one. */
int state_table_unset(
    struct sqlite3 *db, const struct state_row *row, bool *found, struct error *e);

/* Calls EACH for every row, by scope and name, until it returns other than 0, which is returned. */
int state_table_each(struct sqlite3 *db, int (*each)(void *ctx, const struct state_row *row),
    void *ctx, struct error *e);

/* ---- in a worker ---- */

struct ledger;

/* The state of ACCOUNT, as state_table_find. LEDGER: the process's state store. Suspends. */
int state_find(struct ledger *ledger, const char *account, enum user_state *state,
    enum state_scope *source, struct error *e);
