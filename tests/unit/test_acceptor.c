/* Unit tests of fiberio/acceptor.c. */
#include "fiberio/acceptor.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "fibers.h"
#include "sockets.h"

struct reception {
	struct acceptor *acceptor;
	uint16_t port;
	bool others_first;   /* says that it is another's turn */
	unsigned asked;	     /* whose turn it is */
	unsigned count;
	unsigned close_after; /* connections; 0: never */
	struct sockaddr_storage peer;
	bool usable; /* non-blocking and close-on-exec */
};

static void
on_accepted(void *arg, int fd, const struct sockaddr_storage *peer)
{
	struct reception *r = arg;

	CU_ASSERT_PTR_NULL(fiber_self());
	r->peer = *peer;
	r->usable =
	    (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
	close(fd);
	if (++r->count == r->close_after) {
		acceptor_close(r->acceptor);
		r->acceptor = NULL;
	}
}

static bool
my_turn(void *arg)
{
	struct reception *r = arg;

	r->asked++;
	return !r->others_first;
}

static int
open_acceptor(const char *address, struct reception *r, struct error *e)
{
	int fd, rc;

	if ((rc = acceptor_listen(address, &fd, e)) != 0)
		return rc;
	r->port = acceptor_port(fd);
	return acceptor_open(runtime, fd, my_turn, on_accepted, r, &r->acceptor, e);
}

/* A socket that connects to PORT without waiting for it. */
static int
knock(uint16_t port)
{
	struct sockaddr_in name = loopback("127.0.0.1", port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (connect(fd, (struct sockaddr *) &name, sizeof(name)) != 0)
		CU_ASSERT_EQUAL(errno, EINPROGRESS);
	return fd;
}

static void
connections_arrive_with_their_address(void)
{
	struct reception r = { 0 };
	struct sockaddr_in own;
	socklen_t size = sizeof(own);
	int fd;

	begin();
	CU_ASSERT_EQUAL_FATAL(open_acceptor("127.0.0.1:0", &r, NULL), 0);
	CU_ASSERT_NOT_EQUAL(r.port, 0);
	fd = knock(r.port);
	while (r.count == 0)
		uv_run(&loop, UV_RUN_ONCE);
	CU_ASSERT_EQUAL(getsockname(fd, (struct sockaddr *) &own, &size), 0);
	CU_ASSERT_EQUAL(r.peer.ss_family, AF_INET);
	CU_ASSERT_EQUAL(((struct sockaddr_in *) &r.peer)->sin_port, own.sin_port);
	CU_ASSERT_TRUE(r.usable);
	close(fd);
	acceptor_close(r.acceptor);
	acceptor_close(NULL);
	end();
}

static void
a_crowd_is_served(void)
{
	enum { CROWD = 300 };
	struct reception r = { 0 };
	int fds[CROWD];

	begin();
	CU_ASSERT_EQUAL_FATAL(open_acceptor("127.0.0.1:0", &r, NULL), 0);
	for (size_t i = 0; i < CROWD; i++)
		fds[i] = knock(r.port);
	while (r.count < CROWD)
		uv_run(&loop, UV_RUN_ONCE);
	for (size_t i = 0; i < CROWD; i++)
		close(fds[i]);
	acceptor_close(r.acceptor);
	end();
}

static void
the_callback_may_close_the_acceptor(void)
{
	struct reception r = { .close_after = 2 };
	int fds[5];

	begin();
	CU_ASSERT_EQUAL_FATAL(open_acceptor("127.0.0.1:0", &r, NULL), 0);
	for (size_t i = 0; i < 5; i++)
		fds[i] = knock(r.port);
	uv_run(&loop, UV_RUN_DEFAULT);
	CU_ASSERT_EQUAL(r.count, 2);
	for (size_t i = 0; i < 5; i++)
		close(fds[i]);
	end();
}

/* Others get their chance; but what they leave is taken, so that nobody waits for a process that
 * has died. */
static void
a_connection_that_others_leave_is_taken(void)
{
	struct reception r = { .others_first = true };
	int fds[3];

	begin();
	CU_ASSERT_EQUAL_FATAL(open_acceptor("127.0.0.1:0", &r, NULL), 0);
	for (size_t i = 0; i < 3; i++)
		fds[i] = knock(r.port);
	while (r.asked == 0)
		uv_run(&loop, UV_RUN_ONCE);
	CU_ASSERT_EQUAL(r.count, 0);
	while (r.count < 3)
		uv_run(&loop, UV_RUN_ONCE);
	CU_ASSERT_EQUAL(r.asked, 3);
	for (size_t i = 0; i < 3; i++)
		close(fds[i]);
	acceptor_close(r.acceptor);
	end();
}

static void
addresses_are_understood_or_refused(void)
{
	static const struct {
		const char *address;
		int rc;
	} rows[] = {
		{ "127.0.0.1:0", 0 },
		{ "0.0.0.0:0", 0 },
		{ "", ERR_INVALID },
		{ "127.0.0.1", ERR_INVALID },
		{ "127.0.0.1:", ERR_INVALID },
		{ "127.0.0.1:65536", ERR_INVALID },
		{ "127.0.0.1:+110", ERR_INVALID },
		{ "127.0.0.1:110x", ERR_INVALID },
		{ "127.0.0:110", ERR_INVALID },
		{ "localhost:110", ERR_INVALID },
		{ "::1:110", ERR_INVALID },
		{ "[::1:110", ERR_INVALID },
		{ "[]:110", ERR_INVALID },
		{ "[:110", ERR_INVALID },
		{ "[127.0.0.1]:110", ERR_INVALID },
		{ "[::1]110", ERR_INVALID },
		{ "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:1]:1",
		    ERR_INVALID },
		{ "192.0.2.1:0", ERR_PERMANENT },
	};

	begin();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reception r = { 0 };
		struct error e = { 0 };
		int rc = open_acceptor(rows[i].address, &r, &e);

		UNIT_CHECK(rc == rows[i].rc, rows[i].address);
		UNIT_CHECK(e.code == rc, rows[i].address);
		UNIT_CHECK(rc == 0 || strstr(e.text, rows[i].address) != NULL, rows[i].address);
		acceptor_close(r.acceptor);
	}
	end();
}

static void
a_taken_port_is_told(void)
{
	struct reception first = { 0 }, second = { 0 };
	struct error e = { 0 };
	char address[32];

	begin();
	CU_ASSERT_EQUAL_FATAL(open_acceptor("127.0.0.1:0", &first, NULL), 0);
	snprintf(
	    address, sizeof(address), "127.0.0.1:%u", (unsigned) first.port);
	CU_ASSERT_EQUAL(open_acceptor(address, &second, &e), ERR_PERMANENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "in use"));
	acceptor_close(first.acceptor);
	/* Free again at once, and again after connections: SO_REUSEADDR. */
	CU_ASSERT_EQUAL(open_acceptor(address, &second, &e), 0);
	acceptor_close(second.acceptor);
	end();
}

