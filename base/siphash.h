/* siphash.h - SipHash-2-4 (Aumasson, Bernstein 2012): a keyed hash for tables whose keys strangers
 * choose. Pure. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct siphash_key {
	uint64_t low; /* the first 8 octets of the key, little-endian */
	uint64_t high;
};

/* The hash of IN (LEN octets). */
uint64_t siphash(const struct siphash_key *key, const void *in, size_t len);
