/* part_name.h - a mailbox among those that a maildrop shows as one (docs/behaviour.md, "Several mailboxes"):
 * what the ledger calls it, and what its UIDLs are made by.
 *
 * A further mailbox has other UIDLs than when it is shown alone, or first: the ledger must not take one
 * for the other. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "gateway/upstream.h"
#include "imapback/imap.h"

struct part_name { /* { 0 } is none */
	char *remembered; /* what the ledger calls it */
	struct uidl_template *marked; /* NULL: TEMPLATE is the upstream's */
	const struct uidl_template *template; /* that new messages have */
};

/* N becomes that of MAILBOX, which is shown as part PART (from 0) of a maildrop at UPSTREAM, which must
 * outlive it. To be cleared in any case. Returns 0 or ERR_NO_MEMORY. */
int part_name_set(
    struct part_name *n, const struct upstream *upstream, const char *mailbox, size_t part);
void part_name_clear(struct part_name *n);

/* Whether MAILBOX, a further part, is not there, where SELECT on IMAP has failed with CODE. One that cannot
 * be had for now must not look empty, or clients forget what they have. Suspends. */
bool part_is_absent(struct imap *imap, const char *mailbox, int code);
