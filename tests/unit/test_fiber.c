/* Unit tests of fiberio/fiber.c, offload.c and stack.c. */
#include "fiberio/fiber.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "fibers.h"

/* ---- many fibers ---- */

struct sleeper {
	uint64_t ms;
	int result;
	bool done;
};

static void
sleeper_main(void *arg)
{
	struct sleeper *s = arg;

	CU_ASSERT_PTR_NOT_NULL(fiber_self());
	s->result = fiber_sleep(s->ms);
	s->done = true;
}

static void
thousands_sleep_and_wake(void)
{
	enum { COUNT = 3000 };
	struct sleeper *sleepers = calloc(COUNT, sizeof(*sleepers));
	unsigned done = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(sleepers);
	begin();
	for (unsigned i = 0; i < COUNT; i++) {
		sleepers[i].ms = i % 20;
		CU_ASSERT_EQUAL_FATAL(fiber_spawn(runtime, sleeper_main, &sleepers[i], NULL), 0);
		CU_ASSERT_FALSE(sleepers[i].done);
	}
	CU_ASSERT_EQUAL(fiber_count(runtime), COUNT);
	run_all();
	for (unsigned i = 0; i < COUNT; i++)
		done += sleepers[i].done && sleepers[i].result == 0;
	CU_ASSERT_EQUAL(done, COUNT);
	CU_ASSERT_PTR_NULL(fiber_self());
	end();
	free(sleepers);
}

/* ---- cancellation ---- */

static void
waits_after_cancel(void)
{
	CU_ASSERT_TRUE(fiber_cancelled());
	CU_ASSERT_EQUAL(fiber_sleep(1000000), ERR_CANCELLED);
	CU_ASSERT_EQUAL(fiber_park(FIBER_NO_DEADLINE), ERR_CANCELLED);
}

static void
cancelled_main(void *arg)
{
	struct sleeper *s = arg;

	s->result = s->ms == 0 ? fiber_park(FIBER_NO_DEADLINE) : fiber_sleep(s->ms);
	waits_after_cancel();
	s->done = true;
}

static void
cancel_ends_a_fiber_at_once(void)
{
	struct sleeper asleep = { .ms = 1000000 }, parked = { 0 }, fresh = { .ms = 5 };
	struct fiber *a, *b, *c;

	begin();
	CU_ASSERT_EQUAL_FATAL(fiber_spawn(runtime, cancelled_main, &asleep, &a), 0);
	CU_ASSERT_EQUAL_FATAL(fiber_spawn(runtime, cancelled_main, &parked, &b), 0);
	uv_run(&loop, UV_RUN_NOWAIT);
	uv_run(&loop, UV_RUN_NOWAIT);
	CU_ASSERT_EQUAL_FATAL(fiber_spawn(runtime, cancelled_main, &fresh, &c), 0);
	fiber_cancel(c); /* before it began */
	CU_ASSERT_TRUE(fresh.done);
	CU_ASSERT_EQUAL(fresh.result, ERR_CANCELLED);
	fiber_cancel(a);
	CU_ASSERT_TRUE(asleep.done);
	CU_ASSERT_EQUAL(asleep.result, ERR_CANCELLED);
	fiber_cancel(b);
	CU_ASSERT_TRUE(parked.done);
	CU_ASSERT_EQUAL(parked.result, ERR_CANCELLED);
	CU_ASSERT_EQUAL(fiber_count(runtime), 0);
	end();
}

