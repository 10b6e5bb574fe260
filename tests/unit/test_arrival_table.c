/* Tests of gateway/arrival_table.c: how many connections of an address are let in, and who is
 * forgotten where there are too many addresses. */
#include "tests/unit/unit.h"

#include <stdlib.h>

#include "gateway/arrival_table.h"

/* How many of COUNT connections of KEY, one each STEP ms from BEGIN on, are let in. */
static unsigned
admitted(const struct arrival_table *t, uint64_t key, uint32_t per_minute, unsigned count,
    uint64_t begin, uint64_t step)
{
	unsigned in = 0;

	for (unsigned i = 0; i < count; i++)
		in += arrivals_admit(t, key, per_minute, begin + i * step);
	return in;
}

static void
rates(void)
{
	static const struct {
		const char *label;
		uint32_t per_minute;
		unsigned count;
		uint64_t step;
		unsigned wanted;
	} rows[] = {
		{ "all at once", 10, 100, 0, 10 },
		{ "one a minute", 1, 5, 60000, 5 },
		{ "a little more than one a minute", 1, 5, 59999, 3 },
		{ "just as many as may come", 60, 1000, 1000, 1000 },
		{ "twice as many, for ten minutes", 60, 1200, 500, 60 + 599 },
		{ "the most that can be set", 1000000, 2000, 0, 2000 },
		{ "a number that does not divide a minute", 7, 100, 0, 7 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arrival entries[ARRIVAL_BUCKET] = { { 0 } };
		const struct arrival_table t = { entries, ARRIVAL_BUCKET };
		unsigned in = admitted(
		    &t, 7, rows[i].per_minute, rows[i].count, 1000000, rows[i].step);

		if (in != rows[i].wanted)
			printf("\n%s: %u\n", rows[i].label, in);
		CU_ASSERT_EQUAL(in, rows[i].wanted);
	}
}

static void
what_was_refused_does_not_count(void)
{
	struct arrival entries[ARRIVAL_BUCKET] = { { 0 } };
	const struct arrival_table t = { entries, ARRIVAL_BUCKET };

	CU_ASSERT_EQUAL(admitted(&t, 7, 60, 100000, 5000, 0), 60);
	CU_ASSERT_FALSE(arrivals_admit(&t, 7, 60, 5999));
	CU_ASSERT_TRUE(arrivals_admit(&t, 7, 60, 6000));
	CU_ASSERT_FALSE(arrivals_admit(&t, 7, 60, 6000));
	CU_ASSERT_TRUE(arrivals_admit(&t, 8, 60, 6000));
}

/* Processes look at the clock one after another, and may act in another order; and a reload may
 * change the rate. */
static void
clocks_and_rates_that_change(void)
{
	struct arrival entries[ARRIVAL_BUCKET] = { { 0 } };
	const struct arrival_table t = { entries, ARRIVAL_BUCKET };

	CU_ASSERT_EQUAL(admitted(&t, 7, 60, 100, 5000, 0), 60);
	CU_ASSERT_FALSE(arrivals_admit(&t, 7, 60, 4000));
	CU_ASSERT_FALSE(arrivals_admit(&t, 7, 60, 0));
	CU_ASSERT_TRUE(arrivals_admit(&t, 7, 60000, 5001));
	CU_ASSERT_FALSE(arrivals_admit(&t, 7, 1, 6000));
	CU_ASSERT_TRUE(arrivals_admit(&t, 7, 1, 65001));
}

/* Who comes often is remembered whatever number of others comes once. */
static void
least_used_makes_room(void)
{
	enum { PLACES = 64, OTHERS = 100000 };
	struct arrival *entries = calloc(PLACES, sizeof(*entries));
	const struct arrival_table t = { entries, PLACES };

	CU_ASSERT_PTR_NOT_NULL_FATAL(entries);
	CU_ASSERT_EQUAL(admitted(&t, 7, 60, 60, 1000, 0), 60);
	for (uint64_t key = 100; key < 100 + OTHERS; key++)
		CU_ASSERT_TRUE_FATAL(arrivals_admit(&t, key, 60, 1000));
	CU_ASSERT_FALSE(arrivals_admit(&t, 7, 60, 1000));
	free(entries);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "rates", rates },
		{ "what was refused does not count", what_was_refused_does_not_count },
		{ "clocks and rates that change", clocks_and_rates_that_change },
		{ "who has come least makes room", least_used_makes_room },
	};

	return unit_run("arrival_table", tests, sizeof(tests) / sizeof(tests[0]));
}
