/* Unit tests of pop3front/dotstuff.c. */
#include "pop3front/dotstuff.h"

#include <stdlib.h>

#include "unit.h"

enum { ROOM = 4096 };

struct row {
	const char *name;
	const char *in;
	const char *out;
};
#define ROW(name, in, out)    \
	{                     \
		name, in, out \
	}

/* What IN (LEN octets) becomes when it comes in pieces of PIECE octets and the output in pieces of
 * STEP (at least 2). Returns the length. */
static size_t
stuff(const char *in, size_t len, uint64_t lines, enum dotstuff_nul nul, size_t piece, size_t step,
    char out[ROOM])
{
	struct dotstuff d;
	size_t to = 0;

	dotstuff_begin(&d, lines, nul);
	for (size_t at = 0; at < len; at += piece) {
		size_t left = len - at < piece ? len - at : piece;
		const char *from = in + at;

		while (left > 0) {
			size_t written = 0,
			       used = dotstuff_feed(&d, from, left, out + to, step, &written);

			CU_ASSERT_TRUE_FATAL(
			    used <= left && written <= step && (used > 0 || written > 0));
			to += written;
			from += used;
			left -= used;
		}
	}
	return to + dotstuff_end(&d, out + to);
}

/* Every length of the pieces of input and output gives the same. */
static void
check(const char *name, const char *in, size_t len, uint64_t lines, enum dotstuff_nul nul,
    const char *want, size_t want_len)
{
	char out[ROOM];

	for (size_t piece = 1; piece <= len + 1; piece++)
		for (size_t step = 2; step <= 2 * len + 2; step++) {
			size_t got = stuff(in, len, lines, nul, piece, step, out);

			if (!UNIT_CHECK(got == want_len && memcmp(out, want, got) == 0, name))
				return;
		}
}

