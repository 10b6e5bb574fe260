/* arrival_table.h - how often connections come from each of as many addresses as strangers care to
 * have, in memory of a fixed size.
 *
 * An address may have as many connections at once as a minute allows, and from then on one whenever
 * its part of a minute has gone by. One number an address says that: until when its connections have
 * used up its time (the generic cell rate algorithm). As in failure_table, entries have no pointers
 * and are zeroed at first, so that processes may share them, and keys are keyed digests. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ARRIVAL_BUCKET = 8 }; /* places that a key may have */

struct arrival {
	uint64_t key;
	uint64_t used_until; /* microseconds of the caller's clock; 0: a free place */
};

struct arrival_table {
	struct arrival *entries;
	uint32_t size; /* a power of 2, at least ARRIVAL_BUCKET */
};

/* A connection of KEY comes at NOW, in milliseconds. Returns whether it is one of PER_MINUTE (not 0);
 * one that is not does not count. Where all places of a key are taken, the address that has come
 * least makes room. */
bool arrivals_admit(
    const struct arrival_table *t, uint64_t key, uint32_t per_minute, uint64_t now);
