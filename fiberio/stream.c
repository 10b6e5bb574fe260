/* stream.c - see stream.h. Sockets without TLS, and the waiting for all of them.
 *
 * Every operation first tries the system call; only when the kernel says EAGAIN the fiber waits for
 * the poller, which is told of a socket once. */
#include "fiberio/stream.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "fiberio/fiber_internal.h"
#include "fiberio/stream_internal.h"

static bool
waits_for(const struct stream_waiter *w, uint32_t events)
{
	return w->fiber != NULL && (events & w->wanted) != 0;
}

static void
on_ready(struct polled *polled, uint32_t events)
{
	struct stream *s =
	    (struct stream *) (void *) ((char *) polled - offsetof(struct stream, polled));
	bool read = waits_for(&s->reader, events), written = waits_for(&s->writer, events);

	s->readable = s->readable || (events & POLLER_READABLE) != 0;
	s->hung_up = s->hung_up || (events & POLLER_HUNG_UP) != 0;
	/* Whoever goes on at once may free S. */
	if (read && written)
		fiber_resume_later(s->writer.fiber, 0);
	if (read)
		fiber_resume(s->reader.fiber, 0);
	else if (written)
		fiber_resume(s->writer.fiber, 0);
}

static int
wait_as(struct stream *s, struct stream_waiter *w, uint32_t events, uint64_t deadline)
{
	int rc;

	w->fiber = fiber_self();
	w->wanted = events;
	poller_begin_wait(fiber_poller(s->runtime));
	rc = fiber_suspend(deadline);
	poller_end_wait(fiber_poller(s->runtime));
	w->fiber = NULL;
	return rc;
}

int
stream_wait(struct stream *s, uint32_t events, uint64_t deadline)
{
	if (s->reading && s->interrupted)
		return ERR_INTERRUPTED;
	return wait_as(s, &s->reader, events, deadline);
}

/* Less than there was room for is all that there was (epoll(7)), but for the end of the stream. */
ssize_t
stream_receive(struct stream *s, void *buf, size_t room)
{
	ssize_t n;

	if (!s->readable) {
		errno = EAGAIN;
		return -1;
	}
	do
		n = recv(s->fd, buf, room, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0 ? errno == EAGAIN : n > 0 && (size_t) n < room && !s->hung_up)
		s->readable = false;
	return n;
}

/* Octets that we wrote and the peer has not taken yet. */
static int
untaken(const struct stream *s)
{
	int octets = 0;

	return ioctl(s->fd, TIOCOUTQ, &octets) == 0 ? octets : 0;
}

/* The kernel calls a socket writable when a third of its buffer is free, and that may be a
 * megabyte: to see whether a slow peer takes anything, one must look at the buffer from time to
 * time. */
int
stream_wait_to_write(struct stream *s, uint32_t events, const struct write_limit *limit)
{
	enum { LOOKS = 8 };
	uint64_t until = fiber_deadline(limit->timeout_ms);
	int before = untaken(s), now, rc;

	for (;;) {
		uint64_t look = fiber_deadline(limit->timeout_ms / LOOKS + 1);
		uint64_t end = until < limit->deadline ? until : limit->deadline;

		rc = wait_as(s, &s->writer, events, look < end ? look : end);
		if (rc != ERR_TIMEOUT)
			return rc;
		if ((now = untaken(s)) < before) {
			before = now;
			until = fiber_deadline(limit->timeout_ms);
		}
		if (fiber_now() >= until || fiber_now() >= limit->deadline)
			return ERR_TIMEOUT;
	}
}

int
stream_adopt(struct fiber_runtime *runtime, int fd, struct stream **out)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return ERR_NO_MEMORY;
	s->runtime = runtime;
	s->fd = fd;
	s->readable = true;
	s->polled.ready = on_ready;
	if (poller_add(fiber_poller(runtime), fd, &s->polled) != 0) {
		free(s);
		return ERR_NO_MEMORY;
	}
	*out = s;
	return 0;
}

static int
plain_read(struct stream *s, void *buf, size_t room, size_t *got, uint64_t deadline)
{
	int rc;

	for (;;) {
		ssize_t n = stream_receive(s, buf, room);

		if (n > 0) {
			*got = (size_t) n;
			return fiber_breathe();
		}
		if (n == 0 || errno != EAGAIN)
			return ERR_CLOSED;
		if ((rc = stream_wait(s, POLLER_READABLE, deadline)) != 0)
			return rc;
	}
}

int
stream_read(struct stream *s, void *buf, size_t room, size_t *got, uint64_t deadline)
{
	int rc;

	if (fiber_cancelled())
		return ERR_CANCELLED;
	if (s->interrupted)
		return ERR_INTERRUPTED;
	s->reading = true;
	rc = s->ssl == NULL ? plain_read(s, buf, room, got, deadline)
			    : stream_tls_read(s, buf, room, got, deadline);
	s->reading = false;
	return rc;
}

