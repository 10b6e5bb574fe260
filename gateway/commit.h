/* commit.h - QUIT's UPDATE state, carried out on the IMAP connection for one mailbox of a maildrop
 * (RFC 1939 section 6; docs/behaviour.md, "How messages are deleted").
 *
 * What is to be removed is written to the journal before the server hears of it, and struck out
 * when it is known what came of it. Whatever fails, no message goes that DELE did not mark, nobody
 * else's \Deleted is lost, and 0 is returned only after the server itself said that every marked
 * message is gone. */
#pragma once
#include "base/uidset.h"
#include "gateway/journal.h"
#include "gateway/mailbox_link.h"
#include "mapping/deletion.h"
#include "mapping/snapshot.h"

struct commit {
	struct mailbox_link *link;
	struct journal *journal; /* NULL: none is kept */
	struct maildrop_key maildrop;
	const struct snapshot *snapshot;
	size_t part; /* of it: the mailbox of MAILDROP */
	const struct uidset
	    *flagged_before; /* flagged \Deleted by others before the session, and shown in it */
};

/* Marks the retrieved messages \Seen where the administrator wants it (a failure there is only
 * logged), then does with those that DELE marked what the upstream's policy says, and verifies.
 * Nothing is asked of the server where there is nothing to do. Suspends. Returns 0; ERR_INCOMPLETE
 * with RESULT->remaining counted; or another error where nothing certain is known, and
 * RESULT->remaining is then the number of all marked messages of the part. E must not be NULL. */
int commit_run(const struct commit *c, struct deletion_result *result, struct error *e);
