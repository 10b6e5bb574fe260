/* crew.c - see crew.h. */
#include "gateway/crew.h"

#include <signal.h>
#include <stdbool.h>

#include "base/error.h"
#include "fiberio/fiber.h"

enum { TICK_MS = 200, MINUTE_MS = 60000 };

struct shift {
	const struct crew *crew;
	size_t next;	   /* job */
	size_t left;	   /* jobs that were called off */
	unsigned at_work;  /* fibers */
	uint64_t turn;	   /* when the next job may begin, in milliseconds times PER_MINUTE */
	bool called_off;
	struct fiber *ticker;
	uv_signal_t signals[2];
};

/* Waits until one more job may begin. Time in which none began is not made up for. */
static int
wait_turn(struct shift *s)
{
	uint64_t per_minute = s->crew->per_minute, now = fiber_now(), due;
	int rc = 0;

	if (per_minute == 0)
		return 0;
	if (s->turn < now * per_minute)
		s->turn = now * per_minute;
	due = (s->turn + per_minute - 1) / per_minute;
	s->turn += MINUTE_MS;
	for (; rc == 0 && !s->called_off && now < due; now = fiber_now())
		rc = fiber_sleep(due - now < TICK_MS ? due - now : TICK_MS);
	return rc;
}

static void
hand(void *arg)
{
	struct shift *s = arg;
	const struct crew *c = s->crew;

	while (s->next < c->jobs && !s->called_off && !fiber_cancelled()) {
		size_t at = s->next++;

		if (c->pass != NULL && c->pass(c->ctx, at))
			continue;
		if (wait_turn(s) != 0)
			break;
		if (s->called_off)
			s->left++;
		else
			c->work(c->ctx, at);
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

/* ---- being called off ---- */

/* The next signal is for the process, as if we had never heard of it. */
static void
forget_signals(struct shift *s)
{
	for (unsigned i = 0; i < 2; i++)
		if (!uv_is_closing((uv_handle_t *) &s->signals[i]))
			uv_close((uv_handle_t *) &s->signals[i], NULL);
}

static void
on_signal(uv_signal_t *signal, int number)
{
	struct shift *s = signal->data;

	(void) number;
	s->called_off = true;
	forget_signals(s);
	if (s->crew->called_off != NULL)
		s->crew->called_off(s->crew->ctx);
}

static void
heed_signals(struct shift *s, uv_loop_t *loop)
{
	static const int numbers[] = { SIGINT, SIGTERM };

	for (unsigned i = 0; i < 2; i++) {
		uv_signal_init(loop, &s->signals[i]);
		s->signals[i].data = s;
		uv_signal_start(&s->signals[i], on_signal, numbers[i]);
	}
}

int
crew_run(const struct crew *c, size_t *left)
{
	struct shift s = { .crew = c };
	struct fiber_runtime *fibers;
	uv_loop_t loop;
	int rc;

	*left = 0;
	if (c->jobs == 0)
		return 0;
	if (uv_loop_init(&loop) != 0)
		return ERR_NO_MEMORY;
	heed_signals(&s, &loop);
	if ((rc = fiber_runtime_new(&loop, &fibers)) == 0) {
		rc = begin(&s, fibers);
		while (rc == 0 && fiber_count(fibers) > 0)
			uv_run(&loop, UV_RUN_ONCE);
		fiber_runtime_free(fibers);
	}
	forget_signals(&s);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
	*left = s.left + (c->jobs - s.next);
	return rc;
}
