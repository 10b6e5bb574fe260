/* Unit tests of gateway/http.c. What servers say to it is for the integration tests. */
#include "gateway/http.h"

#include "fibers.h"

enum { TIMEOUT_MS = 50, GUARD_MS = 10000 };

struct visit {
	struct http *http;
	bool done;
	int rc;
	struct error e;
};

static void
ignore_line(void *ctx, const char *line, size_t len)
{
	(void) ctx;
	(void) line;
	(void) len;
}

static void
get_main(void *arg)
{
	struct visit *v = arg;
	const struct http_request request = { .url = "http://localhost:1/",
		.host = "localhost",
		.port = 1,
		.timeout_ms = TIMEOUT_MS,
		.on_line = ignore_line };

	v->rc = http_get(v->http, &request, &v->e);
	v->done = true;
}

/* What holds the only thread of the pool, as a name server that does not answer would. */
struct hold {
	uv_work_t work;
	uv_timer_t guard;
	uv_sem_t end;
	bool guarded; /* the test had to be brought to an end */
};

static void
hold_thread(uv_work_t *work)
{
	struct hold *hold = work->data;

	uv_sem_wait(&hold->end);
}

static void
on_held(uv_work_t *work, int status)
{
	(void) work;
	(void) status;
}

static void
on_guard(uv_timer_t *guard)
{
	struct hold *hold = guard->data;

	hold->guarded = true;
	uv_sem_post(&hold->end);
}

static void
begin_hold(struct hold *hold)
{
	CU_ASSERT_EQUAL_FATAL(uv_sem_init(&hold->end, 0), 0);
	hold->work.data = hold->guard.data = hold;
	uv_timer_init(&loop, &hold->guard);
	uv_timer_start(&hold->guard, on_guard, GUARD_MS, 0);
	CU_ASSERT_EQUAL_FATAL(uv_queue_work(&loop, &hold->work, hold_thread, on_held), 0);
}

static void
end_hold(struct hold *hold)
{
	uv_sem_post(&hold->end);
	uv_close((uv_handle_t *) &hold->guard, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_sem_destroy(&hold->end);
}

static void
a_look_up_takes_no_longer_than_the_request_may(void)
{
	struct visit visit = { .rc = -1 };
	struct hold hold = { .guarded = false };

	begin();
	CU_ASSERT_EQUAL_FATAL(http_new(&loop, &visit.http), 0);
	CU_ASSERT_EQUAL_FATAL(http_prepare(visit.http, &visit.e), 0);
	begin_hold(&hold);
	spawn(get_main, &visit);
	while (!visit.done)
		uv_run(&loop, UV_RUN_ONCE);
	CU_ASSERT_FALSE(hold.guarded);
	CU_ASSERT_EQUAL(visit.rc, ERR_TEMPORARY);
	end_hold(&hold);
	http_free(visit.http);
	end();
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "a_look_up_takes_no_longer_than_the_request_may",
		    a_look_up_takes_no_longer_than_the_request_may },
	};

	setenv("UV_THREADPOOL_SIZE", "1", 1);
	return unit_run("http", tests, sizeof(tests) / sizeof(tests[0]));
}
