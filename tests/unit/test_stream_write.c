/* Unit tests of writing to fiberio/stream.c: peers that are slow, stuck or gone. */
#include "fiberio/stream.h"

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
write_all_main(void *arg)
{
	struct task *t = arg;

	while ((t->rc = stream_write(t->s, t->buf, sizeof(t->buf), t->ms)) == 0)
		t->got += sizeof(t->buf);
	t->done = true;
}

static void
write_times_out_without_progress(void)
{
	struct task *t;
	int fds[2];

	begin();
	unix_pair(fds);
	t = new_task(fds[0]);
	t->ms = 20;
	spawn(write_all_main, t);
	run_all();
	CU_ASSERT_EQUAL(t->rc, ERR_TIMEOUT);
	stream_close(t->s);
	close(fds[1]);
	free(t);
	end();
}

struct slow_reader {
	struct stream *s;
	uint64_t pause_ms; /* before each read; 0: 10 */
	size_t got;
};

/* Altogether far longer than the writer's time-out. */
static void
slow_reader_main(void *arg)
{
	struct slow_reader *r = arg;
	static char buf[8192];
	size_t got;

	for (int i = 0; i < 60; i++) {
		CU_ASSERT_EQUAL(fiber_sleep(r->pause_ms == 0 ? 10 : r->pause_ms), 0);
		if (stream_read(r->s, buf, sizeof(buf), &got, fiber_deadline(1000)) == 0)
			r->got += got;
	}
	stream_close(r->s);
}

static void
write_once_main(void *arg)
{
	static const char megabyte[1024 * 1024];
	struct task *t = arg;

	t->rc = stream_write(t->s, megabyte, sizeof(megabyte), t->ms);
	t->done = true;
	stream_close(t->s);
}

static void
write_by_main(void *arg)
{
	static const char megabyte[1024 * 1024];
	struct task *t = arg;

	t->rc = stream_write_by(t->s, megabyte, sizeof(megabyte), fiber_deadline(t->ms));
	t->done = true;
	stream_close(t->s);
}

static void
progress_starts_the_time_anew(void)
{
	struct slow_reader reader = { 0 };
	struct task *t;
	int fds[2];

	begin();
	unix_pair(fds);
	shrink_buffers(fds[0]);
	t = new_task(fds[0]);
	t->ms = 400;
	reader.s = adopt(runtime, fds[1]);
	spawn(slow_reader_main, &reader);
	spawn(write_once_main, t);
	run_all();
	/* The reader goes at last, long after the first 400 ms: until then there was no time-out.
	 */
	CU_ASSERT_EQUAL(t->rc, ERR_CLOSED);
	CU_ASSERT_TRUE(reader.got >= 200000);
	free(t);
	end();
}

/* The kernel says for long that a large buffer is not writable; what the peer takes counts. */
static void
progress_that_only_the_kernel_sees(void)
{
	static const int large = 300000, small = 4096;
	struct slow_reader reader = { .pause_ms = 50 };
	struct task *t;
	int fds[2];

	begin();
	tcp_pair(fds);
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &large, sizeof(large));
	setsockopt(fds[1], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	t = new_task(fds[0]);
	t->ms = 500;
	reader.s = adopt(runtime, fds[1]);
	spawn(slow_reader_main, &reader);
	spawn(write_all_main, t);
	run_all();
	CU_ASSERT_EQUAL(t->rc, ERR_CLOSED);
	CU_ASSERT_TRUE(reader.got > 0);
	stream_close(t->s);
	free(t);
	end();
}

/* A deadline holds whatever the peer takes. */
static void
write_by_ends_at_its_deadline(void)
{
	struct slow_reader reader = { 0 };
	struct task *t;
	int fds[2];

	begin();
	unix_pair(fds);
	shrink_buffers(fds[0]);
	t = new_task(fds[0]);
	t->ms = 100;
	reader.s = adopt(runtime, fds[1]);
	spawn(slow_reader_main, &reader);
	spawn(write_by_main, t);
	run_all();
	CU_ASSERT_EQUAL(t->rc, ERR_TIMEOUT);
	CU_ASSERT_TRUE(reader.got > 0 && reader.got < 1024 * 1024);
	free(t);
	end();
}

static void
write_is_cancelled(void)
{
	struct task *t;
	struct fiber *fiber;
	int fds[2];

	begin();
	tcp_pair(fds);
	t = new_task(fds[0]);
	t->ms = 60000;
	fiber = spawn(write_all_main, t);
	for (int i = 0; i < 10; i++)
		run_a_little();
	CU_ASSERT_FALSE(t->done);
	CU_ASSERT_TRUE(t->got > 0);
	fiber_cancel(fiber);
	CU_ASSERT_TRUE(t->done);
	CU_ASSERT_EQUAL(t->rc, ERR_CANCELLED);
	stream_abort(t->s);
	close(fds[1]);
	free(t);
	end();
}

/* A draining process stops to take commands, but what it says goes out. */
static void
an_interrupted_stream_still_writes(void)
{
	struct slow_reader reader = { 0 };
	struct task *t;
	int fds[2];

	begin();
	unix_pair(fds);
	shrink_buffers(fds[0]);
	t = new_task(fds[0]);
	t->ms = 1000;
	spawn(write_once_main, t);
	run_a_little();
	CU_ASSERT_FALSE(t->done);
	stream_interrupt(t->s);
	run_a_little();
	CU_ASSERT_FALSE(t->done);
	reader.s = adopt(runtime, fds[1]);
	spawn(slow_reader_main, &reader);
	run_all();
	CU_ASSERT_TRUE(reader.got >= 200000);
	free(t);
	end();
}

static void
write_to_a_gone_peer_is_no_signal(void)
{
	struct task *t;
	int fds[2];

	begin();
	unix_pair(fds);
	close(fds[1]);
	t = new_task(fds[0]);
	spawn(write_all_main, t);
	run_all();
	CU_ASSERT_EQUAL(t->rc, ERR_CLOSED);
	stream_close(t->s);
	free(t);
	end();
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "write_times_out_without_progress", write_times_out_without_progress },
		{ "progress_starts_the_time_anew", progress_starts_the_time_anew },
		{ "progress_that_only_the_kernel_sees", progress_that_only_the_kernel_sees },
		{ "write_by_ends_at_its_deadline", write_by_ends_at_its_deadline },
		{ "write_is_cancelled", write_is_cancelled },
		{ "an_interrupted_stream_still_writes", an_interrupted_stream_still_writes },
		{ "write_to_a_gone_peer_is_no_signal", write_to_a_gone_peer_is_no_signal },
	};

	return unit_run("stream_write", tests, sizeof(tests) / sizeof(tests[0]));
}
