/* Unit tests of gateway/listeners.c: when listeners close by themselves. */
#include "gateway/listeners.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "fibers.h"
#include "gateway/sockets.h"
#include "gateway/worker.h"
#include "unit.h"

/* Addresses of today, with two fenced ones between them that end on day 100. */
struct fenced {
	char *first[1], *fenced[2], *last[1];
	struct config_listener listeners[3];
	struct config config;
	struct sockets sockets; /* open */
};

static void
open_fenced(struct fenced *f)
{
	const struct sockets none = { 0 };
	struct error e;

	*f = (struct fenced){ .first = { "127.0.0.1:0" },
		.fenced = { "127.0.0.1:0", "[::1]:0" },
		.last = { "127.0.0.3:0" } };
	f->listeners[0].addresses = (struct text_list){ f->first, 1 };
	f->listeners[1] = (struct config_listener){
		.addresses = { f->fenced, 2 }, .legacy = true, .legacy_until = 100
	};
	f->listeners[2].addresses = (struct text_list){ f->last, 1 };
	f->config.listeners = f->listeners;
	f->config.listener_count = 3;
	CU_ASSERT_EQUAL_FATAL(sockets_prepare(&none, &f->config, &f->sockets, &e), 0);
	CU_ASSERT_EQUAL_FATAL(f->sockets.count, 4);
}

/* Points of time: the last second of day 100, and what comes then. */
static const int64_t on_the_day = (int64_t) 100 * 86400 + 86399,
		     behind_it = (int64_t) 101 * 86400, much_later = (int64_t) 102 * 86400;

static void
a_fenced_listener_closes_behind_its_last_day(void)
{
	static struct worker worker;
	struct fenced f;
	struct error e;

	begin();
	worker.fibers = runtime;
	open_fenced(&f);
	CU_ASSERT_EQUAL_FATAL(listeners_apply(&worker, &f.config, f.sockets.fds, &e), 0);
	CU_ASSERT_EQUAL(worker.listeners.count, 4);
	listeners_end_legacy(&worker, 0);
	listeners_end_legacy(&worker, on_the_day);
	CU_ASSERT_EQUAL(worker.listeners.count, 4);
	listeners_end_legacy(&worker, behind_it);
	CU_ASSERT_EQUAL_FATAL(worker.listeners.count, 2);
	CU_ASSERT_PTR_EQUAL(worker.listeners.items[0]->config, &f.listeners[0]);
	CU_ASSERT_PTR_EQUAL(worker.listeners.items[1]->config, &f.listeners[2]);
	listeners_end_legacy(&worker, much_later);
	CU_ASSERT_EQUAL(worker.listeners.count, 2);
	listeners_close(&worker.listeners);
	sockets_close(&f.sockets);
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
	struct fenced f;
	struct sockets *sockets = &f.sockets;
	int fds[4];

	open_fenced(&f);
	memcpy(fds, sockets->fds, sizeof(fds));
	sockets_end_legacy(sockets, on_the_day);
	CU_ASSERT_EQUAL(sockets->count, 4);
	sockets_end_legacy(sockets, behind_it);
	CU_ASSERT_EQUAL_FATAL(sockets->count, 2);
	CU_ASSERT_EQUAL(sockets->fds[0], fds[0]);
	CU_ASSERT_EQUAL(sockets->fds[1], fds[3]);
	CU_ASSERT_STRING_EQUAL(sockets->addresses[1], "127.0.0.3:0");
	CU_ASSERT_TRUE(is_open(fds[0]) && is_open(fds[3]));
	CU_ASSERT_FALSE(is_open(fds[1]) || is_open(fds[2]));
	sockets_end_legacy(sockets, much_later);
	CU_ASSERT_EQUAL(sockets->count, 2);
	sockets_close(sockets);
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