static void
freeing_the_runtime_cancels_all(void)
{
	struct sleeper sleepers[10];

	begin();
	for (size_t i = 0; i < 10; i++) {
		sleepers[i] = (struct sleeper){ .ms = 1000000 };
		CU_ASSERT_EQUAL_FATAL(fiber_spawn(runtime, sleeper_main, &sleepers[i], NULL), 0);
	}
	uv_run(&loop, UV_RUN_NOWAIT);
	end();
	for (size_t i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(sleepers[i].result, ERR_CANCELLED);
}

struct canceller {
	struct fiber *victim;
	struct sleeper *slept;
	bool went_on;
};

static void
canceller_main(void *arg)
{
	struct canceller *c = arg;
	struct fiber *self = fiber_self();

	fiber_cancel(c->victim);
	CU_ASSERT_TRUE(c->slept->done);
	CU_ASSERT_PTR_EQUAL(fiber_self(), self);
	CU_ASSERT_FALSE(fiber_cancelled());
	CU_ASSERT_EQUAL(fiber_sleep(1), 0);
	fiber_cancel(self); /* only marks it */
	waits_after_cancel();
	c->went_on = true;
}

static void
a_fiber_cancels_another_and_itself(void)
{
	struct sleeper sleeper = { .ms = 1000000 };
	struct canceller canceller = { .slept = &sleeper };

	begin();
	CU_ASSERT_EQUAL_FATAL(fiber_spawn(runtime, sleeper_main, &sleeper, &canceller.victim), 0);
	uv_run(&loop, UV_RUN_NOWAIT);
	CU_ASSERT_EQUAL_FATAL(fiber_spawn(runtime, canceller_main, &canceller, NULL), 0);
	run_all();
	CU_ASSERT_TRUE(canceller.went_on);
	CU_ASSERT_EQUAL(sleeper.result, ERR_CANCELLED);
	end();
}

/* ---- park and wake ---- */

struct parker {
	struct fiber *fiber;
	uint64_t deadline_ms;
	int first, second;
	bool done;
};

static void
parker_main(void *arg)
{
	struct parker *p = arg;

	p->first =
	    fiber_park(p->deadline_ms == 0 ? FIBER_NO_DEADLINE : fiber_deadline(p->deadline_ms));
	p->second = fiber_park(fiber_deadline(1));
	p->done = true;
}

static void
wake_lets_go_on_once(void)
{
	struct parker woken = { 0 }, late = { .deadline_ms = 1 };

	begin();
	CU_ASSERT_EQUAL_FATAL(fiber_spawn(runtime, parker_main, &woken, &woken.fiber), 0);
	CU_ASSERT_EQUAL_FATAL(fiber_spawn(runtime, parker_main, &late, &late.fiber), 0);
	fiber_wake(woken.fiber); /* not parked yet: no effect */
	uv_run(&loop, UV_RUN_NOWAIT);
	uv_run(&loop, UV_RUN_NOWAIT);
	fiber_wake(woken.fiber);
	fiber_wake(woken.fiber);
	run_all();
	CU_ASSERT_TRUE(woken.done && late.done);
	CU_ASSERT_EQUAL(woken.first, 0);
	CU_ASSERT_EQUAL(woken.second, ERR_TIMEOUT);
	CU_ASSERT_EQUAL(late.first, ERR_TIMEOUT);
	end();
}

static void
counter_main(void *arg)
{
	unsigned *count = arg;

	while (fiber_sleep(0) == 0)
		++*count;
}

static void
on_tick(uv_timer_t *timer)
{
	++*(unsigned *) timer->data;
}

static void
sleeping_for_nothing_lets_others_go_on(void)
{
	unsigned counts[2] = { 0 }, ticks = 0;
	struct fiber *fibers[2];
	uv_timer_t timer;

	begin();
	for (size_t i = 0; i < 2; i++)
		fibers[i] = spawn(counter_main, &counts[i]);
	uv_timer_init(&loop, &timer);
	timer.data = &ticks;
	uv_timer_start(&timer, on_tick, 5, 0);
	for (unsigned turns = 0; ticks == 0 || turns < 100; turns++)
		uv_run(&loop, UV_RUN_ONCE);
	CU_ASSERT_TRUE(counts[0] > 0 && counts[1] > 0);
	CU_ASSERT_TRUE(counts[0] <= counts[1] + 1 && counts[1] <= counts[0] + 1);
	fiber_cancel(fibers[0]);
	fiber_cancel(fibers[1]);
	uv_close((uv_handle_t *) &timer, NULL);
	end();
}

static void
deadline_main(void *arg)
{
	uint64_t now = fiber_now();

	CU_ASSERT_EQUAL(fiber_deadline(0), now);
	CU_ASSERT_EQUAL(fiber_deadline(UINT64_MAX), FIBER_NO_DEADLINE);
	CU_ASSERT_EQUAL(fiber_deadline(FIBER_NO_DEADLINE - 1), FIBER_NO_DEADLINE);
	CU_ASSERT_EQUAL(fiber_park(0), ERR_TIMEOUT);
	CU_ASSERT_EQUAL(fiber_park(fiber_deadline(20)), ERR_TIMEOUT);
	CU_ASSERT_TRUE(fiber_now() >= now + 20);
	*(bool *) arg = true;
}

static void
deadlines_are_points_in_time(void)
{
	bool done = false;

	begin();
	spawn(deadline_main, &done);
	run_all();
	CU_ASSERT_TRUE(done);
	end();
}

/* ---- who may cancel whom, once more ---- */

struct circle {
	struct fiber *fibers[2];
	int results[2];
};

static void
circle_second_main(void *arg)
{
	struct circle *c = arg;

	c->results[1] = fiber_park(FIBER_NO_DEADLINE);
	fiber_cancel(c->fibers[0]); /* which is in the middle of cancelling this one */
}

static void
circle_first_main(void *arg)
{
	struct circle *c = arg;

	fiber_cancel(c->fibers[1]);
	CU_ASSERT_TRUE(fiber_cancelled());
	c->results[0] = fiber_park(FIBER_NO_DEADLINE);
}

static void
two_fibers_cancel_each_other(void)
{
	struct circle c = { 0 };

	begin();
	c.fibers[1] = spawn(circle_second_main, &c);
	run_a_little();
	c.fibers[0] = spawn(circle_first_main, &c);
	run_all();
	CU_ASSERT_EQUAL(c.results[0], ERR_CANCELLED);
	CU_ASSERT_EQUAL(c.results[1], ERR_CANCELLED);
	end();
}

struct link {
	struct fiber *next;
	unsigned *ended;
};

static void
link_main(void *arg)
{
	struct link *link = arg;

	CU_ASSERT_EQUAL(fiber_park(FIBER_NO_DEADLINE), ERR_CANCELLED);
	if (link->next != NULL)
		fiber_cancel(link->next);
	++*link->ended;
}

static void
cancelling_runs_through_a_chain(void)
{
	enum { COUNT = 200 };
	struct link links[COUNT];
	struct fiber *next = NULL;
	unsigned ended = 0;

	begin();
	for (size_t i = 0; i < COUNT; i++) {
		links[i] = (struct link){ .next = next, .ended = &ended };
		next = spawn(link_main, &links[i]);
	}
	run_a_little();
	fiber_cancel(next);
	CU_ASSERT_EQUAL(ended, COUNT);
	CU_ASSERT_EQUAL(fiber_count(runtime), 0);
	end();
}

static void
woken_main(void *arg)
{
	*(int *) arg = fiber_park(fiber_deadline(100));
}

/* Both happen before the loop looks again; what came first counts. */
static void
a_wake_before_the_deadline_counts(void)
{
	int result = -1;
	struct fiber *fiber;

	begin();
	fiber = spawn(woken_main, &result);
	while (!uv_loop_alive(&loop) || uv_backend_timeout(&loop) <= 0)
		uv_run(&loop, UV_RUN_NOWAIT);
	fiber_wake(fiber);
	usleep(120000);
	run_all();
	CU_ASSERT_EQUAL(result, 0);
	end();
}

static void
a_woken_fiber_can_be_cancelled(void)
{
	int result = 0;
	struct fiber *fiber;

	begin();
	fiber = spawn(woken_main, &result);
	run_a_little();
	fiber_wake(fiber);
	fiber_cancel(fiber);
	CU_ASSERT_EQUAL(result, ERR_CANCELLED);
	run_a_little();
	end();
}

/* ---- offload ---- */

struct job {
	uv_sem_t go;
	int worked;
	int discarded;
	int result;
	bool done;
};

static void
job_work(void *arg)
{
	struct job *job = arg;

	uv_sem_wait(&job->go);
	job->worked++;
}

static void
job_discard(void *arg)
{
	((struct job *) arg)->discarded++;
}

static void
job_main(void *arg)
{
	struct job *job = arg;

	job->result = fiber_offload(job_work, job_discard, job);
	job->done = true;
}

static void
offload_runs_elsewhere(void)
{
	struct job job = { 0 };

	begin();
	uv_sem_init(&job.go, 1);
	CU_ASSERT_EQUAL_FATAL(fiber_spawn(runtime, job_main, &job, NULL), 0);
	run_all();
	CU_ASSERT_EQUAL(job.result, 0);
	CU_ASSERT_EQUAL(job.worked, 1);
	CU_ASSERT_EQUAL(job.discarded, 0);
	uv_sem_destroy(&job.go);
	end();
}

static void
a_cancelled_offload_is_discarded_later(void)
{
	struct job job = { 0 };
	struct fiber *fiber;

	begin();
	uv_sem_init(&job.go, 0);
	CU_ASSERT_EQUAL_FATAL(fiber_spawn(runtime, job_main, &job, &fiber), 0);
	uv_run(&loop, UV_RUN_NOWAIT);
	fiber_cancel(fiber);
	CU_ASSERT_TRUE(job.done);
	CU_ASSERT_EQUAL(job.result, ERR_CANCELLED);
	uv_sem_post(&job.go);
	while (job.discarded == 0)
		uv_run(&loop, UV_RUN_ONCE);
	CU_ASSERT_EQUAL(job.discarded, 1);
	end();
	uv_sem_destroy(&job.go);
}

/* ---- stacks ---- */

static unsigned __attribute__((noinline)) recurse(unsigned depth)
{
	volatile char frame[1024];

	frame[depth % sizeof(frame)] = (char) depth;
	if (depth == 0)
		return (unsigned) frame[0];
	return recurse(depth - 1) + (unsigned) frame[depth % sizeof(frame)];
}

struct overflower {
	struct fiber *fiber;
	const char *at; /* where its stack begins */
};

static void
overflow_main(void *arg)
{
	struct overflower *o = arg;

	o->at = __builtin_frame_address(0);
	fiber_park(FIBER_NO_DEADLINE);
	recurse(266); /* more than 256 KiB, less than two stacks */
	_exit(0);     /* the guard page was not there */
}

/* In a child. Wakes a fiber that has the stack of another one right below its own, so that only the
 * guard page is between its overflow and that stack. */
static void
overflow_into_a_neighbour(void)
{
	enum { COUNT = 16, STACK = 256 * 1024, GUARD_MAX = 64 * 1024 };
	struct overflower fibers[COUNT];

	if (uv_loop_init(&loop) != 0 || fiber_runtime_new(&loop, &runtime) != 0)
		return;
	for (size_t i = 0; i < COUNT; i++)
		if (fiber_spawn(runtime, overflow_main, &fibers[i], &fibers[i].fiber) != 0)
			return;
	run_a_little();
	for (size_t i = 0; i < COUNT * COUNT; i++) {
		ptrdiff_t between = fibers[i / COUNT].at - fibers[i % COUNT].at;

		if (between >= STACK && between <= STACK + GUARD_MAX)
			fiber_wake(fibers[i / COUNT].fiber);
	}
	run_a_little();
}

static void
an_overflowing_stack_hits_the_guard_page(void)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		/* The sanitizers would tell of the fault at length; the kernel's word is enough. */
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		overflow_into_a_neighbour();
		_exit(1);
	}
	CU_ASSERT_TRUE_FATAL(child > 0);
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_TRUE(WIFSIGNALED(status));
}

