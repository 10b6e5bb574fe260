/* acceptor.c - see acceptor.h. */
#include "fiberio/acceptor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "fiberio/socket_options.h"
#include "fiberio/watch.h"

enum {
	BACKLOG = 1024,
	REST_MS = 100, /* when there are no descriptors left */
	YIELD_MS = 2,  /* when it is another process's turn */
};

struct acceptor {
	int fd;
	acceptor_turn_fn *my_turn; /* NULL: always */
	acceptor_fn *accepted;
	void *arg;
	bool yielded; /* it was another's turn, but nobody has come */
	uv_poll_t poll;
	uv_timer_t rest;
	unsigned open_handles;
};

static void on_connections(uv_poll_t *poll, int status, int events);

static void
on_rested(uv_timer_t *rest)
{
	struct acceptor *a = rest->data;

	if (watch_start(&a->poll, a->fd, UV_READABLE, on_connections) != 0)
		uv_timer_start(rest, on_rested, REST_MS, 0);
}

/* Whether accept4 failed in a way that concerns one connection only (accept(2), "Error handling").
 */
static bool
is_passing(int error)
{
	return error == EINTR || error == ECONNABORTED || error == EPERM || error == EPROTO ||
	       error == ENETDOWN || error == EHOSTDOWN || error == ENONET ||
	       error == EHOSTUNREACH || error == ENETUNREACH || error == ENOPROTOOPT;
}

/* Lets the socket be for MS. */
static void
acceptor_rest(struct acceptor *a, uint64_t ms)
{
	uv_poll_stop(&a->poll);
	uv_timer_start(&a->rest, on_rested, ms, 0);
}

/* A socket of both families has IPv4 clients as ::ffff:192.0.2.1 (RFC 4291 section 2.5.5.2). */
static void
unmap(struct sockaddr_storage *peer)
{
	const struct sockaddr_in6 v6 = *(const struct sockaddr_in6 *) peer;
	struct sockaddr_in *v4 = (struct sockaddr_in *) peer;

	if (peer->ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
		return;
	memset(peer, 0, sizeof(*peer));
	v4->sin_family = AF_INET;
	v4->sin_port = v6.sin6_port;
	memcpy(&v4->sin_addr, v6.sin6_addr.s6_addr + 12, 4);
}

/* One connection, then the loop has its turn: other processes may be waiting on the same socket,
 * and are to have the next. A socket that has more wakes the loop again. */
static void
on_connections(uv_poll_t *poll, int status, int events)
{
	struct acceptor *a = poll->data;
	struct sockaddr_storage peer = { 0 };
	socklen_t size = sizeof(peer);
	int fd;

	(void) events;
	if (status < 0) {
		acceptor_rest(a, REST_MS);
		return;
	}
	if (a->my_turn != NULL && !a->yielded && !a->my_turn(a->arg)) {
		a->yielded = true;
		acceptor_rest(a, YIELD_MS);
		return;
	}
	a->yielded = false;
	fd = accept4(a->fd, (struct sockaddr *) &peer, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0) {
		unmap(&peer);
		a->accepted(a->arg, fd, &peer);
	} else if (errno != EAGAIN && !is_passing(errno)) {
		/* EMFILE and its kin: the connection stays in the queue and would wake the loop for
		 * ever. */
		acceptor_rest(a, REST_MS);
	}
}

/* Takes "127.0.0.1:110" or "[::1]:110" apart. */
static int
parse_address(const char *text, struct sockaddr_storage *out, socklen_t *size)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *) out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *) out;
	const char *colon = strrchr(text, ':');
	bool bracketed = text[0] == '[';
	char host[INET6_ADDRSTRLEN];
	size_t len;
	uint64_t port;

	memset(out, 0, sizeof(*out));
	if (colon == NULL || text_to_number(colon + 1, strlen(colon + 1), UINT16_MAX, &port) != 0)
		return ERR_INVALID;
	len = (size_t) (colon - text);
	if (bracketed && (len < 2 || text[len - 1] != ']'))
		return ERR_INVALID;
	if (bracketed) {
		text++;
		len -= 2;
	}
	if (len >= sizeof(host))
		return ERR_INVALID;
	memcpy(host, text, len);
	host[len] = '\0';
	if (bracketed && inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t) port);
		*size = sizeof(*v6);
		return 0;
	}
	if (bracketed || inet_pton(AF_INET, host, &v4->sin_addr) != 1)
		return ERR_INVALID;
	v4->sin_family = AF_INET;
	v4->sin_port = htons((uint16_t) port);
	*size = sizeof(*v4);
	return 0;
}

