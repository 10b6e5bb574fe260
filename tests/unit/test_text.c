/* Unit tests of base/text.c and base/error.c. */
#include "base/text.h"

#include "base/error.h"
#include "unit.h"

static const struct {
	const char *text;
	uint64_t max;
	int result;
	uint64_t number;
} numbers[] = {
	{ "0", 10, 0, 0 },
	{ "007", 10, 0, 7 },
	{ "10", 10, 0, 10 },
	{ "11", 10, ERR_LIMIT, 0 },
	{ "4294967295", UINT32_MAX, 0, UINT32_MAX },
	{ "4294967296", UINT32_MAX, ERR_LIMIT, 0 },
	{ "18446744073709551615", UINT64_MAX, 0, UINT64_MAX },
	{ "18446744073709551616", UINT64_MAX, ERR_LIMIT, 0 },
	{ "99999999999999999999999999", UINT64_MAX, ERR_LIMIT, 0 },
	{ "5", 3, ERR_LIMIT, 0 },
	{ "", 10, ERR_INVALID, 0 },
	{ "-1", 10, ERR_INVALID, 0 },
	{ "+1", 10, ERR_INVALID, 0 },
	{ " 1", 10, ERR_INVALID, 0 },
	{ "1 ", 10, ERR_INVALID, 0 },
	{ "1x", 10, ERR_INVALID, 0 },
	{ "0x1", 10, ERR_INVALID, 0 },
	{ "1e4", UINT64_MAX, ERR_INVALID, 0 },
	{ "99999999999999999999999999x", UINT64_MAX, ERR_INVALID, 0 },
};

static void
numbers_are_strict(void)
{
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		const char *text = numbers[i].text;
		uint64_t number = 0;
		int rc = text_to_number(text, strlen(text), numbers[i].max, &number);

		UNIT_CHECK(rc == numbers[i].result, text);
		UNIT_CHECK(number == numbers[i].number, text);
	}
}

static void
words_have_no_case(void)
{
	CU_ASSERT_TRUE(text_is_word("QuIt", 4, "QUIT"));
	CU_ASSERT_FALSE(text_is_word("QUIT", 3, "QUIT"));
	CU_ASSERT_FALSE(text_is_word("QUITS", 5, "QUIT"));
	CU_ASSERT_FALSE(text_is_word("@", 1, "`")); /* differ by the case bit only */
}

static const struct {
	const char *text;
	size_t len;
	bool good;
} utf8[] = {
	{ "", 0, true },
	{ "abc", 3, true },
	{ "\xc3\xa4", 2, true },
	{ "\xe2\x82\xac", 3, true },
	{ "\xf0\x9f\x93\xac", 4, true },
	{ "\xf4\x8f\xbf\xbf", 4, true },
	{ "\xed\x9f\xbf", 3, true },
	{ "\xee\x80\x80", 3, true },
	{ "\xc3", 1, false },
	{ "\xc3(", 2, false },
	{ "\x80", 1, false },
	{ "\xc0\x80", 2, false },
	{ "\xc1\xbf", 2, false },
	{ "\xe0\x9f\xbf", 3, false },
	{ "\xe2\x82", 2, false },
	{ "\xed\xa0\x80", 3, false },
	{ "\xf0\x8f\xbf\xbf", 4, false },
	{ "\xf4\x90\x80\x80", 4, false },
	{ "\xf5\x80\x80\x80", 4, false },
	{ "\xff", 1, false },
	{ "a\xe2\x82\xacz\xfe", 6, false },
};

static void
utf8_is_strict(void)
{
	for (size_t i = 0; i < sizeof(utf8) / sizeof(utf8[0]); i++) {
		char row[32];

		snprintf(row, sizeof(row), "utf8 row %zu", i);
		UNIT_CHECK(text_is_utf8(utf8[i].text, utf8[i].len) == utf8[i].good, row);
	}
}

static const struct {
	const char *text;
	size_t len;
	size_t room;
	const char *escaped;
} escapes[] = {
	{ "plain", 5, 64, "plain" },
	{ "a\r\nb", 4, 64, "a\\x0d\\x0ab" },
	{ "\x1b[31m", 5, 64, "\\x1b[31m" },
	{ "back\\slash", 10, 64, "back\\x5cslash" },
	{ "\xc3\xa4", 2, 64, "\\xc3\\xa4" },
	{ "nul\0nul", 7, 64, "nul\\x00nul" },
	{ "12345678", 8, 9, "12345678" },
	{ "123456789", 9, 9, "12345..." },
	{ "1234\r\r", 6, 9, "1234..." },
	{ "\r\r\r", 3, 9, "\\x0d..." },
	{ "\r\r", 2, 9, "\\x0d\\x0d" },
	{ "abcdef", 6, 5, "a..." },
};

static void
atoms_have_nothing_special(void)
{
	static const char special[] = "(){ %*\"\\]\r\n\x7f\x80\xff";

	CU_ASSERT_TRUE(text_is_atom("PopDeleted", 10));
	CU_ASSERT_TRUE(text_is_atom("$Junk!~[", 8));
	CU_ASSERT_FALSE(text_is_atom("", 0));
	for (size_t i = 0; i < sizeof(special); i++) {
		const char text[3] = { 'a', special[i], 'b' };

		UNIT_CHECK(!text_is_atom(text, 3), "a special character");
	}
}

