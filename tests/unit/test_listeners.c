/* Unit tests of gateway/listeners.c: when listeners close by themselves. */
#include "gateway/listeners.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "fibers.h"
#include "gateway/sockets.h"
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
	const struct sockets none = { 0 };
	struct sockets sockets;
	struct error e;

	begin();
	worker.fibers = runtime;
	CU_ASSERT_EQUAL_FATAL(sockets_prepare(&none, &config, &sockets, &e), 0);
	CU_ASSERT_EQUAL_FATAL(listeners_apply(&worker, &config, sockets.fds, &e), 0);
	CU_ASSERT_EQUAL(worker.listeners.count, 4);
	listeners_end_legacy(&worker, 0);
	listeners_end_legacy(&worker, (int64_t) 100 * 86400 + 86399);
	CU_ASSERT_EQUAL(worker.listeners.count, 4);
	listeners_end_legacy(&worker, (int64_t) 101 * 86400);
	CU_ASSERT_EQUAL_FATAL(worker.listeners.count, 2);
	CU_ASSERT_PTR_EQUAL(worker.listeners.items[0]->config, &listeners[0]);
	CU_ASSERT_PTR_EQUAL(worker.listeners.items[1]->config, &listeners[2]);
	listeners_end_legacy(&worker, (int64_t) 102 * 86400);
	CU_ASSERT_EQUAL(worker.listeners.count, 2);
	listeners_close(&worker.listeners);
	sockets_close(&sockets);
	run_all();
	end();
}

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* What the supervisor has of them. Those that stay do so in their order, which workers rely on. */
static void
its_socket_closes_too(void)
{
	char *first[] = { "127.0.0.1:0" }, *fenced[] = { "127.0.0.1:0", "127.0.0.2:0" };
	char *last[] = { "127.0.0.3:0" };
	struct config_listener listeners[] = {
		{ .addresses = { first, 1 } },
		{ .addresses = { fenced, 2 }, .legacy = true, .legacy_until = 100 },
		{ .addresses = { last, 1 } },
	};
	const struct config config = { .listeners = listeners, .listener_count = 3 };
	const struct sockets none = { 0 };
	struct sockets sockets;
	struct error e;
	int fds[4];

	CU_ASSERT_EQUAL_FATAL(sockets_prepare(&none, &config, &sockets, &e), 0);
	CU_ASSERT_EQUAL_FATAL(sockets.count, 4);
	memcpy(fds, sockets.fds, sizeof(fds));
	sockets_end_legacy(&sockets, (int64_t) 100 * 86400 + 86399);
	CU_ASSERT_EQUAL(sockets.count, 4);
	sockets_end_legacy(&sockets, (int64_t) 101 * 86400);
	CU_ASSERT_EQUAL_FATAL(sockets.count, 2);
	CU_ASSERT_EQUAL(sockets.fds[0], fds[0]);
	CU_ASSERT_EQUAL(sockets.fds[1], fds[3]);
	CU_ASSERT_STRING_EQUAL(sockets.addresses[1], "127.0.0.3:0");
	CU_ASSERT_TRUE(is_open(fds[0]) && is_open(fds[3]));
	CU_ASSERT_FALSE(is_open(fds[1]) || is_open(fds[2]));
	sockets_end_legacy(&sockets, (int64_t) 102 * 86400);
	CU_ASSERT_EQUAL(sockets.count, 2);
	sockets_close(&sockets);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "a_fenced_listener_closes_behind_its_last_day",
		    a_fenced_listener_closes_behind_its_last_day },
		{ "its_socket_closes_too", its_socket_closes_too },
	};

	return unit_run("listeners", tests, sizeof(tests) / sizeof(tests[0]));
}
