/* keyed_digest.c - see keyed_digest.h. */
#include "base/keyed_digest.h"

#include <stdint.h>
#include <string.h>

/* As in digest.c: what OpenSSL 3 offers in their place allocates, and can fail. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/sha.h>

static void
begin(SHA256_CTX *context, const unsigned char key[KEYED_DIGEST_KEY], unsigned char pad)
{
	unsigned char block[SHA256_CBLOCK];

	memset(block, pad, sizeof(block));
	for (size_t i = 0; i < KEYED_DIGEST_KEY; i++)
		block[i] ^= key[i];
	SHA256_Init(context);
	SHA256_Update(context, block, sizeof(block));
	OPENSSL_cleanse(block, sizeof(block));
}

void
keyed_digest(const unsigned char key[KEYED_DIGEST_KEY], const struct keyed_part *parts,
    size_t count, unsigned char out[KEYED_DIGEST_SIZE])
{
	unsigned char inner[SHA256_DIGEST_LENGTH];
	SHA256_CTX context;

	begin(&context, key, 0x36);
	for (size_t i = 0; i < count; i++) {
		uint64_t len = parts[i].len;

		SHA256_Update(&context, &len, sizeof(len));
		SHA256_Update(&context, parts[i].octets, parts[i].len);
	}
	SHA256_Final(inner, &context);
	begin(&context, key, 0x5c);
	SHA256_Update(&context, inner, sizeof(inner));
	SHA256_Final(out, &context);
	OPENSSL_cleanse(&context, sizeof(context));
	OPENSSL_cleanse(inner, sizeof(inner));
}
