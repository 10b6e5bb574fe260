/* Unit tests of fiberio/stream_connect.c. The system's resolver is replaced by one of this file. */
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>

#include "base/error.h"
#include "fiberio/stream.h"
#include "fibers.h"
#include "sockets.h"

/* ---- a resolver ---- */

static const struct {
	const char *name;
	int status;
	const char *addresses[4];
} names[] = {
	{ "one.test", 0, { "127.0.0.1" } },
	{ "two.test", 0, { "127.0.0.2", "127.0.0.1" } },
	{ "nobody.test", 0, { "127.0.0.2", "127.0.0.3" } },
	{ "mixed.test", 0, { "127.0.0.2", "127.0.0.3", "::ffff:127.0.0.1", "127.0.0.1" } },
	{ "six.test", 0, { "::ffff:127.0.0.2", "::ffff:127.0.0.3", "127.0.0.4" } },
	{ "unknown.test", EAI_NONAME, { NULL } },
	{ "later.test", EAI_AGAIN, { NULL } },
	{ "broken.test", EAI_FAIL, { NULL } },
};

/* "slow.test" is not answered before this is posted. */
static uv_sem_t answer;

/* One allocation an address, as freeaddrinfo(3) expects of glibc's own. */
static struct addrinfo *
new_address(const char *text, uint16_t port)
{
	struct addrinfo *a = calloc(1, sizeof(*a) + sizeof(struct sockaddr_in6));
	struct sockaddr_in *v4;
	struct sockaddr_in6 *v6;

	if (a == NULL)
		abort();
	a->ai_socktype = SOCK_STREAM;
	a->ai_addr = (struct sockaddr *) (a + 1);
	v4 = (struct sockaddr_in *) a->ai_addr;
	v6 = (struct sockaddr_in6 *) a->ai_addr;
	if (strchr(text, ':') == NULL) {
		a->ai_family = v4->sin_family = AF_INET;
		a->ai_addrlen = sizeof(*v4);
		v4->sin_port = htons(port);
		inet_pton(AF_INET, text, &v4->sin_addr);
	} else {
		a->ai_family = v6->sin6_family = AF_INET6;
		a->ai_addrlen = sizeof(*v6);
		v6->sin6_port = htons(port);
		inet_pton(AF_INET6, text, &v6->sin6_addr);
	}
	return a;
}

int
getaddrinfo(
    const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
	struct addrinfo **tail = out;

	if ((hints->ai_flags & AI_NUMERICHOST) != 0) {
		int (*real)(
		    const char *, const char *, const struct addrinfo *, struct addrinfo **);
		void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");

		memcpy(&real, &symbol, sizeof(real));
		return real(host, service, hints, out);
	}
	if (strcmp(host, "slow.test") == 0) {
		uv_sem_wait(&answer);
		host = "one.test";
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(host, names[i].name) != 0)
			continue;
		for (size_t j = 0; j < 4 && names[i].addresses[j] != NULL; j++) {
			*tail = new_address(
			    names[i].addresses[j], (uint16_t) strtoul(service, NULL, 10));
			tail = &(*tail)->ai_next;
		}
		return names[i].status;
	}
	return EAI_NONAME;
}

/* ---- connecting ---- */

struct dial {
	const char *host;
	uint16_t port;
	uint64_t ms;
	struct stream *s;
	struct error e;
	int rc;
	uint64_t took;
	bool done;
};

static void
dial_main(void *arg)
{
	struct dial *d = arg;
	uint64_t start = fiber_now();

	d->rc = stream_connect(
	    d->host, d->port, d->ms == 0 ? FIBER_NO_DEADLINE : fiber_deadline(d->ms), &d->s, &d->e);
	d->took = fiber_now() - start;
	d->done = true;
	if (d->rc == 0)
		stream_close(d->s);
}

static struct dial
dial(const char *host, uint16_t port, uint64_t ms)
{
	struct dial d = { .host = host, .port = port, .ms = ms };

	spawn(dial_main, &d);
	run_all();
	CU_ASSERT_TRUE(d.done);
	CU_ASSERT_TRUE(d.rc == 0 || d.e.code == d.rc);
	return d;
}

static bool
says(const struct dial *d, const char *text)
{
	return strstr(d->e.text, text) != NULL;
}

static void
addresses_and_names_connect(void)
{
	static const char *const hosts[] = { "127.0.0.1", "one.test", "two.test", "mixed.test" };
	uint16_t port = 0;
	int listener;

	begin();
	listener = listen_on("127.0.0.1", 16, &port);
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		struct dial d = dial(hosts[i], port, 5000);
		int fd = accept(listener, NULL, NULL);

		UNIT_CHECK(d.rc == 0, hosts[i]);
		UNIT_CHECK(fd >= 0, hosts[i]);
		close(fd);
	}
	close(listener);
	end();
}

static void
refusals_are_told(void)
{
	uint16_t port = 0;
	struct dial d;
	int held;

	begin();
	held = hold_port("0.0.0.0", &port);
	d = dial("127.0.0.1", port, 5000);
	CU_ASSERT_EQUAL(d.rc, ERR_CLOSED);
	CU_ASSERT_TRUE(says(&d, "127.0.0.1 port") && says(&d, "refused"));
	d = dial("nobody.test", port, 5000);
	CU_ASSERT_EQUAL(d.rc, ERR_CLOSED);
	CU_ASSERT_TRUE(says(&d, "2 of 2 addresses") && says(&d, "127.0.0.3"));
	close(held);
	end();
}

