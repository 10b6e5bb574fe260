/* Unit tests of imapback/guard.c and its parts: tables of what comes in, what the parser sees and
 * which events come out, each row through every cut of its input. */
#include "imapback/guard.h"

#include <stdlib.h>

#include "base/error.h"
#include "unit.h"

enum { BUDGET = 1000000 };

struct row {
	const char *name;
	enum guard_expectation expectation;
	const char *in;
	const char *out; /* what the parser sees */
	const char
	    *events; /* b12@5 body of 12 octets for UID 5; (...) its octets; e end; s7 search hit */
	const char *refused; /* the reason, or NULL */
};

static const struct row rows[] = {
	{ "greeting", GUARD_EXPECT_GREETING, "* OK hello\r\n", "* OK hello\r\n", "", NULL },
	{ "greeting with capabilities", GUARD_EXPECT_GREETING,
	    "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] x\r\n",
	    "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] x\r\n", "", NULL },
	{ "other codes in a greeting", GUARD_EXPECT_GREETING, "* OK [UIDVALIDITY 1] x\r\n",
	    "* OK [X] x\r\n", "", NULL },
	{ "PREAUTH", GUARD_EXPECT_GREETING, "* PREAUTH hello\r\n", "", "",
	    "PREAUTH: whose account is this?" },
	{ "PREAUTH later", GUARD_EXPECT_RESPONSE, "* preauth hello\r\n", "", "",
	    "PREAUTH: whose account is this?" },
	{ "BYE for a greeting", GUARD_EXPECT_GREETING, "* BYE no\r\n", "", "",
	    "the server takes no connections now (BYE)" },
	{ "no greeting", GUARD_EXPECT_GREETING, "* NO hello\r\n", "", "", "not a greeting" },
	{ "numbers for a greeting", GUARD_EXPECT_GREETING, "* 1 EXISTS\r\n", "", "",
	    "not a greeting" },
	{ "a tag for a greeting", GUARD_EXPECT_GREETING, "1 OK x\r\n", "", "", "not a greeting" },
	{ "HTTP for a greeting", GUARD_EXPECT_GREETING, "HTTP/1.1 200 OK\r\n", "", "",
	    "not a greeting" },

	{ "tagged answers", GUARD_EXPECT_RESPONSE, "1 OK done\r\n22 NO x\r\n3 bad\r\n",
	    "1 OK done\r\n22 NO x\r\n3 bad\r\n", "", NULL },
	{ "continuation", GUARD_EXPECT_RESPONSE, "+ go ahead\r\n+\r\n", "+ go ahead\r\n+\r\n", "",
	    NULL },
	{ "text is free", GUARD_EXPECT_RESPONSE, "* OK it's \"((( {5}\r\n1 OK {9999999999}\r\n",
	    "* OK it's \"((( {5}\r\n1 OK {9999999999}\r\n", "", NULL },
	{ "a code without arguments", GUARD_EXPECT_RESPONSE, "1 NO [AUTHENTICATIONFAILED] x\r\n",
	    "1 NO [AUTHENTICATIONFAILED] x\r\n", "", NULL },
	{ "numbers in codes", GUARD_EXPECT_RESPONSE, "* OK [UIDVALIDITY 4294967295] x\r\n",
	    "* OK [UIDVALIDITY 4294967295] x\r\n", "", NULL },
	{ "numbers too large in codes", GUARD_EXPECT_RESPONSE, "* OK [UIDNEXT 4294967296] x\r\n",
	    "* OK [UIDNEXT 429496729", "", "number over 32 bits" },
	{ "codes nobody needs", GUARD_EXPECT_RESPONSE,
	    "* OK [HIGHESTMODSEQ 99999999999] x\r\n1 OK [COPYUID 1 2:3 4:5] y\r\n* NO [BADCHARSET "
	    "({3} x)] z\r\n",
	    "* OK [X] x\r\n1 OK [X] y\r\n* NO [X] z\r\n", "", NULL },
	{ "arguments nobody needs", GUARD_EXPECT_RESPONSE, "1 NO [REFERRAL imap://evil/\"(] x\r\n",
	    "1 NO [REFERRAL] x\r\n", "", NULL },
	{ "an empty code", GUARD_EXPECT_RESPONSE, "* OK [] x\r\n", "* OK [X] x\r\n", "", NULL },
	{ "blanks before a code", GUARD_EXPECT_GREETING, "* OK  \t [PERMANENTFLAGS (x)] x\r\n",
	    "* OK [X] x\r\n", "", NULL },
	{ "a code without an end", GUARD_EXPECT_RESPONSE, "* OK [ALERT x\r\n", "* OK [ALERT", "",
	    "response code without an end" },
	{ "capabilities with structure", GUARD_EXPECT_RESPONSE, "* CAPABILITY A (B\r\n",
	    "* CAPABILITY A ", "", "malformed capability" },
	{ "permanent flags", GUARD_EXPECT_RESPONSE,
	    "* OK [PERMANENTFLAGS (\\Deleted $Junk \\Seen \\*)] x\r\n",
	    "* OK [PERMANENTFLAGS (\\Deleted \\Seen)] x\r\n", "", NULL },
	{ "no permanent flags", GUARD_EXPECT_RESPONSE, "* OK [PERMANENTFLAGS ()] x\r\n",
	    "* OK [PERMANENTFLAGS ()] x\r\n", "", NULL },

	{ "what SELECT needs", GUARD_EXPECT_RESPONSE, "* 3 EXISTS\r\n* 0 recent\r\n* 2 EXPUNGE\r\n",
	    "* 3 EXISTS\r\n* 0 recent\r\n* 2 EXPUNGE\r\n", "", NULL },
	{ "what nobody needs is swallowed", GUARD_EXPECT_RESPONSE,
	    "* FLAGS (\\Seen x)\r\n* LIST (\\Noselect) \"/\" {3}\r\na\rb\r\n* VANISHED 1:3\r\n* 5 "
	    "FEECH (a)\r\n"
	    "* STATUS \"a\\\"(\" (X 1)\r\n1 OK\r\n",
	    "1 OK\r\n", "", NULL },
	{ "ID has structure", GUARD_EXPECT_RESPONSE,
	    "* ID (\"name\" {3}\r\nabc \"x\\\"y\" NIL)\r\n",
	    "* ID (\"name\" {3}\r\nabc \"x\\\"y\" NIL)\r\n", "", NULL },
	{ "numbers over 32 bits", GUARD_EXPECT_RESPONSE, "* 4294967296 EXISTS\r\n", "", "",
	    "number over 32 bits" },
	{ "a literal of 2^32 + 5", GUARD_EXPECT_RESPONSE, "* ID ({4294967301}\r\n", "* ID ({42949",
	    "", "literal too large" },
	{ "a non-synchronising literal", GUARD_EXPECT_RESPONSE, "* ID ({3+}\r\n", "* ID ({3", "",
	    "malformed literal" },
	{ "a binary literal", GUARD_EXPECT_RESPONSE, "* ID (~{3}\r\n", "* ID (", "",
	    "binary literal" },
	{ "unbalanced", GUARD_EXPECT_RESPONSE, "* ID )\r\n", "* ID ", "",
	    "closing parenthesis without an opening one" },
	{ "never closed", GUARD_EXPECT_RESPONSE, "* ID (\r\n", "* ID (", "",
	    "line end inside parentheses" },
	{ "CR in a string", GUARD_EXPECT_RESPONSE, "* ID (\"a\r\n", "* ID (\"a", "",
	    "line end in a quoted string" },
	{ "bare LF", GUARD_EXPECT_RESPONSE, "1 OK x\n", "1 OK x", "", "line end that is not CRLF" },
	{ "bare CR", GUARD_EXPECT_RESPONSE, "1 OK x\ry", "1 OK x\r", "",
	    "line end that is not CRLF" },
	{ "an empty line", GUARD_EXPECT_RESPONSE, "\r\n", "", "", "line that is no response" },
	{ "a blank first", GUARD_EXPECT_RESPONSE, " OK\r\n", "", "", "line that is no response" },
	{ "a tag alone", GUARD_EXPECT_RESPONSE, "1\r\n", "", "", "line that is no response" },
	{ "a tag with something else", GUARD_EXPECT_RESPONSE, "1 HELLO x\r\n", "", "",
	    "tagged line without a status" },
	{ "a tag that is none", GUARD_EXPECT_RESPONSE, "a*b OK x\r\n", "", "",
	    "line that begins with no tag" },
	{ "something behind EXISTS", GUARD_EXPECT_RESPONSE, "* 1 EXISTS x\r\n", "* 1 EXISTS ", "",
	    "octets behind the end of a response" },

	{ "a listing", GUARD_EXPECT_RESPONSE,
	    "* 1 FETCH (UID 1 RFC822.SIZE 21 FLAGS ())\r\n"
	    "* 2 FETCH (FLAGS (\\Seen $x \\Deleted weird{) UID 7 RFC822.SIZE 4294967295 MODSEQ "
	    "(12345678901))\r\n",
	    "* 1 FETCH (UID 1 RFC822.SIZE 21 FLAGS ())\r\n* 2 FETCH (FLAGS (\\Seen \\Deleted", "",
	    "malformed list of flags" },
	{ "keywords are left out", GUARD_EXPECT_RESPONSE,
	    "* 2 FETCH (FLAGS ($a \\Seen [b] \\Deleted c\\d) MODSEQ (9))\r\n",
	    "* 2 FETCH (FLAGS (\\Seen \\Deleted) MODSEQ (9))\r\n", "", NULL },
	{ "a size over 32 bits", GUARD_EXPECT_RESPONSE, "* 1 FETCH (RFC822.SIZE 4294967296)\r\n",
	    "* 1 FETCH (RFC822.SIZE 429496729", "", "number over 32 bits" },
	{ "structure nobody asked for", GUARD_EXPECT_RESPONSE, "* 1 FETCH (BODYSTRUCTURE ((((\r\n",
	    "* 1 FETCH (BODYSTRUCTURE", "", "item in FETCH that nobody asked for" },
	{ "a body nobody asked for", GUARD_EXPECT_RESPONSE, "* 1 FETCH (BODY[] {3}\r\nabc)\r\n",
	    "* 1 FETCH (BODY[] ", "", "body that nobody asked for" },
	{ "a section nobody asked for", GUARD_EXPECT_BODY,
	    "* 1 FETCH (BODY[HEADER] {3}\r\nabc)\r\n", "* 1 FETCH (BODY[HEADER]", "",
	    "item in FETCH that nobody asked for" },

	{ "a body is diverted", GUARD_EXPECT_BODY,
	    "* 3 FETCH (UID 5 BODY[] {12}\r\nSubject: x\r\n FLAGS (\\Seen))\r\n1 OK x\r\n",
	    "* 3 FETCH (UID 5 BODY[] {0}\r\n FLAGS (\\Seen))\r\n1 OK x\r\n",
	    "b12@5(Subject: x\r\n)e", NULL },
	{ "UID behind the body", GUARD_EXPECT_BODY, "* 3 fetch (body[]<7> {3}\r\n)\r\n uid 5)\r\n",
	    "* 3 fetch (body[]<7> {0}\r\n uid 5)\r\n", "b3@0()\r\n)e", NULL },
	{ "an empty body", GUARD_EXPECT_BODY, "* 3 FETCH (UID 5 BODY[] {0}\r\n)\r\n",
	    "* 3 FETCH (UID 5 BODY[] {0}\r\n)\r\n", "b0@5()e", NULL },
	{ "a quoted body stays", GUARD_EXPECT_BODY, "* 3 FETCH (UID 5 BODY[] \"a\\\"b\")\r\n",
	    "* 3 FETCH (UID 5 BODY[] \"a\\\"b\")\r\n", "", NULL },
	{ "NIL stays", GUARD_EXPECT_BODY, "* 3 FETCH (BODY[] NIL UID 5)\r\n",
	    "* 3 FETCH (BODY[] NIL UID 5)\r\n", "", NULL },
	{ "a second body", GUARD_EXPECT_BODY,
	    "* 3 FETCH (BODY[] {1}\r\na)\r\n* 3 FETCH (BODY[] {1}\r\nb)\r\n",
	    "* 3 FETCH (BODY[] {0}\r\n)\r\n* 3 FETCH (BODY[] ", "b1@0(a)e",
	    "body that nobody asked for" },
	{ "a body of 2^63", GUARD_EXPECT_BODY, "* 3 FETCH (BODY[] {9223372036854775808}\r\n",
	    "* 3 FETCH (BODY[] {", "", "literal too large" },
	{ "a body without a size", GUARD_EXPECT_BODY, "* 3 FETCH (BODY[] {}\r\n",
	    "* 3 FETCH (BODY[] {", "", "malformed literal" },

	{ "search results", GUARD_EXPECT_SEARCH, "* SEARCH 1 22 4294967295\r\n1 OK x\r\n",
	    "* SEARCH\r\n1 OK x\r\n", "s1s22s4294967295", NULL },
	{ "search results with MODSEQ", GUARD_EXPECT_SEARCH, "* SEARCH 7 (MODSEQ 917162500)\r\n",
	    "* SEARCH\r\n", "s7", NULL },
	{ "no search results", GUARD_EXPECT_SEARCH, "* SEARCH\r\n* search \r\n",
	    "* SEARCH\r\n* search\r\n", "", NULL },
	{ "search results unasked", GUARD_EXPECT_RESPONSE, "* SEARCH 1 2\r\n1 OK x\r\n",
	    "1 OK x\r\n", "", NULL },
	{ "search results that are none", GUARD_EXPECT_SEARCH, "* SEARCH 1 x\r\n", "* SEARCH", "s1",
	    "search result that is no number" },
	{ "search results too large", GUARD_EXPECT_SEARCH, "* SEARCH 4294967296\r\n", "* SEARCH",
	    "", "number over 32 bits" },
};

