/* failure_table.h - counters of failed logins, of as many addresses or users as strangers care to
 * invent, in memory of a fixed size.
 *
 * A table is an array of entries without pointers, zeroed at first: it may lie in memory that processes
 * share. A key has one of a few places (a bucket); where all are taken, the entry that says least makes
 * room. Keys are keyed digests, so that nobody can choose them to meet. Times are ticks of a clock that
 * is the caller's. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FAILURE_IN_FLIGHT = 8, /* times at which attempts of one key end that can be told apart */
	FAILURE_RECENT = 4,    /* the last credentials that failed are recognised */
	FAILURE_BUCKET = 8,    /* places that a key may have */
};

struct failures {
	uint64_t key;			       /* 0: a free place */
	uint32_t seen;			       /* when it was last used */
	uint32_t counted_from;		       /* when COUNT began, or was last lowered */
	uint32_t blocked_until;		       /* the user is not asked about before */
	uint32_t in_flight[FAILURE_IN_FLIGHT]; /* until when attempts are under way; past or 0: free */
	uint8_t attempts[FAILURE_IN_FLIGHT];   /* how many until then */
	uint32_t recent[FAILURE_RECENT];       /* digests of credentials that failed */
	uint32_t succeeded_at;		       /* last */
	uint32_t count;
	uint16_t successes;		       /* that count */
	uint8_t blocks; /* how often the user was blocked in a row */
	uint8_t next_recent;
};

/* How a count goes down again: as a whole after WINDOW ticks, or by one each LEAK ticks. The other
 * is 0. */
struct failure_rule {
	uint32_t window;
	uint32_t leak;
	uint32_t most; /* it does not go higher */
	uint32_t lately; /* how long successes count behind the last one; 0: not at all */
};

struct failure_table {
	struct failures *entries;
	uint32_t size; /* a power of 2, at least FAILURE_BUCKET */
	const struct failure_rule *rule;
};

/* The entry of KEY, or NULL. Another call of failures_obtain may give its place away. */
struct failures *failures_find(const struct failure_table *t, uint64_t key);

/* The entry of KEY, made where there is none. */
struct failures *failures_obtain(const struct failure_table *t, uint64_t key, uint32_t tick);

/* The failures of F (NULL: none) that still count. */
unsigned failures_count(
    const struct failure_table *t, const struct failures *f, uint32_t tick);

/* Counts a failure of credentials with the digest PROOF; the same ones count once. */
void failures_raise(
    const struct failure_table *t, struct failures *f, uint32_t proof, uint32_t tick);

/* Counts a success of F (NULL: none), unless failures count: it is not to outweigh them. */
void failures_praise(const struct failure_table *t, struct failures *f, uint32_t tick);

/* How often F (NULL: none) has succeeded lately, and since its last failure. */
unsigned failures_praised(
    const struct failure_table *t, const struct failures *f, uint32_t tick);

/* Attempts of F (NULL: none) that are under way. */
unsigned failures_in_flight(const struct failures *f, uint32_t tick);

/* An attempt is under way until UNTIL at the latest. Where all times are taken it is not counted. */
void failures_begin(struct failures *f, uint32_t until, uint32_t tick);

/* One that was begun until UNTIL goes on until INSTEAD (0: it is over); where all times are taken, until
 * the nearest of them, but no less. */
void failures_change(struct failures *f, uint32_t until, uint32_t instead, uint32_t tick);