static void
rule_05_line_ends_and_dots(void)
{
	static const struct row rows[] = {
		ROW("an empty message", "", ".\r\n"),
		ROW("a whole line", "a\r\n", "a\r\n.\r\n"),
		ROW("a missing last line end is added", "a", "a\r\n.\r\n"),
		ROW("bare LF becomes CRLF", "a\nb", "a\r\nb\r\n.\r\n"),
		ROW("bare LF at the start", "\n\na", "\r\n\r\na\r\n.\r\n"),
		ROW("bare LF behind a line end", "a\r\n\nb\n\n", "a\r\n\r\nb\r\n\r\n.\r\n"),
		ROW("a lone CR stays", "a\rb\r\n", "a\rb\r\n.\r\n"),
		ROW("a lone CR at the end is no line end", "a\r", "a\r\r\n.\r\n"),
		ROW("a CR alone", "\r", "\r\r\n.\r\n"),
		ROW("CR CR LF", "a\r\r\n", "a\r\r\n.\r\n"),
		ROW("LF CR", "a\n\rb", "a\r\n\rb\r\n.\r\n"),
		ROW("a dot alone", ".", "..\r\n.\r\n"),
		ROW("a dot at the very start", ".a\r\n", "..a\r\n.\r\n"),
		ROW("a dot line", "a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n.\r\n"),
		ROW("a dot behind a bare LF", "a\n.\nb", "a\r\n..\r\nb\r\n.\r\n"),
		ROW("only the first of several dots is doubled", "...\r\n", "....\r\n.\r\n"),
		ROW("dots within a line stay", "a.\r\nb.c\r\n", "a.\r\nb.c\r\n.\r\n"),
		ROW("a dot behind a lone CR begins no line", "a\r.\r\n", "a\r.\r\n.\r\n"),
		ROW("a dot behind a CR that begins a line", "\r.\n.", "\r.\r\n..\r\n.\r\n"),
		ROW("a dot as the last octet", "a\r\n.", "a\r\n..\r\n.\r\n"),
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(rows[i].name, rows[i].in, strlen(rows[i].in), DOTSTUFF_ALL_LINES,
		    DOTSTUFF_NUL_KEEP, rows[i].out, strlen(rows[i].out));
}

static void
rule_06_nul(void)
{
	static const char in[] = "\0a\0\n.\0\0\r\n\0";

	check("kept", in, sizeof(in) - 1, DOTSTUFF_ALL_LINES, DOTSTUFF_NUL_KEEP,
	    "\0a\0\r\n..\0\0\r\n\0\r\n.\r\n", 17);
	check("replaced", in, sizeof(in) - 1, DOTSTUFF_ALL_LINES, DOTSTUFF_NUL_REPLACE,
	    "\x80"
	    "a\x80\r\n..\x80\x80\r\n\x80\r\n.\r\n",
	    17);
	check("a NUL is no blank line", "\0\r\na\r\n\r\nb\r\nc", 13, 1, DOTSTUFF_NUL_REPLACE,
	    "\x80\r\na\r\n\r\nb\r\n.\r\n", 14);
}

static void
rule_03_top_counts_lines_of_the_body(void)
{
	static const struct {
		const char *name;
		uint64_t lines;
		const char *in;
		const char *out;
	} rows[] = {
		{ "none", 0, "h: 1\r\n\r\na\r\nb\r\n", "h: 1\r\n\r\n.\r\n" },
		{ "one", 1, "h: 1\r\n\r\na\r\nb\r\n", "h: 1\r\n\r\na\r\n.\r\n" },
		{ "more than there are", 9, "h: 1\r\n\r\na\r\nb", "h: 1\r\n\r\na\r\nb\r\n.\r\n" },
		{ "bare LF counts", 1, "h\n\na\nb\n", "h\r\n\r\na\r\n.\r\n" },
		{ "no blank line", 0, "h: 1\r\ni: 2\r\n", "h: 1\r\ni: 2\r\n.\r\n" },
		{ "no header", 1, "\r\na\r\nb\r\n", "\r\na\r\n.\r\n" },
		{ "blank lines of the body count", 2, "h\r\n\r\n\r\n\r\na\r\n",
		    "h\r\n\r\n\r\n\r\n.\r\n" },
		{ "two CRs are no blank line", 0, "h\r\n\r\r\ni\r\n\r\na",
		    "h\r\n\r\r\ni\r\n\r\n.\r\n" },
		{ "a dot line is no blank line", 0, ".\r\nh\r\n\r\na", "..\r\nh\r\n\r\n.\r\n" },
		{ "dots of the body are doubled", 1, "h\r\n\r\n.\r\n.\r\n",
		    "h\r\n\r\n..\r\n.\r\n" },
		{ "as many as there are", UINT64_MAX - 1, "h\r\n\r\na", "h\r\n\r\na\r\n.\r\n" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(rows[i].name, rows[i].in, strlen(rows[i].in), rows[i].lines,
		    DOTSTUFF_NUL_KEEP, rows[i].out, strlen(rows[i].out));
}

/* Small random messages of the octets that matter, against the rules in their simplest form. */
static void
rule_03_top_is_a_prefix_of_retr(void)
{
	static const char octets[] = { 'a', '.', '\r', '\n', '\n', '\0' };
	char in[24], whole[ROOM], top[ROOM];
	unsigned seed = 7;

	for (int round = 0; round < 20000; round++) {
		size_t len, whole_len, top_len;
		uint64_t lines;

		seed = seed * 1103515245u + 12345u;
		len = (seed >> 16) % sizeof(in);
		lines = (seed >> 8) % 4;
		for (size_t i = 0; i < len; i++) {
			seed = seed * 1103515245u + 12345u;
			in[i] = octets[(seed >> 16) % sizeof(octets)];
		}
		whole_len =
		    stuff(in, len, DOTSTUFF_ALL_LINES, DOTSTUFF_NUL_KEEP, len + 1, ROOM / 2, whole);
		top_len = stuff(in, len, lines, DOTSTUFF_NUL_KEEP, 1 + len / 3, 5, top);
		if (!UNIT_CHECK(
			top_len <= whole_len && memcmp(top, whole, top_len - 3) == 0, "prefix"))
			return;
		if (!UNIT_CHECK(memcmp(top + top_len - 3, ".\r\n", 3) == 0, "end"))
			return;
	}
}

/* ---- long lines, and what goes out as it is ---- */

/* The rules in their simplest form, for all lines and NUL kept. */
static size_t
by_the_book(const char *in, size_t len, char out[ROOM])
{
	size_t to = 0;
	char before = '\n';

	for (size_t i = 0; i < len; before = in[i++]) {
		if ((in[i] == '\n' && (i == 0 || before != '\r')) || (in[i] == '.' && before == '\n'))
			out[to++] = in[i] == '.' ? '.' : '\r';
		out[to++] = in[i];
	}
	if (before != '\n') {
		out[to++] = '\r';
		out[to++] = '\n';
	}
	memcpy(out + to, ".\r\n", 3);
	return to + 3;
}

/* IN cut at CUT, what can pass passing, from memory that ends with the octets. */
static size_t
pass_and_feed(const char *in, size_t len, size_t cut, char out[ROOM])
{
	const size_t parts[] = { cut, len - cut };
	struct dotstuff d;
	size_t to = 0;

	dotstuff_begin(&d, DOTSTUFF_ALL_LINES, DOTSTUFF_NUL_KEEP);
	for (int i = 0; i < 2; in += parts[i++]) {
		char *copy = malloc(parts[i] + 1);
		size_t at = 0;

		CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
		memcpy(copy + 1, in, parts[i]); /* at no alignment */
		while (at < parts[i]) {
			char *from = copy + 1 + at;
			size_t passed = dotstuff_pass(&d, from, parts[i] - at), written = 0;

			memcpy(out + to, from, passed);
			at += passed;
			to += passed;
			if (at < parts[i]) {
				size_t some = parts[i] - at < 3 ? parts[i] - at : 3;

				at += dotstuff_feed(&d, copy + 1 + at, some, out + to, 6, &written);
			}
			to += written;
		}
		free(copy);
	}
	return to + dotstuff_end(&d, out + to);
}

/* The octets that matter, each pair of them at each place of a line of 70 octets. */
static void
rule_05_at_every_place_and_cut(void)
{
	static const char octets[] = { '.', '\r', '\n', '\0' };
	char in[70], want[ROOM], out[ROOM];

	for (size_t at = 0; at < sizeof(in); at++)
		for (int pair = 0; pair < 16; pair++) {
			size_t want_len, got;

			memset(in, 'a', sizeof(in));
			in[at] = octets[pair / 4];
			if (at + 1 < sizeof(in))
				in[at + 1] = octets[pair % 4];
			if (at + 2 < sizeof(in))
				in[at + 2] = '.';
			want_len = by_the_book(in, sizeof(in), want);
			for (size_t cut = 0; cut <= sizeof(in); cut++) {
				got = pass_and_feed(in, sizeof(in), cut, out);
				if (!UNIT_CHECK(got == want_len && memcmp(out, want, got) == 0,
					"passed"))
					return;
				got = stuff(in, sizeof(in), DOTSTUFF_ALL_LINES, DOTSTUFF_NUL_KEEP,
				    cut + 1, 2 + at, out);
				if (!UNIT_CHECK(
					got == want_len && memcmp(out, want, got) == 0, "fed"))
					return;
			}
		}
}

static void
only_whole_messages_pass(void)
{
	struct dotstuff d;

	dotstuff_begin(&d, DOTSTUFF_ALL_LINES, DOTSTUFF_NUL_KEEP);
	CU_ASSERT_EQUAL(dotstuff_pass(&d, "", 0), 0);
	CU_ASSERT_EQUAL(dotstuff_pass(&d, "a.\r\n.", 5), 4);
	CU_ASSERT_EQUAL(dotstuff_pass(&d, ".", 1), 0);
	CU_ASSERT_EQUAL(dotstuff_pass(&d, "\r", 1), 1);
	CU_ASSERT_EQUAL(dotstuff_pass(&d, "\n\n", 2), 1);
	dotstuff_begin(&d, DOTSTUFF_ALL_LINES - 1, DOTSTUFF_NUL_KEEP);
	CU_ASSERT_EQUAL(dotstuff_pass(&d, "a", 1), 0);
	dotstuff_begin(&d, DOTSTUFF_ALL_LINES, DOTSTUFF_NUL_REPLACE);
	CU_ASSERT_EQUAL(dotstuff_pass(&d, "a", 1), 0);
}

static void
when_full_everything_is_taken(void)
{
	struct dotstuff d;
	char out[16];
	size_t written;

	dotstuff_begin(&d, 0, DOTSTUFF_NUL_KEEP);
	CU_ASSERT_EQUAL(dotstuff_feed(&d, "h\n", 2, out, sizeof(out), &written), 2);
	CU_ASSERT_FALSE(dotstuff_is_full(&d));
	CU_ASSERT_EQUAL(dotstuff_feed(&d, "\nbody", 5, out, sizeof(out), &written), 5);
	CU_ASSERT_EQUAL(written, 2);
	CU_ASSERT_TRUE(dotstuff_is_full(&d));
	CU_ASSERT_EQUAL(dotstuff_feed(&d, "more", 4, out, 0, &written), 4);
	CU_ASSERT_EQUAL(written, 0);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "rule_05_line_ends_and_dots", rule_05_line_ends_and_dots },
		{ "rule_06_nul", rule_06_nul },
		{ "rule_03_top_counts_lines_of_the_body", rule_03_top_counts_lines_of_the_body },
		{ "rule_03_top_is_a_prefix_of_retr", rule_03_top_is_a_prefix_of_retr },
		{ "rule_05_at_every_place_and_cut", rule_05_at_every_place_and_cut },
		{ "only_whole_messages_pass", only_whole_messages_pass },
		{ "when_full_everything_is_taken", when_full_everything_is_taken },
	};

	return unit_run("dotstuff", tests, sizeof(tests) / sizeof(tests[0]));
}
