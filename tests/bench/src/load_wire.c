/* load_wire.c - the load generator's connections: sockets, TLS, what is to be written. See load.h.
 */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

void
conn_end(struct conn *c, enum step where)
{
	struct load *l = c->load;

	if (l->held[c->session] == c)
		l->held[c->session] = NULL;
	if (where == STEP_QUIT)
		l->t.finished++;
	else
		l->t.failed++;
	SSL_free(c->ssl);
	close(c->fd);
	free(c->in);
	free(c->out);
	free(c);
	l->live--;
	conn_start(l);
}

static void
conn_want(struct conn *c, bool out)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };

	if (out)
		event.events |= EPOLLOUT;
	if (c->registered && c->want_out == out)
		return;
	if (epoll_ctl(
		c->load->epoll, c->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &event) < 0)
		die("epoll_ctl: %s", strerror(errno));
	c->registered = true;
	c->want_out = out;
}

/* Octets written, 0 when the socket takes none now, or -1. */
static ssize_t
conn_write(struct conn *c, const char *p, size_t n)
{
	ssize_t w;
	int rc;

	if (c->ssl == NULL) {
		w = send(c->fd, p, n, MSG_NOSIGNAL);
		return w < 0 && errno == EAGAIN ? 0 : w;
	}
	rc = SSL_write(c->ssl, p, (int) n);
	if (rc > 0)
		return rc;
	rc = SSL_get_error(c->ssl, rc);
	return rc == SSL_ERROR_WANT_READ || rc == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

/* Octets read, 0 at the end of the stream, -1 when there are none now, -2 when it is broken. */
static ssize_t
conn_read(struct conn *c)
{
	size_t room = c->load->in_room - c->in_len;
	ssize_t n;
	int rc;

	if (c->ssl == NULL) {
		n = recv(c->fd, c->in + c->in_len, room, 0);
		return n >= 0 ? n : errno == EAGAIN ? -1 : -2;
	}
	rc = SSL_read(c->ssl, c->in + c->in_len, (int) room);
	if (rc > 0)
		return rc;
	rc = SSL_get_error(c->ssl, rc);
	return rc == SSL_ERROR_WANT_READ || rc == SSL_ERROR_WANT_WRITE ? -1 : 0;
}

int
conn_flush(struct conn *c)
{
	while (c->out_off < c->out_len) {
		ssize_t n = conn_write(c, c->out + c->out_off, c->out_len - c->out_off);

		if (n < 0)
			return -1;
		if (n == 0) {
			conn_want(c, true);
			return 0;
		}
		c->out_off += (size_t) n;
	}
	c->out_off = c->out_len = 0;
	conn_want(c, false);
	return 0;
}

void
conn_command(struct conn *c, enum step s, const char *fmt, ...)
{
	char line[600];
	size_t n = 0;
	va_list args;

	if (c->flight_tail - c->flight_head >= IN_FLIGHT_MAX)
		die("too many commands in flight");
	c->flight_sent[c->flight_tail % IN_FLIGHT_MAX] = now();
	c->flight[c->flight_tail++ % IN_FLIGHT_MAX] = (unsigned char) s;
	if (c->load->o.imap)
		n = (size_t) snprintf(line, sizeof(line), "a%u ", ++c->tag);
	va_start(args, fmt);
	n += (size_t) vsnprintf(line + n, sizeof(line) - n, fmt, args);
	va_end(args);
	if (n + 2 > sizeof(line))
		die("a command is too long");
	memcpy(line + n, "\r\n", 2);
	n += 2;
	if (c->out_len + n > c->out_room) {
		c->out_room = (c->out_len + n) * 2;
		c->out = grown(c->out, c->out_room);
	}
	memcpy(c->out + c->out_len, line, n);
	c->out_len += n;
}

void
conn_begin_tls(struct conn *c)
{
	if ((c->ssl = SSL_new(c->load->tls)) == NULL)
		die("out of memory");
	SSL_set_fd(c->ssl, c->fd);
	SSL_set_tlsext_host_name(c->ssl, "localhost");
	SSL_set_connect_state(c->ssl);
	c->handshaking = true;
}

void
conn_start(struct load *l)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t) l->o.port) };
	struct conn *c;
	int one = 1;

	if (l->t.started >= l->o.count)
		return;
	if ((c = calloc(1, sizeof(*c))) == NULL)
		die("out of memory");
	c->load = l;
	c->in = grown(NULL, l->in_room);
	c->session = l->t.started++;
	l->live++;
	if (inet_pton(AF_INET, l->o.host, &address.sin_addr) != 1)
		die("%s: not an IPv4 address", l->o.host);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		die("socket: %s", strerror(errno));
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->begun = now();
	if (connect(c->fd, (struct sockaddr *) &address, sizeof(address)) < 0 &&
	    errno != EINPROGRESS)
		die("connect: %s", strerror(errno));
	c->connecting = true;
	c->flight[c->flight_tail++] = STEP_GREETING;
	conn_want(c, true);
}

