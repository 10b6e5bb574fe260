/* header_prints.h - fingerprints of messages on an IMAP server (mapping/fingerprint.h). */
#pragma once
#include <stdint.h>

#include "base/error.h"
#include "base/uidset.h"
#include "imapback/imap.h"
#include "mapping/fingerprint.h"

/* Reads the headers of UIDS in the selected mailbox, and calls EACH for whichever came; other than 0 from
 * it ends that and is returned. Suspends. Errors as imap_batch_open. */
int header_prints_read(struct imap *imap, const struct uidset *uids,
    int (*each)(void *ctx, uint32_t uid, const struct fingerprint *print), void *ctx,
    struct error *e);
