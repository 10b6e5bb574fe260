/* poller.h - tells when sockets become ready. Not for other layers.
 *
 * uv_poll tells the kernel each time that somebody waits for something else, three or four calls of
 * epoll_ctl(2) a time. Here a socket is told to the kernel once, for everything, and readiness is
 * told once when it comes ("edges"), so that a wait costs no system call of its own. */
#pragma once
#include <stdint.h>
#include <sys/epoll.h>

#include <uv.h>

/* Of these, an event has those that are so now. Where something is wrong with the connection it has
 * all of them: the next system call says what. */
enum {
	POLLER_READABLE = EPOLLIN,
	POLLER_WRITABLE = EPOLLOUT,
	POLLER_HUNG_UP = EPOLLRDHUP, /* the peer will send no more than what is there */
};

/* A socket, inside of who owns it. */
struct polled {
	void (*ready)(struct polled *polled, uint32_t events); /* may do anything but free LOOP */
};

struct poller;

/* Returns 0 or ERR_NO_MEMORY. */
int poller_new(uv_loop_t *loop, struct poller **out);

/* When nothing is polled any more. The memory goes when the loop has had its next turn. */
void poller_close(struct poller *poller);

/* From the next turn of the loop on POLLED hears of FD. Returns 0 or ERR_NO_MEMORY. */
int poller_add(struct poller *poller, int fd, struct polled *polled);

/* Between these the loop has something to wait for, and goes on. */
void poller_begin_wait(struct poller *poller);
void poller_end_wait(struct poller *poller);

/* POLLED hears no more, and may be freed. FD is to be closed at once: the kernel forgets it then. */
void poller_remove(struct poller *poller, const struct polled *polled);
