/* stream_connect.c - from a host name to a connected stream; see stream_connect.
 *
 * Addresses are tried one after the other, in the system's order but families in turn (RFC 8305
 * section 4), so that a family that does not work here costs one address's share of the time and
 * not all of it. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fiberio/fiber_internal.h"
#include "fiberio/socket_options.h"
#include "fiberio/stream_internal.h"

/* Lives on the heap: the look-up cannot be stopped and may outlive the fiber. */
struct lookup {
	uv_getaddrinfo_t request;
	struct fiber *waiting; /* NULL: nobody wants the answer any more */
	int status;
	struct addrinfo *addresses;
};

static void
on_looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
	struct lookup *lookup = request->data;

	lookup->status = status;
	lookup->addresses = addresses;
	if (lookup->waiting != NULL) {
		fiber_resume(lookup->waiting, 0);
		return;
	}
	uv_freeaddrinfo(addresses);
	free(lookup);
}

/* Whether a descriptor can be had. */
static bool
has_descriptor(void)
{
	int fd = open("/", O_PATH | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0 || (errno != EMFILE && errno != ENFILE);
}

static int
explain_lookup(const char *host, int status, struct error *e)
{
	bool unknown =
	    status == UV_EAI_NONAME || status == UV_EAI_NODATA || status == UV_EAI_ADDRFAMILY;
	int code = unknown ? ERR_PERMANENT : ERR_TEMPORARY;

	/* The C library then finds no name server, nor /etc/hosts, and says that there is no such
	 * host. */
	if (unknown && !has_descriptor())
		return error_set(e, ERR_TEMPORARY, "cannot look up %s: too few descriptors", host);
	return error_set(e, code, "cannot look up %s: %s", host, uv_strerror(status));
}

/* On the thread pool: a slow name server must not stop the loop. */
static int
look_up(const char *host, const char *service, const struct addrinfo *hints, uint64_t deadline,
    struct addrinfo **out, struct error *e)
{
	struct lookup *lookup;
	int rc;

	if (fiber_cancelled())
		return error_set(e, ERR_CANCELLED, "cancelled");
	if ((lookup = calloc(1, sizeof(*lookup))) == NULL)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	lookup->request.data = lookup;
	lookup->waiting = fiber_self();
	rc = uv_getaddrinfo(
	    fiber_loop(fiber_self_runtime()), &lookup->request, on_looked_up, host, service, hints);
	if (rc != 0) {
		free(lookup);
		return explain_lookup(host, rc, e);
	}
	if ((rc = fiber_suspend(deadline)) != 0) {
		lookup->waiting = NULL;
		uv_cancel((uv_req_t *) &lookup->request);
		return error_set(e, rc, "look-up of %s: %s", host, error_name(rc));
	}
	if (lookup->status == 0)
		*out = lookup->addresses;
	else
		rc = explain_lookup(host, lookup->status, e);
	free(lookup);
	return rc;
}

/* Addresses as text need no name server and no thread. */
static int
resolve(const char *host, uint16_t port, uint64_t deadline, struct addrinfo **out, struct error *e)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	char service[8];

	snprintf(service, sizeof(service), "%u", (unsigned) port);
	if (getaddrinfo(host, service, &hints, out) == 0)
		return 0;
	hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;
	return look_up(host, service, &hints, deadline, out, e);
}

/* The next address to try: of the other family than LAST where there is one left. Takes it out of
 * LEFT. */
static const struct addrinfo *
next_address(const struct addrinfo **left, size_t count, int last)
{
	const struct addrinfo *address;
	size_t at = count;

	for (size_t i = 0; i < count && at == count; i++)
		if (left[i] != NULL && left[i]->ai_family != last)
			at = i;
	for (size_t i = 0; i < count && at == count; i++)
		if (left[i] != NULL)
			at = i;
	address = left[at];
	left[at] = NULL;
	return address;
}

static int
failed_attempt(const struct addrinfo *address, const char *why, int code, struct error *e)
{
	char host[NI_MAXHOST], port[NI_MAXSERV];

	if (getnameinfo(address->ai_addr, address->ai_addrlen, host, sizeof(host), port,
		sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return error_set(e, code, "cannot connect: %s", why);
	return error_set(e, code, "cannot connect to %s port %s: %s", host, port, why);
}

/* Waits for the connection that the kernel makes; returns 0 or an errno value, or a negative error
 * code of ours. */
static int
finish_connecting(struct stream *s, uint64_t deadline)
{
	int failure = 0, rc;
	socklen_t size = sizeof(failure);

	if ((rc = stream_wait(s, POLLER_WRITABLE, deadline)) != 0)
		return -rc;
	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &failure, &size) != 0)
		return errno;
	return failure;
}

static int
attempt(const struct addrinfo *address, uint64_t deadline, struct stream **out, struct error *e)
{
	struct stream *s;
	int fd, failure = 0;

	fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return failed_attempt(address, strerror(errno), ERR_TEMPORARY, e);
	socket_set_options(fd);
	if (stream_adopt(fiber_self_runtime(), fd, &s) != 0) {
		close(fd);
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	}
	if (connect(fd, address->ai_addr, address->ai_addrlen) != 0)
		failure =
		    errno == EINPROGRESS || errno == EINTR ? finish_connecting(s, deadline) : errno;
	if (failure == 0) {
		*out = s;
		return 0;
	}
	stream_close(s);
	if (failure < 0)
		return failed_attempt(address, error_name(-failure), -failure, e);
	return failed_attempt(address, strerror(failure), ERR_CLOSED, e);
}

/* Tries the addresses in turn, each with an equal share of the time that is left. */
static int
try_all(const struct addrinfo **left, size_t count, uint64_t deadline, struct stream **out,
    struct error *e)
{
	int rc = ERR_CLOSED, family = AF_UNSPEC; /* the system's first choice begins */
	size_t tried;

	for (tried = 0; tried < count && (tried == 0 || fiber_now() < deadline); tried++) {
		const struct addrinfo *address = next_address(left, count, family);
		uint64_t now = fiber_now(), until = deadline;

		if (deadline != FIBER_NO_DEADLINE && deadline > now)
			until = now + (deadline - now) / (count - tried);
		rc = attempt(address, until, out, e);
		if (rc == 0 || rc == ERR_CANCELLED || rc == ERR_NO_MEMORY)
			return rc;
		family = address->ai_family;
	}
	if (tried > 1)
		error_prefix(e, "%zu of %zu addresses tried, the last", tried, count);
	return rc;
}

int
stream_connect(
    const char *host, uint16_t port, uint64_t deadline, struct stream **out, struct error *e)
{
	struct addrinfo *addresses;
	const struct addrinfo **left;
	size_t count = 0;
	int rc;

	if ((rc = resolve(host, port, deadline, &addresses, e)) != 0)
		return rc;
	for (const struct addrinfo *a = addresses; a != NULL; a = a->ai_next)
		count++;
	if ((left = calloc(count, sizeof(const struct addrinfo *))) == NULL) {
		freeaddrinfo(addresses);
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	}
	count = 0;
	for (const struct addrinfo *a = addresses; a != NULL; a = a->ai_next)
		left[count++] = a;
	rc = try_all(left, count, deadline, out, e);
	free(left);
	freeaddrinfo(addresses);
	return rc;
}
