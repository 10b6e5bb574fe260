/* migration.h - one account at both ends of a move: logins at the old POP3 server and the new IMAP
 * server by commands that act for many users. */
#pragma once
#include "base/credentials.h"
#include "base/error.h"
#include "gateway/pairing.h"
#include "gateway/upstream.h"

/* C, empty before, becomes what logs in as LOGIN at U: by PASSWORD, or where that is NULL, by the
 * upstream's master_user. Returns 0, or ERR_PERMANENT where there is neither, or another error. C is to
 * be cleared in any case. */
int migration_credentials(const struct upstream *u, const char *login, const char *password,
    struct credentials *c, struct error *e);

/* Connects to the old server U and logs in. On failure nothing remains. Suspends. */
int migration_open_old(const struct upstream *u, const char *login, const char *password,
    struct pop3_client **out, struct error *e);

/* Connects to the new server U, introduces ourselves, logs in and selects MAILBOX. On failure nothing
 * remains. Suspends. */
int migration_open_new(const struct upstream *u, const char *login, const char *password,
    const char *mailbox, struct imap **out, struct imap_mailbox *selected, struct error *e);
