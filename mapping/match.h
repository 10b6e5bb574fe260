/* match.h - which message of one listing is which of another: how UIDLs survive a move.
 *
 * The old side is what clients have seen, each message with its UIDL; the new side is what the IMAP
 * server holds, each with its UID. A pair that is wrong hides a message from its reader for ever, and
 * a pair that is missing costs a download. So nothing is ever guessed: what is in doubt is left out.
 *
 * In this order:
 *   identity     both servers name the message themselves (EMAILID, X-GUID); where that tells of any
 *                message, no two of different names are paired by order or position
 *   X-UIDL       the old server had written the UIDL into the message
 *   order        both listings begin with the same sizes in the same order; headers are compared at
 *                every MATCH_STRIDE messages, at the end of that prefix, and wherever messages near
 *                each other have the same size, and what is not between two that agree is left open.
 *                Where one side has no headers, that takes MATCH_UNSEEN messages of sizes that occur
 *                nowhere else, and all from the last MATCH_UNSEEN_END of these on are left out: reports
 *                that come each night have one size
 *   headers      the fingerprints are the same (see fingerprint.h)
 *   message-id   size, Message-ID and Date are the same
 *   position     the old side tells neither sizes nor headers, has no gaps, and both have as many messages,
 *                all in one mailbox
 *
 * Messages that are alike in all that is compared are paired by their order where both sides have as
 * many of them, else they are ambiguous. A server may count a line's end as one octet or two: by
 * order only equal sizes pair, and Message-ID with Date pairs sizes up to that difference.
 *
 * The new side may be several mailboxes, one behind the other, into which an old one was sorted. Its
 * order says nothing from one to the next: each must agree with the old side by itself, and where no
 * headers can be compared, only the first goes by order and size.
 *
 * What order and size cannot show is one message that went on one side where another, just as large,
 * went on the other, between two that agree; MATCH_THOROUGH sees that too.
 *
 * Headers are expensive, so they are asked for in rounds: match_begin, then the headers that are wanted
 * and match_step until that is all. Pure: no I/O. Time grows as n log n. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mapping/fingerprint.h"

enum {
	MATCH_STRIDE = 64,	/* messages from one comparison of headers to the next */
	MATCH_NEIGHBOURS = 4,	/* so near, messages of equal size are in doubt */
	MATCH_UNSEEN = 8,	/* sizes that occur once, for order and size to do without headers */
	MATCH_UNSEEN_END = 4,	/* the last of these, whose messages may be others */
	MATCH_MESSAGES_MAX = 0x7fffffff, /* of a side */
};

#define MATCH_NO_SIZE UINT64_MAX
#define MATCH_NONE UINT32_MAX

enum match_header {
	MATCH_HEADER_UNREAD,
	MATCH_HEADER_READ,	  /* print holds what was found */
	MATCH_HEADER_UNAVAILABLE, /* asked for in vain, or cannot be asked for */
};

enum match_how {
	MATCH_OPEN,	 /* not yet, or not at all: nothing fits */
	MATCH_AMBIGUOUS, /* several fit, and nothing tells which */
	MATCH_BY_IDENTITY,
	MATCH_BY_X_UIDL,
	MATCH_BY_ORDER,
	MATCH_BY_HEADERS,
	MATCH_BY_MESSAGE_ID,
	MATCH_BY_POSITION,
	MATCH_HOWS,
};

/* A message of either side. The caller sets the first group, and print with header. */
struct match_message {
	uint64_t size;	   /* octets, or MATCH_NO_SIZE */
	uint64_t name;	   /* old side: fingerprint_key of the UIDL; new side: not looked at */
	uint64_t identity; /* fingerprint_key of EMAILID or X-GUID; 0: not known */
	bool begins_mailbox; /* new side: the first of a mailbox */
	struct fingerprint print;
	enum match_header header;
	bool wanted; /* this round: the header is to be read, where it is unread */
	enum match_how how;
	uint32_t partner; /* index of the other side; MATCH_NONE while open or ambiguous */
};

struct match_side {
	struct match_message *messages; /* in the order of the maildrop; the caller's */
	size_t count;
	bool has_gaps; /* old side: there were more messages, so that places say nothing */
};

enum match_depth {
	MATCH_USUAL,
	MATCH_THOROUGH, /* every header is compared; nothing goes by order and size alone */
};

struct match {
	struct match_side old, new;
	enum match_depth depth;
	unsigned round; /* enum of match.c */
	size_t prefix;	/* messages of equal size and order at the beginning */
	bool by_identity; /* names of messages have stayed: where two differ, so do the messages */
	bool by_x_uidl; /* the new side's headers bear the old side's UIDLs */
	size_t paired;
	size_t by[MATCH_HOWS];	   /* pairs; of MATCH_OPEN and MATCH_AMBIGUOUS: the old side's */
	size_t new_left;	   /* messages of the new side without a partner */
};

/* Begins with all messages of both sides open, and says whose headers are wanted first. OLD and NEW
 * must outlive M. Returns 0, ERR_LIMIT or ERR_NO_MEMORY. */
int match_begin(struct match *m, const struct match_side *old, const struct match_side *new,
    enum match_depth depth);

/* After each round: pairs what can be paired by the headers read so far. One that is wanted and still
 * unread counts as unavailable. *DONE: that was all, and the result is in the messages and in the counts
 * of M; else headers are wanted anew, though it may be none. Returns 0 or ERR_NO_MEMORY. */
int match_step(struct match *m, bool *done);

/* Whether message I of a side has its header to be read. */
bool match_wants(const struct match_side *side, size_t i);

/* "order", "headers", ...: a word for reports. */
const char *match_how_name(enum match_how how);
