/* naming.h - names of messages that stay when UIDs do not: what the server calls them, or a fingerprint of
 * their headers. The ledger keeps digests of them for the day on which UIDVALIDITY changes. */
#pragma once
#include "gateway/ledger.h"
#include "gateway/upstream.h"
#include "mapping/snapshot.h"

/* What UPSTREAM wants of the server behind IMAP: NAMING_NONE where that has no such thing. Does not
 * suspend. */
enum naming_kind naming_kind_for(const struct upstream *upstream, const struct imap *imap);

/* Asks the selected mailbox for the names of those messages of SNAPSHOT, sealed and of one part, whose
 * UIDs are above AFTER; of no more than MOST. *OUT, { 0 } before, is to be freed with naming_clear whatever
 * is returned. Nothing is sent where there is no such message. Suspends. Errors as imap_list_attribute and
 * imap_batch_open. */
int naming_run(struct imap *imap, enum naming_kind kind, const struct snapshot *snapshot,
    uint32_t after, size_t most, struct ledger_names *out, struct error *e);

void naming_clear(struct ledger_names *names);