/* 1 when the handshake is done, 0 when it goes on, -1 when it failed. */
static int
handshake(struct conn *c)
{
	int rc = SSL_do_handshake(c->ssl);

	if (rc == 1) {
		c->handshaking = false;
		conn_want(c, false);
		/* After STLS there is no second greeting to wait for. */
		if (c->load->o.stls)
			session_log_in(c);
		return 1;
	}
	rc = SSL_get_error(c->ssl, rc);
	if (rc != SSL_ERROR_WANT_READ && rc != SSL_ERROR_WANT_WRITE) {
		note(c->load, "TLS: %s", ERR_error_string(ERR_get_error(), NULL));
		return -1;
	}
	conn_want(c, rc == SSL_ERROR_WANT_WRITE);
	return 0;
}

static int
connected(struct conn *c)
{
	int error = 0;
	socklen_t size = sizeof(error);

	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error != 0) {
		note(c->load, "connect: %s", strerror(error));
		return -1;
	}
	c->connecting = false;
	conn_want(c, false);
	if (c->load->o.tls)
		conn_begin_tls(c);
	return 0;
}

static void
conn_lost(struct conn *c)
{
	bool waits = c->flight_head != c->flight_tail;

	note(c->load, "connection lost while waiting for %s (session %u)",
	    waits ? step_name(c->flight[c->flight_head % IN_FLIGHT_MAX]) : "nothing", c->session);
	conn_end(c, STEP_GREETING);
}

void
conn_event(struct conn *c)
{
	if (c->connecting && connected(c) < 0) {
		conn_end(c, STEP_GREETING);
		return;
	}
	for (;;) {
		ssize_t n;
		bool full;

		if (c->handshaking) {
			int rc = handshake(c);

			if (rc < 0)
				conn_end(c, STEP_STLS);
			if (rc <= 0)
				return;
		}
		if (conn_flush(c) < 0) {
			conn_lost(c);
			return;
		}
		if ((n = conn_read(c)) == -1)
			return;
		if (n <= 0) {
			conn_lost(c);
			return;
		}
		/* More may be there: in the socket, or in what OpenSSL has read already. */
		full = c->ssl != NULL || (size_t) n == c->load->in_room - c->in_len;
		c->in_len += (size_t) n;
		if (!parse_answers(c))
			return;
		if (c->handshaking)
			continue;
		if (conn_flush(c) < 0) {
			conn_lost(c);
			return;
		}
		if (!full)
			return;
	}
}

void
conn_wait(struct load *l, int ms)
{
	struct epoll_event events[256];
	int n = epoll_wait(l->epoll, events, 256, ms);

	/* A connection is freed only in its own event, so no later one of this round is stale. */
	for (int i = 0; i < n; i++)
		conn_event(events[i].data.ptr);
}
