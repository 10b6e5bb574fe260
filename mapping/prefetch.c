/* prefetch.c - see prefetch.h. */
#include "mapping/prefetch.h"

#include <stdbool.h>

enum {
	FIRST_MESSAGES = 4,
	GROWTH = 8, /* each step costs a round trip, and a wrong guess at most PREFETCH_OCTETS_MAX */
	MOST_MESSAGES = 1024,
};

/* The next message behind NUMBER that is not marked; 0: none. */
static size_t
next_left(const struct snapshot *s, size_t number)
{
	while (++number <= snapshot_count(s))
		if (!snapshot_at(s, number)->deleted)
			return number;
	return 0;
}

/* Whether NUMBER continues the series. Messages between that were marked, or the one before and
 * then marked, count as passed. */
static bool
continues(const struct prefetch *p, const struct snapshot *s, size_t number, uint32_t part)
{
	return p->last != 0 && p->part == part && next_left(s, p->last) == number;
}

static uint64_t
octets_of(const struct snapshot *s, size_t number, uint32_t part)
{
	uint64_t size = snapshot_at(s, number)->size;

	return part != 0 && size > part ? part : size;
}

size_t
prefetch_plan(struct prefetch *p, const struct snapshot *s, size_t number, uint32_t part,
    uint64_t room, struct uidset *set, uint64_t *octets)
{
	bool series = continues(p, s, number, part);
	size_t count = 0;

	p->last = number;
	p->part = part;
	*octets = 0;
	if (!series) {
		p->messages = 0;
		return 1;
	}
	p->messages = p->messages == 0 ? FIRST_MESSAGES : p->messages * GROWTH;
	if (p->messages > MOST_MESSAGES)
		p->messages = MOST_MESSAGES;
	if (room > PREFETCH_OCTETS_MAX)
		room = PREFETCH_OCTETS_MAX;
	for (size_t n = number; n != 0 && count < p->messages; n = next_left(s, n), count++) {
		uint64_t size = octets_of(s, n, part);

		if (snapshot_at(s, n)->part != snapshot_at(s, number)->part ||
		    size > PREFETCH_MESSAGE_MAX || *octets + size > room ||
		    uidset_add(set, snapshot_at(s, n)->uid) != 0)
			break;
		*octets += size;
	}
	if (count > 1)
		return count;
	uidset_clear(set);
	*octets = 0;
	return 1;
}

void
prefetch_hit(struct prefetch *p, size_t number)
{
	p->last = number;
}

void
prefetch_miss(struct prefetch *p)
{
	p->last = 0;
	p->messages = 0;
}
