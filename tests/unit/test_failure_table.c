/* Tests of gateway/failure_table.c and gateway/known_logins.c: tables that are full. */
#include "tests/unit/unit.h"

#include <stdlib.h>

#include "gateway/failure_table.h"
#include "gateway/known_logins.h"

static const struct failure_rule leaking = { .leak = 10, .most = 5 };
static const struct failure_rule windowed = { .window = 100, .most = 5 };

static void
counts_leak(void)
{
	static struct failures entries[FAILURE_BUCKET];
	const struct failure_table t = { entries, FAILURE_BUCKET, &leaking };
	struct failures *f = failures_obtain(&t, 7, 1);

	for (uint32_t i = 0; i < 8; i++)
		failures_raise(&t, f, i + 100, 1);
	CU_ASSERT_EQUAL(failures_count(&t, f, 1), 5);
	CU_ASSERT_EQUAL(failures_count(&t, f, 10), 5);
	CU_ASSERT_EQUAL(failures_count(&t, f, 11), 4);
	failures_raise(&t, f, 200, 19); /* the next step is at 21 still */
	CU_ASSERT_EQUAL(failures_count(&t, f, 20), 5);
	CU_ASSERT_EQUAL(failures_count(&t, f, 21), 4);
	CU_ASSERT_EQUAL(failures_count(&t, f, 61), 0);
	CU_ASSERT_EQUAL(failures_count(&t, f, 0), 5); /* a clock that lags behind */
	CU_ASSERT_EQUAL(failures_count(&t, NULL, 1), 0);
}

static void
counts_end_with_their_window(void)
{
	static struct failures entries[FAILURE_BUCKET];
	const struct failure_table t = { entries, FAILURE_BUCKET, &windowed };
	struct failures *f = failures_obtain(&t, 7, 1);

	failures_raise(&t, f, 1, 1);
	failures_raise(&t, f, 1, 50); /* the same again */
	CU_ASSERT_EQUAL(failures_count(&t, f, 50), 1);
	failures_raise(&t, f, 2, 50);
	CU_ASSERT_EQUAL(failures_count(&t, f, 100), 2);
	CU_ASSERT_EQUAL(failures_count(&t, f, 101), 0);
	failures_raise(&t, f, 2, 101); /* the same, but of another time */
	CU_ASSERT_EQUAL(failures_count(&t, f, 150), 1);
}

static void
least_significant_makes_room(void)
{
	static struct failures entries[FAILURE_BUCKET];
	const struct failure_table t = { entries, FAILURE_BUCKET, &windowed };

	for (uint64_t key = 1; key <= FAILURE_BUCKET; key++) {
		struct failures *f = failures_obtain(&t, key, (uint32_t) key);

		if (key == 1)
			f->blocked_until = 1000;
		else if (key == 2)
			failures_begin(f, 1000, 2);
		else
			for (uint32_t i = 3; i < key; i++)
				failures_raise(&t, f, i, 5);
	}
	failures_obtain(&t, 99, 9); /* in the place of 3, which has nothing to lose */
	CU_ASSERT_PTR_NULL(failures_find(&t, 3));
	failures_obtain(&t, 98, 10); /* and this in the place of 99 */
	CU_ASSERT_PTR_NULL(failures_find(&t, 99));
	CU_ASSERT_PTR_NOT_NULL(failures_find(&t, 1));
	CU_ASSERT_PTR_NOT_NULL(failures_find(&t, 2));
	CU_ASSERT_PTR_NOT_NULL(failures_find(&t, FAILURE_BUCKET));
	CU_ASSERT_EQUAL(failures_count(&t, failures_find(&t, 98), 10), 0);
}

static void
places_in_flight(void)
{
	struct failures f = { 0 };

	for (unsigned i = 0; i < FAILURE_IN_FLIGHT + 3; i++)
		failures_begin(&f, 50 + i, 1);
	CU_ASSERT_EQUAL(failures_in_flight(&f, 1), FAILURE_IN_FLIGHT);
	failures_change(&f, 52, 0, 1);
	failures_change(&f, 52, 0, 1); /* there is no such place any more */
	failures_change(&f, 53, 20, 1);
	CU_ASSERT_EQUAL(failures_in_flight(&f, 1), FAILURE_IN_FLIGHT - 1);
	CU_ASSERT_EQUAL(failures_in_flight(&f, 20), FAILURE_IN_FLIGHT - 2);
	CU_ASSERT_EQUAL(failures_in_flight(&f, 57), 0);
}

