/* Unit tests of imapback/sasl_message.c and bearer_refusal.c. */
#include "imapback/sasl_message.h"

#include "base/base64.h"
#include "unit.h"

#define TEXT(text) text, sizeof(text) - 1

static const struct row {
	struct credentials c;
	const char *text;
	size_t len;
} rows[] = {
	{ { CREDENTIALS_PASSWORD, "user", NULL, "secret", 6 }, TEXT("\0user\0secret") },
	{ { CREDENTIALS_PASSWORD, "user", "boss", "secret", 6 }, TEXT("user\0boss\0secret") },
	{ { CREDENTIALS_XOAUTH2, "j\303\274r,=n", NULL, "to=ken", 6 },
	    TEXT("user=j\303\274r,=n\1auth=Bearer to=ken\1\1") },
	{ { CREDENTIALS_OAUTHBEARER, "j\303\274r,=n", NULL, "to=ken", 6 },
	    TEXT("n,a=j\303\274r=2C=3Dn,\1host=imap.test\1port=993\1auth=Bearer to=ken\1\1") },
};

static void
messages_are_written(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct secret message = { 0 };
		char decoded[256];
		size_t len = 0;

		CU_ASSERT_EQUAL_FATAL(sasl_message(&rows[i].c, "imap.test", 993, &message), 0);
		UNIT_CHECK(strcmp(message.octets + message.len - 2, "\r\n") == 0, rows[i].c.user);
		UNIT_CHECK(base64_decode(message.octets, message.len - 2, decoded, sizeof(decoded),
			       &len) == 0,
		    rows[i].c.user);
		UNIT_CHECK(
		    len == rows[i].len && memcmp(decoded, rows[i].text, len) == 0, rows[i].c.user);
		secret_free(&message);
	}
}

static void
the_longest_fits(void)
{
	static char user[USER_NAME_MAX + 1], token[PASSWORD_MAX + 1], host[300];
	struct credentials c = { CREDENTIALS_OAUTHBEARER, user, NULL, token, PASSWORD_MAX };
	static char decoded[2 * PASSWORD_MAX];
	struct secret message = { 0 };
	size_t len = 0;

	memset(user, ',', USER_NAME_MAX);
	memset(token, 't', PASSWORD_MAX);
	memset(host, 'h', 253);
	CU_ASSERT_EQUAL_FATAL(sasl_message(&c, host, 65535, &message), 0);
	CU_ASSERT_EQUAL(
	    base64_decode(message.octets, message.len - 2, decoded, sizeof(decoded), &len), 0);
	CU_ASSERT_EQUAL(
	    len, 4 + 3 * USER_NAME_MAX + 1 + 1 + 5 + 253 + 1 + 10 + 1 + 12 + PASSWORD_MAX + 2);
	secret_free(&message);
}

static const struct {
	const char *text;
	enum bearer_refusal refusal;
} refusals[] = {
	/* RFC 7628 section 4.3, Google, Dovecot, Microsoft */
	{ "{\"status\":\"invalid_token\",\"scope\":\"example_scope\","
	  "\"openid-configuration\":\"https://example.com/.well-known/openid-configuration\"}",
	    BEARER_REJECTED },
	{ "{\"status\":\"400\",\"schemes\":\"Bearer\",\"scope\":\"https://mail.google.com/\"}",
	    BEARER_REJECTED },
	{ "{\"status\":\"401\",\"schemes\":\"bearer\",\"scope\":\"mail\"}", BEARER_REJECTED },
	{ "{\"status\":\"500\"}", BEARER_UNAVAILABLE },
	{ "{\"status\":\"503\"}", BEARER_UNAVAILABLE },
	{ "{\"status\":\"429\"}", BEARER_UNAVAILABLE },
	{ "{\"status\":503}", BEARER_UNAVAILABLE },
	{ " { \"status\" : \"Temporarily_Unavailable\" } \r\n", BEARER_UNAVAILABLE },
	{ "{\"status\":\"server_error\"}", BEARER_UNAVAILABLE },
	{ "{\"a\":[1,{\"status\":\"500\"},[]],\"b\":{},\"status\":\"401\"}", BEARER_REJECTED },
	{ "{\"a\":{\"status\":\"500\"}}", BEARER_UNKNOWN },
	{ "{\"a\":\"\\\"status\\\":\\\"500\\\"\",\"c\":null,\"d\":-1.5e9}", BEARER_UNKNOWN },
	{ "{\"status\":\"200\"}", BEARER_UNKNOWN },
	{ "{\"status\":\"\"}", BEARER_UNKNOWN },
	{ "{\"status\":\"x\"}", BEARER_UNKNOWN },
	{ "{\"status\":[\"500\"]}", BEARER_UNKNOWN },
	{ "{\"status\":\"500\"}x", BEARER_UNKNOWN },
	{ "{\"status\":\"500\"", BEARER_UNKNOWN },
	{ "{\"status\":\"500", BEARER_UNKNOWN },
	{ "{\"status\":\"500\\", BEARER_UNKNOWN },
	{ "{\"status\"}", BEARER_UNKNOWN },
	{ "{\"status\":}", BEARER_UNKNOWN },
	{ "{\"status\":\"500\",}", BEARER_UNKNOWN },
	{ "{status:\"500\"}", BEARER_UNKNOWN },
	{ "{}", BEARER_UNKNOWN },
	{ "[\"status\",\"500\"]", BEARER_UNKNOWN },
	{ "", BEARER_UNKNOWN },
	{ "{\"x\":[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]],\"status\":\"500\"}", BEARER_UNKNOWN },
};

static void
rule_35_refusals_of_tokens(void)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		char encoded[1024];

		base64_encode(refusals[i].text, strlen(refusals[i].text), encoded);
		UNIT_CHECK(bearer_refusal(encoded, strlen(encoded)) == refusals[i].refusal,
		    refusals[i].text);
	}
	CU_ASSERT_EQUAL(bearer_refusal("{\"status\":\"500\"}", 16), BEARER_UNKNOWN);
	CU_ASSERT_EQUAL(bearer_refusal("", 0), BEARER_UNKNOWN);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "messages_are_written", messages_are_written },
		{ "the_longest_fits", the_longest_fits },
		{ "rule_35_refusals_of_tokens", rule_35_refusals_of_tokens },
	};

	return unit_run("sasl_message", tests, sizeof(tests) / sizeof(tests[0]));
}
