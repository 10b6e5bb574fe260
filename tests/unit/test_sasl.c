/* Unit tests of pop3front/sasl.c. */
#include "pop3front/sasl.h"

#include <stdlib.h>

#include "base/base64.h"
#include "base/error.h"
#include "unit.h"

static enum sasl_outcome
respond(struct sasl_exchange *x, const char *text, size_t len, struct credentials *c)
{
	static char encoded[2 * PASSWORD_MAX];

	base64_encode(text, len, encoded);
	return sasl_respond(x, encoded, strlen(encoded), c);
}

static enum sasl_outcome
plain(const char *text, size_t len, struct credentials *c)
{
	struct sasl_exchange x;

	CU_ASSERT_EQUAL_FATAL(sasl_begin(&x, "plain", 5), 0);
	CU_ASSERT_STRING_EQUAL(sasl_challenge(&x), "");
	return respond(&x, text, len, c);
}

static void
rule_26_mechanisms(void)
{
	static const char *const bad[] = { "", "PLAI", "PLAINX", "CRAM-MD5", "PLAIN LOGIN", "XOAUTH2" };
	struct sasl_exchange x;

	CU_ASSERT_STRING_EQUAL(sasl_mechanisms(), "PLAIN LOGIN");
	CU_ASSERT_EQUAL(sasl_begin(&x, "PLAIN", 5), 0);
	CU_ASSERT_EQUAL(sasl_begin(&x, "lOgIn", 5), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		UNIT_CHECK(sasl_begin(&x, bad[i], strlen(bad[i])) == ERR_INVALID, bad[i]);
}

static void
rule_26_plain(void)
{
#define ROW(text, outcome, user, password) { text, sizeof(text) - 1, outcome, user, password }
	static const struct {
		const char *text;
		size_t len;
		enum sasl_outcome outcome;
		const char *user, *password;
	} rows[] = {
		ROW("\0user\0secret", SASL_DONE, "user", "secret"),
		ROW("user\0user\0secret", SASL_DONE, "user", "secret"),
		ROW("\0j\xc3\xbcrgen\0p\xc3\xa4ss w\xc3\xb6rd ", SASL_DONE, "j\xc3\xbcrgen",
		    "p\xc3\xa4ss w\xc3\xb6rd "),
		ROW("other\0user\0secret", SASL_BAD, NULL, NULL),
		ROW("use\0user\0secret", SASL_BAD, NULL, NULL),
		ROW("root\0user\0secret", SASL_BAD, NULL, NULL),
		ROW("", SASL_BAD, NULL, NULL),
		ROW("\0", SASL_BAD, NULL, NULL),
		ROW("\0\0", SASL_BAD, NULL, NULL),
		ROW("a", SASL_BAD, NULL, NULL),
		ROW("a\0b", SASL_BAD, NULL, NULL),
		ROW("\0user\0", SASL_BAD, "user", NULL),
		ROW("\0\0secret", SASL_BAD, NULL, NULL),
		ROW("\0u\0p\0x", SASL_BAD, "u", NULL),
		ROW("\0a\r\nb\0c", SASL_BAD, NULL, NULL),
		ROW("\0a\0b\nc", SASL_BAD, "a", NULL),
		ROW("\0a\xff\0b", SASL_BAD, NULL, NULL),
	};
#undef ROW

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct credentials c = { 0 };

		UNIT_CHECK(plain(rows[i].text, rows[i].len, &c) == rows[i].outcome, rows[i].text);
		UNIT_CHECK((c.user == NULL) == (rows[i].user == NULL), rows[i].text);
		UNIT_CHECK(c.user == NULL || strcmp(c.user, rows[i].user) == 0, rows[i].text);
		UNIT_CHECK((c.password == NULL) == (rows[i].password == NULL), rows[i].text);
		UNIT_CHECK(c.password == NULL || strcmp(c.password, rows[i].password) == 0, rows[i].text);
		credentials_clear(&c);
	}
}

static void
rule_26_login(void)
{
	struct credentials c = { 0 };
	struct sasl_exchange x;

	CU_ASSERT_EQUAL(sasl_begin(&x, "LOGIN", 5), 0);
	CU_ASSERT_STRING_EQUAL(sasl_challenge(&x), "VXNlcm5hbWU6");
	CU_ASSERT_EQUAL(respond(&x, "user", 4, &c), SASL_CHALLENGE);
	CU_ASSERT_STRING_EQUAL(sasl_challenge(&x), "UGFzc3dvcmQ6");
	CU_ASSERT_EQUAL(respond(&x, " a secret ", 10, &c), SASL_DONE);
	CU_ASSERT_STRING_EQUAL(c.user, "user");
	CU_ASSERT_STRING_EQUAL(c.password, " a secret ");
	credentials_clear(&c);
	CU_ASSERT_EQUAL(sasl_begin(&x, "LOGIN", 5), 0);
	CU_ASSERT_EQUAL(respond(&x, "", 0, &c), SASL_BAD);
	CU_ASSERT_EQUAL(respond(&x, "us\0er", 5, &c), SASL_BAD);
	CU_ASSERT_EQUAL(respond(&x, "user", 4, &c), SASL_CHALLENGE);
	CU_ASSERT_EQUAL(respond(&x, "", 0, &c), SASL_BAD);
	credentials_clear(&c);
}

static void
rule_26_bad_base64(void)
{
	static const char *const bad[] = { "!!!!", "AGE", "AGE===", "A=GE", "AGEAYg==AGEAYg==",
	    "AG EAYg==", "====",
		"AGEAYh==", "*", "=", "AGEAYg==\r" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct credentials c = { 0 };
		struct sasl_exchange x;

		CU_ASSERT_EQUAL_FATAL(sasl_begin(&x, "PLAIN", 5), 0);
		UNIT_CHECK(sasl_respond(&x, bad[i], strlen(bad[i]), &c) == SASL_BAD, bad[i]);
		CU_ASSERT_PTR_NULL(c.password);
		credentials_clear(&c);
	}
}

static void
long_passwords(void)
{
	static char text[PASSWORD_MAX + 4] = "\0u";
	struct credentials c = { 0 };

	memset(text + 3, 'p', PASSWORD_MAX + 1);
	CU_ASSERT_EQUAL(plain(text, 3 + PASSWORD_MAX, &c), SASL_DONE);
	CU_ASSERT_EQUAL(c.password_len, PASSWORD_MAX);
	CU_ASSERT_EQUAL(plain(text, 4 + PASSWORD_MAX, &c), SASL_BAD);
	credentials_clear(&c);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "rule_26_mechanisms", rule_26_mechanisms },
		{ "rule_26_plain", rule_26_plain },
		{ "rule_26_login", rule_26_login },
		{ "rule_26_bad_base64", rule_26_bad_base64 },
		{ "long_passwords", long_passwords },
	};

	return unit_run("sasl", tests, sizeof(tests) / sizeof(tests[0]));
}
