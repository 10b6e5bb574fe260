/* offload.c - blocking work on libuv's thread pool; see fiber_offload. */
#include <stdlib.h>

#include "base/error.h"
#include "fiberio/fiber_internal.h"

/* Lives on the heap: the pool may still be at work when the fiber is gone. */
struct offload {
	uv_work_t request;
	void (*work)(void *job);
	void (*discard)(void *job);
	void *job;
	struct fiber *waiting; /* NULL: no more, the job is the pool's */
};

static void
on_work(uv_work_t *request)
{
	struct offload *offload = request->data;

	offload->work(offload->job);
}

static void
on_done(uv_work_t *request, int status)
{
	struct offload *offload = request->data;
	struct fiber *waiting = offload->waiting;

	(void) status; /* not begun can only mean that nobody waits any more */
	if (waiting == NULL)
		offload->discard(offload->job);
	free(offload);
	if (waiting != NULL)
		fiber_resume(waiting, 0);
}

static void
on_nothing(uv_work_t *request)
{
	(void) request;
}

static void
on_threads_started(uv_work_t *request, int status)
{
	(void) status;
	free(request);
}

int
fiber_start_threads(struct fiber_runtime *runtime)
{
	uv_work_t *request;

	if ((request = malloc(sizeof(*request))) == NULL)
		return ERR_NO_MEMORY;
	if (uv_queue_work(fiber_loop(runtime), request, on_nothing, on_threads_started) == 0)
		return 0;
	free(request);
	return ERR_NO_MEMORY;
}

int
fiber_offload(void (*work)(void *job), void (*discard)(void *job), void *job)
{
	return fiber_offload_by(work, discard, job, FIBER_NO_DEADLINE);
}

int
fiber_offload_by(
    void (*work)(void *job), void (*discard)(void *job), void *job, uint64_t deadline)
{
	struct offload *offload;
	int rc;

	if (fiber_cancelled()) {
		discard(job);
		return ERR_CANCELLED;
	}
	if ((offload = calloc(1, sizeof(*offload))) == NULL)
		return ERR_NO_MEMORY;
	*offload = (struct offload){ .work = work, .discard = discard, .job = job };
	offload->request.data = offload;
	offload->waiting = fiber_self();
	if (uv_queue_work(fiber_loop(fiber_self_runtime()), &offload->request, on_work, on_done) !=
	    0) {
		free(offload);
		return ERR_NO_MEMORY;
	}
	rc = fiber_suspend(deadline);
	if (rc != 0) { /* given up; OFFLOAD is still there, for on_done has not run */
		offload->waiting = NULL;
		uv_cancel((uv_req_t *) &offload->request);
	}
	return rc;
}
