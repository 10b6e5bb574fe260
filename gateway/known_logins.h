/* known_logins.h - a memory of what succeeded lately, by keyed digests, in a table of fixed size.
 *
 * Without pointers, zeroed at first, as failure_table. Times are ticks of the caller's clock. Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { KNOWN_DIGEST = 16, KNOWN_BUCKET = 8 };

struct known_login {
	unsigned char digest[KNOWN_DIGEST];
	uint32_t seen; /* 0: a free place */
};

struct known_logins {
	struct known_login *entries;
	uint32_t size; /* a power of 2, at least KNOWN_BUCKET */
	uint32_t keep; /* ticks for which one is remembered */
};

/* Whether DIGEST is remembered. How long that takes does not depend on how much of it agrees. */
bool known_logins_have(
    const struct known_logins *k, const unsigned char digest[KNOWN_DIGEST], uint32_t tick);

/* Remembers DIGEST from now on; in a full bucket the oldest one is forgotten for it. */
void known_logins_add(
    const struct known_logins *k, const unsigned char digest[KNOWN_DIGEST], uint32_t tick);

void known_logins_remove(
    const struct known_logins *k, const unsigned char digest[KNOWN_DIGEST]);
