/* uidset.c - see uidset.h. */
#include "base/uidset.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

void
uidset_clear(struct uidset *set)
{
	free(set->ranges);
	*set = (struct uidset){ 0 };
}

/* Makes room for one more range at index AT. */
static int
insert_at(struct uidset *set, size_t at, struct uid_range range)
{
	if (set->count == set->room) {
		size_t room = set->room == 0 ? 8 : set->room * 2;
		struct uid_range *ranges = realloc(set->ranges, room * sizeof(*ranges));

		if (ranges == NULL)
			return ERR_NO_MEMORY;
		set->ranges = ranges;
		set->room = room;
	}
	memmove(set->ranges + at + 1, set->ranges + at, (set->count - at) * sizeof(*set->ranges));
	set->ranges[at] = range;
	set->count++;
	return 0;
}

/* The index of the first range that ends at UID or after it; set->count when there is none. */
static size_t
find(const struct uidset *set, uint32_t uid)
{
	size_t low = 0, high = set->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (set->ranges[middle].last < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int
uidset_add(struct uidset *set, uint32_t uid)
{
	size_t at;
	bool joins_before, joins_after;

	if (uid == 0)
		return ERR_INVALID;
	at = set->count > 0 && uid > set->ranges[set->count - 1].last ? set->count : find(set, uid);
	if (at < set->count && uid >= set->ranges[at].first)
		return 0;
	joins_before = at > 0 && set->ranges[at - 1].last == uid - 1;
	joins_after = at < set->count && set->ranges[at].first - 1 == uid;
	if (joins_before && joins_after) {
		set->ranges[at - 1].last = set->ranges[at].last;
		set->count--;
		memmove(set->ranges + at, set->ranges + at + 1,
		    (set->count - at) * sizeof(*set->ranges));
		return 0;
	}
	if (joins_before) {
		set->ranges[at - 1].last = uid;
		return 0;
	}
	if (joins_after) {
		set->ranges[at].first = uid;
		return 0;
	}
	return insert_at(set, at, (struct uid_range){ uid, uid });
}

/* Appends RANGE, which begins at or after the beginning of the last one; there is room. */
static void
append_joining(struct uidset *set, struct uid_range range)
{
	struct uid_range *last = set->count == 0 ? NULL : &set->ranges[set->count - 1];

	if (last == NULL || (uint64_t) last->last + 1 < range.first)
		set->ranges[set->count++] = range;
	else if (range.last > last->last)
		last->last = range.last;
}

/* OTHER begins behind the end of SET. */
static int
append_set(struct uidset *set, const struct uidset *other)
{
	size_t room = set->count + other->count;
	struct uid_range *ranges;

	if (room > set->room) {
		room += room / 2;
		if ((ranges = realloc(set->ranges, room * sizeof(*ranges))) == NULL)
			return ERR_NO_MEMORY;
		set->ranges = ranges;
		set->room = room;
	}
	for (size_t i = 0; i < other->count; i++)
		append_joining(set, other->ranges[i]);
	return 0;
}

int
uidset_add_set(struct uidset *set, const struct uidset *other)
{
	size_t room = set->count + other->count, i = 0, j = 0;
	struct uidset sum = { .room = room };

	if (other->count == 0)
		return 0;
	if (set->count > 0 && set->ranges[set->count - 1].last < other->ranges[0].first)
		return append_set(set, other);
	if ((sum.ranges = malloc(room * sizeof(*sum.ranges))) == NULL)
		return ERR_NO_MEMORY;
	while (i < set->count || j < other->count) {
		bool from_set = j == other->count ||
				(i < set->count && set->ranges[i].first < other->ranges[j].first);

		append_joining(&sum, from_set ? set->ranges[i++] : other->ranges[j++]);
	}
	uidset_clear(set);
	*set = sum;
	return 0;
}

bool
uidset_contains(const struct uidset *set, uint32_t uid)
{
	size_t at = find(set, uid);

	return at < set->count && set->ranges[at].first <= uid;
}

bool
uidset_contains_next(const struct uidset *set, size_t *at, uint32_t uid)
{
	while (*at < set->count && set->ranges[*at].last < uid)
		(*at)++;
	return *at < set->count && set->ranges[*at].first <= uid;
}

static int
compare_ranges(const void *a, const void *b)
{
	const struct uid_range *left = a, *right = b;

	return (left->first > right->first) - (left->first < right->first);
}

int
uidset_take_ranges(struct uidset *set, struct uid_range *ranges, size_t count)
{
	struct uidset sum = { .ranges = ranges, .room = count };

	for (size_t i = 0; i < count; i++)
		if (ranges[i].first == 0 || ranges[i].last < ranges[i].first)
			return ERR_INVALID;
	if (count > 0)
		qsort(ranges, count, sizeof(*ranges), compare_ranges);
	/* In place: there are never more ranges in the sum than were read. */
	for (size_t i = 0; i < count; i++)
		append_joining(&sum, ranges[i]);
	*set = sum;
	return 0;
}

uint64_t
uidset_size(const struct uidset *set)
{
	uint64_t size = 0;

	for (size_t i = 0; i < set->count; i++)
		size += (uint64_t) set->ranges[i].last - set->ranges[i].first + 1;
	return size;
}

bool
uidset_equal(const struct uidset *a, const struct uidset *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->ranges[i].first != b->ranges[i].first ||
		    a->ranges[i].last != b->ranges[i].last)
			return false;
	return true;
}

/* Appends what is left of RANGE without the members of B. *NEXT is the first range of B that can
 * matter; it moves on as ranges are given in ascending order. */
static int
append_without(struct uidset *out, struct uid_range range, const struct uidset *b, size_t *next)
{
	uint64_t first = range.first; /* wider than a UID: it may step past the last one */
	int rc;

	while (*next < b->count && b->ranges[*next].last < first)
		(*next)++;
	for (size_t i = *next;
	     i < b->count && b->ranges[i].first <= range.last && first <= range.last; i++) {
		if (b->ranges[i].first > first) {
			struct uid_range gap = { (uint32_t) first, b->ranges[i].first - 1 };

			if ((rc = insert_at(out, out->count, gap)) != 0)
				return rc;
		}
		first = (uint64_t) b->ranges[i].last + 1;
	}
	if (first > range.last)
		return 0;
	return insert_at(out, out->count, (struct uid_range){ (uint32_t) first, range.last });
}

int
uidset_subtract(const struct uidset *a, const struct uidset *b, struct uidset *out)
{
	size_t next = 0;
	int rc = 0;

	for (size_t i = 0; i < a->count && rc == 0; i++)
		rc = append_without(out, a->ranges[i], b, &next);
	return rc;
}

int
uidset_intersect(const struct uidset *a, const struct uidset *b, struct uidset *out)
{
	size_t i = 0, j = 0;
	int rc;

	while (i < a->count && j < b->count) {
		const struct uid_range *x = &a->ranges[i], *y = &b->ranges[j];
		uint32_t first = x->first > y->first ? x->first : y->first;
		uint32_t last = x->last < y->last ? x->last : y->last;

		if (first <= last) {
			rc = insert_at(out, out->count, (struct uid_range){ first, last });
			if (rc != 0)
				return rc;
		}
		if (x->last < y->last)
			i++;
		else
			j++;
	}
	return 0;
}

static size_t
decimal_digits(uint32_t n)
{
	size_t digits = 1;

	while (n >= 10) {
		n /= 10;
		digits++;
	}
	return digits;
}

size_t
uidset_batch(const struct uidset *set, size_t first, size_t max_octets)
{
	size_t octets = 0, at = first;

	for (; at < set->count; at++) {
		const struct uid_range *r = &set->ranges[at];
		size_t size = decimal_digits(r->first);

		if (r->last != r->first)
			size += 1 + decimal_digits(r->last);
		if (at > first)
			size++; /* the comma */
		if (at > first && octets + size > max_octets)
			break;
		octets += size;
	}
	return at - first;
}
