/* Unit tests of base/uidset_text.c: one text for each set, and no other is taken. */
#include "base/uidset_text.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/error.h"
#include "unit.h"

static void
texts_of_sets(void)
{
	static const struct {
		const char *text;
		size_t ranges;
		uint64_t size;
	} rows[] = {
		{ "", 0, 0 },
		{ "1", 1, 1 },
		{ "4294967295", 1, 1 },
		{ "1:4294967295", 1, 4294967295u },
		{ "1:5,9", 2, 6 },
		{ "1,3,5", 3, 3 },
		{ "7,9:10,4294967294:4294967295", 3, 5 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct uidset set = { 0 };
		char *text = NULL;

		UNIT_CHECK(
		    uidset_parse(rows[i].text, strlen(rows[i].text), &set) == 0, rows[i].text);
		UNIT_CHECK(set.count == rows[i].ranges, rows[i].text);
		UNIT_CHECK(uidset_size(&set) == rows[i].size, rows[i].text);
		CU_ASSERT_EQUAL_FATAL(uidset_format(&set, &text), 0);
		UNIT_CHECK(strcmp(text, rows[i].text) == 0, rows[i].text);
		free(text);
		uidset_clear(&set);
	}
}

static void
other_texts_are_refused(void)
{
	static const char *const rows[] = { "0", "00", "01", "1:01", "-1", "+1", " 1", "1 ", "*",
		"1:*", "4294967296", "1:4294967296", "18446744073709551617", ",", "1,", ",1",
		"1,,3", ":", "1:", ":1", "1:2:3", "1:1", "2:1", "1,2", "1:2,3", "3,1", "1:5,4",
		"1:5,5:9", "1,1", "1;3", "1,3\n", "a", "4294967295,1", "1:4294967295,1" };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct uidset set = { 0 };

		UNIT_CHECK(uidset_parse(rows[i], strlen(rows[i]), &set) == ERR_INVALID, rows[i]);
		UNIT_CHECK(set.ranges == NULL && set.count == 0, rows[i]);
		uidset_clear(&set);
	}
}

/* No octet beyond LEN is looked at, and a NUL is no end. */
static void
length_decides(void)
{
	struct uidset set = { 0 };

	CU_ASSERT_EQUAL(uidset_parse("12345", 2, &set), 0);
	CU_ASSERT_TRUE(set.count == 1 && set.ranges[0].first == 12);
	uidset_clear(&set);
	CU_ASSERT_EQUAL(uidset_parse("1\0,3", 4, &set), ERR_INVALID);
	CU_ASSERT_EQUAL(uidset_parse("1:9,", 3, &set), 0);
	CU_ASSERT_EQUAL(uidset_size(&set), 9);
	uidset_clear(&set);
}

/* Long sets: the widest ranges, and many of them. */
static void
long_sets_come_back(void)
{
	struct uidset set = { 0 }, again = { 0 };
	char *text = NULL;

	for (uint32_t i = 0; i < 100000; i++) {
		CU_ASSERT_EQUAL(uidset_add(&set, 4000000000u + 3 * i), 0);
		CU_ASSERT_EQUAL(uidset_add(&set, 4000000001u + 3 * i), 0);
	}
	CU_ASSERT_EQUAL_FATAL(uidset_format(&set, &text), 0);
	CU_ASSERT_EQUAL(strlen(text), 100000 * 22 - 1);
	CU_ASSERT_EQUAL(uidset_parse(text, strlen(text), &again), 0);
	CU_ASSERT_TRUE(uidset_equal(&set, &again));
	free(text);
	uidset_clear(&set);
	uidset_clear(&again);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "texts of sets", texts_of_sets },
		{ "other texts are refused", other_texts_are_refused },
		{ "the length decides", length_decides },
		{ "long sets come back", long_sets_come_back },
	};

	return unit_run("uidset_text", tests, sizeof(tests) / sizeof(tests[0]));
}
