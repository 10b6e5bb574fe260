/* Unit tests of pop3front/command.c and pop3front/line_buffer.c. */
#include "pop3front/command.h"

#include "base/error.h"
#include "pop3front/line_buffer.h"
#include "unit.h"

static enum command_fault
parse(const char *line, struct command *c)
{
	return command_parse(line, strlen(line), c);
}

static void
rule_29_verbs(void)
{
	static const struct {
		const char *line;
		enum command_verb verb;
		unsigned words;
	} rows[] = {
		{ "QUIT", COMMAND_QUIT, 0 },
		{ "quit", COMMAND_QUIT, 0 },
		{ "qUiT  \t", COMMAND_QUIT, 0 },
		{ "QUIT\t", COMMAND_QUIT, 0 },
		{ "LIST 1", COMMAND_LIST, 1 },
		{ "LIST  1  ", COMMAND_LIST, 1 },
		{ "TOP 1 2", COMMAND_TOP, 2 },
		{ "top 1 2 3", COMMAND_TOP, 3 },
		{ "top 1 2 3 4 5", COMMAND_TOP, 3 },
		{ "APOP a b", COMMAND_APOP, 2 },
		{ "AUTH", COMMAND_AUTH, 0 },
		{ "CAPA", COMMAND_CAPA, 0 },
		{ "DELE 1", COMMAND_DELE, 1 },
		{ "NOOP", COMMAND_NOOP, 0 },
		{ "PASS x", COMMAND_PASS, 1 },
		{ "RETR 1", COMMAND_RETR, 1 },
		{ "RSET", COMMAND_RSET, 0 },
		{ "STAT", COMMAND_STAT, 0 },
		{ "STLS", COMMAND_STLS, 0 },
		{ "UIDL", COMMAND_UIDL, 0 },
		{ "USER a b", COMMAND_USER, 2 },
		{ "UTF8", COMMAND_UTF8, 0 },
	};
	struct command c;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		UNIT_CHECK(parse(rows[i].line, &c) == COMMAND_FINE, rows[i].line);
		UNIT_CHECK(c.verb == rows[i].verb && c.words == rows[i].words, rows[i].line);
	}
}

static void
rule_30_what_is_no_command(void)
{
	static const char *const lines[] = { "", " ", " QUIT", "QUITT", "QUI", "QUIT\r", "QUIT\rX",
		"RETR1", "\xff", "GET / HTTP/1.1", "\"QUIT\"", "QUIT;" };
	struct command c;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		UNIT_CHECK(parse(lines[i], &c) == COMMAND_BAD_VERB, lines[i]);
	CU_ASSERT_EQUAL(command_parse("QUIT\0", 5, &c), COMMAND_HAS_NUL);
	CU_ASSERT_EQUAL(command_parse("PASS a\0b", 8, &c), COMMAND_HAS_NUL);
	CU_ASSERT_EQUAL(command_parse("\0QUIT", 5, &c), COMMAND_HAS_NUL);
}

static void
rule_25_the_argument_is_verbatim_behind_one_blank(void)
{
	static const struct {
		const char *line;
		const char *text;
	} rows[] = {
		{ "PASS secret", "secret" },
		{ "PASS  two  words ", " two  words " },
		{ "PASS", "" },
		{ "PASS ", "" },
		{ "PASS   ", "  " },
		{ "PASS \t", "\t" },
		{ "USER j\xc3\xbcrgen", "j\xc3\xbcrgen" },
	};
	struct command c;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		UNIT_CHECK(parse(rows[i].line, &c) == COMMAND_FINE, rows[i].line);
		UNIT_CHECK(c.text_len == strlen(rows[i].text) &&
			       memcmp(c.text, rows[i].text, c.text_len) == 0,
		    rows[i].line);
	}
}

