/* uidl_settle.h - no two messages of a maildrop have the same UIDL (RFC 1939 section 7). Pure. */
#pragma once
#include "base/siphash.h"
#include "mapping/snapshot.h"
#include "mapping/uidl_book.h"

/* A mailbox of the maildrop. */
struct uidl_part {
	struct uidl_book *book;
	uint32_t uidvalidity;
	const struct snapshot_message *messages; /* ascending */
	size_t count;
	uint32_t shown; /* up to which UID messages were, but for those that BOOK has something new about;
			   those that keep what they had (uidl_book_keep) were, too */
};

/* Gives another UIDL to each message of PARTS (COUNT) that was not shown yet and has the one of another, or
 * one that is reserved, or by a template one that a book has for a message which is gone, of whichever part;
 * the book of its own part learns it. That the UIDLs of parts end in marks of their own tells nothing: senders
 * write some of them. SOURCE is what the books note. Costs nothing where nothing is new. Returns 0 or
 * ERR_NO_MEMORY. */
int uidl_settle(const struct uidl_part *parts, size_t count, uint8_t source,
    const struct siphash_key *key);
