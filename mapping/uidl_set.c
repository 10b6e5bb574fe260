/* uidl_set.c - see uidl_set.h. */
#include "mapping/uidl_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

int
uidl_set_init(struct uidl_set *set, size_t most, const struct siphash_key *key)
{
	size_t slots = 16;

	*set = (struct uidl_set){ .key = *key };
	while (slots / 2 < most && slots <= SIZE_MAX / 2)
		slots *= 2;
	set->mask = slots - 1;
	return (set->slots = calloc(slots, sizeof(*set->slots))) != NULL ? 0 : ERR_NO_MEMORY;
}

void
uidl_set_clear(struct uidl_set *set)
{
	free(set->slots);
	set->slots = NULL;
}

/* The slot that has UIDL's HASH, or is free for it. */
static size_t
find_slot(const struct uidl_set *set, const char *uidl, uint64_t *hash)
{
	size_t at;

	*hash = siphash(&set->key, uidl, strlen(uidl));
	if (*hash == 0)
		*hash = 1;
	for (at = (size_t) *hash & set->mask; set->slots[at] != 0 && set->slots[at] != *hash;)
		at = (at + 1) & set->mask;
	return at;
}

bool
uidl_set_add(struct uidl_set *set, const char *uidl)
{
	uint64_t hash;
	size_t at = find_slot(set, uidl, &hash);

	if (set->slots[at] != 0)
		return false;
	set->slots[at] = hash;
	return true;
}

bool
uidl_set_contains(const struct uidl_set *set, const char *uidl)
{
	uint64_t hash;

	return set->slots[find_slot(set, uidl, &hash)] != 0;
}
