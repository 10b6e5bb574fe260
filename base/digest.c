/* digest.c - see digest.h. */
#include "base/digest.h"

/* Not SHA256 or EVP: since OpenSSL 3 they allocate, and what was no digest would be the name of a
 * lock. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

void
digest_hex(const void *in, size_t len, char out[DIGEST_HEX + 1])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char digest[SHA256_DIGEST_LENGTH];
	SHA256_CTX context;

	SHA256_Init(&context);
	SHA256_Update(&context, in, len);
	SHA256_Final(digest, &context);
	for (size_t i = 0; i < sizeof(digest); i++) {
		out[2 * i] = digits[digest[i] >> 4];
		out[2 * i + 1] = digits[digest[i] & 15];
	}
	out[DIGEST_HEX] = '\0';
}
