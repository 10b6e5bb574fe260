/* Unit tests of base/digest.c. */
#include "base/digest.h"

#include "unit.h"

/* FIPS 180-4 examples. */
static const struct {
	const char *text;
	const char *hex;
} vectors[] = {
	{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
	{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
};

static void
is_sha256(void)
{
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		char hex[DIGEST_HEX + 1];

		digest_hex(vectors[i].text, strlen(vectors[i].text), hex);
		UNIT_CHECK(strcmp(hex, vectors[i].hex) == 0, vectors[i].text);
	}
}

static void
comes_in_pieces(void)
{
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		unsigned char digest[DIGEST_SIZE];
		char hex[DIGEST_HEX + 1];
		struct digest d;

		digest_begin(&d);
		for (const char *c = vectors[i].text; *c != '\0'; c++)
			digest_add(&d, c, 1);
		digest_end(&d, digest);
		for (size_t j = 0; j < DIGEST_SIZE; j++)
			snprintf(hex + 2 * j, 3, "%02x", digest[j]);
		UNIT_CHECK(strcmp(hex, vectors[i].hex) == 0, vectors[i].text);
	}
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "is_sha256", is_sha256 },
		{ "comes in pieces", comes_in_pieces },
	};

	return unit_run("digest", tests, sizeof(tests) / sizeof(tests[0]));
}
