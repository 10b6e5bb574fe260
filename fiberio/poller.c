/* poller.c - see poller.h. An epoll instance within libuv's: it is readable when it has events. */
#include "fiberio/poller.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "fiberio/watch.h"

enum { EVENTS = 64 };

struct poller {
	int epoll;
	uv_poll_t poll;
	struct epoll_event events[EVENTS]; /* from AT to COUNT are still to be told */
	int at, count;
	size_t waits; /* that are under way */
};

static void
on_events(uv_poll_t *poll, int status, int events)
{
	struct poller *poller = poll->data;

	(void) status;
	(void) events;
	poller->count = epoll_wait(poller->epoll, poller->events, EVENTS, 0);
	for (poller->at = 0; poller->at < poller->count;) {
		const struct epoll_event event = poller->events[poller->at++];
		struct polled *polled = event.data.ptr;
		uint32_t all = POLLER_READABLE | POLLER_WRITABLE | POLLER_HUNG_UP;

		if (polled != NULL)
			polled->ready(
			    polled, (event.events & ~all) != 0 ? all : event.events);
	}
	poller->count = 0;
}

static void
on_closed(uv_handle_t *handle)
{
	struct poller *poller = handle->data;

	close(poller->epoll);
	free(poller);
}

int
poller_new(uv_loop_t *loop, struct poller **out)
{
	struct poller *poller = calloc(1, sizeof(*poller));

	if (poller == NULL)
		return ERR_NO_MEMORY;
	poller->poll.data = poller;
	if ((poller->epoll = epoll_create1(EPOLL_CLOEXEC)) < 0)
		goto fail;
	if (uv_poll_init(loop, &poller->poll, poller->epoll) != 0) {
		close(poller->epoll);
		goto fail;
	}
	if (watch_start(&poller->poll, poller->epoll, UV_READABLE, on_events) != 0) {
		poller_close(poller);
		return ERR_NO_MEMORY;
	}
	uv_unref((uv_handle_t *) &poller->poll);
	*out = poller;
	return 0;
fail:
	free(poller);
	return ERR_NO_MEMORY;
}

void
poller_close(struct poller *poller)
{
	uv_close((uv_handle_t *) &poller->poll, on_closed);
}

int
poller_add(struct poller *poller, int fd, struct polled *polled)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		.data.ptr = polled };

	return epoll_ctl(poller->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : ERR_NO_MEMORY;
}

void
poller_begin_wait(struct poller *poller)
{
	if (poller->waits++ == 0)
		uv_ref((uv_handle_t *) &poller->poll);
}

void
poller_end_wait(struct poller *poller)
{
	if (--poller->waits == 0)
		uv_unref((uv_handle_t *) &poller->poll);
}

void
poller_remove(struct poller *poller, const struct polled *polled)
{
	for (int i = poller->at; i < poller->count; i++)
		if (poller->events[i].data.ptr == polled)
			poller->events[i].data.ptr = NULL;
}
