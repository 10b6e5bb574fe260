/* recall.h - what a login owes to those before it: UIDLs stay as they were shown, messages that the
 * ledger does not know get theirs, and nobody is made to download everything again (docs/behaviour.md,
 * rules 39 to 44). */
#pragma once
#include "gateway/ledger.h"
#include "gateway/mailbox_link.h"

/* What the mailboxes of a login have in common; must outlive them. */
struct recall {
	struct mailbox_link *link;
	struct ledger *ledger; /* NULL: nothing is remembered */
	const char *account;
	const char *client_address; /* for the log */
	bool is_trial; /* nothing is shown: what is asked for on behalf of later logins is not */
};

/* One mailbox. */
struct recalled {
	struct maildrop_key key;
	const struct uidl_template *template; /* that new messages have */

	/* Its own, zeroed before. */
	struct uidl_book *book;
	struct ledger_maildrop found;
	bool is_read; /* FOUND is there */
	struct ledger_names names; /* of messages whose names the ledger has not */
};

/* Makes an empty book. Returns 0 or ERR_NO_MEMORY. Does not suspend. */
int recall_begin(struct recalled *m, struct error *e);

/* Reads what the ledger has of the mailbox, which is selected. Suspends. ERR_TEMPORARY: it cannot be
 * read, so nobody knows what UIDLs the messages had. */
int recall_read(const struct recall *r, struct recalled *m, struct error *e);

/* Completes the book for the messages of SNAPSHOT, sealed and of one part, with the mailbox selected
 * still. Suspends. Errors as imap_list_attribute. */
int recall_complete(const struct recall *r, struct recalled *m, const struct snapshot *snapshot,
    struct error *e);

/* The same as PART for the ledger, of SNAPSHOT, of which the mailbox is part NUMBER. Does not suspend. */
struct ledger_part recall_part(
    const struct recalled *m, const struct snapshot *snapshot, size_t number);

/* Sees to it that no two messages of PARTS (COUNT), the whole maildrop, have the same UIDL. Returns 0 or
 * ERR_NO_MEMORY. Does not suspend. */
int recall_settle(const struct ledger_part *parts, size_t count, struct error *e);

/* Remembers that the account is shown PARTS (COUNT), the whole maildrop, no two messages of which have the same
 * UIDL then. Suspends. ERR_TEMPORARY: the guard stops it, or it
 * could not be remembered. */
int recall_show(
    const struct recall *r, struct ledger_part *parts, size_t count, struct error *e);

void recall_end(struct recalled *m);