bool
acceptor_is_at(const char *address, const struct sockaddr_storage *name)
{
	const struct sockaddr_in *name4 = (const struct sockaddr_in *) name, *own4;
	const struct sockaddr_in6 *name6 = (const struct sockaddr_in6 *) name, *own6;
	struct sockaddr_storage own;
	socklen_t size;

	if (parse_address(address, &own, &size) != 0 || own.ss_family != name->ss_family)
		return false;
	own4 = (const struct sockaddr_in *) &own;
	own6 = (const struct sockaddr_in6 *) &own;
	if (own.ss_family == AF_INET)
		return own4->sin_port != 0 && own4->sin_port == name4->sin_port &&
		       own4->sin_addr.s_addr == name4->sin_addr.s_addr;
	return own6->sin6_port != 0 && own6->sin6_port == name6->sin6_port &&
	       IN6_ARE_ADDR_EQUAL(&own6->sin6_addr, &name6->sin6_addr);
}

int
acceptor_listen(const char *address, int *fd, struct error *e)
{
	static const int on = 1;
	struct sockaddr_storage name;
	socklen_t size;
	int s, error;

	if (parse_address(address, &name, &size) != 0)
		return error_set(e, ERR_INVALID,
		    "\"%s\" is not an address such as 127.0.0.1:110 or [::1]:110", address);
	s = socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s < 0)
		return error_set(
		    e, ERR_PERMANENT, "cannot listen on %s: %s", address, strerror(errno));
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (name.ss_family ==
	    AF_INET6) /* so that [::]:110 and 0.0.0.0:110 can stand side by side */
		setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(s, (struct sockaddr *) &name, size) != 0 || listen(s, BACKLOG) != 0) {
		error = errno;
		error_set(e, ERR_PERMANENT, "cannot listen on %s: %s", address, strerror(error));
		close(s);
		errno = error;
		return ERR_PERMANENT;
	}
	*fd = s;
	return 0;
}

int
acceptor_open(struct fiber_runtime *runtime, int fd, acceptor_turn_fn *my_turn,
    acceptor_fn *accepted, void *arg, struct acceptor **out, struct error *e)
{
	struct acceptor *a = calloc(1, sizeof(*a));

	if (a == NULL || uv_poll_init(fiber_loop(runtime), &a->poll, fd) != 0) {
		close(fd);
		free(a);
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	}
	a->fd = fd;
	socket_set_options(fd); /* which accepted ones inherit */
	uv_timer_init(fiber_loop(runtime), &a->rest);
	a->poll.data = a->rest.data = a;
	a->open_handles = 2;
	a->my_turn = my_turn;
	a->accepted = accepted;
	a->arg = arg;
	on_rested(&a->rest);
	*out = a;
	return 0;
}

uint16_t
acceptor_port(int fd)
{
	struct sockaddr_storage name;
	socklen_t size = sizeof(name);

	if (getsockname(fd, (struct sockaddr *) &name, &size) != 0)
		return 0;
	return ntohs(name.ss_family == AF_INET6 ? ((struct sockaddr_in6 *) &name)->sin6_port
						: ((struct sockaddr_in *) &name)->sin_port);
}

static void
on_closed(uv_handle_t *handle)
{
	struct acceptor *a = handle->data;

	if (--a->open_handles == 0)
		free(a);
}

void
acceptor_close(struct acceptor *a)
{
	if (a == NULL)
		return;
	uv_close((uv_handle_t *) &a->poll, on_closed);
	uv_close((uv_handle_t *) &a->rest, on_closed);
	close(a->fd);
}
