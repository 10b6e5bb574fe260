/* Unit tests of gateway/pop3_response.c: answers of POP3 servers, in one piece and through every cut. */
#include "gateway/pop3_response.h"

#include <stdlib.h>

#include "base/error.h"
#include "unit.h"

enum { NOTES = 1024 };

/* An answer and what becomes of it: OK(text) ERR(text) +(text) [line] octets as they are, then "." at
 * the end or "!" where it is not POP3. */
static const struct {
	const char *name;
	enum pop3_response_form form;
	const char *answer;
	const char *notes;
} rows[] = {
	{ "a status", POP3_RESPONSE_STATUS, "+OK\r\n", "OK()" },
	{ "a status with text", POP3_RESPONSE_STATUS, "+OK  two words\r\n", "OK(two words)" },
	{ "a refusal", POP3_RESPONSE_STATUS, "-ERR [AUTH] no\r\n", "ERR([AUTH] no)" },
	{ "small letters", POP3_RESPONSE_STATUS, "-err no\r\n", "ERR(no)" },
	{ "a bare LF", POP3_RESPONSE_STATUS, "+OK x\n", "OK(x)" },
	{ "another word", POP3_RESPONSE_STATUS, "+OKAY\r\n", "!" },
	{ "an IMAP greeting", POP3_RESPONSE_STATUS, "* OK hello\r\n", "!" },
	{ "an empty line", POP3_RESPONSE_STATUS, "\r\n", "!" },
	{ "a challenge unasked", POP3_RESPONSE_STATUS, "+ eA==\r\n", "!" },
	{ "a challenge", POP3_RESPONSE_AUTH, "+ eA==\r\n", "+(eA==)" },
	{ "an empty challenge", POP3_RESPONSE_AUTH, "+\r\n", "+()" },
	{ "the end of AUTH", POP3_RESPONSE_AUTH, "+OK\r\n", "OK()" },
	{ "octets behind the end", POP3_RESPONSE_STATUS, "+OK\r\n+OK\r\n", "OK()!" },
	{ "lines", POP3_RESPONSE_LINES, "+OK\r\n1 20\r\n2 30\r\n.\r\n", "OK()[1 20][2 30]." },
	{ "no lines", POP3_RESPONSE_LINES, "+OK none\r\n.\r\n", "OK(none)." },
	{ "a line with a dot", POP3_RESPONSE_LINES, "+OK\r\n..x\r\n.\r\n", "OK()[.x]." },
	{ "an empty line among lines", POP3_RESPONSE_LINES, "+OK\r\n\r\na\r\n.\r\n", "OK()[][a]." },
	{ "lines with bare LF", POP3_RESPONSE_LINES, "+OK\n1 a\n.\n", "OK()[1 a]." },
	{ "refused lines", POP3_RESPONSE_LINES, "-ERR no\r\n", "ERR(no)" },
	{ "a message", POP3_RESPONSE_OCTETS, "+OK\r\nA: b\r\n\r\nc\r\n.\r\n", "OK()A: b\r\n\r\nc\r\n." },
	{ "an empty message", POP3_RESPONSE_OCTETS, "+OK\r\n.\r\n", "OK()." },
	{ "dots", POP3_RESPONSE_OCTETS, "+OK\r\n..\r\n...\r\na.\r\n.b\r\n.\r\n",
	    "OK().\r\n..\r\na.\r\nb\r\n." },
	{ "CR behind a dot", POP3_RESPONSE_OCTETS, "+OK\r\n.\rx\r\n.\r\r\n.\r\n",
	    "OK()\rx\r\n\r\r\n." },
	{ "bare LF is the message's", POP3_RESPONSE_OCTETS, "+OK\r\na\n.\nb\n.\r\n\r\n.\r\n",
	    "OK()a\n.\nb\n.\r\n\r\n." },
	{ "a dot and LF", POP3_RESPONSE_OCTETS, "+OK\r\n.\n.\r\n.\r\n", "OK()\n.\r\n." },
	{ "a server of bare LF", POP3_RESPONSE_OCTETS, "+OK\na\n..b\nc\r\n.\n", "OK()a\n.b\nc\r\n." },
	{ "CR alone", POP3_RESPONSE_OCTETS, "+OK\r\n\r\r\n\r.\r\n.\r\n", "OK()\r\r\n\r.\r\n." },
};

static void
note(char *notes, const char *before, const struct pop3_response *r, const char *behind)
{
	size_t used = strlen(notes);

	snprintf(notes + used, NOTES - used, "%s%.*s%s", before,
	    r->text == NULL ? 0 : (int) r->text_len, r->text == NULL ? "" : r->text, behind);
}

