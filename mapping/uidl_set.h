/* uidl_set.h - a set of UIDLs, by a keyed hash of each: strangers choose some of them. Two of a
 * million differ and look the same once in a hundred million sets. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/siphash.h"

struct uidl_set {
	uint64_t *slots; /* 0: free */
	size_t mask;
	struct siphash_key key;
};

/* A set for up to MOST UIDLs; to be cleared also where this fails. Returns 0 or ERR_NO_MEMORY. */
int uidl_set_init(struct uidl_set *set, size_t most, const struct siphash_key *key);
void uidl_set_clear(struct uidl_set *set);

/* Adds UIDL. Returns whether it was not there before. */
bool uidl_set_add(struct uidl_set *set, const char *uidl);

bool uidl_set_contains(const struct uidl_set *set, const char *uidl);