static void
words_are_found_between_blanks(void)
{
	struct command c;

	CU_ASSERT_EQUAL(parse("TOP \t12   345 ", &c), COMMAND_FINE);
	CU_ASSERT_EQUAL(c.words, 2);
	CU_ASSERT_TRUE(c.word_len[0] == 2 && memcmp(c.word[0], "12", 2) == 0);
	CU_ASSERT_TRUE(c.word_len[1] == 3 && memcmp(c.word[1], "345", 3) == 0);
}

static void
rule_13_message_numbers(void)
{
	static const char *const bad[] = { "", "-1", "+1", "1x", "x", "0x1", "1.0", "1e0", " 1",
		"1 ", "1\r", "18446744073709551616", "99999999999999999999999999999999" };
	uint64_t number = 0;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		UNIT_CHECK(command_number(bad[i], strlen(bad[i]), &number) == ERR_INVALID, bad[i]);
	CU_ASSERT_EQUAL(command_number("0", 1, &number), 0);
	CU_ASSERT_EQUAL(number, 0);
	CU_ASSERT_EQUAL(command_number("007", 3, &number), 0);
	CU_ASSERT_EQUAL(number, 7);
	CU_ASSERT_EQUAL(command_number("18446744073709551615", 20, &number), 0);
	CU_ASSERT_EQUAL(number, UINT64_MAX);
}

