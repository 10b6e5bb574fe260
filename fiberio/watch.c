/* watch.c - see watch.h. libuv takes a descriptor that the kernel knows already for one that it has
 * watched before, and only changes what is waited for, which needs no memory. */
#include "fiberio/watch.h"

#include <errno.h>
#include <sys/epoll.h>

#include "base/error.h"
#include "base/reserve.h"

/* The bits of libuv and of epoll agree where it matters, but nobody promises that. */
static uint32_t
epoll_bits(int events)
{
	uint32_t bits = 0;

	if ((events & UV_READABLE) != 0)
		bits |= EPOLLIN;
	if ((events & UV_WRITABLE) != 0)
		bits |= EPOLLOUT;
	return bits;
}

/* libuv keeps a pointer for each number up to FD's, and grows by doubling. */
static size_t
room_for(int fd)
{
	return 2 * ((size_t) fd + 3) * sizeof(void *);
}

int
watch_start(uv_poll_t *poll, int fd, int events, uv_poll_cb callback)
{
	struct epoll_event event = { .events = epoll_bits(events), .data.fd = fd };
	int epoll = uv_backend_fd(poll->loop);

	if (memory_reserve(room_for(fd)) != 0)
		return ERR_NO_MEMORY;
	if (uv_poll_start(poll, events, callback) != 0)
		return ERR_CLOSED;
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0 || errno == EEXIST)
		return 0;
	uv_poll_stop(poll);
	return errno == ENOMEM ? ERR_NO_MEMORY : ERR_CLOSED;
}
