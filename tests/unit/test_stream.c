/* Unit tests of fiberio/stream.c: streams without TLS. */
#include "fiberio/stream.h"

#include <errno.h>
#include <fcntl.h>

#include "base/error.h"
#include "fibers.h"
#include "sockets.h"

/* What a fiber of these tests works on, and what came of it. */
struct task {
	struct stream *s;
	uint64_t ms; /* for deadlines and time-outs */
	int rc;
	size_t got;
	bool done;
	char buf[65536];
};

static struct task *
new_task(int fd)
{
	struct task *t = calloc(1, sizeof(*t));

	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	t->s = adopt(runtime, fd);
	t->rc = -1;
	return t;
}

static void
read_once_main(void *arg)
{
	struct task *t = arg;

	t->rc = stream_read(t->s, t->buf, sizeof(t->buf), &t->got,
	    t->ms == 0 ? FIBER_NO_DEADLINE : fiber_deadline(t->ms));
	t->done = true;
}

/* ---- a relay ---- */

enum { RELAYED = 3 * 1024 * 1024 + 77 };

struct relay {
	struct stream *from, *to;
	unsigned seed;
	size_t octets;
	bool done;
};

static void
source_main(void *arg)
{
	struct relay *r = arg;
	unsigned char chunk[40000];

	while (r->octets < RELAYED) {
		size_t len = odd_length(&r->seed, sizeof(chunk));

		if (len > RELAYED - r->octets)
			len = RELAYED - r->octets;
		for (size_t i = 0; i < len; i++)
			chunk[i] = pattern(r->octets + i);
		if (stream_write_two(r->to, chunk, len / 3, chunk + len / 3, len - len / 3, 60000) !=
		    0)
			break;
		r->octets += len;
	}
	stream_end_output(r->to);
	r->done = true;
}

static void
middle_main(void *arg)
{
	struct relay *r = arg;
	char chunk[7001];
	size_t got;

	while (stream_read(r->from, chunk, odd_length(&r->seed, sizeof(chunk)), &got,
		   FIBER_NO_DEADLINE) == 0 &&
	       stream_write(r->to, chunk, got, 60000) == 0)
		r->octets += got;
	stream_close(r->from);
	stream_close(r->to);
	r->done = true;
}

static void
drain_main(void *arg)
{
	struct relay *r = arg;
	unsigned char chunk[9001];
	size_t got, wrong = 0;

	while (stream_read(r->from, chunk, odd_length(&r->seed, sizeof(chunk)), &got,
		   FIBER_NO_DEADLINE) == 0) {
		for (size_t i = 0; i < got; i++)
			wrong += chunk[i] != pattern(r->octets + i);
		r->octets += got;
		if (r->octets % 13 == 0)
			CU_ASSERT_EQUAL(fiber_sleep(1), 0);
	}
	CU_ASSERT_EQUAL(wrong, 0);
	r->done = true;
}

static void
check_relay(void (*pair)(int fds[2]), bool small)
{
	struct relay source = { .seed = 1 }, middle = { .seed = 2 }, drain = { .seed = 3 };
	int first[2], second[2];

	begin();
	pair(first);
	pair(second);
	for (int i = 0; small && i < 2; i++) {
		shrink_buffers(first[i]);
		shrink_buffers(second[i]);
	}
	source.to = adopt(runtime, first[0]);
	middle.from = adopt(runtime, first[1]);
	middle.to = adopt(runtime, second[0]);
	drain.from = adopt(runtime, second[1]);
	spawn(source_main, &source);
	spawn(middle_main, &middle);
	spawn(drain_main, &drain);
	run_all();
	CU_ASSERT_TRUE(source.done && middle.done && drain.done);
	CU_ASSERT_EQUAL(source.octets, RELAYED);
	CU_ASSERT_EQUAL(middle.octets, RELAYED);
	CU_ASSERT_EQUAL(drain.octets, RELAYED);
	stream_close(source.to);
	stream_close(drain.from);
	end();
}

static void
megabytes_pass_in_odd_pieces(void)
{
	check_relay(unix_pair, false);
	check_relay(tcp_pair, false);
	check_relay(unix_pair, true);
}

/* Each side writes all it has without waiting for the other to do so: with one fiber a side, both
 * would wait for ever. */
