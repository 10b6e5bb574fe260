/* sockets.h - connected pairs of sockets for the tests of streams. */
#pragma once
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "fiberio/stream.h"
#include "unit.h"

static inline struct sockaddr_in
loopback(const char *address, uint16_t port)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, address, &name.sin_addr);
	return name;
}

/* A socket that holds *PORT (0: any; it is set) of ADDRESS and refuses who connects until it listens.
 * -1: the port is somebody else's. */
static inline int
hold_port(const char *address, uint16_t *port)
{
	struct sockaddr_in name = loopback(address, *port);
	socklen_t size = sizeof(name);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CU_ASSERT_TRUE_FATAL(fd >= 0);
	if (bind(fd, (struct sockaddr *) &name, size) != 0) {
		CU_ASSERT_EQUAL_FATAL(errno, EADDRINUSE);
		close(fd);
		return -1;
	}
	CU_ASSERT_EQUAL_FATAL(getsockname(fd, (struct sockaddr *) &name, &size), 0);
	*port = ntohs(name.sin_port);
	return fd;
}

/* A socket that listens on ADDRESS; *PORT is set. */
static inline int
listen_on(const char *address, int backlog, uint16_t *port)
{
	int fd;

	*port = 0;
	fd = hold_port(address, port);
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(listen(fd, backlog), 0);
	return fd;
}

static inline void
tcp_pair(int fds[2])
{
	static const int on = 1;
	uint16_t port;
	int listener = listen_on("127.0.0.1", 1, &port);
	struct sockaddr_in name = loopback("127.0.0.1", port);

	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CU_ASSERT_EQUAL_FATAL(connect(fds[0], (struct sockaddr *) &name, sizeof(name)), 0);
	fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	CU_ASSERT_TRUE_FATAL(fds[1] >= 0);
	setsockopt(fds[0], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fds[1], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	close(listener);
}

static inline void
unix_pair(int fds[2])
{
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
}

/* Buffers as small as the kernel lets them be, so that a writer soon has to wait. */
static inline void
shrink_buffers(int fd)
{
	static const int octets = 4096;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &octets, sizeof(octets));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &octets, sizeof(octets));
}

static inline struct stream *
adopt(struct fiber_runtime *fibers, int fd)
{
	struct stream *s = NULL;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	CU_ASSERT_EQUAL_FATAL(stream_adopt(fibers, fd, &s), 0);
	return s;
}

/* The octet at OFFSET of the endless text that tests send: no two places look alike for long. */
static inline unsigned char
pattern(size_t offset)
{
	return (unsigned char) ((offset * 2654435761U) >> 13);
}

/* The next of a row of odd lengths between 1 and MAX. */
static inline size_t
odd_length(unsigned *seed, size_t max)
{
	*seed = *seed * 1103515245U + 12345U;
	return 1 + (*seed >> 8) % max;
}
