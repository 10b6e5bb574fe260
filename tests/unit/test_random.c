/* Tests of base/random.c. */
#include "tests/unit/unit.h"

#include "base/random.h"

enum { LONG = 1000 }; /* more than the kernel gives at once without fail */

/* Each of many octets is another one sooner or later, and nothing behind them is touched. */
static void
all_octets_are_filled(void)
{
	static const size_t lengths[] = { 0, 1, 16, 256, 257, LONG };
	unsigned char first[LONG + 1], now[LONG + 1], changed[LONG + 1];

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		size_t len = lengths[i], count = 0;

		memset(first, 0, sizeof(first));
		memset(now, 0, sizeof(now));
		memset(changed, 0, sizeof(changed));
		CU_ASSERT_EQUAL(random_fill(first, len), 0);
		for (int turn = 0; turn < 20; turn++) {
			CU_ASSERT_EQUAL(random_fill(now, len), 0);
			for (size_t at = 0; at < len; at++)
				changed[at] |= now[at] != first[at];
		}
		for (size_t at = 0; at < len; at++)
			count += changed[at];
		CU_ASSERT_EQUAL(count, len);
		CU_ASSERT_EQUAL(first[len] | now[len], 0);
	}
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "all_octets_are_filled", all_octets_are_filled },
	};

	return unit_run("random", tests, sizeof(tests) / sizeof(tests[0]));
}
