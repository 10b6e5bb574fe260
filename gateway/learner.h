/* learner.h - UIDLs of the old server at a user's first login (docs/migration.md).
 *
 * Where nobody has the passwords of all users, each brings his own: at the first login popgate also logs in
 * to the old POP3 server, matches what is there with the mailboxes and tells the ledger, before a UIDL is
 * shown. Afterwards never again.
 *
 * A learner works on a fiber of its own: the old server is asked while the login lists the new one. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/credentials.h"
#include "base/error.h"
#include "gateway/ledger.h"
#include "gateway/log.h"
#include "gateway/pairing.h"
#include "gateway/upstream.h"
#include "mapping/snapshot.h"

#define LEARNED_NAME "learned" /* of the account's fact in the ledger */

struct learner;

/* What is to be learned; all that it points to must outlive the learner. */
struct lesson {
	struct ledger *ledger;
	const struct upstream *old;
	const char *account;
	const struct credentials *credentials; /* as the client brought them; user: as the new server
						  knows him */
	uint64_t timeout_ms;
	struct log *log; /* NULL: nothing is logged */
	const char *session_id;
};

/* A mailbox of the maildrop, listed. */
struct learner_mailbox {
	struct maildrop_key key; /* { 0 }: it is not there */
	const struct snapshot *snapshot;
};

/* Begins to ask the old server of LESSON, unless the account has learned or was imported before. *OUT is
 * to be ended with learner_end. Returns 0 or ERR_NO_MEMORY. On the fiber of the login; does not suspend. */
int learner_begin(const struct lesson *lesson, struct learner **out);

/* Matches what the old server has with MAILBOXES (COUNT), whose headers SOURCE has, tells the ledger, and waits
 * for all that, for as long as the lesson says. 0: nothing is left to be learned. An error, with a text: it
 * could not be done in time or at all, and nothing was told to the ledger. Of an account that the old server
 * does not let in, ERR_TEMPORARY: the client's password is right. On the fiber of learner_begin, once.
 * Suspends. */
int learner_finish(struct learner *l, const struct learner_mailbox *mailboxes, size_t count,
    const struct pairing_source *source, struct error *e);

/* Stops what is still under way. NULL is allowed. */
void learner_end(struct learner *l);
