/* prefetch.h - how many messages to ask for when a client wants one: clients take most messages in
 * order, and then the ones behind are wanted next.
 *
 * Begins when a pattern shows, grows while it holds, ends when it does not. Pure: no I/O. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/uidset.h"
#include "mapping/snapshot.h"

enum {
	PREFETCH_OCTETS_MAX = 2 << 20,	   /* in all that is asked for at a time */
	PREFETCH_MESSAGE_MAX = 256 * 1024, /* a larger message is always fetched alone */
};

/* What a session's requests were like. Zeroed: nothing is known. */
struct prefetch {
	size_t last;	 /* the number that was wanted last; 0: none */
	uint32_t part;	 /* octets of the part that was wanted; 0: all */
	size_t messages; /* to ask for next time; 0: no pattern has shown */
};

/* The client wants message NUMBER of S, which is not marked: all of it, or the first PART octets.
 * Returns how many messages it is worth asking for, with their UIDs added to SET (empty before) and
 * an estimate of their octets in *OCTETS: that one first, then those that follow it in the same
 * mailbox. 1: it alone, and SET is empty. Not more octets than ROOM. Without memory, 1. */
size_t prefetch_plan(struct prefetch *p, const struct snapshot *s, size_t number, uint32_t part,
    uint64_t room, struct uidset *set, uint64_t *octets);

/* NUMBER was wanted and had been asked for already. */
void prefetch_hit(struct prefetch *p, size_t number);

/* What had been asked for was not wanted. */
void prefetch_miss(struct prefetch *p);
