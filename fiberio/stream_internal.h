/* stream_internal.h - what the parts of stream share. Not for other layers. */
#pragma once
#include <sys/uio.h>

#include <openssl/ssl.h>

#include "fiberio/poller.h"
#include "fiberio/stream.h"

/* Octets from AT to LEN that wait. */
struct stream_buffer {
	char *octets; /* NULL: there is no buffer now */
	size_t at, len;
};

/* Who reads, or who writes, while that has to wait. */
struct stream_waiter {
	struct fiber *fiber; /* NULL: nobody */
	uint32_t wanted;     /* what it waits for: TLS may have to read in order to write */
};

struct stream {
	struct fiber_runtime *runtime;
	int fd;
	struct polled polled;
	bool readable;	       /* there may be octets that were not read */
	bool hung_up;	       /* the end of the stream, or of the connection, was seen to come */
	struct stream_waiter reader, writer;
	bool reading;	       /* somebody is in stream_read, which may be interrupted */
	bool interrupted;
	bool failed;		   /* TLS is past repair: not even a close_notify may be sent */
	SSL *ssl;		   /* NULL: plain */
	int read_error;		   /* of TLS, for the next read: the last one had octets to give */
	bool ended;		   /* TLS has read the end of the stream */
	size_t drawn;		   /* octets read from the socket in the running call of OpenSSL */
	bool winded;		   /* it was told to wait for having read enough, see stream_bio.c */
	struct stream_buffer in, out; /* records read and not taken by TLS; written and not sent */
	struct tls_server *server; /* what ssl was made from, held as long */
	struct tls_client *client;
};

/* Suspends who reads, or shakes hands, until the socket becomes ready for EVENTS (POLLER_READABLE,
 * POLLER_WRITABLE) or DEADLINE. To be called only after the kernel, or stream_receive, has said
 * EAGAIN: what has been ready all the while is not told again. Returns 0, ERR_TIMEOUT,
 * ERR_CANCELLED, or ERR_INTERRUPTED where stream_interrupt called off a read. */
int stream_wait(struct stream *s, uint32_t events, uint64_t deadline);

/* As recv(2), without the call where it could only say EAGAIN, and without EINTR. */
ssize_t stream_receive(struct stream *s, void *buf, size_t room);

/* How long a write may take. */
struct write_limit {
	uint64_t timeout_ms; /* without progress */
	uint64_t deadline;   /* in all */
};

/* As stream_wait, for who writes: the peer is to take what was written. */
int stream_wait_to_write(struct stream *s, uint32_t events, const struct write_limit *limit);

/* Two pieces of memory to be written one behind the other; what is written is taken off. */
struct stream_pieces {
	struct iovec piece[2];
};

/* The TLS side of stream_read, stream_write, stream_has_input and stream_close. */
int stream_tls_read(struct stream *s, void *buf, size_t room, size_t *got, uint64_t deadline);
int stream_tls_write(
    struct stream *s, const struct stream_pieces *pieces, const struct write_limit *limit);
bool stream_tls_has_input(struct stream *s);

/* Sends a close_notify, in one try: what the socket does not take now, nobody waits for. */
void stream_tls_say_goodbye(struct stream *s);
void stream_tls_end(struct stream *s, bool in_order);

/* ---- stream_bio.c: the socket as OpenSSL sees it ---- */

/* To be called before OpenSSL is, where it may read. Afterwards s->winded says that there may be more
 * to read at once: nothing would tell of that. */
void stream_bio_begin_read(struct stream *s);

/* Puts s->ssl on the socket. Returns 0 or ERR_NO_MEMORY. */
int stream_bio_attach(struct stream *s, const BIO_METHOD *method);

/* Whether octets were read that TLS has not taken yet. */
bool stream_bio_has_input(const struct stream *s);

/* Frees the buffer for them if there are none. */
void stream_bio_rest(struct stream *s);

/* From here on the records that TLS writes are gathered. When there is no more room, TLS waits to
 * write, and stream_bio_send makes room. Without memory nothing is gathered. */
void stream_bio_gather(struct stream *s);

/* Sends what was gathered; more may follow. Suspends. Errors as stream_write. */
int stream_bio_send(struct stream *s, const struct write_limit *limit);

/* Gathers no more. */
void stream_bio_scatter(struct stream *s);

/* Frees all buffers. */
void stream_bio_end(struct stream *s);