/* Of three addresses in the order 6 6 4 the last one tried is the second of the first family. */
static void
families_take_turns(void)
{
	uint16_t port = 0;
	struct dial d;
	int held;

	begin();
	held = hold_port("0.0.0.0", &port);
	d = dial("six.test", port, 5000);
	CU_ASSERT_EQUAL(d.rc, ERR_CLOSED);
	CU_ASSERT_TRUE(says(&d, "3 of 3") && says(&d, "::ffff:127.0.0.3"));
	close(held);
	end();
}

static void
lookups_fail_for_now_or_for_good(void)
{
	static const struct {
		const char *host;
		int rc;
	} rows[] = {
		{ "unknown.test", ERR_PERMANENT },
		{ "later.test", ERR_TEMPORARY },
		{ "broken.test", ERR_TEMPORARY },
	};

	begin();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dial d = dial(rows[i].host, 143, 5000);

		UNIT_CHECK(d.rc == rows[i].rc, rows[i].host);
		UNIT_CHECK(says(&d, rows[i].host), rows[i].host);
	}
	end();
}

static void
a_slow_lookup_ends_at_the_deadline(void)
{
	struct dial d;

	begin();
	uv_sem_init(&answer, 0);
	d = dial("slow.test", 143, 20);
	CU_ASSERT_EQUAL(d.rc, ERR_TIMEOUT);
	CU_ASSERT_TRUE(says(&d, "slow.test"));
	uv_sem_post(&answer);
	end(); /* waits for the pool */
	uv_sem_destroy(&answer);
}

static void
a_slow_lookup_is_cancelled(void)
{
	struct dial d = { .host = "slow.test", .port = 143 };
	struct fiber *fiber;

	begin();
	uv_sem_init(&answer, 0);
	fiber = spawn(dial_main, &d);
	run_a_little();
	fiber_cancel(fiber);
	CU_ASSERT_TRUE(d.done);
	CU_ASSERT_EQUAL(d.rc, ERR_CANCELLED);
	uv_sem_post(&answer);
	end();
	uv_sem_destroy(&answer);
}

/* ---- a host that does not answer ---- */

/* A listener with a full queue: the kernel drops whoever else comes. */
struct black_hole {
	int listener;
	int clients[8];
	uint16_t port;
};

static void
open_black_hole(struct black_hole *hole, const char *address)
{
	struct sockaddr_in name;

	hole->listener = listen_on(address, 0, &hole->port);
	name = loopback(address, hole->port);
	for (size_t i = 0; i < 8; i++) {
		hole->clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (connect(hole->clients[i], (struct sockaddr *) &name, sizeof(name)) != 0)
			CU_ASSERT_EQUAL(errno, EINPROGRESS);
	}
}

static void
close_black_hole(const struct black_hole *hole)
{
	for (size_t i = 0; i < 8; i++)
		close(hole->clients[i]);
	close(hole->listener);
}

static void
silence_ends_at_the_deadline(void)
{
	struct black_hole hole = { 0 };
	struct dial d;

	begin();
	open_black_hole(&hole, "127.0.0.1");
	d = dial("127.0.0.1", hole.port, 50);
	CU_ASSERT_EQUAL(d.rc, ERR_TIMEOUT);
	CU_ASSERT_TRUE(d.took >= 50);
	CU_ASSERT_TRUE(says(&d, "127.0.0.1 port"));
	close_black_hole(&hole);
	end();
}

static void
silence_is_cancelled(void)
{
	struct black_hole hole = { 0 };
	struct dial d = { .host = "127.0.0.1" };
	struct fiber *fiber;

	begin();
	open_black_hole(&hole, "127.0.0.1");
	d.port = hole.port;
	fiber = spawn(dial_main, &d);
	run_a_little();
	CU_ASSERT_FALSE(d.done);
	fiber_cancel(fiber);
	CU_ASSERT_TRUE(d.done);
	CU_ASSERT_EQUAL(d.rc, ERR_CANCELLED);
	close_black_hole(&hole);
	end();
}

static void
silence_leaves_time_for_the_next_address(void)
{
	struct black_hole hole = { 0 };
	struct dial d;
	int listener;

	begin();
	open_black_hole(&hole, "127.0.0.2");
	while ((listener = hold_port("127.0.0.1", &hole.port)) < 0) {
		close_black_hole(&hole);
		open_black_hole(&hole, "127.0.0.2");
	}
	CU_ASSERT_EQUAL_FATAL(listen(listener, 1), 0);
	d = dial("two.test", hole.port, 400);
	CU_ASSERT_EQUAL(d.rc, 0);
	CU_ASSERT_TRUE(d.took >= 200 && d.took < 400);
	close(listener);
	close_black_hole(&hole);
	end();
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "addresses_and_names_connect", addresses_and_names_connect },
		{ "refusals_are_told", refusals_are_told },
		{ "families_take_turns", families_take_turns },
		{ "lookups_fail_for_now_or_for_good", lookups_fail_for_now_or_for_good },
		{ "a_slow_lookup_ends_at_the_deadline", a_slow_lookup_ends_at_the_deadline },
		{ "a_slow_lookup_is_cancelled", a_slow_lookup_is_cancelled },
		{ "silence_ends_at_the_deadline", silence_ends_at_the_deadline },
		{ "silence_is_cancelled", silence_is_cancelled },
		{ "silence_leaves_time_for_the_next_address",
		    silence_leaves_time_for_the_next_address },
	};

	return unit_run("stream_connect", tests, sizeof(tests) / sizeof(tests[0]));
}
