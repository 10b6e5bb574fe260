/* Tests of base/keyed_digest.c. */
#include "tests/unit/unit.h"

#include <openssl/hmac.h>

#include "base/keyed_digest.h"

static const unsigned char key[KEYED_DIGEST_KEY] = { 1, 2, 3, [31] = 0xff };

/* OpenSSL's own, over each part behind its length. */
static void
is_hmac_sha256(void)
{
	static const struct keyed_part parts[] = { { "user", 4 }, { "", 0 }, { "pass\0word", 9 } };
	unsigned char all[64], wanted[KEYED_DIGEST_SIZE], got[KEYED_DIGEST_SIZE];
	unsigned wanted_len = 0;
	size_t len = 0;

	for (size_t i = 0; i < 3; i++) {
		memset(all + len, 0, 8);
		all[len] = (unsigned char) parts[i].len;
		len += 8;
		memcpy(all + len, parts[i].octets, parts[i].len);
		len += parts[i].len;
	}
	HMAC(EVP_sha256(), key, sizeof(key), all, len, wanted, &wanted_len);
	keyed_digest(key, parts, 3, got);
	CU_ASSERT_EQUAL(wanted_len, KEYED_DIGEST_SIZE);
	CU_ASSERT_EQUAL(memcmp(wanted, got, sizeof(got)), 0);
}

static void
parts_are_told_apart(void)
{
	static const struct keyed_part one[] = { { "ab", 2 }, { "c", 1 } };
	static const struct keyed_part two[] = { { "a", 1 }, { "bc", 2 } };
	unsigned char a[KEYED_DIGEST_SIZE], b[KEYED_DIGEST_SIZE], other[KEYED_DIGEST_KEY] = { 1 };

	keyed_digest(key, one, 2, a);
	keyed_digest(key, two, 2, b);
	CU_ASSERT_NOT_EQUAL(memcmp(a, b, sizeof(a)), 0);
	keyed_digest(other, one, 2, b);
	CU_ASSERT_NOT_EQUAL(memcmp(a, b, sizeof(a)), 0);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "is HMAC-SHA-256", is_hmac_sha256 },
		{ "parts are told apart", parts_are_told_apart },
	};

	return unit_run("keyed_digest", tests, sizeof(tests) / sizeof(tests[0]));
}