static void
both_families_share_a_port(void)
{
	enum { TRIES = 100 }; /* a port that is free for IPv6 may be somebody's for IPv4 */
	struct reception v6 = { 0 }, v4 = { 0 };
	char address[32];
	int rc = ERR_PERMANENT;

	begin();
	for (int i = 0; i < TRIES && rc != 0; i++) {
		acceptor_close(v6.acceptor);
		v6.acceptor = NULL;
		if (open_acceptor("[::]:0", &v6, NULL) != 0) /* there is no IPv6 here */
			break;
		snprintf(address, sizeof(address), "0.0.0.0:%u", (unsigned) v6.port);
		rc = open_acceptor(address, &v4, NULL);
	}
	CU_ASSERT_TRUE(rc == 0 || v6.acceptor == NULL);
	acceptor_close(v6.acceptor);
	acceptor_close(v4.acceptor);
	end();
}

/* NAME is an address as inet_pton wants it. */
static struct sockaddr_storage
bound_at(int family, const char *name, uint16_t port)
{
	struct sockaddr_storage out = { .ss_family = (sa_family_t) family };
	struct sockaddr_in *v4 = (struct sockaddr_in *) &out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *) &out;

	if (family == AF_INET) {
		v4->sin_port = htons(port);
		CU_ASSERT_EQUAL(inet_pton(family, name, &v4->sin_addr), 1);
	} else {
		v6->sin6_port = htons(port);
		CU_ASSERT_EQUAL(inet_pton(family, name, &v6->sin6_addr), 1);
	}
	return out;
}