int
stream_await_input(struct stream *s, uint64_t deadline)
{
	int rc = 0;

	if (fiber_cancelled())
		return ERR_CANCELLED;
	if (s->interrupted)
		return ERR_INTERRUPTED;
	s->reading = true;
	while (rc == 0 && !stream_has_input(s))
		rc = stream_wait(s, POLLER_READABLE, deadline);
	s->reading = false;
	return rc;
}

/* Takes N written octets off PIECES. */
static void
advance(struct stream_pieces *pieces, size_t n)
{
	for (size_t i = 0; i < 2; i++) {
		struct iovec *piece = &pieces->piece[i];
		size_t part = n < piece->iov_len ? n : piece->iov_len;

		piece->iov_base = (char *) piece->iov_base + part;
		piece->iov_len -= part;
		n -= part;
	}
}

static int
plain_write(struct stream *s, struct stream_pieces *pieces, const struct write_limit *limit)
{
	struct msghdr message = { .msg_iov = pieces->piece, .msg_iovlen = 2 };
	int rc;

	while (pieces->piece[0].iov_len + pieces->piece[1].iov_len > 0) {
		ssize_t n = sendmsg(s->fd, &message, MSG_NOSIGNAL);

		if (n >= 0) {
			advance(pieces, (size_t) n);
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return ERR_CLOSED;
		rc = errno == EINTR ? 0 : stream_wait_to_write(s, POLLER_WRITABLE, limit);
		if (rc != 0)
			return rc;
	}
	return fiber_breathe();
}

static int
write_all(struct stream *s, struct stream_pieces pieces, const struct write_limit *limit)
{
	if (fiber_cancelled())
		return ERR_CANCELLED;
	return s->ssl == NULL ? plain_write(s, &pieces, limit)
			      : stream_tls_write(s, &pieces, limit);
}

/* An iovec is for reading as well; nothing writes through it here. */
static struct stream_pieces
one_piece(const void *buf, size_t len)
{
	return (struct stream_pieces){ { { (void *) buf, len }, { (void *) "", 0 } } };
}

int
stream_write(struct stream *s, const void *buf, size_t len, uint64_t timeout_ms)
{
	const struct write_limit limit = { timeout_ms, FIBER_NO_DEADLINE };

	return write_all(s, one_piece(buf, len), &limit);
}

int
stream_write_two(struct stream *s, const void *first, size_t first_len, const void *second,
    size_t second_len, uint64_t timeout_ms)
{
	const struct write_limit limit = { timeout_ms, FIBER_NO_DEADLINE };
	struct stream_pieces pieces = one_piece(first, first_len);

	pieces.piece[1] = one_piece(second, second_len).piece[0];
	return write_all(s, pieces, &limit);
}

int
stream_write_by(struct stream *s, const void *buf, size_t len, uint64_t deadline)
{
	uint64_t now = fiber_now();
	const struct write_limit limit = { deadline > now ? deadline - now : 0, deadline };

	return write_all(s, one_piece(buf, len), &limit);
}

void
stream_interrupt(struct stream *s)
{
	s->interrupted = true;
	if (s->reader.fiber != NULL && s->reading)
		fiber_resume_later(s->reader.fiber, ERR_INTERRUPTED);
}

bool
stream_has_input(struct stream *s)
{
	char octet;
	ssize_t n;

	if (s->ssl != NULL)
		return stream_tls_has_input(s);
	n = recv(s->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT);
	return n >= 0 || (errno != EAGAIN && errno != EINTR);
}

bool
stream_peer_closed(const struct stream *s)
{
	struct pollfd p = { .fd = s->fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0;
}

void
stream_peer(const struct stream *s, struct sockaddr_storage *out)
{
	socklen_t size = sizeof(*out);

	memset(out, 0, sizeof(*out));
	if (getpeername(s->fd, (struct sockaddr *) out, &size) != 0)
		out->ss_family = AF_UNSPEC;
}

void
stream_end_output(struct stream *s)
{
	stream_tls_say_goodbye(s);
	shutdown(s->fd, SHUT_WR);
}

static void
release(struct stream *s)
{
	poller_remove(fiber_poller(s->runtime), &s->polled);
	close(s->fd);
	free(s);
}

/* Linux answers what is unread at close(2) with a reset, and that can overtake our last words at
 * the peer (RFC 2525 section 2.17). What comes later is not waited for. */
static void
discard_input(struct stream *s)
{
	enum { TIMES = 16 };
	char unread[4096];

	for (int i = 0; i < TIMES; i++)
		if (recv(s->fd, unread, sizeof(unread), MSG_DONTWAIT) <= 0)
			return;
}

void
stream_close(struct stream *s)
{
	if (s == NULL)
		return;
	stream_tls_end(s, true);
	discard_input(s);
	release(s);
}

void
stream_abort(struct stream *s)
{
	static const struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	if (s == NULL)
		return;
	stream_tls_end(s, false);
	setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	release(s);
}
