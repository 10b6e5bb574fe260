/* listing.h - what a session sees of the selected mailbox: from the server, or from what was kept
 * of an earlier listing and the server's word that it still holds (docs/architecture.md). */
#pragma once
#include "base/uidset.h"
#include "gateway/mailbox_link.h"
#include "mapping/snapshot.h"

struct listing {
	struct mailbox_link *link; /* selected just now */
	const char *state_directory;
	const char *user;
};

/* Makes *SNAPSHOT (to be freed by the caller, also where this fails and it is not NULL).
 * FLAGGED_BEFORE (empty before) gets the messages in it that somebody had flagged \Deleted.
 * Suspends. Errors as imap_list; ERR_LIMIT: too many messages. */
int listing_run(const struct listing *l, struct snapshot **snapshot, struct uidset *flagged_before,
    struct error *e);
