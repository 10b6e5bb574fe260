/* digest.h - a stable digest of some octets, for names that must not depend on the machine or the
 * run. */
#pragma once
#include <stddef.h>

enum { DIGEST_HEX = 64 }; /* hex digits of a SHA-256 digest */

/* Writes the SHA-256 digest of IN (LEN octets) as lower-case hex and a NUL. Cannot fail. */
void digest_hex(const void *in, size_t len, char out[DIGEST_HEX + 1]);
