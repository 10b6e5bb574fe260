/* stream_internal.h - what the parts of stream share. Not for other layers. */
#pragma once
#include <openssl/ssl.h>

#include "fiberio/stream.h"

struct stream {
	struct fiber_runtime *runtime;
	int fd;
	uv_poll_t poll;	       /* its closing ends the life of this object */
	int watching;	       /* what the poll handle is started for */
	int wanted;	       /* what the waiting fiber waits for */
	struct fiber *waiting; /* NULL: nobody */
	bool reading;	       /* somebody is in stream_read, which may be interrupted */
	bool interrupted;
	bool failed;		   /* TLS is past repair: not even a close_notify may be sent */
	SSL *ssl;		   /* NULL: plain */
	struct tls_server *server; /* what ssl was made from, held as long */
	struct tls_client *client;
};

/* Suspends until the socket is ready for EVENTS (UV_READABLE, UV_WRITABLE) or DEADLINE. Returns 0,
 * ERR_TIMEOUT, ERR_CANCELLED, or ERR_INTERRUPTED where stream_interrupt called off a read. */
int stream_wait(struct stream *s, int events, uint64_t deadline);

/* How long a write may take. */
struct write_limit {
	uint64_t timeout_ms; /* without progress */
	uint64_t deadline;   /* in all */
};

/* As stream_wait, for a peer that is to take what was written. */
int stream_wait_to_write(struct stream *s, int events, const struct write_limit *limit);

/* The TLS side of stream_read, stream_write, stream_has_input and stream_close. */
int stream_tls_read(struct stream *s, void *buf, size_t room, size_t *got, uint64_t deadline);
int stream_tls_write(
    struct stream *s, const char *buf, size_t len, const struct write_limit *limit);
bool stream_tls_has_input(struct stream *s);
void stream_tls_end(struct stream *s, bool in_order);
