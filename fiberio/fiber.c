/* fiber.c - see fiber.h.
 *
 * A fiber is a context on a stack of its own. Only fiber_resume enters one and only fiber_suspend
 * leaves it, so every switch is between a fiber and whoever resumed it; nesting (a fiber that
 * cancels another) is a chain of resumers. */
#include "fiberio/fiber.h"

#include <signal.h>
#include <stdlib.h>

#include "base/error.h"
#include "fiberio/context.h"
#include "fiberio/fiber_internal.h"
#include "fiberio/poller.h"
#include "fiberio/stack.h"
#include "fiberio/tools.h"

/* How often the stacks of resting fibers are looked through. */
enum { SWEEP_MS = 2000 };

/* Operations without a wait before the loop has a turn: a few megabytes of a large message. */
enum { BREATHS = 32 };

/* More than the frames of fiber_suspend, switch_context and context_switch take. */
enum { SWITCH_OCTETS = 2048 };

enum fiber_state {
	FIBER_STARTING, /* in the run queue for the first time */
	FIBER_RUNNING,	/* or waiting for a fiber that it resumed */
	FIBER_SUSPENDED,
	FIBER_ENDED,
};

struct fiber {
	struct fiber_runtime *runtime;
	void (*entry)(void *arg);
	void *arg;
	enum fiber_state state;
	bool cancelled;
	bool parked;	  /* in fiber_park */
	bool queued;	  /* in the run queue */
	bool rested;	  /* suspended since before the last sweep */
	bool trimmed;	  /* and its stack was given back since */
	int result;	  /* of the wait that it is, or will be, resumed from */
	unsigned breaths; /* operations since it was last resumed */
	const void *top;  /* where its stack pointer was when it was suspended */
	void *stack;
	unsigned valgrind_id;
	struct fiber
	    *resumer; /* the fiber that runs again when this one suspends; NULL: the loop */
	struct fiber *previous, *next; /* all fibers of the runtime */
	struct fiber *next_queued;
	struct context context;
	uv_timer_t timer; /* its closing ends the life of this object */
#ifdef HAVE_ASAN
	void *fake_stack;
#endif
};

struct fiber_runtime {
	uv_loop_t *loop;
	struct stack_cache *stacks;
	struct fiber *first;
	size_t count;
	struct fiber *queue_head, **queue_tail; /* to be started or resumed in the next turn */
	uv_idle_t turn; /* active while the queue is not empty; keeps the loop from sleeping */
	uv_timer_t sweep;
	unsigned open_handles;
	struct poller *poller;
	struct context loop_context;
#ifdef HAVE_ASAN
	void *loop_fake_stack;
	const void *loop_stack;
	size_t loop_stack_size;
#endif
};

/* One thread runs a loop and its fibers; libuv calls back without telling who runs, hence this. */
static _Thread_local struct fiber *current;

static void on_turn(uv_idle_t *turn);

/* ---- switching ---- */

/* Leaves the running context for fiber TO, or for the loop where TO is NULL. LAST: the running
 * fiber will not come back. */
static void
switch_context(struct fiber_runtime *runtime, struct fiber *from, struct fiber *to, bool last)
{
	struct context *old = from == NULL ? &runtime->loop_context : &from->context;
	struct context *new = to == NULL ? &runtime->loop_context : &to->context;

#ifdef HAVE_ASAN
	void **save = from == NULL ? &runtime->loop_fake_stack : &from->fake_stack;

	__sanitizer_start_switch_fiber(last ? NULL : save,
	    to == NULL ? runtime->loop_stack : to->stack,
	    to == NULL ? runtime->loop_stack_size : STACK_OCTETS);
#endif
	(void) last;
	current = to;
	context_switch(old, new);
#ifdef HAVE_ASAN
	__sanitizer_finish_switch_fiber(*save, NULL, NULL);
#endif
}

static void
fiber_main(void)
{
	struct fiber *fiber = current;

#ifdef HAVE_ASAN
	const void *stack;
	size_t size;

	/* The first switch from the loop tells where the loop's own stack is. */
	__sanitizer_finish_switch_fiber(NULL, &stack, &size);
	if (fiber->resumer == NULL) {
		fiber->runtime->loop_stack = stack;
		fiber->runtime->loop_stack_size = size;
	}
#endif
	fiber->entry(fiber->arg);
	fiber->state = FIBER_ENDED;
	switch_context(fiber->runtime, fiber, fiber->resumer, true);
}

static void
on_fiber_closed(uv_handle_t *handle)
{
	free(handle->data);
}

