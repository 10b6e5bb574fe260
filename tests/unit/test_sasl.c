/* Unit tests of pop3front/sasl.c. */
#include "pop3front/sasl.h"

#include <stdlib.h>

#include "base/base64.h"
#include "base/error.h"
#include "unit.h"

static const struct sasl_offer all = {
	SASL_PASSWORDS | SASL_XOAUTH2 | SASL_OAUTHBEARER | SASL_EXTERNAL, false, "jane@example.org"
};

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

	CU_ASSERT_EQUAL_FATAL(sasl_begin(&x, &all, "plain", 5), 0);
	CU_ASSERT_STRING_EQUAL(sasl_challenge(&x), "");
	CU_ASSERT_PTR_NULL(sasl_failure(&x));
	return respond(&x, text, len, c);
}

static void
rule_26_mechanisms(void)
{
	static const char *const bad[] = { "", "PLAI", "PLAINX", "CRAM-MD5", "PLAIN LOGIN", "XOAUTH" };
	static const struct {
		struct sasl_offer offer;
		const char *list;
	} offers[] = {
		{ { 0, true, "jane" }, "" },
		{ { SASL_PASSWORDS, false, NULL }, "PLAIN LOGIN" },
		{ { SASL_XOAUTH2, false, NULL }, "XOAUTH2" },
		{ { SASL_EXTERNAL, false, NULL }, "" },
		{ { SASL_EXTERNAL | SASL_LOGIN, false, "jane" }, "LOGIN EXTERNAL" },
	};
	char list[SASL_LIST_MAX];
	struct sasl_exchange x;

	CU_ASSERT_STRING_EQUAL(sasl_list(&all, list), "PLAIN LOGIN XOAUTH2 OAUTHBEARER EXTERNAL");
	CU_ASSERT_EQUAL(sasl_begin(&x, &all, "PLAIN", 5), 0);
	CU_ASSERT_EQUAL(sasl_begin(&x, &all, "lOgIn", 5), 0);
	CU_ASSERT_EQUAL(sasl_begin(&x, &all, "oAuthBearer", 11), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		UNIT_CHECK(sasl_begin(&x, &all, bad[i], strlen(bad[i])) == ERR_INVALID, bad[i]);
	/* What is not in the list does not begin. */
	for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
		UNIT_CHECK(strcmp(sasl_list(&offers[i].offer, list), offers[i].list) == 0, list);
		UNIT_CHECK((sasl_begin(&x, &offers[i].offer, "PLAIN", 5) == 0) ==
			(strstr(list, "PLAIN") != NULL), offers[i].list);
		UNIT_CHECK((sasl_begin(&x, &offers[i].offer, "XOAUTH2", 7) == 0) ==
			(strstr(list, "XOAUTH2") != NULL), offers[i].list);
		UNIT_CHECK((sasl_begin(&x, &offers[i].offer, "EXTERNAL", 8) == 0) ==
			(strstr(list, "EXTERNAL") != NULL), offers[i].list);
	}
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

/* To come for somebody else. */
static void
plain_with_a_master(void)
{
	static const struct sasl_offer masters = { SASL_PASSWORDS, true, NULL };
	struct credentials c = { 0 };
	struct sasl_exchange x;

	CU_ASSERT_EQUAL_FATAL(sasl_begin(&x, &masters, "PLAIN", 5), 0);
	CU_ASSERT_EQUAL(respond(&x, "jane\0master\0secret", 18, &c), SASL_DONE);
	CU_ASSERT_STRING_EQUAL(c.user, "jane");
	CU_ASSERT_STRING_EQUAL(c.master, "master");
	CU_ASSERT_STRING_EQUAL(c.password, "secret");
	credentials_clear(&c);
	CU_ASSERT_EQUAL(respond(&x, "jane\0jane\0secret", 16, &c), SASL_DONE);
	CU_ASSERT_PTR_NULL(c.master);
	credentials_clear(&c);
	CU_ASSERT_EQUAL(respond(&x, "j\rne\0master\0secret", 18, &c), SASL_BAD);
	CU_ASSERT_EQUAL(respond(&x, "jane\0mas\nter\0secret", 19, &c), SASL_BAD);
	CU_ASSERT_EQUAL(respond(&x, "jane\0\0secret", 12, &c), SASL_BAD);
	credentials_clear(&c);
}

#define TOKEN "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="

static const struct token_row {
	const char *mechanism, *text;
	const char *user; /* NULL: malformed */
} token_rows[] = {
	{ "XOAUTH2", "user=jane@example.org\1" TOKEN "\1\1", "jane@example.org" },
	{ "XOAUTH2", TOKEN "\1user=jane\1\1", "jane" },
	{ "XOAUTH2", "user=j\303\274rgen=,\1" TOKEN "\1\1", "j\303\274rgen=," },
	{ "XOAUTH2", "user=jane\1" "auth=bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1", "jane" },
	{ "XOAUTH2", "user=jane\1host=x\1" TOKEN "\1\1", "jane" },
	{ "XOAUTH2", "user=jane\1" TOKEN "\1", NULL },
	{ "XOAUTH2", "user=jane\1" TOKEN, NULL },
	{ "XOAUTH2", "user=jane\1" TOKEN "\1\1\1", NULL },
	{ "XOAUTH2", "user=jane\1" TOKEN "\1\1x", NULL },
	{ "XOAUTH2", "user=jane\1user=root\1" TOKEN "\1\1", NULL },
	{ "XOAUTH2", "user=jane\1" TOKEN "\1" TOKEN "\1\1", NULL },
	{ "XOAUTH2", "user=\1" TOKEN "\1\1", NULL },
	{ "XOAUTH2", TOKEN "\1\1", NULL },
	{ "XOAUTH2", "user=jane\1\1", NULL },
	{ "XOAUTH2", "user=jane\1auth=Bearer \1\1", NULL },
	{ "XOAUTH2", "user=jane\1auth=Bearer a b\1\1", NULL },
	{ "XOAUTH2", "user=jane\1auth=Basic abc\1\1", NULL },
	{ "XOAUTH2", "user=jane\1x\1" TOKEN "\1\1", NULL },
	{ "XOAUTH2", "user=jane\1k=\2\1" TOKEN "\1\1", NULL },
	{ "XOAUTH2", "user=ja\rne\1" TOKEN "\1\1", NULL },
	{ "XOAUTH2", "n,a=jane,\1" TOKEN "\1\1", NULL },
	{ "XOAUTH2", "", NULL },
	{ "XOAUTH2", "\1", NULL },
	/* RFC 7628 section 4.1 */
	{ "OAUTHBEARER", "n,a=user@example.com,\1host=server.example.com\1port=143\1" TOKEN "\1\1",
	    "user@example.com" },
	{ "OAUTHBEARER", "y,a=jane,\1" TOKEN "\1\1", "jane" },
	{ "OAUTHBEARER", "n,a=a=2Cb=3Dc,\1" TOKEN "\1\1", "a,b=c" },
	{ "OAUTHBEARER", "n,a=jane,\1" TOKEN "\1user=root\1\1", "jane" },
	{ "OAUTHBEARER", "n,,\1" TOKEN "\1\1", NULL },
	{ "OAUTHBEARER", "n,a=,\1" TOKEN "\1\1", NULL },
	{ "OAUTHBEARER", "n,a=a=2cb,\1" TOKEN "\1\1", NULL },
	{ "OAUTHBEARER", "n,a=a=,\1" TOKEN "\1\1", NULL },
	{ "OAUTHBEARER", "n,a=a,b,\1" TOKEN "\1\1", NULL },
	{ "OAUTHBEARER", "p=tls-unique,a=jane,\1" TOKEN "\1\1", NULL },
	{ "OAUTHBEARER", "n,a=jane\1" TOKEN "\1\1", NULL },
	{ "OAUTHBEARER", "n,a=jane,", NULL },
	{ "OAUTHBEARER", "n,a=jane,\1\1", NULL },
	{ "OAUTHBEARER", "n,a=jane,\1auth=\1\1", NULL },
	{ "OAUTHBEARER", "n,a=ja\nne,\1" TOKEN "\1\1", NULL },
	{ "OAUTHBEARER", "user=jane\1" TOKEN "\1\1", NULL },
};

static void
rule_26_tokens(void)
{
	for (size_t i = 0; i < sizeof(token_rows) / sizeof(token_rows[0]); i++) {
		const struct token_row *r = &token_rows[i];
		struct credentials c = { 0 };
		struct sasl_exchange x;
		enum sasl_outcome outcome;

		CU_ASSERT_EQUAL_FATAL(sasl_begin(&x, &all, r->mechanism, strlen(r->mechanism)), 0);
		CU_ASSERT_STRING_EQUAL(sasl_challenge(&x), "");
		CU_ASSERT_PTR_NOT_NULL(sasl_failure(&x));
		outcome = respond(&x, r->text, strlen(r->text), &c);
		UNIT_CHECK(outcome == (r->user != NULL ? SASL_DONE : SASL_BAD), r->text);
		if (outcome == SASL_DONE && r->user != NULL) {
			UNIT_CHECK(strcmp(c.user, r->user) == 0, r->text);
			UNIT_CHECK(strcmp(c.password, TOKEN + 12) == 0, r->text);
			UNIT_CHECK((c.kind == CREDENTIALS_XOAUTH2) == (r->mechanism[0] == 'X'), r->text);
			UNIT_CHECK(credentials_are_token(&c), r->text);
		}
		credentials_clear(&c);
	}
}

static void
a_certificate_is_for_one_user(void)
{
	struct credentials c = { 0 };
	struct sasl_exchange x;

	CU_ASSERT_EQUAL_FATAL(sasl_begin(&x, &all, "EXTERNAL", 8), 0);
	CU_ASSERT_EQUAL(sasl_respond(&x, "=", 1, &c), SASL_DONE);
	CU_ASSERT_STRING_EQUAL(c.user, "jane@example.org");
	CU_ASSERT_EQUAL(c.kind, CREDENTIALS_CERTIFICATE);
	credentials_clear(&c);
	CU_ASSERT_EQUAL(respond(&x, "jane@example.org", 16, &c), SASL_DONE);
	credentials_clear(&c);
	CU_ASSERT_EQUAL(respond(&x, "jane@example.or", 15, &c), SASL_BAD);
	CU_ASSERT_EQUAL(respond(&x, "root", 4, &c), SASL_BAD);
	CU_ASSERT_EQUAL(respond(&x, "jane@example.org\0", 17, &c), SASL_BAD);
	credentials_clear(&c);
}

static void
rule_26_login(void)
{
	struct credentials c = { 0 };
	struct sasl_exchange x;

	CU_ASSERT_EQUAL(sasl_begin(&x, &all, "LOGIN", 5), 0);
	CU_ASSERT_STRING_EQUAL(sasl_challenge(&x), "VXNlcm5hbWU6");
	CU_ASSERT_EQUAL(respond(&x, "user", 4, &c), SASL_CHALLENGE);
	CU_ASSERT_STRING_EQUAL(sasl_challenge(&x), "UGFzc3dvcmQ6");
	CU_ASSERT_EQUAL(respond(&x, " a secret ", 10, &c), SASL_DONE);
	CU_ASSERT_STRING_EQUAL(c.user, "user");
	CU_ASSERT_STRING_EQUAL(c.password, " a secret ");
	credentials_clear(&c);
	CU_ASSERT_EQUAL(sasl_begin(&x, &all, "LOGIN", 5), 0);
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

		CU_ASSERT_EQUAL_FATAL(sasl_begin(&x, &all, "PLAIN", 5), 0);
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
		{ "plain_with_a_master", plain_with_a_master },
		{ "rule_26_tokens", rule_26_tokens },
		{ "a_certificate_is_for_one_user", a_certificate_is_for_one_user },
		{ "rule_26_login", rule_26_login },
		{ "rule_26_bad_base64", rule_26_bad_base64 },
		{ "long_passwords", long_passwords },
	};

	return unit_run("sasl", tests, sizeof(tests) / sizeof(tests[0]));
}
