/* uidset.h - a set of IMAP UIDs as sorted, disjoint ranges (RFC 3501 section 9, sequence-set).
 *
 * Mailboxes are mostly runs, so a set is small where a list would not be. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uid_range {
	uint32_t first;
	uint32_t last; /* inclusive; >= first */
};

struct uidset {
	struct uid_range *ranges; /* ascending, disjoint, not adjacent */
	size_t count;
	size_t room;
};

/* An empty set owns nothing; { 0 } is one. */
void uidset_clear(struct uidset *set);

/* Adds UID (not 0; any order, repeats are harmless). Ascending order is cheapest. Returns 0,
 * ERR_INVALID or ERR_NO_MEMORY. */
int uidset_add(struct uidset *set, uint32_t uid);

/* Adds all members of OTHER. Returns 0 or ERR_NO_MEMORY, and SET is then as it was. */
int uidset_add_set(struct uidset *set, const struct uidset *other);

/* SET, empty before, becomes the members of RANGES (COUNT, in any order, allocated by malloc; NULL
 * for none), which belong to SET from now on. Returns 0; or ERR_INVALID (UID 0, or a range that
 * ends before it begins), and RANGES stay the caller's. */
int uidset_take_ranges(struct uidset *set, struct uid_range *ranges, size_t count);

bool uidset_contains(const struct uidset *set, uint32_t uid);

/* The same for UIDs that are asked about in ascending order. *AT is 0 at first. */
bool uidset_contains_next(const struct uidset *set, size_t *at, uint32_t uid);

/* How many UIDs are in the set. */
uint64_t uidset_size(const struct uidset *set);

bool uidset_equal(const struct uidset *a, const struct uidset *b);

/* *OUT (empty before) becomes A without the members of B. Returns 0 or ERR_NO_MEMORY. */
int uidset_subtract(const struct uidset *a, const struct uidset *b, struct uidset *out);

/* *OUT (empty before) becomes the members that A and B share. Returns 0 or ERR_NO_MEMORY. */
int uidset_intersect(const struct uidset *a, const struct uidset *b, struct uidset *out);

/* How many ranges from index FIRST on fit into MAX_OCTETS when written as "1:5,9,12:13"; at least 1
 * when FIRST is a valid index. For cutting a set into commands of bounded length. */
size_t uidset_batch(const struct uidset *set, size_t first, size_t max_octets);
