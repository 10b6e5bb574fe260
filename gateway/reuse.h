/* reuse.h - connections to mail servers that outlive their session for a while, for the next
 * session of the same user with the same password (the setting "reuse").
 *
 * A kept connection is logged in, but has left its mailbox, and is nobody's: it holds no lock and
 * no password (see reuse_table.h), and is not counted in the census. It ends when its time is over,
 * when the server says anything, when its place is needed, when another password is found to be
 * good, when the configuration changes and when popgate stops. A user has one at most. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/credentials.h"
#include "fiberio/fiber.h"
#include "gateway/config.h"
#include "gateway/reuse_table.h"
#include "imapback/imap.h"

struct reuse; /* one per worker */

enum { REUSE_MOST = 1000 }; /* connections that are kept at a time */

/* EMPTIED(CTX) is called when the last kept connection has ended. Returns 0 or ERR_NO_MEMORY. */
int reuse_new(
    struct fiber_runtime *fibers, void (*emptied)(void *ctx), void *ctx, struct reuse **out);

/* When no fiber exists any more. REUSE may be NULL. */
void reuse_free(struct reuse *reuse);

/* At most MOST connections are kept from now on, and only those of CONFIG: what else is kept logs
 * out. CONFIG may be NULL: none. Does not suspend. */
void reuse_apply(struct reuse *reuse, const struct config *config, size_t most);

/* How many connections there are, those included that are just logging out. */
size_t reuse_count(const struct reuse *reuse);

/* What C at UPSTREAM is known by. Returns 0 or ERR_NO_MEMORY. */
int reuse_key(const struct reuse *reuse, const struct upstream *upstream,
    const struct credentials *c, struct reuse_key *out);

/* The connection that was kept under KEY, now the caller's; NULL for none, or one that the server
 * has broken. Does not suspend. */
struct imap *reuse_take(struct reuse *reuse, const struct reuse_key *key);

/* The server has just accepted the credentials of KEY: a connection of the same user by others, if
 * there is one, logs out. Does not suspend. */
void reuse_supersede(struct reuse *reuse, const struct reuse_key *key);

/* Keeps IMAP, which belongs to an upstream of CONFIG, under KEY for MS milliseconds, or logs out.
 * IMAP is not the caller's any more. Suspends for a moment. */
void reuse_keep(struct reuse *reuse, const struct reuse_key *key, struct config *config,
    uint64_t ms, struct imap *imap);