static void
rule_29_line_ends(void)
{
	static const struct {
		const char *data;
		size_t taken;
		size_t len;
	} rows[] = {
		{ "", 0, 0 },
		{ "QUIT", 0, 0 },
		{ "QUIT\r", 0, 0 },
		{ "QUIT\r\n", 6, 4 },
		{ "QUIT\n", 5, 4 },
		{ "\n", 1, 0 },
		{ "\r\n", 2, 0 },
		{ "A\r\r\nB", 4, 2 },
		{ "A\nB\n", 2, 1 },
		{ "A\rB\n", 4, 3 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = 0;

		UNIT_CHECK(
		    command_find_line(rows[i].data, strlen(rows[i].data), &len) == rows[i].taken,
		    rows[i].data);
		UNIT_CHECK(len == rows[i].len, rows[i].data);
	}
	CU_ASSERT_EQUAL(command_line_limit("AUTH P", 6), COMMAND_AUTH_LINE_MAX);
	CU_ASSERT_EQUAL(command_line_limit("auth ", 5), COMMAND_AUTH_LINE_MAX);
	CU_ASSERT_EQUAL(command_line_limit("AUTH", 4), COMMAND_LINE_MAX);
	CU_ASSERT_EQUAL(command_line_limit("AUTHX P", 7), COMMAND_LINE_MAX);
	CU_ASSERT_EQUAL(command_line_limit("USER AUTH ", 10), COMMAND_LINE_MAX);
}

/* Puts DATA (LEN octets) into B, as far as it asks for it, until a line is complete or too long. */
static enum line_state
pour(struct line_buffer *b, enum line_limit limit, const char *data, size_t len, const char **line,
    size_t *line_len)
{
	enum line_state state;
	size_t room;
	char *at;

	while ((state = line_buffer_next(b, limit, line, line_len)) == LINE_INCOMPLETE && len > 0) {
		CU_ASSERT_EQUAL_FATAL(line_buffer_space(b, &at, &room), 0);
		CU_ASSERT_TRUE_FATAL(room > 0);
		room = room < len ? room : len;
		memcpy(at, data, room);
		line_buffer_filled(b, room);
		data += room;
		len -= room;
	}
	return state;
}

/* "AUTH xxx..." or "xxx...", LEN octets with CRLF. */
static const char *
long_line(const char *start, size_t len)
{
	static char line[COMMAND_AUTH_LINE_MAX + 100];

	memset(line, 'x', sizeof(line));
	memcpy(line, start, strlen(start));
	memcpy(line + len - 2, "\r\n", 2);
	return line;
}

static void
rule_29_length_of_lines(void)
{
	static const struct {
		const char *start;
		enum line_limit limit;
		size_t len;
		enum line_state state;
	} rows[] = {
		{ "USER ", LINE_COMMAND, COMMAND_LINE_MAX, LINE_COMPLETE },
		{ "USER ", LINE_COMMAND, COMMAND_LINE_MAX + 1, LINE_TOO_LONG },
		{ "AUTH ", LINE_COMMAND, COMMAND_AUTH_LINE_MAX, LINE_COMPLETE },
		{ "AUTH ", LINE_COMMAND, COMMAND_AUTH_LINE_MAX + 1, LINE_TOO_LONG },
		{ "", LINE_RESPONSE, COMMAND_AUTH_LINE_MAX, LINE_COMPLETE },
		{ "", LINE_RESPONSE, COMMAND_AUTH_LINE_MAX + 1, LINE_TOO_LONG },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *line, *sent = long_line(rows[i].start, rows[i].len);
		struct line_buffer b;
		size_t len;

		line_buffer_begin(&b);
		UNIT_CHECK(pour(&b, rows[i].limit, sent, rows[i].len, &line, &len) == rows[i].state,
		    rows[i].start);
		if (rows[i].state == LINE_COMPLETE)
			UNIT_CHECK(
			    len == rows[i].len - 2 && memcmp(line, sent, len) == 0, rows[i].start);
		line_buffer_clear(&b);
	}
}

static void
a_buffer_shrinks_and_leaves_no_secret_behind(void)
{
	const char *line, *sent = long_line("AUTH PLAIN ", 9000);
	struct line_buffer b;
	size_t len;

	line_buffer_begin(&b);
	CU_ASSERT_EQUAL(pour(&b, LINE_COMMAND, sent, 9000, &line, &len), LINE_COMPLETE);
	CU_ASSERT_PTR_NOT_NULL(b.grown);
	line_buffer_drop(&b);
	CU_ASSERT_PTR_NULL(b.grown);
	CU_ASSERT_EQUAL(
	    pour(&b, LINE_COMMAND, "PASS secret\r\nNO", 15, &line, &len), LINE_COMPLETE);
	CU_ASSERT_EQUAL(line_buffer_left(&b), 2);
	line_buffer_drop(&b);
	CU_ASSERT_PTR_NULL(memmem(b.small, sizeof(b.small), "secret", 6));
	CU_ASSERT_EQUAL(pour(&b, LINE_COMMAND, "OP\r\n", 4, &line, &len), LINE_COMPLETE);
	CU_ASSERT_TRUE(len == 4 && memcmp(line, "NOOP", 4) == 0);
	line_buffer_drop(&b);
	/* A secret that was moved is not where it was either. */
	CU_ASSERT_EQUAL(
	    pour(&b, LINE_COMMAND, "NOOP\r\nPASS secret", 17, &line, &len), LINE_COMPLETE);
	CU_ASSERT_EQUAL(pour(&b, LINE_COMMAND, "\r\n", 2, &line, &len), LINE_COMPLETE);
	line_buffer_drop(&b);
	CU_ASSERT_PTR_NULL(memmem(b.small, sizeof(b.small), "cret", 4));
	CU_ASSERT_PTR_NULL(memmem(b.small, sizeof(b.small), "ret", 3));
	line_buffer_clear(&b);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "rule_29_verbs", rule_29_verbs },
		{ "rule_30_what_is_no_command", rule_30_what_is_no_command },
		{ "rule_25_the_argument_is_verbatim_behind_one_blank",
		    rule_25_the_argument_is_verbatim_behind_one_blank },
		{ "words_are_found_between_blanks", words_are_found_between_blanks },
		{ "rule_13_message_numbers", rule_13_message_numbers },
		{ "rule_29_line_ends", rule_29_line_ends },
		{ "rule_29_length_of_lines", rule_29_length_of_lines },
		{ "a_buffer_shrinks_and_leaves_no_secret_behind",
		    a_buffer_shrinks_and_leaves_no_secret_behind },
	};

	return unit_run("command", tests, sizeof(tests) / sizeof(tests[0]));
}
