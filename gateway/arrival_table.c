/* arrival_table.c - see arrival_table.h. */
#include "gateway/arrival_table.h"

enum { MS = 1000, MINUTE = 60 * 1000 * MS }; /* in microseconds */

/* The place of KEY, or the one that it may have instead of who has used least. */
static struct arrival *
place_of(const struct arrival_table *t, uint64_t key)
{
	struct arrival *bucket =
	    t->entries + (key & (t->size - 1) & ~(uint64_t) (ARRIVAL_BUCKET - 1));
	struct arrival *least = bucket;

	for (size_t i = 0; i < ARRIVAL_BUCKET; i++) {
		if (bucket[i].key == key)
			return &bucket[i];
		if (bucket[i].used_until < least->used_until)
			least = &bucket[i];
	}
	*least = (struct arrival){ .key = key };
	return least;
}

bool
arrivals_admit(const struct arrival_table *t, uint64_t key, uint32_t per_minute, uint64_t now)
{
	struct arrival *a = place_of(t, key);
	uint64_t from = a->used_until > now * MS ? a->used_until : now * MS;
	uint64_t until = from + MINUTE / per_minute;

	if (until > now * MS + MINUTE)
		return false;
	a->used_until = until;
	return true;
}
