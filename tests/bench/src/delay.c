/* delay.c - a proxy that forwards TCP with a fixed delay in each direction: a distant server.
 *
 *   bench_delay ONE_WAY_MS LISTEN_PORT:TARGET_PORT...        all on 127.0.0.1
 *
 * What is read is written to the other side ONE_WAY_MS later; bandwidth is not limited. A new
 * connection reaches its target three delays after it was accepted, so that a client sees the first
 * octet of a greeting after two round trips, as with a TCP handshake over such a path. The end of a
 * stream is delayed like data. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	CHUNK_MAX = 64 << 10,
	ON_THE_WAY_MAX = 64 << 20, /* octets to one side before reading for it stops */
};

struct chunk {
	struct chunk *next_due, *next_out;
	struct side *to;
	uint64_t due;
	enum { CHUNK_DATA, CHUNK_END, CHUNK_CONNECT } kind;
	size_t len, off;
	char data[];
};

struct side {
	int fd;
	bool is_listener, want_in, want_out, ended, shut;
	uint16_t target;
	struct pair *pair;
	struct side *peer;
	struct chunk *out, **out_tail;
	size_t on_the_way; /* octets */
};

struct pair {
	struct side side[2];
	unsigned due; /* chunks in a line */
	bool dead;
	struct pair *next_dead;
};

/* Chunks with the same delay are due in the order they came. */
struct line {
	uint64_t delay; /* microseconds */
	struct chunk *first, **tail;
};

static struct {
	int epoll;
	struct line data, connects;
	struct pair *dead;
} proxy;

static uint64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t) t.tv_sec * 1000000 + (uint64_t) t.tv_nsec / 1000;
}

static void *
zeroed(size_t octets)
{
	void *p = calloc(1, octets);

	if (p == NULL) {
		fputs("bench_delay: out of memory\n", stderr);
		exit(1);
	}
	return p;
}

static void
watch(struct side *s, bool in, bool out)
{
	struct epoll_event event = { .data.ptr = s };

	if (in)
		event.events |= EPOLLIN;
	if (out)
		event.events |= EPOLLOUT;
	if (s->fd < 0 || (s->want_in == in && s->want_out == out))
		return;
	s->want_in = in;
	s->want_out = out;
	epoll_ctl(proxy.epoll, EPOLL_CTL_MOD, s->fd, &event);
}

static void
watch_first(struct side *s, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = s };

	s->want_in = (events & EPOLLIN) != 0;
	s->want_out = (events & EPOLLOUT) != 0;
	epoll_ctl(proxy.epoll, EPOLL_CTL_ADD, s->fd, &event);
}

/* Closes both sides. The memory stays until nothing that is due refers to it. */
static void
pair_close(struct pair *p)
{
	if (p->dead)
		return;
	p->dead = true;
	for (int i = 0; i < 2; i++) {
		struct side *s = &p->side[i];

		if (s->fd >= 0)
			close(s->fd);
		s->fd = -1;
		while (s->out != NULL) {
			struct chunk *c = s->out;

			s->out = c->next_out;
			free(c);
		}
	}
	p->next_dead = proxy.dead;
	proxy.dead = p;
}

static void
free_dead(void)
{
	struct pair **at = &proxy.dead, *p;

	while ((p = *at) != NULL) {
		if (p->due > 0) {
			at = &p->next_dead;
			continue;
		}
		*at = p->next_dead;
		free(p);
	}
}

static void
line_add(struct line *l, struct chunk *c, struct side *to)
{
	c->to = to;
	c->due = now() + l->delay;
	c->next_due = NULL;
	*l->tail = c;
	l->tail = &c->next_due;
	to->pair->due++;
	to->on_the_way += c->len;
}

/* Writes a chunk that has arrived. 1 when it is out, 0 when the socket is full, -1 when broken. */
static int
write_chunk(struct side *s, struct chunk *c)
{
	if (c->kind == CHUNK_END) {
		shutdown(s->fd, SHUT_WR);
		s->shut = true;
		return 1;
	}
	while (c->off < c->len) {
		ssize_t n = send(s->fd, c->data + c->off, c->len - c->off, MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		c->off += (size_t) n;
		s->on_the_way -= (size_t) n;
	}
	return 1;
}

static void
flush_side(struct side *s)
{
	struct chunk *c;

	while ((c = s->out) != NULL) {
		int rc = write_chunk(s, c);

		if (rc < 0) {
			pair_close(s->pair);
			return;
		}
		if (rc == 0) {
			watch(s, s->want_in, true);
			return;
		}
		s->out = c->next_out;
		if (s->out == NULL)
			s->out_tail = &s->out;
		free(c);
	}
	watch(s, s->want_in, false);
	if (!s->peer->ended && s->on_the_way < ON_THE_WAY_MAX / 2)
		watch(s->peer, true, s->peer->want_out);
	if (s->shut && s->peer->shut)
		pair_close(s->pair);
}

static void
connect_side(struct side *s)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons(s->target),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1;

	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0) {
		pair_close(s->pair);
		return;
	}
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(s->fd, (struct sockaddr *) &address, sizeof(address)) < 0 &&
	    errno != EINPROGRESS) {
		pair_close(s->pair);
		return;
	}
	watch_first(s, EPOLLIN | EPOLLOUT);
}