/* What a run of the guard made of its input. */
struct outcome {
	char out[4096];
	size_t out_len;
	char events[4096];
	size_t events_len;
	const char *refused;
	bool in_body;
};

static void
add_event(struct outcome *o, const char *text, size_t len)
{
	if (o->events_len + len < sizeof(o->events)) {
		memcpy(o->events + o->events_len, text, len);
		o->events_len += len;
	}
	o->events[o->events_len] = '\0';
}

static void
take_event(struct outcome *o, const struct guard *g, const struct guard_event *event)
{
	char text[64];

	switch (event->kind) {
	case GUARD_NOTHING:
		return;
	case GUARD_BODY_BEGIN:
		snprintf(text, sizeof(text), "b%llu@%u(", (unsigned long long) event->number,
		    (unsigned) event->uid);
		break;
	case GUARD_BODY_CHUNK:
		add_event(o, event->data, event->len);
		return;
	case GUARD_BODY_END:
		snprintf(text, sizeof(text), ")e");
		break;
	case GUARD_SEARCH_HIT:
		snprintf(text, sizeof(text), "s%llu", (unsigned long long) event->number);
		break;
	case GUARD_REFUSED:
		o->refused = guard_reason(g);
		return;
	}
	add_event(o, text, strlen(text));
}

/* Feeds IN (LEN octets) with at most ROOM octets of output at a time. */
static void
feed(struct guard *g, const char *in, size_t len, size_t room, struct outcome *o)
{
	size_t at = 0;

	while (o->refused == NULL) {
		struct guard_event event;
		size_t written;
		char out[64];

		at += guard_feed(g, in + at, len - at, out, room, &written, &event);
		memcpy(o->out + o->out_len, out, written);
		o->out_len += written;
		o->out[o->out_len] = '\0';
		take_event(o, g, &event);
		if (at == len && written == 0 && event.kind == GUARD_NOTHING)
			return;
	}
}

