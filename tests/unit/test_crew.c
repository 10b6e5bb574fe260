/* Unit tests of gateway/crew.c: each job once, as many at a time as were asked for. */
#include "gateway/crew.h"

#include <stdbool.h>

#include "fiberio/fiber.h"
#include "unit.h"

enum { JOBS = 40 };

struct site {
	unsigned begun[JOBS];
	uint64_t begun_at[JOBS];
	unsigned at_work, most, ticks;
	bool sleeps;
};

static void
work(void *ctx, size_t at)
{
	struct site *s = ctx;

	s->begun[at]++;
	s->begun_at[at] = fiber_now();
	s->at_work++;
	s->most = s->at_work > s->most ? s->at_work : s->most;
	if (s->sleeps)
		CU_ASSERT_EQUAL(fiber_sleep(1), 0);
	s->at_work--;
}

static void
tick(void *ctx)
{
	struct site *s = ctx;

	s->ticks++;
}

static void
each_once(void)
{
	for (unsigned hands = 1; hands < 2 * JOBS; hands = 3 * hands) {
		struct site s = { .sleeps = true };
		const struct crew c = { .jobs = JOBS, .hands = hands, .work = work, .tick = tick, .ctx = &s };

		CU_ASSERT_EQUAL(crew_run(&c), 0);
		for (size_t i = 0; i < JOBS; i++)
			CU_ASSERT_EQUAL(s.begun[i], 1);
		CU_ASSERT_EQUAL(s.most, hands < JOBS ? hands : JOBS);
		CU_ASSERT_EQUAL(s.at_work, 0);
		CU_ASSERT_TRUE(s.ticks > 0); /* at the end, at least */
	}
}

static void
nothing_to_do(void)
{
	struct site s = { 0 };
	const struct crew c = { .jobs = 0, .hands = 10, .work = work, .ctx = &s };

	CU_ASSERT_EQUAL(crew_run(&c), 0);
	CU_ASSERT_EQUAL(s.most, 0);
}

/* Not sooner than the rate allows, however many hands there are. */
static void
rate(void)
{
	struct site s = { 0 };
	const struct crew c = { .jobs = 8, .hands = 8, .per_minute = 6000, .work = work, .ctx = &s };

	CU_ASSERT_EQUAL(crew_run(&c), 0);
	for (size_t i = 0; i < 8; i++)
		CU_ASSERT_TRUE(s.begun_at[i] >= s.begun_at[0] + i * 10);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "each once", each_once },
		{ "nothing to do", nothing_to_do },
		{ "rate", rate },
	};

	return unit_run("crew", tests, sizeof(tests) / sizeof(tests[0]));
}
