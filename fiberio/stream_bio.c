/* stream_bio.c - the socket as OpenSSL sees it, with fewer system calls than its own BIO makes.
 *
 * That one reads a record by two calls, its head and its body, and writes each record by one. Here
 * what the socket has is read at once, and records that are written together leave together. There
 * is a buffer only while something is in it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>

#include "fiberio/stream_internal.h"
#include "fiberio/tls_internal.h"

enum {
	RECORDS = 4, /* that are gathered: as many as a large message comes in at a time */
	GATHERED_OCTETS = RECORDS * (SSL3_RT_MAX_PLAIN_LENGTH + 128),
	SERVER_OCTETS = RECORDS * SSL3_RT_MAX_PLAIN_LENGTH, /* read at once where we are the client */
	CLIENT_OCTETS = 4096, /* and where we are the server: clients of ours send commands */
	CALL_OCTETS = 65536,  /* read in one call of OpenSSL */
};

void
stream_bio_begin_read(struct stream *s)
{
	ERR_clear_error();
	s->drawn = 0;
	s->winded = false;
}

static ssize_t
receive(struct stream *s, char *buf, size_t room)
{
	ssize_t n = stream_receive(s, buf, room);

	s->ended = n == 0;
	s->drawn += n > 0 ? (size_t) n : 0;
	return n;
}

/* OpenSSL goes on by itself from a record without data of ours, such as a change of keys, to the
 * next one. A peer that sends these faster than they are dealt with would keep it for ever, and with
 * it the loop. */
static bool
is_winded(struct stream *s)
{
	s->winded = s->drawn >= CALL_OCTETS;
	return s->winded;
}

/* Reads into the buffer, or past it into OUT where that is as good or there is no memory. Returns
 * how many octets are in OUT, or what recv said. */
static ssize_t
refill(struct stream *s, char *out, size_t room)
{
	size_t most = s->client != NULL ? SERVER_OCTETS : CLIENT_OCTETS;
	struct stream_buffer *in = &s->in;
	ssize_t n;

	if (is_winded(s)) {
		errno = EAGAIN;
		return -1;
	}
	if (room >= most || (in->octets == NULL && (in->octets = malloc(most)) == NULL))
		return receive(s, out, room);
	if ((n = receive(s, in->octets, most)) <= 0)
		return n;
	in->at = 0;
	in->len = (size_t) n;
	return 0;
}

static int
bio_read(BIO *bio, char *out, int room)
{
	struct stream *s = BIO_get_data(bio);
	struct stream_buffer *in = &s->in;
	size_t n;

	BIO_clear_retry_flags(bio);
	if (room <= 0)
		return 0;
	if (in->at == in->len) {
		ssize_t direct = refill(s, out, (size_t) room);

		if (direct < 0 && errno == EAGAIN)
			BIO_set_retry_read(bio);
		if (direct != 0 || s->ended)
			return (int) direct;
	}
	n = in->len - in->at < (size_t) room ? in->len - in->at : (size_t) room;
	memcpy(out, in->octets + in->at, n);
	in->at += n;
	return (int) n;
}

static int
bio_write(BIO *bio, const char *octets, int len)
{
	struct stream *s = BIO_get_data(bio);
	struct stream_buffer *out = &s->out;
	size_t left = GATHERED_OCTETS - out->len;
	ssize_t n;

	BIO_clear_retry_flags(bio);
	if (len <= 0)
		return 0;
	if (out->octets == NULL) {
		do
			n = send(s->fd, octets, (size_t) len, MSG_NOSIGNAL);
		while (n < 0 && errno == EINTR); /* nothing would tell us to go on */
		if (n < 0 && errno == EAGAIN)
			BIO_set_retry_write(bio);
		return (int) n;
	}
	if (left == 0) {
		BIO_set_retry_write(bio);
		return -1;
	}
	if (left > (size_t) len)
		left = (size_t) len;
	memcpy(out->octets + out->len, octets, left);
	out->len += left;
	return (int) left;
}

static long
bio_control(BIO *bio, int command, long number, void *pointer)
{
	const struct stream *s = BIO_get_data(bio);

	(void) number;
	(void) pointer;
	switch (command) {
	case BIO_CTRL_FLUSH: /* only handshakes do, and nothing is gathered then */
		return 1;
	case BIO_CTRL_EOF:
		return s->ended;
	default:
		return 0;
	}
}

BIO_METHOD *
stream_bio_method_new(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "stream");

	if (method == NULL)
		return NULL;
	BIO_meth_set_read(method, bio_read);
	BIO_meth_set_write(method, bio_write);
	BIO_meth_set_ctrl(method, bio_control);
	return method;
}

int
stream_bio_attach(struct stream *s, const BIO_METHOD *method)
{
	BIO *bio = BIO_new(method);

	if (bio == NULL)
		return ERR_NO_MEMORY;
	BIO_set_data(bio, s);
	BIO_set_init(bio, 1);
	SSL_set_bio(s->ssl, bio, bio);
	return 0;
}

bool
stream_bio_has_input(const struct stream *s)
{
	return s->in.at < s->in.len;
}

void
stream_bio_rest(struct stream *s)
{
	if (stream_bio_has_input(s))
		return;
	free(s->in.octets);
	s->in = (struct stream_buffer){ 0 };
}

void
stream_bio_gather(struct stream *s)
{
	s->out.octets = malloc(GATHERED_OCTETS);
}

void
stream_bio_scatter(struct stream *s)
{
	free(s->out.octets);
	s->out = (struct stream_buffer){ 0 };
}

void
stream_bio_end(struct stream *s)
{
	free(s->in.octets);
	s->in = (struct stream_buffer){ 0 };
	stream_bio_scatter(s);
}

int
stream_bio_send(struct stream *s, const struct write_limit *limit)
{
	struct stream_buffer *out = &s->out;
	int rc = 0;

	while (rc == 0 && out->at < out->len) {
		ssize_t n = send(s->fd, out->octets + out->at, out->len - out->at, MSG_NOSIGNAL);

		if (n >= 0)
			out->at += (size_t) n;
		else if (errno != EAGAIN && errno != EINTR)
			rc = ERR_CLOSED;
		else if (errno == EAGAIN)
			rc = stream_wait_to_write(s, POLLER_WRITABLE, limit);
	}
	out->at = out->len = 0;
	/* Records that the peer will not see: nothing can be said after them. */
	s->failed = s->failed || rc != 0;
	return rc;
}
