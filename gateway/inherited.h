/* inherited.h - listening sockets that were bound by whoever started us: the protocol of
 * sd_listen_fds(3), by which systemd hands over those of a socket unit. Without libsystemd. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

enum {
	INHERITED_FIRST = 3, /* the descriptor of the first; the others follow */
	INHERITED_MAX = 1000,
};

/* How many descriptors LISTEN_FDS = FDS and LISTEN_PID = PID (either may be NULL: not set) promise
 * to the process SELF: 0 where they are another's, or make no sense. Pure. */
size_t inherited_promised(const char *fds, const char *pid, pid_t self);

/* Takes what was handed over: returns how many descriptors there are from INHERITED_FIRST on, which
 * no program that we start will have. To be called before anything else opens a descriptor, and
 * once: the environment says nothing of them afterwards. */
size_t inherited_take(void);

/* Whether FD is a listening TCP socket, and then at which address; makes it non-blocking. */
bool inherited_is_listening(int fd, struct sockaddr_storage *name);
