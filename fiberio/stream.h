/* stream.h - byte streams for fibers: TCP, and TLS on top of the same object.
 *
 * A stream is one socket, whose readiness the loop is told of when it comes. It has no buffer of its
 * own at rest: reads go straight to the caller's memory and writes straight to the kernel (with TLS,
 * by way of OpenSSL and memory that is freed when it is through), so that a stream costs next to
 * nothing and back-pressure is TCP's. Reading is the business of one fiber at a time, and so is
 * writing; they may be two, as long as neither closes what the other still uses. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"
#include "fiberio/fiber.h"
#include "fiberio/tls.h"

struct stream;

/* Makes a stream of a connected socket that is non-blocking and close-on-exec, e.g. one that an
 * acceptor gave. On success the stream owns FD; else FD stays the caller's. Returns 0 or ERR_NO_MEMORY. */
int stream_adopt(struct fiber_runtime *runtime, int fd, struct stream **out);

/* Connects to HOST (a name, or an IPv4 or IPv6 address without brackets) at PORT. Suspends: the
 * name is looked up on the thread pool, and every address is tried in turn, families alternating
 * (RFC 8305 section 4 without the race), each with its share of the time left. Returns 0,
 * ERR_TIMEOUT, ERR_CLOSED (no address answered), ERR_TEMPORARY or ERR_PERMANENT (name look-up),
 * ERR_CANCELLED, ERR_NO_MEMORY; E says which address failed how. */
int stream_connect(
    const char *host, uint16_t port, uint64_t deadline, struct stream **out, struct error *e);

/* Reads at least one octet and at most ROOM into BUF; *GOT is set. Suspends. Returns 0; ERR_CLOSED
 * at end of stream or reset (with TLS also when the peer ended without close_notify); ERR_TIMEOUT
 * at DEADLINE; ERR_INTERRUPTED after stream_interrupt; ERR_TLS; ERR_CANCELLED. */
int stream_read(struct stream *s, void *buf, size_t room, size_t *got, uint64_t deadline);

/* Writes all LEN octets of BUF. Suspends while the peer does not take them; ERR_TIMEOUT when it
 * takes none for TIMEOUT_MS milliseconds, or little more (progress starts the time anew, also where
 * only the kernel sees it: what the peer acknowledges counts). Returns 0, ERR_CLOSED, ERR_TIMEOUT,
 * ERR_TLS, ERR_CANCELLED. */
int stream_write(struct stream *s, const void *buf, size_t len, uint64_t timeout_ms);

/* As stream_write, for two pieces of memory that leave together. */
int stream_write_two(struct stream *s, const void *first, size_t first_len, const void *second,
    size_t second_len, uint64_t timeout_ms);

/* As stream_write, with ERR_TIMEOUT when not all is written by DEADLINE, progress or not. */
int stream_write_by(struct stream *s, const void *buf, size_t len, uint64_t deadline);

/* Suspends until octets from the peer are waiting to be read, or the peer has closed; takes none.
 * Errors as stream_read, without ERR_CLOSED. */
int stream_await_input(struct stream *s, uint64_t deadline);

/* Makes the pending read of S, or else its next one, return ERR_INTERRUPTED. From any fiber or
 * callback of the same loop; who reads goes on in the next turn. Asked for once, it stays in force
 * for every later read; writing goes on. */
void stream_interrupt(struct stream *s);

/* Whether octets from the peer are waiting to be read, or the peer has closed, without taking them.
 * Does not suspend. */
bool stream_has_input(struct stream *s);

/* Whether the peer has ended its side of the connection, or reset it, as far as the kernel knows; what it
 * sent before may still be unread. Does not suspend. */
bool stream_peer_closed(const struct stream *s);

/* Starts TLS on a plain stream as server or client; suspends until the handshake is done or
 * DEADLINE passes. As client, the certificate chain and NAME (host name or address) are verified as
 * CLIENT says before this returns 0. After a failure the stream can only be closed. Returns 0,
 * ERR_TLS, ERR_TIMEOUT, ERR_CLOSED, ERR_CANCELLED, ERR_NO_MEMORY. */
int stream_start_tls_server(
    struct stream *s, struct tls_server *server, uint64_t deadline, struct error *e);
int stream_start_tls_client(struct stream *s, struct tls_client *client, const char *name,
    uint64_t deadline, struct error *e);

bool stream_is_tls(const struct stream *s);

/* The TLS version and cipher in OpenSSL's words, e.g. "TLSv1.3" and "TLS_AES_256_GCM_SHA384"; "" on
 * a plain stream. */
const char *stream_tls_version(const struct stream *s);
const char *stream_tls_cipher(const struct stream *s);

enum stream_peer_name {		 /* what in a certificate names its owner */
	STREAM_PEER_EMAIL,	 /* the one rfc822Name of subjectAltName */
	STREAM_PEER_COMMON_NAME, /* the one common name of the subject, as UTF-8 */
};

/* Writes the name in the verified certificate of the peer to OUT (ROOM octets), NUL-terminated.
 * Returns 0; ERR_GONE where the peer has shown no certificate that was verified; ERR_INVALID where
 * it holds no such name, or several. Does not suspend. */
int stream_tls_peer_name(
    const struct stream *s, enum stream_peer_name which, char *out, size_t room);

/* The peer's address; ss_family is AF_UNSPEC where it has none. */
void stream_peer(const struct stream *s, struct sockaddr_storage *out);

/* Tells the peer that nothing more will be written; reading goes on. With TLS a close_notify is sent
 * where it can be without waiting. Does not suspend. */
void stream_end_output(struct stream *s);

/* Closes in order: with TLS a close_notify is sent where it can be without waiting; then the socket
 * is closed. Frees S (NULL is allowed). Does not suspend. */
void stream_close(struct stream *s);

/* Closes at once and so that the peer can tell: no close_notify, TCP reset. Frees S (NULL is
 * allowed). */
void stream_abort(struct stream *s);
