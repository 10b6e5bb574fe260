/* digest.h - a stable digest of some octets, for names that must not depend on the machine or the
 * run. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { DIGEST_HEX = 64 }; /* hex digits of a SHA-256 digest */

/* Writes the SHA-256 digest of IN (LEN octets) as lower-case hex and a NUL. Cannot fail. */
void digest_hex(const void *in, size_t len, char out[DIGEST_HEX + 1]);

enum { DIGEST_SIZE = 32 }; /* octets of a digest */

/* A digest of octets that come piece by piece. */
struct digest {
	uint64_t state[14]; /* OpenSSL's */
};

void digest_begin(struct digest *d);
void digest_add(struct digest *d, const void *in, size_t len);
void digest_end(struct digest *d, unsigned char out[DIGEST_SIZE]);