static bool
is_as_expected(const struct row *row, const struct outcome *o)
{
	if (strcmp(o->events, row->events) != 0)
		return false;
	if (row->refused == NULL)
		return o->refused == NULL && strcmp(o->out, row->out) == 0;
	return o->refused != NULL && strcmp(o->refused, row->refused) == 0 &&
	       strncmp(o->out, row->out, o->out_len) == 0;
}

static void
check(const struct row *row, size_t cut, size_t piece, size_t room)
{
	static struct outcome o;
	struct guard g;
	size_t len = strlen(row->in);

	memset(&o, 0, sizeof(o));
	guard_init(&g);
	guard_expect(&g, row->expectation, BUDGET);
	feed(&g, row->in, cut, room, &o);
	for (size_t at = cut; at < len; at += piece)
		feed(&g, row->in + at, len - at < piece ? len - at : piece, room, &o);
	if (!UNIT_CHECK(is_as_expected(row, &o), row->name))
		printf("    %s, cut at %zu: out \"%s\", events \"%s\", refused %s\n", row->name,
		    cut, o.out, o.events, o.refused == NULL ? "not" : o.refused);
}

static void
rows_through_every_cut(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t cut = 0; cut <= strlen(rows[i].in); cut++) {
			check(&rows[i], cut, SIZE_MAX / 2, 64);
			check(&rows[i], cut, SIZE_MAX / 2, 1);
		}
		check(&rows[i], 0, 1, 64);
		check(&rows[i], 0, 1, 1);
	}
}

