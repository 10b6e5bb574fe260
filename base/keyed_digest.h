/* keyed_digest.h - a digest that only the holder of a key can make or check (HMAC-SHA-256, RFC 2104). */
#pragma once
#include <stddef.h>

enum { KEYED_DIGEST_KEY = 32, KEYED_DIGEST_SIZE = 32 };

struct keyed_part {
	const void *octets;
	size_t len;
};

/* Writes the digest of PARTS (COUNT). Each part's length is part of it, so that "ab", "c" and "a", "bc"
 * differ. Cannot fail. Leaves nothing of the parts on the stack. */
void keyed_digest(const unsigned char key[KEYED_DIGEST_KEY], const struct keyed_part *parts,
    size_t count, unsigned char out[KEYED_DIGEST_SIZE]);