static void
one_fiber_reads_while_another_writes(void)
{
	struct relay sources[2] = { { .seed = 1 }, { .seed = 2 } };
	struct relay drains[2] = { { .seed = 3 }, { .seed = 4 } };
	int fds[2];

	begin();
	unix_pair(fds);
	for (int i = 0; i < 2; i++) {
		shrink_buffers(fds[i]);
		sources[i].to = drains[i].from = adopt(runtime, fds[i]);
		spawn(source_main, &sources[i]);
		spawn(drain_main, &drains[i]);
	}
	run_all();
	for (int i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(sources[i].octets, RELAYED);
		CU_ASSERT_EQUAL(drains[i].octets, RELAYED);
		stream_close(sources[i].to);
	}
	end();
}

/* ---- reading ---- */

static void
read_gives_what_there_is(void)
{
	struct task *t;
	int fds[2];

	begin();
	unix_pair(fds);
	t = new_task(fds[0]);
	spawn(read_once_main, t);
	run_a_little();
	CU_ASSERT_FALSE(t->done);
	CU_ASSERT_EQUAL(write(fds[1], "abc", 3), 3);
	run_all();
	CU_ASSERT_EQUAL(t->rc, 0);
	CU_ASSERT_EQUAL(t->got, 3);
	CU_ASSERT_EQUAL(memcmp(t->buf, "abc", 3), 0);
	/* What came before the end is read first. */
	CU_ASSERT_EQUAL(write(fds[1], "d", 1), 1);
	close(fds[1]);
	spawn(read_once_main, t);
	run_all();
	CU_ASSERT_EQUAL(t->rc, 0);
	CU_ASSERT_EQUAL(t->got, 1);
	spawn(read_once_main, t);
	run_all();
	CU_ASSERT_EQUAL(t->rc, ERR_CLOSED);
	stream_close(t->s);
	free(t);
	end();
}

static void
read_notices_a_reset(void)
{
	static const struct linger reset = { 1, 0 };
	struct task *t;
	int fds[2];

	begin();
	tcp_pair(fds);
	t = new_task(fds[0]);
	spawn(read_once_main, t);
	run_a_little();
	setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fds[1]);
	run_all();
	CU_ASSERT_EQUAL(t->rc, ERR_CLOSED);
	stream_close(t->s);
	free(t);
	end();
}

static void
read_ends_at_its_deadline(void)
{
	struct task *t;
	int fds[2];

	begin();
	unix_pair(fds);
	t = new_task(fds[0]);
	t->ms = 20;
	spawn(read_once_main, t);
	run_all();
	CU_ASSERT_EQUAL(t->rc, ERR_TIMEOUT);
	CU_ASSERT_EQUAL(write(fds[1], "late", 4), 4);
	spawn(read_once_main, t);
	run_all();
	CU_ASSERT_EQUAL(t->rc, 0);
	CU_ASSERT_EQUAL(t->got, 4);
	stream_close(t->s);
	close(fds[1]);
	free(t);
	end();
}

static void
read_is_cancelled(void)
{
	struct task *t;
	struct fiber *fiber;
	int fds[2];

	begin();
	unix_pair(fds);
	t = new_task(fds[0]);
	fiber = spawn(read_once_main, t);
	run_a_little();
	fiber_cancel(fiber);
	CU_ASSERT_TRUE(t->done);
	CU_ASSERT_EQUAL(t->rc, ERR_CANCELLED);
	/* Even where there is something to read. */
	CU_ASSERT_EQUAL(write(fds[1], "x", 1), 1);
	fiber_cancel(spawn(read_once_main, t));
	CU_ASSERT_EQUAL(t->rc, ERR_CANCELLED);
	stream_close(t->s);
	close(fds[1]);
	free(t);
	end();
}

static void
close_at_once_main(void *arg)
{
	struct task *t = arg;

	read_once_main(t);
	stream_close(t->s);
	free(t);
}