/* Notes the events of a part of an answer. Returns false when nothing more makes sense. */
static int
feed(struct pop3_response *r, const char *data, size_t len, char *notes)
{
	size_t taken;

	for (;; data += taken, len -= taken) {
		switch (pop3_response_feed(r, data, len, &taken)) {
		case POP3_EVENT_MORE:
			return UNIT_CHECK(taken == len, "all octets are taken");
		case POP3_EVENT_OK:
			note(notes, "OK(", r, ")");
			break;
		case POP3_EVENT_ERR:
			note(notes, "ERR(", r, ")");
			break;
		case POP3_EVENT_CHALLENGE:
			note(notes, "+(", r, ")");
			break;
		case POP3_EVENT_LINE:
			note(notes, "[", r, "]");
			break;
		case POP3_EVENT_OCTETS:
			note(notes, "", r, "");
			break;
		case POP3_EVENT_END:
			note(notes, ".", r, "");
			break;
		case POP3_EVENT_BAD:
			r->text = NULL;
			note(notes, "!", r, "");
			return 0;
		}
		if (taken == len)
			return 1;
	}
}

/* PART on the heap, so that a step past its end is seen. */
static int
feed_copy(struct pop3_response *r, const char *part, size_t len, char *notes)
{
	char *copy = malloc(len + 1);
	int more;

	CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
	memcpy(copy, part, len);
	copy[len] = '~';
	more = len == 0 || feed(r, copy, len, notes);
	free(copy);
	return more;
}

static void
answers_mean_the_same_through_every_cut(void)
{
	struct pop3_response r;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *answer = rows[i].answer;
		size_t len = strlen(answer);

		for (size_t a = 0; a <= len; a++)
			for (size_t b = a; b <= len; b++) {
				char notes[NOTES] = "";

				pop3_response_begin(&r, rows[i].form);
				if (feed_copy(&r, answer, a, notes) &&
				    feed_copy(&r, answer + a, b - a, notes))
					feed_copy(&r, answer + b, len - b, notes);
				if (!UNIT_CHECK(strcmp(notes, rows[i].notes) == 0, rows[i].name))
					printf("    %s, cut at %zu and %zu: \"%s\"\n", rows[i].name, a,
					    b, notes);
			}
	}
}

/* Whether a line of LEN octets comes through. */
static int
takes_line(enum pop3_response_form form, size_t len)
{
	struct pop3_response r;
	size_t taken;

	pop3_response_begin(&r, form);
	if (pop3_response_feed(&r, "+OK ", 4, &taken) != POP3_EVENT_MORE)
		return 0;
	for (size_t i = 4; i < len; i++)
		if (pop3_response_feed(&r, "x", 1, &taken) != POP3_EVENT_MORE)
			return 0;
	return pop3_response_feed(&r, "\n", 1, &taken) == POP3_EVENT_OK;
}

static void
lines_have_an_end(void)
{
	CU_ASSERT(takes_line(POP3_RESPONSE_STATUS, POP3_LINE_MAX));
	CU_ASSERT(!takes_line(POP3_RESPONSE_STATUS, POP3_LINE_MAX + 1));
	CU_ASSERT(takes_line(POP3_RESPONSE_AUTH, POP3_CHALLENGE_MAX));
	CU_ASSERT(!takes_line(POP3_RESPONSE_AUTH, POP3_CHALLENGE_MAX + 1));
}

static void
nul_ends_it(void)
{
	struct pop3_response r;
	size_t taken;

	pop3_response_begin(&r, POP3_RESPONSE_STATUS);
	CU_ASSERT_EQUAL(pop3_response_feed(&r, "+OK \0\r\n", 7, &taken), POP3_EVENT_BAD);
	CU_ASSERT_STRING_EQUAL(r.reason, "NUL in a line");
}