/* Takes an ended fiber out of the runtime. Runs on its resumer's stack. */
static void
bury(struct fiber *fiber)
{
	struct fiber_runtime *runtime = fiber->runtime;

	if (fiber->previous != NULL)
		fiber->previous->next = fiber->next;
	else
		runtime->first = fiber->next;
	if (fiber->next != NULL)
		fiber->next->previous = fiber->previous;
	runtime->count--;
	if (runtime->count == 0)
		uv_timer_stop(&runtime->sweep);
	VALGRIND_STACK_DEREGISTER(fiber->valgrind_id);
	stack_give(runtime->stacks, fiber->stack);
	uv_close((uv_handle_t *) &fiber->timer, on_fiber_closed);
}

/* Runs FIBER until it suspends or ends. */
static void
enter(struct fiber *fiber)
{
	struct fiber *self = current;

	fiber->resumer = self;
	fiber->state = FIBER_RUNNING;
	fiber->rested = fiber->trimmed = false;
	fiber->breaths = 0;
	switch_context(fiber->runtime, self, fiber, false);
	if (fiber->state == FIBER_ENDED)
		bury(fiber);
}

static void
enqueue(struct fiber *fiber)
{
	struct fiber_runtime *runtime = fiber->runtime;

	fiber->queued = true;
	fiber->next_queued = NULL;
	*runtime->queue_tail = fiber;
	runtime->queue_tail = &fiber->next_queued;
	uv_idle_start(&runtime->turn, on_turn);
}

static void
dequeue(struct fiber *fiber)
{
	struct fiber_runtime *runtime = fiber->runtime;
	struct fiber **at = &runtime->queue_head;

	while (*at != fiber)
		at = &(*at)->next_queued;
	*at = fiber->next_queued;
	if (fiber->next_queued == NULL)
		runtime->queue_tail = at;
	fiber->queued = false;
}

void
fiber_resume(struct fiber *fiber, int result)
{
	uv_timer_stop(&fiber->timer);
	if (fiber->queued)
		dequeue(fiber);
	fiber->result = result;
	enter(fiber);
}

void
fiber_resume_later(struct fiber *fiber, int result)
{
	if (fiber->queued)
		return;
	uv_timer_stop(&fiber->timer); /* what happened before the deadline counts */
	fiber->result = result;
	enqueue(fiber);
}

/* Starts and resumes what was in the queue when the turn began; who comes meanwhile waits for the
 * next turn, so that fibers that wake each other do not keep the loop from its sockets. */
static void
on_turn(uv_idle_t *turn)
{
	struct fiber_runtime *runtime = turn->data;
	size_t due = 0;

	for (struct fiber *f = runtime->queue_head; f != NULL; f = f->next_queued)
		due++;
	while (due-- > 0 && runtime->queue_head != NULL) {
		struct fiber *fiber = runtime->queue_head;

		dequeue(fiber);
		if (fiber->state == FIBER_STARTING)
			enter(fiber);
		else
			fiber_resume(fiber, fiber->result);
	}
	if (runtime->queue_head == NULL)
		uv_idle_stop(turn);
}

static void
on_deadline(uv_timer_t *timer)
{
	fiber_resume(timer->data, ERR_TIMEOUT);
}

int
fiber_suspend(uint64_t deadline)
{
	struct fiber *self = current;
	uint64_t now = uv_now(self->runtime->loop);

	if (self->cancelled)
		return ERR_CANCELLED;
	/* Not by a timer of 0 ms: libuv would run that again and again before it looks at any
	 * socket. */
	if (deadline <= now)
		fiber_resume_later(self, ERR_TIMEOUT);
	else if (deadline != FIBER_NO_DEADLINE)
		uv_timer_start(&self->timer, on_deadline, deadline - now, 0);
	self->state = FIBER_SUSPENDED;
	self->top = (const char *) __builtin_frame_address(0) - SWITCH_OCTETS;
	switch_context(self->runtime, self, self->resumer, false);
	return self->cancelled ? ERR_CANCELLED : self->result;
}

/* ---- life ---- */

/* Gives back what lies under fibers that have rested since the last sweep: a login touches far more
 * stack than waiting for the next command needs. */
static void
on_sweep(uv_timer_t *sweep)
{
	struct fiber_runtime *runtime = sweep->data;

	for (struct fiber *f = runtime->first; f != NULL; f = f->next) {
		if (f->state != FIBER_SUSPENDED || f->trimmed)
			continue;
		if (f->rested && !RUNNING_ON_VALGRIND) {
			stack_trim(f->stack, f->top);
			f->trimmed = true;
		}
		f->rested = true;
	}
}

static void
on_runtime_handle_closed(uv_handle_t *handle)
{
	struct fiber_runtime *runtime = handle->data;

	if (--runtime->open_handles == 0)
		free(runtime);
}

