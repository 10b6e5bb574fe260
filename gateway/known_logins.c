/* known_logins.c - see known_logins.h. */
#include "gateway/known_logins.h"

#include <stddef.h>
#include <string.h>

#include <openssl/crypto.h>

static struct known_login *
bucket_of(const struct known_logins *k, const unsigned char digest[KNOWN_DIGEST])
{
	uint32_t place;

	memcpy(&place, digest, sizeof(place));
	return k->entries + (place & (k->size - 1) & ~(uint32_t) (KNOWN_BUCKET - 1));
}

static struct known_login *
find(const struct known_logins *k, const unsigned char digest[KNOWN_DIGEST])
{
	struct known_login *bucket = bucket_of(k, digest), *found = NULL;

	for (size_t i = 0; i < KNOWN_BUCKET; i++)
		if (CRYPTO_memcmp(bucket[i].digest, digest, KNOWN_DIGEST) == 0 && bucket[i].seen != 0)
			found = &bucket[i];
	return found;
}

bool
known_logins_have(
    const struct known_logins *k, const unsigned char digest[KNOWN_DIGEST], uint32_t tick)
{
	const struct known_login *login = find(k, digest);

	return login != NULL && (tick <= login->seen || tick - login->seen < k->keep);
}

void
known_logins_add(
    const struct known_logins *k, const unsigned char digest[KNOWN_DIGEST], uint32_t tick)
{
	struct known_login *bucket = bucket_of(k, digest), *place = find(k, digest);

	for (size_t i = 0; place == NULL && i < KNOWN_BUCKET; i++)
		if (bucket[i].seen == 0)
			place = &bucket[i];
	if (place == NULL) {
		place = bucket;
		for (size_t i = 1; i < KNOWN_BUCKET; i++)
			if (bucket[i].seen < place->seen)
				place = &bucket[i];
	}
	memcpy(place->digest, digest, KNOWN_DIGEST);
	place->seen = tick;
}

void
known_logins_remove(const struct known_logins *k, const unsigned char digest[KNOWN_DIGEST])
{
	struct known_login *login = find(k, digest);

	if (login != NULL)
		OPENSSL_cleanse(login, sizeof(*login));
}