static void
capability_lines(void)
{
	static const struct {
		const char *line;
		unsigned bits;
	} lines[] = {
		{ "TOP", POP3_CAP_TOP },
		{ "uidl", POP3_CAP_UIDL },
		{ "SASL PLAIN LOGIN XOAUTH2", POP3_CAP_SASL_PLAIN | POP3_CAP_SASL_XOAUTH2 },
		{ "SASL  oauthbearer", POP3_CAP_SASL_OAUTHBEARER },
		{ "SASL", 0 },
		{ "PLAIN", 0 },
		{ "TOPS", 0 },
		{ "", 0 },
		{ "AUTH-RESP-CODE", POP3_CAP_AUTH_RESP_CODE },
		{ "EXPIRE 3 USER", 0 },
		{ "USER", POP3_CAP_USER },
		{ "STLS", POP3_CAP_STLS },
		{ "PIPELINING", POP3_CAP_PIPELINING },
		{ "RESP-CODES", POP3_CAP_RESP_CODES },
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		UNIT_CHECK(pop3_capability_bits(lines[i].line, strlen(lines[i].line)) ==
			       lines[i].bits,
		    lines[i].line);
}

static void
numbers_of_listings(void)
{
	static const struct {
		const char *line;
		int rc;
		uint32_t number;
		uint64_t size;
	} lines[] = {
		{ "1 120", 0, 1, 120 },
		{ "0 0", 0, 0, 0 },
		{ "4294967295 9223372036854775807", 0, UINT32_MAX, INT64_MAX },
		{ "1 9223372036854775808", ERR_PROTOCOL, 0, 0 },
		{ "4294967296 1", ERR_PROTOCOL, 0, 0 },
		{ "1 18446744073709551616", ERR_PROTOCOL, 0, 0 },
		{ "2 200 and more", 0, 2, 200 },
		{ "2  200", 0, 2, 200 },
		{ "2", ERR_PROTOCOL, 0, 0 },
		{ "-1 2", ERR_PROTOCOL, 0, 0 },
		{ "1 2x", ERR_PROTOCOL, 0, 0 },
		{ "", ERR_PROTOCOL, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		uint32_t number = 0;
		uint64_t size = 0;
		int rc = pop3_numbers(lines[i].line, strlen(lines[i].line), &number, &size);

		UNIT_CHECK(rc == lines[i].rc, lines[i].line);
		UNIT_CHECK(
		    rc != 0 || (number == lines[i].number && size == lines[i].size), lines[i].line);
	}
}

#define TEN "0123456789"
#define SEVENTY TEN TEN TEN TEN TEN TEN TEN

static void
unique_ids(void)
{
	static const struct {
		const char *line;
		int rc;
		const char *uidl;
	} lines[] = {
		{ "1 whqtswO00WBw418f9t5JxYwZ", 0, "whqtswO00WBw418f9t5JxYwZ" },
		{ "1 a more", 0, "a" },
		{ "1 " SEVENTY, 0, SEVENTY },
		{ "1 " SEVENTY "x", ERR_PROTOCOL, NULL },
		{ "1 \x7f", ERR_PROTOCOL, NULL },
		{ "1 caf\xc3\xa9", ERR_PROTOCOL, NULL },
		{ "1 ", ERR_PROTOCOL, NULL },
		{ "x y", ERR_PROTOCOL, NULL },
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char uidl[POP3_UIDL_MAX + 1];
		uint32_t number = 0;
		int rc = pop3_uidl_line(lines[i].line, strlen(lines[i].line), &number, uidl);

		UNIT_CHECK(rc == lines[i].rc, lines[i].line);
		UNIT_CHECK(rc != 0 || (number == 1 && strcmp(uidl, lines[i].uidl) == 0),
		    lines[i].line);
	}
}

static void
rule_27_only_rejected_credentials_are_auth(void)
{
	static const struct {
		const char *text;
		unsigned announced;
		int to_login, to_other;
	} refusals[] = {
		{ "[AUTH] no", 0, ERR_AUTH, ERR_TEMPORARY },
		{ "[auth] no", POP3_CAP_AUTH_RESP_CODE, ERR_AUTH, ERR_TEMPORARY },
		{ "[IN-USE] no", 0, ERR_IN_USE, ERR_IN_USE },
		{ "[SYS/TEMP] no", 0, ERR_TEMPORARY, ERR_TEMPORARY },
		{ "[SYS/PERM] no", 0, ERR_PERMANENT, ERR_PERMANENT },
		{ "[SYS/PERM/DISK] no", 0, ERR_PERMANENT, ERR_PERMANENT },
		{ "[LOGIN-DELAY] wait", 0, ERR_TEMPORARY, ERR_TEMPORARY },
		{ "[LOGIN-DELAY 30] wait", 0, ERR_TEMPORARY, ERR_TEMPORARY },
		{ "[X-OTHER] no", 0, ERR_AUTH, ERR_PERMANENT },
		{ "[X-OTHER] no", POP3_CAP_AUTH_RESP_CODE, ERR_TEMPORARY, ERR_PERMANENT },
		{ "wrong password", 0, ERR_AUTH, ERR_PERMANENT },
		{ "wrong password", POP3_CAP_AUTH_RESP_CODE, ERR_TEMPORARY, ERR_PERMANENT },
		{ "", 0, ERR_AUTH, ERR_PERMANENT },
		{ "[", 0, ERR_AUTH, ERR_PERMANENT },
		{ "Can't get lock. Mailbox in use", 0, ERR_IN_USE, ERR_PERMANENT },
		{ "Maildrop lock busy", 0, ERR_IN_USE, ERR_PERMANENT },
		{ "Server busy, TRY AGAIN LATER", 0, ERR_TEMPORARY, ERR_PERMANENT },
		{ "account locked", 0, ERR_AUTH, ERR_PERMANENT },
	};

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const char *text = refusals[i].text;

		UNIT_CHECK(pop3_login_refusal(text, strlen(text), refusals[i].announced) ==
			       refusals[i].to_login,
		    text);
		UNIT_CHECK(pop3_refusal(text, strlen(text)) == refusals[i].to_other, text);
	}
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "answers_mean_the_same_through_every_cut", answers_mean_the_same_through_every_cut },
		{ "lines_have_an_end", lines_have_an_end },
		{ "nul_ends_it", nul_ends_it },
		{ "capability_lines", capability_lines },
		{ "numbers_of_listings", numbers_of_listings },
		{ "unique_ids", unique_ids },
		{ "rule_27_only_rejected_credentials_are_auth",
		    rule_27_only_rejected_credentials_are_auth },
	};

	return unit_run("pop3_response", tests, sizeof(tests) / sizeof(tests[0]));
}
