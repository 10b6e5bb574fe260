/* Unit tests of gateway/crew.c: each job once, as many at a time as were asked for. */
#include "gateway/crew.h"

#include <signal.h>
#include <stdbool.h>

#include "fiberio/fiber.h"
#include "unit.h"

enum { JOBS = 40 };

struct site {
	unsigned begun[JOBS];
	uint64_t begun_at[JOBS];
	unsigned at_work, most, ticks, ended, called_off;
	bool sleeps;
	size_t first_to_do;  /* all before it are passed over */
	size_t slow, signals; /* jobs: the first takes 50 ms, the second sends SIGTERM; 0: none */
};

static bool
pass(void *ctx, size_t at)
{
	const struct site *s = ctx;

	return at < s->first_to_do;
}

static void
call_off(void *ctx)
{
	struct site *s = ctx;

	s->called_off++;
}

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
	if (s->slow != 0 && at == s->slow)
		CU_ASSERT_EQUAL(fiber_sleep(50), 0);
	if (s->signals != 0 && at == s->signals)
		raise(SIGTERM);
	s->at_work--;
	s->ended++;
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
		size_t left;
		const struct crew c = { .jobs = JOBS, .hands = hands, .work = work, .tick = tick, .ctx = &s };

		CU_ASSERT_EQUAL(crew_run(&c, &left), 0);
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
	size_t left = 1;
	const struct crew c = { .jobs = 0, .hands = 10, .work = work, .ctx = &s };

	CU_ASSERT_EQUAL(crew_run(&c, &left), 0);
	CU_ASSERT_EQUAL(s.most, 0);
	CU_ASSERT_EQUAL(left, 0);
}

/* Not sooner than the rate allows, however many hands there are. */
static void
rate(void)
{
	struct site s = { 0 };
	size_t left;
	const struct crew c = { .jobs = 8, .hands = 8, .per_minute = 6000, .work = work, .ctx = &s };

	CU_ASSERT_EQUAL(crew_run(&c, &left), 0);
	for (size_t i = 0; i < 8; i++)
		CU_ASSERT_TRUE(s.begun_at[i] >= s.begun_at[0] + i * 10);
}

/* One slow job is no reason to let a crowd of others follow at once. */
static void
rate_after_a_pause(void)
{
	struct site s = { .slow = 1 };
	size_t left;
	const struct crew c = { .jobs = 4, .hands = 1, .per_minute = 6000, .work = work, .ctx = &s };

	CU_ASSERT_EQUAL(crew_run(&c, &left), 0);
	CU_ASSERT_TRUE(s.begun_at[3] >= s.begun_at[2] + 10);
}

/* At one in a minute, this would take for ever else. */
static void
passed_over(void)
{
	struct site s = { .first_to_do = JOBS - 1 };
	size_t left;
	const struct crew c = {
		.jobs = JOBS, .hands = 5, .per_minute = 1, .pass = pass, .work = work, .ctx = &s
	};

	CU_ASSERT_EQUAL(crew_run(&c, &left), 0);
	CU_ASSERT_EQUAL(left, 0);
	for (size_t i = 0; i < JOBS; i++)
		CU_ASSERT_EQUAL(s.begun[i], i == JOBS - 1);
}

/* What has begun is done, nothing else begins. */
static void
called_off(void)
{
	static const unsigned rates[] = { 0, 6000 };

	for (size_t row = 0; row < 2; row++) {
		struct site s = { .sleeps = true, .signals = 7 };
		size_t left;
		const struct crew c = { .jobs = JOBS,
			.hands = 3,
			.per_minute = rates[row],
			.work = work,
			.called_off = call_off,
			.ctx = &s };

		CU_ASSERT_EQUAL(crew_run(&c, &left), 0);
		CU_ASSERT_EQUAL(s.called_off, 1);
		CU_ASSERT_TRUE(s.ended >= 8 && s.ended < JOBS);
		CU_ASSERT_EQUAL(s.ended + left, JOBS);
	}
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "each once", each_once },
		{ "nothing to do", nothing_to_do },
		{ "rate", rate },
		{ "rate after a pause", rate_after_a_pause },
		{ "passed over", passed_over },
		{ "called off", called_off },
	};

	return unit_run("crew", tests, sizeof(tests) / sizeof(tests[0]));
}
