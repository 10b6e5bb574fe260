/* migration.h - one account at both ends of a move: logins at the old POP3 server and the new IMAP
 * server by commands that act for many users. */
#pragma once
#include "base/credentials.h"
#include "base/error.h"
#include "gateway/pairing.h"
#include "gateway/target.h"
#include "gateway/upstream.h"

struct config;

/* Between which servers a command moves users. */
struct migration {
	const struct config *config;
	const struct upstream *old, *new; /* for everybody; NULL: by each user's way */
	const struct upstream *usual_old; /* where that names none; NULL: none either */
	const struct upstream *usual_new;
};

/* Where one account's mail is on both sides; { 0 } is empty. */
struct migration_ends {
	const struct upstream *old; /* NULL: none */
	const char *old_login;	    /* lasts as long as the account's name and NEW */
	struct target new;	    /* as a login has it */
};

/* Finds the ends of M for ACCOUNT by the routes: the first upstream on its way that speaks IMAP, and the
 * old server that this one names. Returns 0, or what way_find does: ERR_PERMANENT where there is no
 * way. ENDS is to be cleared in any case. Suspends. */
int migration_find(const struct migration *m, const char *account, struct migration_ends *ends,
    struct error *e);
void migration_ends_clear(struct migration_ends *ends);

/* C, empty before, becomes what logs in as LOGIN at U: by PASSWORD, or where that is NULL, by the
 * upstream's master_user. Returns 0, or ERR_PERMANENT where there is neither, or another error. C is to
 * be cleared in any case. */
int migration_credentials(const struct upstream *u, const char *login, const char *password,
    struct credentials *c, struct error *e);

/* Connects to the old server U and logs in. On failure nothing remains. Suspends. */
int migration_open_old(const struct upstream *u, const char *login, const char *password,
    struct pop3_client **out, struct error *e);

/* Connects to the new server U, introduces ourselves and logs in. On failure nothing remains, and *OUT is
 * NULL. Suspends. */
int migration_open_new(const struct upstream *u, const char *login, const char *password,
    struct imap **out, struct error *e);
