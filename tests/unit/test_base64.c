/* Unit tests of base/base64.c. */
#include "base/base64.h"

#include "base/error.h"
#include "unit.h"

/* RFC 4648 section 10. */
static const struct {
	const char *plain;
	const char *encoded;
} vectors[] = {
	{ "", "" },
	{ "f", "Zg==" },
	{ "fo", "Zm8=" },
	{ "foo", "Zm9v" },
	{ "foob", "Zm9vYg==" },
	{ "fooba", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy" },
	{ "\xff\xfe\xfb\xef", "//777w==" },
};

static const struct {
	const char *encoded;
	int result;
} refused[] = {
	{ "Z", ERR_INVALID }, { "Zg", ERR_INVALID }, { "Zg=", ERR_INVALID },
	{ "====", ERR_INVALID }, { "Zg==Zg==", ERR_INVALID }, { "Z===", ERR_INVALID },
	{ "Zh==", ERR_INVALID }, /* stray bits */
	{ "Zm9=", ERR_INVALID }, { " Zg=", ERR_INVALID }, { "Zg==\n", ERR_INVALID },
	{ "Zm9v\nZm9", ERR_INVALID }, { "Zm-_", ERR_INVALID }, { "Z=9v", ERR_INVALID },
	{ "Zm9vZm9vZm9v", ERR_LIMIT }, /* 9 octets into 8 */
};

static void
vectors_both_ways(void)
{
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		char encoded[64], plain[64];
		size_t len = strlen(vectors[i].plain), got = 99;

		base64_encode(vectors[i].plain, len, encoded);
		UNIT_CHECK(strcmp(encoded, vectors[i].encoded) == 0, vectors[i].encoded);
		UNIT_CHECK(base64_encoded_size(len) == strlen(encoded), vectors[i].encoded);
		UNIT_CHECK(base64_decode(encoded, strlen(encoded), plain, sizeof(plain), &got) == 0,
		    vectors[i].encoded);
		UNIT_CHECK(
		    got == len && memcmp(plain, vectors[i].plain, len) == 0, vectors[i].encoded);
	}
}

static void
every_octet_comes_back(void)
{
	unsigned char in[256], out[256];
	char encoded[400];
	size_t got;

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (unsigned char) (i * 167);
	for (size_t len = 0; len <= sizeof(in); len++) {
		base64_encode(in, len, encoded);
		CU_ASSERT_EQUAL(base64_decode(encoded, strlen(encoded), out, len, &got), 0);
		CU_ASSERT_EQUAL(got, len);
		CU_ASSERT_EQUAL(memcmp(in, out, len), 0);
	}
}

static void
malformed_is_refused(void)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		const char *text = refused[i].encoded;
		char out[8];
		size_t got;

		UNIT_CHECK(
		    base64_decode(text, strlen(text), out, sizeof(out), &got) == refused[i].result,
		    text);
	}
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "vectors_both_ways", vectors_both_ways },
		{ "every_octet_comes_back", every_octet_comes_back },
		{ "malformed_is_refused", malformed_is_refused },
	};

	return unit_run("base64", tests, sizeof(tests) / sizeof(tests[0]));
}