static void
sockets_are_known_by_their_address(void)
{
	static const struct {
		const char *address, *bound;
		int family;
		uint16_t port;
		bool same;
	} rows[] = {
		{ "127.0.0.1:110", "127.0.0.1", AF_INET, 110, true },
		{ "127.0.0.1:110", "127.0.0.2", AF_INET, 110, false },
		{ "127.0.0.1:110", "127.0.0.1", AF_INET, 111, false },
		{ "0.0.0.0:995", "0.0.0.0", AF_INET, 995, true },
		{ "0.0.0.0:995", "127.0.0.1", AF_INET, 995, false },
		{ "127.0.0.1:995", "0.0.0.0", AF_INET, 995, false },
		{ "[::]:995", "::", AF_INET6, 995, true },
		{ "[0:0::0]:995", "::", AF_INET6, 995, true },
		{ "[::]:995", "::1", AF_INET6, 995, false },
		{ "[::]:995", "0.0.0.0", AF_INET, 995, false },
		{ "0.0.0.0:995", "::", AF_INET6, 995, false },
		{ "[::1]:110", "::1", AF_INET6, 110, true },
		{ "[2001:db8::1]:110", "2001:db8::2", AF_INET6, 110, false },
		{ "127.0.0.1:0", "127.0.0.1", AF_INET, 0, false },
		{ "[::]:0", "::", AF_INET6, 0, false },
		{ "127.0.0.1", "127.0.0.1", AF_INET, 110, false },
		{ "", "127.0.0.1", AF_INET, 110, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sockaddr_storage name =
		    bound_at(rows[i].family, rows[i].bound, rows[i].port);

		UNIT_CHECK(acceptor_is_at(rows[i].address, &name) == rows[i].same, rows[i].address);
	}
}

/* As systemd binds [::]:995 without BindIPv6Only. */
static void
ipv4_clients_of_a_socket_of_both_families(void)
{
	static const int off = 0;
	struct reception r = { 0 };
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
	struct sockaddr_in own;
	socklen_t size = sizeof(own);
	int fd;

	begin();
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, (struct sockaddr *) &any, sizeof(any)) != 0) { /* there is no IPv6 here */
		close(fd);
		end();
		return;
	}
	CU_ASSERT_EQUAL_FATAL(listen(fd, 1), 0);
	r.port = acceptor_port(fd);
	CU_ASSERT_EQUAL_FATAL(
	    acceptor_open(runtime, fd, NULL, on_accepted, &r, &r.acceptor, NULL), 0);
	fd = knock(r.port);
	while (r.count == 0)
		uv_run(&loop, UV_RUN_ONCE);
	CU_ASSERT_EQUAL_FATAL(r.peer.ss_family, AF_INET);
	CU_ASSERT_EQUAL(getsockname(fd, (struct sockaddr *) &own, &size), 0);
	CU_ASSERT_EQUAL(memcmp(&r.peer, &own, sizeof(own)), 0);
	close(fd);
	acceptor_close(r.acceptor);
	end();
}

/* ---- no descriptors left; not under valgrind, which keeps some for itself and moves the limit
 * ---- */

static void
on_timer(uv_timer_t *timer)
{
	*(volatile bool *) timer->data = true;
}

