/* Unit tests of mapping/uidl_sample.c. */
#include "mapping/uidl_sample.h"

#include "unit.h"

static void
the_first_are_kept_and_all_are_counted(void)
{
	struct uidl_sample sample = { 0 };
	char uidl[UIDL_MAX + 1], longest[UIDL_MAX + 1];
	const char *text = sample.text;
	size_t kept = 0;

	CU_ASSERT_FALSE(uidl_sample_next(&text, uidl));
	memset(longest, 'x', UIDL_MAX);
	longest[UIDL_MAX] = '\0';
	for (unsigned i = 0; i < UIDL_SAMPLE_MAX + 20; i++) {
		snprintf(longest, 5, "%04u", i);
		longest[4] = 'x';
		uidl_sample_add(&sample, longest);
	}
	CU_ASSERT_EQUAL(sample.count, UIDL_SAMPLE_MAX + 20);
	CU_ASSERT_EQUAL(sample.len, strlen(sample.text));
	CU_ASSERT_EQUAL(sample.len + 1, sizeof(sample.text));
	while (uidl_sample_next(&text, uidl)) {
		snprintf(longest, 5, "%04u", (unsigned) kept++);
		longest[4] = 'x';
		CU_ASSERT_STRING_EQUAL(uidl, longest);
	}
	CU_ASSERT_EQUAL(kept, UIDL_SAMPLE_MAX);
}

static void
texts_from_files(void)
{
	static const struct {
		const char *name, *text, *first, *second;
	} rows[] = {
		{ "two", "a b", "a", "b" },
		{ "one", "a", "a", NULL },
		{ "none", "", NULL, NULL },
		{ "blanks", "  a  b  ", "a", "b" },
		{ "one that is too long", "0123456789012345678901234567890123456789"
					  "012345678901234567890123456789x b",
		    "0123456789012345678901234567890123456789012345678901234567890123456789", "b" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *text = rows[i].text, *expected[] = { rows[i].first, rows[i].second };
		char uidl[UIDL_MAX + 1];

		for (size_t j = 0; j < 2; j++) {
			bool there = uidl_sample_next(&text, uidl);

			UNIT_CHECK(there == (expected[j] != NULL), rows[i].name);
			UNIT_CHECK(!there || strcmp(uidl, expected[j]) == 0, rows[i].name);
		}
		UNIT_CHECK(!uidl_sample_next(&text, uidl), rows[i].name);
	}
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "the_first_are_kept_and_all_are_counted", the_first_are_kept_and_all_are_counted },
		{ "texts_from_files", texts_from_files },
	};

	return unit_run("uidl_sample", tests, sizeof(tests) / sizeof(tests[0]));
}
