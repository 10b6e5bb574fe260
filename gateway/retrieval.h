/* retrieval.h - handing over messages of a maildrop: alone, or ahead of their time together with
 * those that the client will most likely want next.
 *
 * A series of RETR or TOP in order turns into few UID FETCH commands over many messages. Their
 * octets wait in the socket until the client wants them; what it does not want is thrown away. */
#pragma once
#include "base/sink.h"
#include "gateway/mailbox_link.h"
#include "mapping/prefetch.h"

/* Octets that all sessions may have asked for ahead. */
struct retrieval_pool {
	uint64_t used;
	uint64_t most;
};

struct retrieval {
	struct mailbox_link *link;
	const struct snapshot *snapshot;
	char *const *mailboxes; /* of each part of it; UTF-8 */
	struct retrieval_pool *pool; /* NULL: nothing is asked for ahead */

	struct prefetch prefetch;
	uint32_t part;	   /* of the messages of the open batch, as in struct wanted */
	uint64_t reserved; /* octets of the pool */
};

/* What is wanted of a message. */
struct wanted {
	const struct snapshot_message *message;
	bool part; /* OCTETS octets from OFFSET on, instead of all */
	uint64_t offset;
	uint32_t octets;
};

/* Pours what is wanted into SINK. A connection that turns out to be lost before the sink has seen
 * anything is made anew once. Suspends. Errors as imap_fetch and mailbox_link_turn. */
int retrieval_run(
    struct retrieval *r, const struct wanted *w, struct octet_sink *sink, struct error *e);

/* Whether something asked for ahead has not been wanted yet: the server should not be kept waiting
 * for long. */
bool retrieval_is_ahead(const struct retrieval *r);

/* Throws that away. Suspends. */
int retrieval_forget(struct retrieval *r, struct error *e);

/* Gives back what was reserved; once, at the end. */
void retrieval_end(struct retrieval *r);
