/* failure_table.c - see failure_table.h. */
#include "gateway/failure_table.h"

#include <string.h>

static struct failures *
bucket_of(const struct failure_table *t, uint64_t key)
{
	return t->entries + (key & (t->size - 1) & ~(uint64_t) (FAILURE_BUCKET - 1));
}

/* Processes look at the clock one after another, and may act in another order. */
static uint32_t
since(uint32_t then, uint32_t tick)
{
	return tick > then ? tick - then : 0;
}

struct failures *
failures_find(const struct failure_table *t, uint64_t key)
{
	struct failures *bucket = bucket_of(t, key);

	for (size_t i = 0; i < FAILURE_BUCKET; i++)
		if (bucket[i].key == key)
			return &bucket[i];
	return NULL;
}

unsigned
failures_count(const struct failure_table *t, const struct failures *f, uint32_t tick)
{
	uint32_t gone;

	if (f == NULL)
		return 0;
	if (t->rule->window != 0)
		return since(f->counted_from, tick) >= t->rule->window ? 0 : f->count;
	gone = since(f->counted_from, tick) / t->rule->leak;
	return gone >= f->count ? 0 : f->count - gone;
}

/* How much would be lost with F. */
static uint32_t
significance(const struct failure_table *t, const struct failures *f, uint32_t tick)
{
	uint32_t blocked = f->blocked_until > tick ? 1U << 30 : 0;

	return blocked + (failures_count(t, f, tick) << 1) +
	       (failures_in_flight(f, tick) > 0 ? 1 : 0);
}

struct failures *
failures_obtain(const struct failure_table *t, uint64_t key, uint32_t tick)
{
	struct failures *bucket = bucket_of(t, key), *least = bucket, *f;
	uint32_t least_significance = UINT32_MAX, s;

	if ((f = failures_find(t, key)) != NULL) {
		f->seen = tick;
		return f;
	}
	for (f = bucket; f < bucket + FAILURE_BUCKET; f++) {
		s = f->key == 0 ? 0 : significance(t, f, tick);
		if (s > least_significance || (s == least_significance && f->seen >= least->seen))
			continue;
		least = f;
		least_significance = s;
	}
	memset(least, 0, sizeof(*least));
	least->key = key;
	least->seen = tick;
	return least;
}

static bool
is_recent(const struct failures *f, uint32_t proof)
{
	for (size_t i = 0; i < FAILURE_RECENT; i++)
		if (f->recent[i] == proof)
			return true;
	return false;
}

void
failures_raise(const struct failure_table *t, struct failures *f, uint32_t proof, uint32_t tick)
{
	unsigned count = failures_count(t, f, tick);

	f->successes = 0;
	if (count > 0 && is_recent(f, proof))
		return;
	if (count == 0)
		f->counted_from = tick;
	else if (t->rule->leak != 0) /* what is left of the time to the next step stays */
		f->counted_from += (f->count - count) * t->rule->leak;
	f->count = count < t->rule->most ? count + 1 : count;
	f->recent[f->next_recent] = proof;
	f->next_recent = (uint8_t) ((f->next_recent + 1) % FAILURE_RECENT);
}

unsigned
failures_praised(const struct failure_table *t, const struct failures *f, uint32_t tick)
{
	return f != NULL && since(f->succeeded_at, tick) < t->rule->lately ? f->successes : 0;
}

void
failures_praise(const struct failure_table *t, struct failures *f, uint32_t tick)
{
	unsigned before = failures_praised(t, f, tick);

	if (f == NULL || failures_count(t, f, tick) > 0)
		return;
	f->successes = (uint16_t) (before < UINT16_MAX ? before + 1 : before);
	f->succeeded_at = tick;
}

unsigned
failures_in_flight(const struct failures *f, uint32_t tick)
{
	unsigned count = 0;

	for (size_t i = 0; f != NULL && i < FAILURE_IN_FLIGHT; i++)
		count += f->in_flight[i] > tick ? f->attempts[i] : 0;
	return count;
}

/* The place of attempts until UNTIL, one that is free, or FAILURE_IN_FLIGHT. */
static size_t
place_for(const struct failures *f, uint32_t until, uint32_t tick)
{
	size_t free_one = FAILURE_IN_FLIGHT;

	for (size_t i = 0; i < FAILURE_IN_FLIGHT; i++) {
		if (f->in_flight[i] == until)
			return i;
		if (f->in_flight[i] <= tick)
			free_one = i;
	}
	return free_one;
}

static size_t
nearest_place(const struct failures *f, uint32_t until)
{
	uint32_t least = UINT32_MAX, distance;
	size_t nearest = 0;

	for (size_t i = 0; i < FAILURE_IN_FLIGHT; i++) {
		distance = since(f->in_flight[i], until) + since(until, f->in_flight[i]);
		if (distance >= least)
			continue;
		least = distance;
		nearest = i;
	}
	return nearest;
}

static void
add_attempt(struct failures *f, size_t place, uint32_t until, uint32_t tick)
{
	if (f->in_flight[place] <= tick)
		f->attempts[place] = 0;
	if (f->in_flight[place] < until)
		f->in_flight[place] = until;
	if (f->attempts[place] < UINT8_MAX)
		f->attempts[place]++;
}

void
failures_begin(struct failures *f, uint32_t until, uint32_t tick)
{
	size_t place = place_for(f, until, tick);

	if (place < FAILURE_IN_FLIGHT)
		add_attempt(f, place, until, tick);
}

void
failures_change(struct failures *f, uint32_t until, uint32_t instead, uint32_t tick)
{
	size_t place = f != NULL ? place_for(f, until, tick) : FAILURE_IN_FLIGHT;

	if (place == FAILURE_IN_FLIGHT || f->in_flight[place] != until || f->attempts[place] == 0)
		return;
	if (--f->attempts[place] == 0)
		f->in_flight[place] = 0;
	if (instead <= tick)
		return;
	place = place_for(f, instead, tick);
	add_attempt(
	    f, place < FAILURE_IN_FLIGHT ? place : nearest_place(f, instead), instead, tick);
}
