/* uidl_settle.h - no two messages of a maildrop have the same UIDL (RFC 1939 section 7). Pure. */
#pragma once
#include "base/siphash.h"
#include "mapping/snapshot.h"
#include "mapping/uidl_book.h"

/* Gives another UIDL to each of MESSAGES (COUNT, ascending) that was not shown yet and has the one of
 * another by BOOK, which learns it. Shown are those up to UID SHOWN that BOOK has nothing new about.
 * SOURCE is what the book notes. Costs nothing where UIDLs differ by themselves, or nothing is new.
 * Returns 0 or ERR_NO_MEMORY. */
int uidl_settle(struct uidl_book *book, uint32_t uidvalidity,
    const struct snapshot_message *messages, size_t count, uint32_t shown, uint8_t source,
    const struct siphash_key *key);
