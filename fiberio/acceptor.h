/* acceptor.h - a listening socket.
 *
 * Several processes may accept from one socket, so connections are taken one at a time. When the
 * process has no descriptors left (EMFILE, ENFILE) or the kernel no memory, it rests for a moment
 * instead of spinning, and goes on by itself. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"
#include "fiberio/fiber.h"

struct acceptor;

/* Called on the loop's thread, not on a fiber, for each connection; FD is the callee's, and PEER
 * says from where. It is non-blocking, close-on-exec, TCP_NODELAY and keep-alive. An IPv4 client is
 * one of AF_INET, also where the socket is one for both families, as others may have bound it. */
typedef void acceptor_fn(void *arg, int fd, const struct sockaddr_storage *peer);

/* Called before a connection is taken. Where it returns false, the connection is left for other
 * processes to take, for two milliseconds. */
typedef bool acceptor_turn_fn(void *arg);

/* Binds and listens on ADDRESS: "127.0.0.1:110", "[::1]:110", "[::]:995" (IPv6 only), port 0 for
 * any free one. The non-blocking socket *FD is the caller's. Returns 0, ERR_INVALID (not an
 * address) or ERR_PERMANENT (with a text: in use, no permission, ...; errno is bind's). */
int acceptor_listen(const char *address, int *fd, struct error *e);

/* Whether NAME, where a socket is bound, is the address that acceptor_listen would bind ADDRESS to.
 * Port 0 is no socket's. Pure. */
bool acceptor_is_at(const char *address, const struct sockaddr_storage *name);

/* The port that the kernel gave to the listening socket FD. */
uint16_t acceptor_port(int fd);

/* Accepts from the listening socket FD, which now belongs to the acceptor, also when this fails.
 * MY_TURN may be NULL: it always is. Returns 0 or ERR_NO_MEMORY. */
int acceptor_open(struct fiber_runtime *runtime, int fd, acceptor_turn_fn *my_turn,
    acceptor_fn *accepted, void *arg, struct acceptor **out, struct error *e);

/* Stops accepting, closes the socket and frees A (NULL is allowed). */
void acceptor_close(struct acceptor *a);
