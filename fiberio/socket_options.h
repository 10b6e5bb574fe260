/* socket_options.h - what all our connections have in common. Not for other layers. */
#pragma once
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* Small answers must not wait for each other, and a peer that is gone must show. Not a TCP socket: no
 * matter. */
static inline void
socket_set_options(int fd)
{
	static const int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}
