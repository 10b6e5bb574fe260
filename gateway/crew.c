/* crew.c - see crew.h. */
#include "gateway/crew.h"

#include <stdbool.h>

#include "base/error.h"
#include "fiberio/fiber.h"

enum { TICK_MS = 200, MINUTE_MS = 60000 };

struct shift {
	const struct crew *crew;
	size_t next;	   /* job */
	unsigned at_work;  /* fibers */
	uint64_t begun_at; /* when the first job began */
	struct fiber *ticker;
};

/* Waits until job AT may begin. */
static int
wait_turn(const struct shift *s, size_t at)
{
	const struct crew *c = s->crew;
	uint64_t due, now = fiber_now();

	if (c->per_minute == 0)
		return 0;
	due = s->begun_at + at * MINUTE_MS / c->per_minute;
	return due > now ? fiber_sleep(due - now) : 0;
}

static void
hand(void *arg)
{
	struct shift *s = arg;

	if (s->begun_at == 0)
		s->begun_at = fiber_now();
	while (s->next < s->crew->jobs && !fiber_cancelled()) {
		size_t at = s->next++;

		if (wait_turn(s, at) != 0)
			break;
		s->crew->work(s->crew->ctx, at);
	}
	if (--s->at_work == 0 && s->ticker != NULL)
		fiber_wake(s->ticker);
}

static void
ticker(void *arg)
{
	struct shift *s = arg;

	while (s->at_work > 0 && fiber_park(fiber_deadline(TICK_MS)) != ERR_CANCELLED)
		s->crew->tick(s->crew->ctx);
	s->ticker = NULL;
}

static int
begin(struct shift *s, struct fiber_runtime *fibers)
{
	const struct crew *c = s->crew;
	unsigned hands = c->jobs < c->hands ? (unsigned) c->jobs : c->hands;
	int rc = 0;

	for (unsigned i = 0; i < hands && rc == 0; i++)
		if ((rc = fiber_spawn(fibers, hand, s, NULL)) == 0)
			s->at_work++;
	/* Fewer are enough. */
	if (s->at_work == 0)
		return rc;
	return c->tick != NULL ? fiber_spawn(fibers, ticker, s, &s->ticker) : 0;
}

int
crew_run(const struct crew *c)
{
	struct shift s = { .crew = c };
	struct fiber_runtime *fibers;
	uv_loop_t loop;
	int rc;

	if (c->jobs == 0)
		return 0;
	if (uv_loop_init(&loop) != 0)
		return ERR_NO_MEMORY;
	if ((rc = fiber_runtime_new(&loop, &fibers)) == 0) {
		rc = begin(&s, fibers);
		while (rc == 0 && fiber_count(fibers) > 0)
			uv_run(&loop, UV_RUN_ONCE);
		fiber_runtime_free(fibers);
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
	return rc;
}