struct rester {
	unsigned depth; /* frames above the sleep, so that it begins anywhere in a page */
	const char *volatile below; /* an address far below */
};

static unsigned __attribute__((noinline)) rest_below(struct rester *r, unsigned depth)
{
	volatile char kept[32];
	unsigned wrong = 0;

	for (size_t i = 0; i < sizeof(kept); i++)
		kept[i] = (char) (depth + i);
	if (depth > 0)
		wrong = rest_below(r, depth - 1);
	else {
		recurse(100);
		r->below = (const char *) __builtin_frame_address(0) - 64 * 1024;
		CU_ASSERT_EQUAL(fiber_sleep(4500), 0); /* over two sweeps */
		recurse(100);
	}
	for (size_t i = 0; i < sizeof(kept); i++)
		wrong += kept[i] != (char) (depth + i);
	return wrong;
}

static void
resting_main(void *arg)
{
	struct rester *r = arg;

	CU_ASSERT_EQUAL(rest_below(r, r->depth), 0);
}

static bool
is_resident(const char *at)
{
	size_t page = (size_t) sysconf(_SC_PAGESIZE);
	unsigned char resident = 0;

	CU_ASSERT_EQUAL(mincore((void *) ((uintptr_t) at / page * page), 1, &resident), 0);
	return (resident & 1) != 0;
}

