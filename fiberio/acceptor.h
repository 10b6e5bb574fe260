/* acceptor.h - a listening socket.
 *
 * Accepts in bounded bursts. When the process has no descriptors left (EMFILE, ENFILE) or the
 * kernel no memory, it rests for a moment instead of spinning, and goes on by itself. */
#pragma once
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"
#include "fiberio/fiber.h"

struct acceptor;

/* Called on the loop's thread, not on a fiber, for each connection; FD is the callee's, and PEER
 * says from where. */
typedef void acceptor_fn(void *arg, int fd, const struct sockaddr_storage *peer);

/* Binds and listens on ADDRESS: "127.0.0.1:110", "[::1]:110", "[::]:995" (IPv6 only), port 0 for
 * any free one. Returns 0, ERR_INVALID (not an address), ERR_PERMANENT (with a text: in use, no
 * permission, ...) or ERR_NO_MEMORY. */
int acceptor_open(struct fiber_runtime *runtime, const char *address, acceptor_fn *accepted,
    void *arg, struct acceptor **out, struct error *e);

/* The port that the kernel gave. */
uint16_t acceptor_port(const struct acceptor *a);

/* Stops listening and frees A (NULL is allowed). */
void acceptor_close(struct acceptor *a);