static void
arrive(struct chunk *c)
{
	struct side *s = c->to;

	s->pair->due--;
	if (s->pair->dead) {
		free(c);
		return;
	}
	if (c->kind == CHUNK_CONNECT) {
		free(c);
		connect_side(s);
		return;
	}
	c->next_out = NULL;
	*s->out_tail = c;
	s->out_tail = &c->next_out;
	if (s->fd >= 0)
		flush_side(s);
}

static void
read_side(struct side *s)
{
	static char buffer[CHUNK_MAX];

	/* Not for ever: what is due must go out in time. */
	for (int i = 0; i < 16; i++) {
		ssize_t n = recv(s->fd, buffer, sizeof(buffer), 0);
		struct chunk *c;

		if (n < 0) {
			if (errno != EAGAIN)
				pair_close(s->pair);
			return;
		}
		c = zeroed(sizeof(*c) + (size_t) n);
		c->kind = n > 0 ? CHUNK_DATA : CHUNK_END;
		c->len = (size_t) n;
		memcpy(c->data, buffer, c->len);
		line_add(&proxy.data, c, s->peer);
		s->ended = n == 0;
		if (s->ended || s->peer->on_the_way > ON_THE_WAY_MAX) {
			watch(s, false, s->want_out);
			return;
		}
	}
}

static void
accept_all(struct side *listener)
{
	int one = 1, fd;

	while ((fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct pair *p = zeroed(sizeof(*p));
		struct chunk *c = zeroed(sizeof(*c));

		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		for (int i = 0; i < 2; i++) {
			p->side[i].pair = p;
			p->side[i].peer = &p->side[1 - i];
			p->side[i].out_tail = &p->side[i].out;
		}
		p->side[0].fd = fd;
		p->side[1].fd = -1;
		p->side[1].target = listener->target;
		watch_first(&p->side[0], EPOLLIN);
		c->kind = CHUNK_CONNECT;
		line_add(&proxy.connects, c, &p->side[1]);
	}
}

static int
listen_on(const char *ports)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct side *s = zeroed(sizeof(*s));
	unsigned from, to;
	int one = 1;

	if (sscanf(ports, "%5u:%5u", &from, &to) != 2 || from > 65535 || to > 65535)
		return -1;
	s->is_listener = true;
	s->target = (uint16_t) to;
	address.sin_port = htons((uint16_t) from);
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(s->fd, (struct sockaddr *) &address, sizeof(address)) < 0 ||
	    listen(s->fd, 4096) < 0) {
		perror("bench_delay: listen");
		return -1;
	}
	watch_first(s, EPOLLIN);
	return 0;
}

/* Lets everything arrive that is due. Returns when the next is, or UINT64_MAX. */
static uint64_t
deliver(struct line *l)
{
	struct chunk *c;

	while ((c = l->first) != NULL && c->due <= now()) {
		if ((l->first = c->next_due) == NULL)
			l->tail = &l->first;
		arrive(c);
	}
	return c != NULL ? c->due : UINT64_MAX;
}

static void
handle(struct side *s, uint32_t events)
{
	if (s->is_listener) {
		accept_all(s);
		return;
	}
	if (!s->pair->dead && (events & EPOLLOUT) != 0)
		flush_side(s);
	if (s->pair->dead || (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0)
		return;
	if (s->want_in)
		read_side(s);
	else if ((events & (EPOLLHUP | EPOLLERR)) != 0)
		pair_close(s->pair);
}

int
main(int argc, char **argv)
{
	double ms = argc > 2 ? strtod(argv[1], NULL) : -1;

	if (ms < 0) {
		fputs("usage: bench_delay ONE_WAY_MS LISTEN_PORT:TARGET_PORT...\n", stderr);
		return 64;
	}
	proxy.data = (struct line){ .delay = (uint64_t) (ms * 1000), .tail = &proxy.data.first };
	proxy.connects =
	    (struct line){ .delay = 3 * proxy.data.delay, .tail = &proxy.connects.first };
	proxy.epoll = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 2; i < argc; i++)
		if (listen_on(argv[i]) < 0)
			return 1;
	for (;;) {
		uint64_t due = deliver(&proxy.connects), data_due = deliver(&proxy.data), t = now();
		struct epoll_event events[256];
		struct timespec wait;
		int n;

		if (data_due < due)
			due = data_due;
		free_dead();
		t = due > t ? due - t : 0;
		wait = (struct timespec){ .tv_sec = (time_t) (t / 1000000),
			.tv_nsec = (long) (t % 1000000) * 1000 };
		n = epoll_pwait2(proxy.epoll, events, 256, due == UINT64_MAX ? NULL : &wait, NULL);
		for (int i = 0; i < n; i++)
			handle(events[i].data.ptr, events[i].events);
	}
}