static void
escapes_are_harmless(void)
{
	for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++) {
		char out[64];

		memset(out, '#', sizeof(out));
		text_escape(escapes[i].text, escapes[i].len, out, escapes[i].room);
		UNIT_CHECK(strcmp(out, escapes[i].escaped) == 0, escapes[i].escaped);
		UNIT_CHECK(escapes[i].room == sizeof(out) || out[escapes[i].room] == '#',
		    escapes[i].escaped);
	}
}

static void
every_octet_can_be_escaped(void)
{
	for (unsigned c = 0; c < 256; c++) {
		char in = (char) c, out[16];

		text_escape(&in, 1, out, sizeof(out));
		for (const char *p = out; *p != '\0'; p++)
			CU_ASSERT_TRUE(*p >= 0x20 && *p <= 0x7e);
		CU_ASSERT_TRUE(strlen(out) == 1 || strlen(out) == 4);
	}
}

static void
errors_carry_text(void)
{
	struct error e;
	char longer[400];

	CU_ASSERT_EQUAL(error_set(&e, ERR_TIMEOUT, "after %d s", 3), ERR_TIMEOUT);
	CU_ASSERT_EQUAL(e.code, ERR_TIMEOUT);
	CU_ASSERT_STRING_EQUAL(e.text, "after 3 s");
	CU_ASSERT_EQUAL(error_prefix(&e, "host %s", "x"), ERR_TIMEOUT);
	CU_ASSERT_STRING_EQUAL(e.text, "host x: after 3 s");
	memset(longer, 'l', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	error_set(&e, ERR_LIMIT, "%s", longer);
	CU_ASSERT_EQUAL(strlen(e.text), ERROR_TEXT_MAX - 1);
	error_prefix(&e, "%s", longer);
	CU_ASSERT_EQUAL(strlen(e.text), ERROR_TEXT_MAX - 1);
	CU_ASSERT_EQUAL(error_set(NULL, ERR_LIMIT, "x"), ERR_LIMIT);
	for (int code = ERR_OK; code <= ERR_PERMANENT; code++)
		CU_ASSERT_STRING_NOT_EQUAL(error_name(code), "unknown error");
}

static void
numbers_are_written(void)
{
	static const struct {
		uint64_t number;
		unsigned base;
		const char *text;
	} written[] = {
		{ 0, 10, "0" },
		{ 0, 16, "0" },
		{ 10, 10, "10" },
		{ 4294967295, 10, "4294967295" },
		{ 0x1abcdef0, 16, "1abcdef0" },
		{ UINT64_MAX, 10, "18446744073709551615" },
		{ UINT64_MAX, 16, "ffffffffffffffff" },
	};

	for (size_t i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
		char out[TEXT_NUMBER_MAX + 1] = "";

		out[text_from_number(written[i].number, written[i].base, out)] = '\0';
		CU_ASSERT_STRING_EQUAL(out, written[i].text);
	}
}

static void
byte_order_marks(void)
{
	CU_ASSERT_EQUAL(text_mark("\xEF\xBB\xBFuser", 7), 3);
	CU_ASSERT_EQUAL(text_mark("\xEF\xBB\xBF", 3), 3);
	CU_ASSERT_EQUAL(text_mark("\xEF\xBB\xBF", 2), 0);
	CU_ASSERT_EQUAL(text_mark("user", 4), 0);
	CU_ASSERT_EQUAL(text_mark("", 0), 0);
}

static void
legible(void)
{
	static const struct {
		const char *text, *wanted;
	} rows[] = {
		{ "", "" },
		{ "j\303\274rgen\\", "j\303\274rgen\\" },
		{ "j\374rgen", "j\\xfcrgen" },
		{ "j\303\274\n", "j\\xc3\\xbc\\x0a" },
		{ "x\177", "x\\x7f" },
		{ "\302\240 \303\233", "\302\240 \303\233" },
		{ "\302\233m", "\\xc2\\x9bm" },
		{ "\302\200", "\\xc2\\x80" },
		{ "012345678901234567890", "0123456789012345..." },
	};
	char out[20];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		text_copy_legible(rows[i].text, strlen(rows[i].text), out, sizeof(out));
		UNIT_CHECK(strcmp(out, rows[i].wanted) == 0, rows[i].text);
	}
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "numbers_are_strict", numbers_are_strict },
		{ "byte_order_marks", byte_order_marks },
		{ "numbers_are_written", numbers_are_written },
		{ "words_have_no_case", words_have_no_case },
		{ "utf8_is_strict", utf8_is_strict },
		{ "atoms_have_nothing_special", atoms_have_nothing_special },
		{ "escapes_are_harmless", escapes_are_harmless },
		{ "every_octet_can_be_escaped", every_octet_can_be_escaped },
		{ "errors_carry_text", errors_carry_text },
		{ "legible", legible },
	};

	return unit_run("text", tests, sizeof(tests) / sizeof(tests[0]));
}
