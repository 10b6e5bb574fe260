/* base64.h - strict base64 (RFC 4648 section 4), as SASL needs it.
 *
 * Strict: no white space, no missing or misplaced padding, no stray bits in the last symbol. */
#pragma once
#include <stddef.h>

/* Octets that base64_encode writes for LEN octets of input, without the final NUL. */
size_t base64_encoded_size(size_t len);

/* Writes the base64 form of IN (LEN octets) and a NUL to OUT, which has room for
 * base64_encoded_size(LEN) + 1. */
void base64_encode(const void *in, size_t len, char *out);

/* Decodes IN (LEN octets) to OUT, which has ROOM octets; *OUT_LEN is set on success. An empty input
 * gives an empty output. Returns 0, ERR_INVALID, or ERR_LIMIT where the result does not fit. */
int base64_decode(const char *in, size_t len, void *out, size_t room, size_t *out_len);