/* Turns of the loop within MS milliseconds. */
static unsigned
turns_within(uint64_t ms)
{
	unsigned turns = 0;
	volatile bool over = false;
	uv_timer_t timer;

	uv_timer_init(&loop, &timer);
	timer.data = (void *) &over;
	uv_timer_start(&timer, on_timer, ms, 0);
	while (!over) {
		uv_run(&loop, UV_RUN_ONCE);
		turns++;
	}
	uv_close((uv_handle_t *) &timer, NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
	return turns;
}

/* In a child, whose limit it lowers. Returns the number of the step that went wrong, or 0. */
static int
run_out_of_descriptors(void)
{
	enum { LIMIT = 64, CLIENTS = 5 };
	struct reception r = { 0 };
	int clients[CLIENTS], fillers[LIMIT], filled = 0;

	if (uv_loop_init(&loop) != 0 || fiber_runtime_new(&loop, &runtime) != 0 ||
	    open_acceptor("127.0.0.1:0", &r, NULL) != 0)
		return 1;
	for (size_t i = 0; i < CLIENTS; i++)
		clients[i] = knock(r.port);
	if (setrlimit(RLIMIT_NOFILE, &(struct rlimit){ LIMIT, LIMIT }) != 0)
		return 2;
	while (filled < LIMIT && (fillers[filled] = dup(clients[0])) >= 0)
		filled++;
	if (filled == 0 || filled == LIMIT)
		return 3;
	if (turns_within(350) > 20)
		return 4; /* it spins */
	if (r.count != 0)
		return 5;
	close(fillers[--filled]);
	while (r.count < CLIENTS)
		uv_run(&loop, UV_RUN_ONCE);
	return 0;
}

static void
without_descriptors_it_rests_and_goes_on(void)
{
	int status = 0;
	pid_t child;

	if (RUNNING_ON_VALGRIND)
		return;
	if ((child = fork()) == 0) {
		alarm(60);
		_exit(run_out_of_descriptors());
	}
	CU_ASSERT_TRUE_FATAL(child > 0);
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_TRUE(WIFEXITED(status));
	CU_ASSERT_EQUAL(WEXITSTATUS(status), 0);
}

static void
it_can_be_closed_while_it_rests(void)
{
	int status = 0;
	pid_t child;

	if (RUNNING_ON_VALGRIND)
		return;
	if ((child = fork()) == 0) {
		struct reception r = { 0 };
		int last;

		alarm(60);
		if (uv_loop_init(&loop) != 0 || fiber_runtime_new(&loop, &runtime) != 0 ||
		    open_acceptor("127.0.0.1:0", &r, NULL) != 0)
			_exit(1);
		last = knock(r.port);
		setrlimit(RLIMIT_NOFILE, &(struct rlimit){ (rlim_t) last + 1, (rlim_t) last + 1 });
		turns_within(20);
		acceptor_close(r.acceptor);
		fiber_runtime_free(runtime);
		uv_run(&loop, UV_RUN_DEFAULT);
		_exit(uv_loop_close(&loop) == 0 && r.count == 0 ? 0 : 2);
	}
	CU_ASSERT_TRUE_FATAL(child > 0);
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "connections_arrive_with_their_address", connections_arrive_with_their_address },
		{ "a_crowd_is_served", a_crowd_is_served },
		{ "the_callback_may_close_the_acceptor", the_callback_may_close_the_acceptor },
		{ "a_connection_that_others_leave_is_taken",
		    a_connection_that_others_leave_is_taken },
		{ "addresses_are_understood_or_refused", addresses_are_understood_or_refused },
		{ "a_taken_port_is_told", a_taken_port_is_told },
		{ "both_families_share_a_port", both_families_share_a_port },
		{ "sockets_are_known_by_their_address", sockets_are_known_by_their_address },
		{ "ipv4_clients_of_a_socket_of_both_families",
		    ipv4_clients_of_a_socket_of_both_families },
		{ "without_descriptors_it_rests_and_goes_on",
		    without_descriptors_it_rests_and_goes_on },
		{ "it_can_be_closed_while_it_rests", it_can_be_closed_while_it_rests },
	};

	return unit_run("acceptor", tests, sizeof(tests) / sizeof(tests[0]));
}