static void
resting_fibers_give_memory_back(void)
{
	struct rester resters[64] = { 0 };

	begin();
	for (unsigned i = 0; i < 64; i++) {
		resters[i].depth = i;
		spawn(resting_main, &resters[i]);
	}
	run_a_little();
	CU_ASSERT_PTR_NOT_NULL_FATAL(resters[0].below);
	CU_ASSERT_TRUE(is_resident(resters[0].below));
	while (is_resident(resters[0].below) && fiber_count(runtime) > 0)
		uv_run(&loop, UV_RUN_ONCE);
	/* Under valgrind, which keeps its own account of what is defined, the sweep leaves stacks
	 * alone. */
	CU_ASSERT_TRUE(fiber_count(runtime) > 0 || RUNNING_ON_VALGRIND);
	run_all();
	end();
}

static void
deep_main(void *arg)
{
	*(unsigned *) arg = recurse(150);
}

static void
stacks_are_used_again(void)
{
	begin();
	for (int i = 0; i < 500; i++) {
		unsigned result = 0;

		CU_ASSERT_EQUAL_FATAL(fiber_spawn(runtime, deep_main, &result, NULL), 0);
		run_all();
		CU_ASSERT_NOT_EQUAL(result, 0);
	}
	end();
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "thousands_sleep_and_wake", thousands_sleep_and_wake },
		{ "cancel_ends_a_fiber_at_once", cancel_ends_a_fiber_at_once },
		{ "freeing_the_runtime_cancels_all", freeing_the_runtime_cancels_all },
		{ "a_fiber_cancels_another_and_itself", a_fiber_cancels_another_and_itself },
		{ "wake_lets_go_on_once", wake_lets_go_on_once },
		{ "sleeping_for_nothing_lets_others_go_on",
		    sleeping_for_nothing_lets_others_go_on },
		{ "deadlines_are_points_in_time", deadlines_are_points_in_time },
		{ "two_fibers_cancel_each_other", two_fibers_cancel_each_other },
		{ "cancelling_runs_through_a_chain", cancelling_runs_through_a_chain },
		{ "a_wake_before_the_deadline_counts", a_wake_before_the_deadline_counts },
		{ "a_woken_fiber_can_be_cancelled", a_woken_fiber_can_be_cancelled },
		{ "offload_runs_elsewhere", offload_runs_elsewhere },
		{ "a_cancelled_offload_is_discarded_later",
		    a_cancelled_offload_is_discarded_later },
		{ "an_overflowing_stack_hits_the_guard_page",
		    an_overflowing_stack_hits_the_guard_page },
		{ "resting_fibers_give_memory_back", resting_fibers_give_memory_back },
		{ "stacks_are_used_again", stacks_are_used_again },
	};

	return unit_run("fiber", tests, sizeof(tests) / sizeof(tests[0]));
}