/* BEFORE, COUNT times C, and AFTER, as one response; whether it is refused, and why. */
static const char *
refusal_of(enum guard_expectation expectation, const char *before, char c, size_t count,
    const char *after, uint64_t budget)
{
	size_t len = strlen(before) + count + strlen(after);
	char *in = malloc(len + 1);
	struct guard_event event = { 0 };
	struct guard g;
	size_t at = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(in);
	memcpy(in, before, strlen(before));
	memset(in + strlen(before), c, count);
	memcpy(in + strlen(before) + count, after, strlen(after) + 1);
	guard_init(&g);
	guard_expect(&g, expectation, budget);
	while (at < len && event.kind != GUARD_REFUSED) {
		char out[64];
		size_t written;

		at += guard_feed(&g, in + at, len - at, out, sizeof(out), &written, &event);
	}
	free(in);
	return event.kind == GUARD_REFUSED ? guard_reason(&g) : NULL;
}

static void
limits_are_met_exactly(void)
{
	const enum guard_expectation any = GUARD_EXPECT_RESPONSE;
	char most[32], more[32];

	/* a line: "1 OK " and CRLF are 7 octets */
	CU_ASSERT_PTR_NULL(refusal_of(any, "1 OK ", 'x', GUARD_LINE_MAX - 7, "\r\n", BUDGET));
	CU_ASSERT_PTR_NOT_NULL(refusal_of(any, "1 OK ", 'x', GUARD_LINE_MAX - 6, "\r\n", BUDGET));
	/* parentheses */
	CU_ASSERT_PTR_NULL(refusal_of(any, "* ID ", '(', GUARD_DEPTH_MAX, "", BUDGET));
	CU_ASSERT_PTR_NOT_NULL(refusal_of(any, "* ID ", '(', GUARD_DEPTH_MAX + 1, "", BUDGET));
	CU_ASSERT_PTR_NOT_NULL(refusal_of(any, "* LIST ", '(', 20000, "", BUDGET));
	/* literals */
	snprintf(most, sizeof(most), "* ID ({%d}\r\n", GUARD_LITERAL_MAX);
	snprintf(more, sizeof(more), "* ID ({%d}\r\n", GUARD_LITERAL_MAX + 1);
	CU_ASSERT_PTR_NULL(refusal_of(any, most, 'x', GUARD_LITERAL_MAX, ")\r\n", BUDGET));
	CU_ASSERT_PTR_NOT_NULL(refusal_of(any, more, 'x', GUARD_LITERAL_MAX + 1, ")\r\n", BUDGET));
	/* the budget */
	CU_ASSERT_PTR_NULL(refusal_of(any, "1 OK ", 'x', 93, "\r\n", 100));
	CU_ASSERT_PTR_NOT_NULL(refusal_of(any, "1 OK ", 'x', 94, "\r\n", 100));
	/* neither counts for bodies and results */
	CU_ASSERT_PTR_NULL(refusal_of(
	    GUARD_EXPECT_BODY, "* 1 FETCH (BODY[] {500000}\r\n", '\0', 500000, ")\r\n", 100));
	CU_ASSERT_PTR_NULL(
	    refusal_of(GUARD_EXPECT_SEARCH, "* SEARCH 1", ' ', 500000, "\r\n", BUDGET));
}