/* Many until one time, each of which ends by itself or at a time of its own. */
static void
many_in_flight(void)
{
	struct failures f = { 0 };

	for (unsigned i = 0; i < 64; i++)
		failures_begin(&f, 1000, 1);
	CU_ASSERT_EQUAL(failures_in_flight(&f, 999), 64);
	for (unsigned i = 0; i < 10; i++)
		failures_change(&f, 1000, 0, 1);
	CU_ASSERT_EQUAL(failures_in_flight(&f, 1), 54);
	for (unsigned i = 0; i < 54; i++) /* more times than there are places */
		failures_change(&f, 1000, 10 + i, 1);
	for (unsigned i = 0; i < 54; i++) /* none is over before its time */
		CU_ASSERT(failures_in_flight(&f, 9 + i) >= 54 - i);
	CU_ASSERT_EQUAL(failures_in_flight(&f, 63), 0);
	failures_change(&f, 1000, 2000, 1);
	CU_ASSERT_EQUAL(failures_in_flight(&f, 1), 54);
	for (unsigned i = 0; i < 1000; i++)
		failures_begin(&f, 5000, 100);
	CU_ASSERT_EQUAL(failures_in_flight(&f, 100), UINT8_MAX);
}

static void
successes(void)
{
	static const struct failure_rule praising = { .leak = 10, .most = 5, .lately = 100 };
	const struct failure_table t = { NULL, FAILURE_BUCKET, &praising };
	struct failures f = { 0 };

	failures_praise(&t, NULL, 1);
	CU_ASSERT_EQUAL(failures_praised(&t, NULL, 1), 0);
	CU_ASSERT_EQUAL(failures_praised(&t, &f, 1), 0);
	for (unsigned i = 1; i <= 3; i++)
		failures_praise(&t, &f, 10 * i);
	CU_ASSERT_EQUAL(failures_praised(&t, &f, 129), 3);
	CU_ASSERT_EQUAL(failures_praised(&t, &f, 130), 0);
	failures_praise(&t, &f, 130);
	CU_ASSERT_EQUAL(failures_praised(&t, &f, 130), 1); /* the others are forgotten for good */
	failures_raise(&t, &f, 7, 200);
	failures_praise(&t, &f, 200); /* does not outweigh that */
	CU_ASSERT_EQUAL(failures_praised(&t, &f, 200), 0);
	failures_praise(&t, &f, 210);
	CU_ASSERT_EQUAL(failures_praised(&t, &f, 210), 1);
	failures_raise(&t, &f, 7, 210);
	CU_ASSERT_EQUAL(failures_praised(&t, &f, 210), 0);
}

static void
known_logins(void)
{
	static struct known_login entries[KNOWN_BUCKET];
	const struct known_logins k = { entries, KNOWN_BUCKET, 100 };
	unsigned char digest[KNOWN_DIGEST] = { 0 };

	CU_ASSERT_FALSE(known_logins_have(&k, digest, 1)); /* free places are nobody's */
	for (uint32_t i = 0; i <= KNOWN_BUCKET; i++) {
		digest[15] = (unsigned char) i;
		known_logins_add(&k, digest, 10 + i);
		CU_ASSERT(known_logins_have(&k, digest, 109 + i));
		CU_ASSERT_FALSE(known_logins_have(&k, digest, 110 + i));
	}
	digest[15] = 0; /* the oldest made room for the ninth */
	CU_ASSERT_FALSE(known_logins_have(&k, digest, 20));
	digest[15] = 1;
	CU_ASSERT(known_logins_have(&k, digest, 20));
	known_logins_remove(&k, digest);
	CU_ASSERT_FALSE(known_logins_have(&k, digest, 20));
	known_logins_remove(&k, digest);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "counts leak", counts_leak },
		{ "counts end with their window", counts_end_with_their_window },
		{ "the least significant makes room", least_significant_makes_room },
		{ "places in flight", places_in_flight },
		{ "many in flight", many_in_flight },
		{ "successes", successes },
		{ "known logins", known_logins },
	};

	return unit_run("failure_table", tests, sizeof(tests) / sizeof(tests[0]));
}
