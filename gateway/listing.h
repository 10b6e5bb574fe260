/* listing.h - what a session sees of the selected mailbox: from the server, or from what was kept
 * of an earlier listing and the server's word that it still holds (docs/architecture.md). */
#pragma once
#include "base/uidset.h"
#include "gateway/index_store.h"
#include "gateway/mailbox_link.h"
#include "mapping/index.h"
#include "mapping/snapshot.h"

struct listing {
	struct mailbox_link *link;
	const char *state_directory;
	const char *user;
	const char *mailbox; /* UTF-8 */
	const struct uidl_book *book; /* must outlive the snapshot */

	/* The listing's own, zeroed before. */
	struct index_place place; /* path NULL: nothing is kept of this maildrop */
	unsigned char *kept;	  /* the old index; NULL: there is none of use */
	struct index_reader reader;
	bool is_kept;	       /* the file at PLACE says what this session saw at its beginning */
	struct index_head head; /* of that file */
	uint32_t asked;	       /* messages from this UID on were listed by the server just now */
};

/* Reads what was kept of the mailbox. To be called before any is selected on this connection, with
 * the mailbox locked. Returns 0 or ERR_CANCELLED. Suspends. */
int listing_begin(struct listing *l);

/* Foresees what the server will be asked behind the SELECT that comes now. Does not suspend. */
void listing_foresee(struct listing *l);

/* Makes *SNAPSHOT of the mailbox, selected just now (to be freed by the caller, also where this
 * fails and it is not NULL). FLAGGED_BEFORE (empty before) gets the messages in it that somebody
 * had flagged \Deleted. Suspends. Errors as imap_list; ERR_LIMIT: too many messages. */
int listing_run(struct listing *l, struct snapshot **snapshot, struct uidset *flagged_before,
    struct error *e);

/* Frees what LISTING owns. */
void listing_clear(struct listing *l);