static void
nul_is_refused_everywhere_but_in_bodies(void)
{
	static const char *const befores[] = { "", "*", "* OK x", "* OK [A", "* ID (", "* ID (\"",
		"* ID ({3}\r\n", "* LIST ", "* 1 FETCH (", "* 1 FETCH (FLAGS (", "1 OK" };

	for (size_t i = 0; i < sizeof(befores) / sizeof(befores[0]); i++)
		UNIT_CHECK(
		    refusal_of(GUARD_EXPECT_RESPONSE, befores[i], '\0', 1, "", BUDGET) != NULL,
		    befores[i]);
}

static void
refusals_are_final_and_say_what_they_amount_to(void)
{
	struct guard_event event;
	struct guard g;
	char out[64];
	size_t written;

	guard_init(&g);
	guard_feed(&g, "* PREAUTH x\r\n", 13, out, sizeof(out), &written, &event);
	CU_ASSERT_EQUAL(event.kind, GUARD_REFUSED);
	CU_ASSERT_EQUAL(guard_error(&g), ERR_PERMANENT);
	CU_ASSERT_EQUAL(guard_feed(&g, "* OK x\r\n", 8, out, sizeof(out), &written, &event), 0);
	CU_ASSERT_EQUAL(event.kind, GUARD_REFUSED);
	CU_ASSERT_EQUAL(written, 0);
	guard_init(&g);
	guard_feed(&g, "* BYE x\r\n", 9, out, sizeof(out), &written, &event);
	CU_ASSERT_EQUAL(guard_error(&g), ERR_TEMPORARY);
	guard_init(&g);
	guard_feed(&g, "gibberish\n", 10, out, sizeof(out), &written, &event);
	CU_ASSERT_EQUAL(guard_error(&g), ERR_PROTOCOL);
}

static void
it_is_idle_between_lines_only(void)
{
	static const char line[] = "* OK hello\r\n";
	struct guard_event event;
	struct guard g;
	char out[64];
	size_t written;

	guard_init(&g);
	CU_ASSERT_TRUE(guard_is_idle(&g));
	for (size_t i = 0; i < sizeof(line) - 1; i++) {
		CU_ASSERT_EQUAL(guard_feed(&g, line + i, 1, out, sizeof(out), &written, &event), 1);
		guard_feed(&g, line, 0, out, sizeof(out), &written, &event);
		CU_ASSERT_EQUAL(guard_is_idle(&g), i == sizeof(line) - 2);
	}
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "rows_through_every_cut", rows_through_every_cut },
		{ "limits_are_met_exactly", limits_are_met_exactly },
		{ "nul_is_refused_everywhere_but_in_bodies",
		    nul_is_refused_everywhere_but_in_bodies },
		{ "refusals_are_final_and_say_what_they_amount_to",
		    refusals_are_final_and_say_what_they_amount_to },
		{ "it_is_idle_between_lines_only", it_is_idle_between_lines_only },
	};

	return unit_run("guard", tests, sizeof(tests) / sizeof(tests[0]));
}
