/* commit.h - QUIT's UPDATE state, carried out on the IMAP connection (RFC 1939 section 6;
 * docs/behaviour.md, "Deletion").
 *
 * The decisions are mapping/deletion.h's. Whatever fails, no message goes that DELE did not mark,
 * nobody else's \Deleted is lost, and 0 is returned only after the server itself said that every
 * marked message is gone. */
#pragma once
#include "base/uidset.h"
#include "gateway/log.h"
#include "gateway/upstream.h"
#include "imapback/imap.h"
#include "mapping/deletion.h"
#include "mapping/snapshot.h"

struct commit {
	struct imap *imap; /* the connection on which the mailbox was selected */
	const struct upstream *upstream;
	const struct imap_mailbox *mailbox; /* as SELECT told */
	const struct snapshot *snapshot;
	const struct uidset
	    *flagged_before; /* flagged \Deleted by others before the session, and shown in it */
	struct log *log;
	const char *session_id;
};

/* Marks the retrieved messages \Seen where the administrator wants it (a failure there is only
 * logged), then removes those that DELE marked and verifies. Suspends. Returns 0; ERR_INCOMPLETE
 * with RESULT->remaining counted; or another error where nothing certain is known, and
 * RESULT->remaining is then the number of all marked messages. E must not be NULL. */
int commit_run(const struct commit *c, struct deletion_result *result, struct error *e);