/* The fiber closes its stream inside fiber_cancel, in the same turn in which octets come for it. */
static void
a_cancelled_reader_closes_its_stream(void)
{
	enum { COUNT = 50 };
	struct fiber *fibers[COUNT];
	int fds[COUNT][2];

	begin();
	for (size_t i = 0; i < COUNT; i++) {
		unix_pair(fds[i]);
		fibers[i] = spawn(close_at_once_main, new_task(fds[i][0]));
	}
	run_a_little();
	for (size_t i = 0; i < COUNT; i++)
		CU_ASSERT_EQUAL(write(fds[i][1], "x", 1), 1);
	for (size_t i = 0; i < COUNT; i++)
		fiber_cancel(fibers[i]);
	CU_ASSERT_EQUAL(fiber_count(runtime), 0);
	for (size_t i = 0; i < COUNT; i++)
		close(fds[i][1]);
	end();
}

static void
read_is_interrupted(void)
{
	struct task *t;
	int fds[2];

	begin();
	unix_pair(fds);
	t = new_task(fds[0]);
	spawn(read_once_main, t);
	run_a_little();
	stream_interrupt(t->s);
	CU_ASSERT_FALSE(t->done); /* not before the next turn */
	run_all();
	CU_ASSERT_EQUAL(t->rc, ERR_INTERRUPTED);
	CU_ASSERT_EQUAL(write(fds[1], "x", 1), 1);
	spawn(read_once_main, t);
	run_all();
	CU_ASSERT_EQUAL(t->rc, ERR_INTERRUPTED); /* for good */
	stream_close(t->s);
	close(fds[1]);
	free(t);
	end();
}

/* ---- the loop ---- */

static void
on_prepare(uv_prepare_t *prepare)
{
	++*(unsigned *) prepare->data;
}

static void
sleep_main(void *arg)
{
	(void) arg;
	fiber_sleep(50);
}

/* The watch that a read leaves behind is turned off by the first event for which nobody waits. */
static void
unread_input_does_not_keep_the_loop_busy(void)
{
	unsigned turns = 0;
	uv_prepare_t prepare;
	struct task *t;
	int fds[2];

	begin();
	uv_prepare_init(&loop, &prepare);
	prepare.data = &turns;
	uv_prepare_start(&prepare, on_prepare);
	unix_pair(fds);
	t = new_task(fds[0]);
	t->ms = 1;
	spawn(read_once_main, t);
	run_all();
	CU_ASSERT_EQUAL(write(fds[1], "x", 1), 1);
	turns = 0;
	spawn(sleep_main, NULL);
	run_all();
	CU_ASSERT_TRUE(turns < 20);
	spawn(read_once_main, t);
	run_all();
	CU_ASSERT_EQUAL(t->rc, 0);
	stream_close(t->s);
	uv_close((uv_handle_t *) &prepare, NULL);
	close(fds[1]);
	free(t);
	end();
}

static void
read_octets_main(void *arg)
{
	struct task *t = arg;

	for (t->got = 0; t->got < 4096;) {
		size_t got;

		if ((t->rc = stream_read(t->s, t->buf, 1, &got, FIBER_NO_DEADLINE)) != 0)
			break;
		t->got += got;
	}
	t->done = true;
}

static void
turns_main(void *arg)
{
	struct task *other = arg;

	while (!other->done && fiber_sleep(0) == 0)
		other->ms++;
}

static void
a_peer_that_never_rests_does_not_starve_others(void)
{
	struct task *t;
	char octets[4096] = { 0 };
	int fds[2];

	begin();
	unix_pair(fds);
	CU_ASSERT_EQUAL(write(fds[1], octets, sizeof(octets)), sizeof(octets));
	t = new_task(fds[0]);
	spawn(read_octets_main, t);
	spawn(turns_main, t);
	run_all();
	CU_ASSERT_EQUAL(t->got, sizeof(octets));
	CU_ASSERT_TRUE(t->ms >= 20);
	stream_close(t->s);
	close(fds[1]);
	free(t);
	end();
}

/* ---- looking ---- */

