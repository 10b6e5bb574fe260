/* digest.c - see digest.h. */
#include "base/digest.h"

/* Not SHA256 or EVP: since OpenSSL 3 they allocate, and what was no digest would be the name of a
 * lock. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

_Static_assert(sizeof(SHA256_CTX) <= sizeof(struct digest), "OpenSSL's state fits");
_Static_assert(DIGEST_SIZE == SHA256_DIGEST_LENGTH, "a digest is one of SHA-256");

void
digest_begin(struct digest *d)
{
	SHA256_Init((SHA256_CTX *) d->state);
}

void
digest_add(struct digest *d, const void *in, size_t len)
{
	SHA256_Update((SHA256_CTX *) d->state, in, len);
}

void
digest_end(struct digest *d, unsigned char out[DIGEST_SIZE])
{
	SHA256_Final(out, (SHA256_CTX *) d->state);
}

void
digest_hex(const void *in, size_t len, char out[DIGEST_HEX + 1])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char digest[DIGEST_SIZE];
	struct digest state;

	digest_begin(&state);
	digest_add(&state, in, len);
	digest_end(&state, digest);
	for (size_t i = 0; i < sizeof(digest); i++) {
		out[2 * i] = digits[digest[i] >> 4];
		out[2 * i + 1] = digits[digest[i] & 15];
	}
	out[DIGEST_HEX] = '\0';
}