int
fiber_runtime_new(uv_loop_t *loop, struct fiber_runtime **out)
{
	struct fiber_runtime *runtime = calloc(1, sizeof(*runtime));

	if (runtime == NULL)
		return ERR_NO_MEMORY;
	if (stack_cache_new(&runtime->stacks) != 0) {
		free(runtime);
		return ERR_NO_MEMORY;
	}
	if (poller_new(loop, &runtime->poller) != 0) {
		stack_cache_free(runtime->stacks);
		free(runtime);
		return ERR_NO_MEMORY;
	}
	runtime->loop = loop;
	runtime->queue_tail = &runtime->queue_head;
	uv_idle_init(loop, &runtime->turn);
	uv_timer_init(loop, &runtime->sweep);
	uv_unref((uv_handle_t *) &runtime->sweep);
	runtime->turn.data = runtime->sweep.data = runtime;
	runtime->open_handles = 2;
	/* Streams ask the kernel to spare us the signal; a log that is a pipe cannot. */
	signal(SIGPIPE, SIG_IGN);
	*out = runtime;
	return 0;
}

void
fiber_runtime_free(struct fiber_runtime *runtime)
{
	while (runtime->first != NULL)
		fiber_cancel(runtime->first);
	stack_cache_free(runtime->stacks);
	poller_close(runtime->poller);
	uv_close((uv_handle_t *) &runtime->turn, on_runtime_handle_closed);
	uv_close((uv_handle_t *) &runtime->sweep, on_runtime_handle_closed);
}

size_t
fiber_count(const struct fiber_runtime *runtime)
{
	return runtime->count;
}

uv_loop_t *
fiber_loop(struct fiber_runtime *runtime)
{
	return runtime->loop;
}

struct poller *
fiber_poller(struct fiber_runtime *runtime)
{
	return runtime->poller;
}

/* Puts FIBER into the list of all, and the runtime to work. */
static void
introduce(struct fiber_runtime *runtime, struct fiber *fiber)
{
	fiber->next = runtime->first;
	if (runtime->first != NULL)
		runtime->first->previous = fiber;
	runtime->first = fiber;
	if (runtime->count++ == 0)
		uv_timer_start(&runtime->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
	enqueue(fiber);
}

int
fiber_spawn(struct fiber_runtime *runtime, void (*entry)(void *arg), void *arg, struct fiber **out)
{
	struct fiber *fiber = calloc(1, sizeof(*fiber));

	if (fiber == NULL)
		return ERR_NO_MEMORY;
	if ((fiber->stack = stack_take(runtime->stacks)) == NULL) {
		free(fiber);
		return ERR_NO_MEMORY;
	}
	fiber->runtime = runtime;
	fiber->entry = entry;
	fiber->arg = arg;
	fiber->valgrind_id =
	    (unsigned) VALGRIND_STACK_REGISTER(fiber->stack, (char *) fiber->stack + STACK_OCTETS);
	uv_timer_init(runtime->loop, &fiber->timer);
	fiber->timer.data = fiber;
	fiber->context.entry = fiber_main;
	fiber->context.stack = fiber->stack;
	fiber->context.stack_size = STACK_OCTETS;
	introduce(runtime, fiber);
	if (out != NULL)
		*out = fiber;
	return 0;
}

void
fiber_cancel(struct fiber *fiber)
{
	fiber->cancelled = true;
	/* A running fiber, this one or one that resumed this one, sees the mark at its next wait.
	 */
	if (fiber->state == FIBER_RUNNING)
		return;
	if (fiber->state == FIBER_STARTING) {
		dequeue(fiber);
		enter(fiber);
	} else
		fiber_resume(fiber, ERR_CANCELLED);
}

struct fiber *
fiber_self(void)
{
	return current;
}

struct fiber_runtime *
fiber_self_runtime(void)
{
	return current == NULL ? NULL : current->runtime;
}

bool
fiber_cancelled(void)
{
	return current != NULL && current->cancelled;
}

/* ---- waiting ---- */

uint64_t
fiber_now(void)
{
	return uv_now(current->runtime->loop);
}

uint64_t
fiber_deadline(uint64_t ms)
{
	uint64_t now = fiber_now();

	return ms >= FIBER_NO_DEADLINE - now ? FIBER_NO_DEADLINE : now + ms;
}

int
fiber_sleep(uint64_t ms)
{
	int rc = fiber_suspend(fiber_deadline(ms));

	return rc == ERR_TIMEOUT ? 0 : rc;
}

int
fiber_park(uint64_t deadline)
{
	struct fiber *self = current;
	int rc;

	self->parked = true;
	rc = fiber_suspend(deadline);
	self->parked = false;
	return rc;
}

void
fiber_wake(struct fiber *fiber)
{
	if (fiber->parked)
		fiber_resume_later(fiber, 0);
}

int
fiber_breathe(void)
{
	struct fiber *self = current;

	if (self->cancelled)
		return ERR_CANCELLED;
	if (++self->breaths < BREATHS)
		return 0;
	fiber_resume_later(self, 0);
	return fiber_suspend(FIBER_NO_DEADLINE);
}
