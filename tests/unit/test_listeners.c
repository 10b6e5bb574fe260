/* Unit tests of gateway/listeners.c: when listeners close by themselves. */
#include "gateway/listeners.h"

#include <stdlib.h>

#include "fibers.h"
#include "gateway/worker.h"
#include "unit.h"

/* Two addresses of today, and two fenced ones between them that end on day 100. */
static void
a_fenced_listener_closes_behind_its_last_day(void)
{
	static struct worker worker;
	char *first[] = { "127.0.0.1:0" }, *fenced[] = { "127.0.0.1:0", "[::1]:0" };
	char *last[] = { "127.0.0.1:0" };
	struct config_listener listeners[] = {
		{ .addresses = { first, 1 } },
		{ .addresses = { fenced, 2 }, .legacy = true, .legacy_until = 100 },
		{ .addresses = { last, 1 } },
	};
	const struct config config = { .listeners = listeners, .listener_count = 3 };
	struct error e;

	begin();
	worker.fibers = runtime;
	CU_ASSERT_EQUAL_FATAL(listeners_apply(&worker, &config, &e), 0);
	CU_ASSERT_EQUAL(worker.listeners.count, 4);
	listeners_end_legacy(&worker, 0);
	listeners_end_legacy(&worker, (int64_t) 100 * 86400 + 86399);
	CU_ASSERT_EQUAL(worker.listeners.count, 4);
	listeners_end_legacy(&worker, (int64_t) 101 * 86400);
	CU_ASSERT_EQUAL_FATAL(worker.listeners.count, 2);
	CU_ASSERT_PTR_EQUAL(worker.listeners.items[0]->settings, &listeners[0]);
	CU_ASSERT_PTR_EQUAL(worker.listeners.items[1]->settings, &listeners[2]);
	listeners_end_legacy(&worker, (int64_t) 102 * 86400);
	CU_ASSERT_EQUAL(worker.listeners.count, 2);
	listeners_close(&worker.listeners);
	run_all();
	end();
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "a_fenced_listener_closes_behind_its_last_day",
		    a_fenced_listener_closes_behind_its_last_day },
	};

	return unit_run("listeners", tests, sizeof(tests) / sizeof(tests[0]));
}
