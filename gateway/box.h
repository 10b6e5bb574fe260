/* box.h - one of the mailboxes that a maildrop shows: locked, put right, listed, and let go.
 *
 * A maildrop may show several, one behind the other (docs/behaviour.md, "Several mailboxes"). Each
 * has a lock, a kept listing, sizes and journal entries of its own, and is a part of the snapshot;
 * the connection, which has one of them selected at a time, is shared. */
#pragma once
#include "gateway/journal.h"
#include "gateway/listing.h"
#include "gateway/mailbox_link.h"
#include "gateway/maildrop_lock.h"
#include "gateway/part_name.h"
#include "gateway/recall.h"
#include "gateway/sizing.h"
#include "mapping/snapshot.h"

/* What the mailboxes of a maildrop have in common; must outlive them. */
struct box_owner {
	struct mailbox_link *link;
	const char *user; /* as the server knows it */
	const char *ledger_user; /* the same as the ledger has it */
	const char *state_directory;
	struct journal *journal; /* NULL: deletions go without one */
	struct recall recall;
};

struct box {
	const struct box_owner *owner;
	const char *mailbox; /* UTF-8 */
	size_t part;	     /* of the snapshot; the first must exist */

	/* Its own, zeroed before. */
	struct maildrop_lock *lock;
	struct part_name name;
	struct recalled recalled;
	struct listing listing;
	struct sizing sizing;
	struct snapshot *snapshot; /* before it is a part of the maildrop's */
	struct uidset flagged_before; /* are shown although somebody had flagged them \Deleted */
	bool removed; /* the marked messages are gone from the mailbox */
};

/* What the mailbox is known by. */
struct maildrop_key box_key(const struct box *box);

/* Locks the mailbox for this session. Errors as maildrop_lock_take. Does not suspend. */
int box_lock(struct box *box, struct error *e);

/* Reads what was kept of the mailbox: for all of a maildrop, before the first of them is opened.
 * Suspends. Returns 0, ERR_CANCELLED or ERR_NO_MEMORY. */
int box_begin(struct box *box, struct error *e);

/* Selects the mailbox, puts right what an earlier session left there, and reads what the ledger has of
 * it. One that is not there is left out with a line in the log, as if it were empty, unless it is the
 * first. Suspends. Errors as imap_select and recall_read. */
int box_open(struct box *box, struct error *e);

/* Lists it, selected still: BOX->snapshot is the caller's then. Suspends. Errors as listing_run. */
int box_list(struct box *box, struct error *e);

/* Sees to it that each of its messages, selected and listed, has a UIDL. Suspends. Errors as
 * recall_complete. */
int box_complete(struct box *box, struct error *e);

/* Selects it again, listed. Suspends. Errors as mailbox_link_turn. */
int box_turn(const struct box *box, struct error *e);

/* As box_complete, by what the ledger has by now, with another mailbox selected. Suspends. */
int box_recall(struct box *box, struct error *e);

/* Forgets what box_begin and box_open have found; both may be called anew then. Suspends. */
void box_forget(struct box *box);

/* What the session found out goes into the kept listing, with what SNAPSHOT (may be NULL) says was
 * removed; then all goes but the lock. Suspends. */
void box_close(struct box *box, const struct snapshot *snapshot);

/* Lets go of the lock. */
void box_unlock(struct box *box);
