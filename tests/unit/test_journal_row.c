/* Unit tests of gateway/journal_row.c: rows that mean something, and those that do not. */
#include "gateway/journal_row.h"

#include "unit.h"

struct row {
	const char *what;
	int64_t id, uidvalidity, task, begun;
	const char *ours, *flagged_before, *lifted;
};

static const char *how = "expunge";

static int
decode(const struct row *row, struct journal_entry *out, struct error *e)
{
	const struct journal_row raw = {
		.id = row->id,
		.uidvalidity = row->uidvalidity,
		.task = row->task,
		.begun = row->begun,
		.how = { how, strlen(how) },
		.ours = { row->ours, strlen(row->ours) },
		.flagged_before = { row->flagged_before, strlen(row->flagged_before) },
		.lifted = { row->lifted, strlen(row->lifted) },
	};

	return journal_row_decode(&raw, out, e);
}

static void
rows_that_make_sense(void)
{
	static const struct row rows[] = {
		{ "all there is", 1, 2, 0, 3, "1:5,9", "2:3", "7" },
		{ "the largest", INT64_MAX, UINT32_MAX, 1, INT64_MAX, "1:4294967295", "4294967295",
		    "1" },
		{ "the smallest", 1, 1, 0, 0, "", "", "" },
		{ "what was lifted alone", 5, 1, 1, 0, "", "", "3:4" },
		{ "flagged before, all of them", 5, 1, 1, 0, "3:4,6", "3:4,6", "" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct journal_entry entry = { 0 };
		struct error e = { 0 };

		UNIT_CHECK(decode(&rows[i], &entry, &e) == 0, rows[i].what);
		UNIT_CHECK(entry.id == rows[i].id && entry.begun == rows[i].begun &&
			       entry.uidvalidity == rows[i].uidvalidity &&
			       (int64_t) entry.task == rows[i].task,
		    rows[i].what);
		journal_entry_clear(&entry);
	}
}

static void
sets_go_where_they_belong(void)
{
	static const struct row row = { "", 1, 1, 0, 0, "1:5", "2:3", "7:10,12" };
	struct journal_entry entry = { 0 };

	CU_ASSERT_EQUAL_FATAL(decode(&row, &entry, NULL), 0);
	CU_ASSERT_EQUAL(uidset_size(&entry.ours), 5);
	CU_ASSERT_EQUAL(uidset_size(&entry.flagged_before), 2);
	CU_ASSERT_EQUAL(uidset_size(&entry.lifted), 5);
	journal_entry_clear(&entry);
	CU_ASSERT_TRUE(entry.id == 0 && entry.ours.ranges == NULL && entry.lifted.ranges == NULL);
}

static void
how_is_a_short_text(void)
{
	static const struct row row = { "", 1, 1, 0, 0, "1:5", "2:3", "7:10,12" };
	struct journal_entry entry = { 0 };
	char text[JOURNAL_HOW_MAX + 1];

	memset(text, 'x', sizeof(text));
	text[JOURNAL_HOW_MAX] = '\0';
	how = text;
	CU_ASSERT_EQUAL(decode(&row, &entry, NULL), ERR_INVALID);
	text[JOURNAL_HOW_MAX - 1] = '\0';
	CU_ASSERT_EQUAL(decode(&row, &entry, NULL), 0);
	CU_ASSERT_STRING_EQUAL(entry.how, text);
	journal_entry_clear(&entry);
	how = "";
	CU_ASSERT_EQUAL(decode(&row, &entry, NULL), ERR_INVALID);
	how = "expunge";
}

/* Nothing of them is left in the entry. */
static void
rows_that_make_none(void)
{
	static const struct row rows[] = {
		{ "number 0", 0, 1, 0, 0, "1", "", "" },
		{ "a negative number", -1, 1, 0, 0, "1", "", "" },
		{ "UIDVALIDITY 0", 1, 0, 0, 0, "1", "", "" },
		{ "a negative UIDVALIDITY", 1, -1, 0, 0, "1", "", "" },
		{ "UIDVALIDITY of 33 bits", 1, 4294967296, 0, 0, "1", "", "" },
		{ "task 3", 1, 1, 3, 0, "1", "", "" },
		{ "task -1", 1, 1, -1, 0, "1", "", "" },
		{ "a task that is 0 in 32 bits", 1, 1, 4294967296, 0, "1", "", "" },
		{ "a time before time", 1, 1, 0, -1, "1", "", "" },
		{ "ours is no set", 1, 1, 0, 0, "1:*", "", "" },
		{ "ours is out of order", 1, 1, 0, 0, "3,1", "", "" },
		{ "flagged_before is no set", 1, 1, 0, 0, "1:9", "2,", "" },
		{ "lifted is no set", 1, 1, 0, 0, "1:9", "2", "0" },
		{ "flagged_before goes beyond ours", 1, 1, 0, 0, "1:9", "9:10", "" },
		{ "flagged_before of nothing", 1, 1, 0, 0, "", "1", "" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct journal_entry entry = { 0 };
		struct error e = { 0 };

		UNIT_CHECK(decode(&rows[i], &entry, &e) == ERR_INVALID, rows[i].what);
		UNIT_CHECK(e.code == ERR_INVALID && e.text[0] != '\0', rows[i].what);
		UNIT_CHECK(entry.id == 0 && entry.ours.ranges == NULL &&
			       entry.flagged_before.ranges == NULL && entry.lifted.ranges == NULL,
		    rows[i].what);
		journal_entry_clear(&entry);
	}
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "rows that make sense", rows_that_make_sense },
		{ "sets go where they belong", sets_go_where_they_belong },
		{ "how is a short text", how_is_a_short_text },
		{ "rows that make none", rows_that_make_none },
	};

	return unit_run("journal_row", tests, sizeof(tests) / sizeof(tests[0]));
}