static void
has_input_looks_without_taking(void)
{
	struct task *t;
	int fds[2];

	begin();
	unix_pair(fds);
	t = new_task(fds[0]);
	CU_ASSERT_FALSE(stream_has_input(t->s));
	CU_ASSERT_EQUAL(write(fds[1], "ab", 2), 2);
	CU_ASSERT_TRUE(stream_has_input(t->s));
	CU_ASSERT_TRUE(stream_has_input(t->s));
	spawn(read_once_main, t);
	run_all();
	CU_ASSERT_EQUAL(t->got, 2);
	CU_ASSERT_FALSE(stream_has_input(t->s));
	close(fds[1]);
	CU_ASSERT_TRUE(stream_has_input(t->s));
	CU_ASSERT_FALSE(stream_is_tls(t->s));
	CU_ASSERT_STRING_EQUAL(stream_tls_version(t->s), "");
	CU_ASSERT_STRING_EQUAL(stream_tls_cipher(t->s), "");
	stream_close(t->s);
	free(t);
	end();
}

static void
the_peer_has_an_address(void)
{
	struct sockaddr_storage peer;
	struct sockaddr_in own;
	socklen_t size = sizeof(own);
	struct stream *s;
	int fds[2];

	begin();
	tcp_pair(fds);
	s = adopt(runtime, fds[0]);
	stream_peer(s, &peer);
	CU_ASSERT_EQUAL(getsockname(fds[1], (struct sockaddr *) &own, &size), 0);
	CU_ASSERT_EQUAL(peer.ss_family, AF_INET);
	CU_ASSERT_EQUAL(((struct sockaddr_in *) &peer)->sin_port, own.sin_port);
	stream_close(s);
	close(fds[1]);
	s = adopt(runtime, socket(AF_INET, SOCK_STREAM, 0));
	stream_peer(s, &peer);
	CU_ASSERT_EQUAL(peer.ss_family, AF_UNSPEC);
	stream_close(s);
	end();
}

static void
what_cannot_be_watched_is_not_adopted(void)
{
	int fd = open("/dev/null", O_RDWR);
	struct stream *s;

	begin();
	CU_ASSERT_EQUAL(stream_adopt(runtime, fd, &s), ERR_NO_MEMORY);
	CU_ASSERT_EQUAL(close(fd), 0);
	descriptors--;
	end();
}

/* ---- the end ---- */

static void
abort_resets_and_close_does_not(void)
{
	char buf[8];
	int fds[2];

	begin();
	tcp_pair(fds);
	stream_abort(adopt(runtime, fds[0]));
	CU_ASSERT_EQUAL(recv(fds[1], buf, sizeof(buf), 0), -1);
	CU_ASSERT_EQUAL(errno, ECONNRESET);
	close(fds[1]);

	/* What the peer sent too much must not cost it our last words. */
	tcp_pair(fds);
	CU_ASSERT_EQUAL(write(fds[1], "unread", 6), 6);
	CU_ASSERT_EQUAL(write(fds[0], "bye", 3), 3);
	stream_close(adopt(runtime, fds[0]));
	CU_ASSERT_EQUAL(recv(fds[1], buf, sizeof(buf), 0), 3);
	CU_ASSERT_EQUAL(recv(fds[1], buf, sizeof(buf), 0), 0);
	close(fds[1]);
	stream_close(NULL);
	stream_abort(NULL);
	end();
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "megabytes_pass_in_odd_pieces", megabytes_pass_in_odd_pieces },
		{ "one_fiber_reads_while_another_writes", one_fiber_reads_while_another_writes },
		{ "read_gives_what_there_is", read_gives_what_there_is },
		{ "read_notices_a_reset", read_notices_a_reset },
		{ "read_ends_at_its_deadline", read_ends_at_its_deadline },
		{ "read_is_cancelled", read_is_cancelled },
		{ "a_cancelled_reader_closes_its_stream", a_cancelled_reader_closes_its_stream },
		{ "read_is_interrupted", read_is_interrupted },
		{ "unread_input_does_not_keep_the_loop_busy",
		    unread_input_does_not_keep_the_loop_busy },
		{ "a_peer_that_never_rests_does_not_starve_others",
		    a_peer_that_never_rests_does_not_starve_others },
		{ "has_input_looks_without_taking", has_input_looks_without_taking },
		{ "the_peer_has_an_address", the_peer_has_an_address },
		{ "what_cannot_be_watched_is_not_adopted", what_cannot_be_watched_is_not_adopted },
		{ "abort_resets_and_close_does_not", abort_resets_and_close_does_not },
	};

	return unit_run("stream", tests, sizeof(tests) / sizeof(tests[0]));
}
