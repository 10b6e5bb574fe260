/* Unit tests of gateway/progress.c. */
#include "gateway/progress.h"

#include "unit.h"

static const struct {
	const char *name;
	struct progress progress;
	size_t width;
	const char *bar, *line;
} rows[] = {
	{ "nothing yet", { 0, 100, 0, 0 }, 80, "[........................................] 0% 0/100, 0/min",
	    "0 of 100 users, 0 a minute" },
	{ "half", { 50, 100, 0, 60000 }, 80,
	    "[####################....................] 50% 50/100, 50/min, 1:00 left",
	    "50 of 100 users, 50 a minute, 1:00 left" },
	{ "those passed over took no time", { 50, 100, 25, 60000 }, 80,
	    "[####################....................] 50% 50/100, 25/min, 2:00 left",
	    "50 of 100 users, 25 a minute, 2:00 left" },
	{ "hours", { 1, 1001, 0, 60000 }, 80,
	    "[........................................] 0% 1/1001, 1/min, 16:40:00 left",
	    "1 of 1001 users, 1 a minute, 16:40:00 left" },
	{ "done", { 7, 7, 0, 1000 }, 80, "[########################################] 100% 7/7, 420/min",
	    "7 of 7 users, 420 a minute" },
	{ "a narrow terminal", { 50, 100, 0, 60000 }, 50,
	    "[#########.........] 50% 50/100, 50/min, 1:00 left",
	    "50 of 100 users, 50 a minute, 1:00 left" },
	{ "one with no room for a bar", { 50, 100, 0, 60000 }, 20, "50% 50/100, 50/min, ",
	    "50 of 100 users, 50 a minute, 1:00 left" },
	{ "nobody", { 0, 0, 0, 0 }, 80, "[........................................] 0% 0/0, 0/min",
	    "0 of 0 users, 0 a minute" },
	{ "nothing but passed over", { 5, 10, 5, 1000 }, 80,
	    "[####################....................] 50% 5/10, 0/min", "5 of 10 users, 0 a minute" },
};

static void
forms(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[PROGRESS_MAX];

		progress_bar(&rows[i].progress, rows[i].width, text);
		UNIT_CHECK(strcmp(text, rows[i].bar) == 0, text);
		UNIT_CHECK(strlen(text) <= rows[i].width, rows[i].name);
		progress_line(&rows[i].progress, text);
		UNIT_CHECK(strcmp(text, rows[i].line) == 0, text);
	}
}

static void
any_width(void)
{
	static const struct progress p = { SIZE_MAX / 101, SIZE_MAX / 100, 0, 1 };
	char text[PROGRESS_MAX];

	for (size_t width = 1; width < 300; width++) {
		progress_bar(&p, width, text);
		CU_ASSERT_TRUE(strlen(text) <= width);
	}
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "forms", forms },
		{ "any width", any_width },
	};

	return unit_run("progress", tests, sizeof(tests) / sizeof(tests[0]));
}
