/* learner.h - UIDLs of the old server at a user's first login (docs/migration.md).
 *
 * Where nobody has the passwords of all users, each brings his own: at the first login popgate also logs in
 * to the old POP3 server, matches what is there with the mailbox and tells the ledger, before a UIDL is
 * shown. Afterwards never again. */
#pragma once
#include <stdint.h>

#include "base/credentials.h"
#include "base/error.h"
#include "gateway/ledger.h"
#include "gateway/log.h"
#include "gateway/upstream.h"
#include "mapping/snapshot.h"

struct learner {
	struct ledger *ledger;
	const struct upstream *old;
	const char *account;
	const struct credentials *credentials; /* as the client brought them; user: as the new server
						  knows him */
	struct maildrop_key key; /* of the maildrop */
	uint32_t uidvalidity;
	const struct snapshot *snapshot; /* the maildrop, listed */
	struct imap *imap; /* on which it is selected; may be lost afterwards */
	uint64_t timeout_ms;
	struct log *log; /* NULL: nothing is logged */
	const char *session_id;
};

/* Learns, unless the account has learned or was imported before. 0: nothing is left to be learned. An
 * error, with a text: it could not be done in time or at all, and nothing was told to the ledger. Of an
 * account that the old server does not let in, ERR_TEMPORARY: the client's password is right. Suspends. */
int learner_run(const struct learner *l, struct error *e);
