/* stream_tls.c - TLS on a stream, by OpenSSL; see stream.h.
 *
 * All fibers of a thread share OpenSSL's error queue, so it is emptied before every call whose
 * result is looked at, by stream_bio_begin_read where it reads. */
#include <arpa/inet.h>
#include <limits.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "fiberio/fiber_internal.h"
#include "fiberio/stream_internal.h"
#include "fiberio/tls_internal.h"

/* Deals with RESULT of an SSL call that did not succeed: returns 0 with *EVENTS that OpenSSL waits
 * for before it is called again, or an error. */
static int
after_failure(struct stream *s, int result, uint32_t *events)
{
	switch (SSL_get_error(s->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		*events = POLLER_READABLE;
		return 0;
	case SSL_ERROR_WANT_WRITE:
		*events = POLLER_WRITABLE;
		return 0;
	case SSL_ERROR_ZERO_RETURN:
		return ERR_CLOSED;
	case SSL_ERROR_SYSCALL:
		s->failed = true;
		return ERR_CLOSED;
	default:
		s->failed = true;
		/* The peer went without close_notify: for us that is a closed connection, never an
		 * end of data. */
		if (ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
			return ERR_CLOSED;
		return ERR_TLS;
	}
}

/* Suspends until OpenSSL can be called again to read, which waits for EVENTS. */
static int
wait_to_read(struct stream *s, uint32_t events, uint64_t deadline)
{
	if (!s->winded)
		return stream_wait(s, events, deadline);
	if (s->reading && s->interrupted)
		return ERR_INTERRUPTED;
	return fiber_now() < deadline ? fiber_sleep(0) : ERR_TIMEOUT;
}

/* SSL_read gives a record at most. Adds what else is there already to the *GOT octets of BUF; why
 * that ended is for the next read, unless there is just no more. */
static void
read_further(struct stream *s, char *buf, size_t room, size_t *got)
{
	uint32_t events;
	int n;

	while (*got < room && (stream_bio_has_input(s) || SSL_has_pending(s->ssl))) {
		size_t left = room - *got;

		stream_bio_begin_read(s);
		n = SSL_read(s->ssl, buf + *got, left > INT_MAX ? INT_MAX : (int) left);
		if (n <= 0) {
			s->read_error = after_failure(s, n, &events);
			return;
		}
		*got += (size_t) n;
	}
}

static int
read_records(struct stream *s, char *buf, size_t room, size_t *got, uint64_t deadline)
{
	uint32_t events;
	int rc;

	for (;;) {
		int n;

		stream_bio_begin_read(s);
		n = SSL_read(s->ssl, buf, room > INT_MAX ? INT_MAX : (int) room);
		if (n > 0) {
			*got = (size_t) n;
			read_further(s, buf, room, got);
			return fiber_breathe();
		}
		rc = after_failure(s, n, &events);
		stream_bio_rest(s);
		if (rc != 0 || (rc = wait_to_read(s, events, deadline)) != 0)
			return rc;
	}
}

int
stream_tls_read(struct stream *s, void *buf, size_t room, size_t *got, uint64_t deadline)
{
	int rc;

	if (s->read_error != 0)
		return s->read_error;
	rc = read_records(s, buf, room, got, deadline);
	stream_bio_rest(s);
	return rc;
}

/* Waits until OpenSSL can go on with a write. */
static int
make_way(struct stream *s, uint32_t events, const struct write_limit *limit)
{
	return s->out.len > 0 ? stream_bio_send(s, limit) : stream_wait_to_write(s, events, limit);
}

static int
write_records(struct stream *s, const char *buf, size_t len, const struct write_limit *limit)
{
	uint32_t events;
	int rc;

	while (len > 0) {
		int n;

		ERR_clear_error();
		n = SSL_write(s->ssl, buf, len > INT_MAX ? INT_MAX : (int) len);
		if (n > 0) {
			buf += n;
			len -= (size_t) n;
		} else if ((rc = after_failure(s, n, &events)) != 0 ||
			   (rc = make_way(s, events, limit)) != 0)
			return rc;
	}
	return 0;
}

int
stream_tls_write(
    struct stream *s, const struct stream_pieces *pieces, const struct write_limit *limit)
{
	const struct iovec *piece = pieces->piece;
	int rc;

	/* A single record is sent as it is made. */
	if (piece[1].iov_len > 0 || piece[0].iov_len > SSL3_RT_MAX_PLAIN_LENGTH)
		stream_bio_gather(s);
	rc = write_records(s, piece[0].iov_base, piece[0].iov_len, limit);
	if (rc == 0)
		rc = write_records(s, piece[1].iov_base, piece[1].iov_len, limit);
	if (rc == 0)
		rc = stream_bio_send(s, limit);
	else if (s->out.len > 0)
		s->failed = true; /* records are lost: nothing can be said after them */
	stream_bio_scatter(s);
	return rc != 0 ? rc : fiber_breathe();
}

/* What waits in the socket may be a matter of TLS alone, such as a session ticket; only OpenSSL can
 * tell. */
bool
stream_tls_has_input(struct stream *s)
{
	char octet;
	int n;

	if (s->read_error != 0)
		return true;
	s->readable = true; /* the loop may not have had the turn to tell */
	stream_bio_begin_read(s);
	n = SSL_peek(s->ssl, &octet, 1);
	stream_bio_rest(s);
	if (n > 0)
		return true;
	switch (SSL_get_error(s->ssl, n)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return s->winded; /* who reads finds out */
	case SSL_ERROR_ZERO_RETURN:
		return true;
	default:
		s->failed = true;
		return true;
	}
}

void
stream_tls_say_goodbye(struct stream *s)
{
	if (s->ssl == NULL || s->failed || !SSL_is_init_finished(s->ssl))
		return;
	ERR_clear_error();
	SSL_shutdown(s->ssl);
}

void
stream_tls_end(struct stream *s, bool in_order)
{
	if (s->ssl == NULL)
		return;
	if (in_order)
		stream_tls_say_goodbye(s);
	SSL_free(s->ssl);
	s->ssl = NULL;
	stream_bio_end(s);
	tls_server_unref(s->server);
	tls_client_unref(s->client);
	s->server = NULL;
	s->client = NULL;
}

static int
explain_handshake(struct stream *s, int rc, struct error *e)
{
	char reason[160], key[TLS_PIN_TEXT_MAX];
	struct tls_pin pin;
	long verification = SSL_get_verify_result(s->ssl);

	if (rc == ERR_TIMEOUT)
		return error_set(e, rc, "TLS handshake timed out");
	if (rc == ERR_CLOSED)
		return error_set(e, rc, "connection closed during the TLS handshake");
	if (rc == ERR_CANCELLED)
		return error_set(e, rc, "cancelled");
	if (s->client != NULL && tls_client_refused_key(s->ssl, s->client, &pin)) {
		ERR_clear_error();
		tls_pin_format(&pin, key);
		return error_set(e, ERR_TLS, "certificate not accepted: no pin for its key, %s", key);
	}
	if (s->client != NULL && verification != X509_V_OK) {
		ERR_clear_error();
		return error_set(e, ERR_TLS, "certificate not accepted: %s",
		    X509_verify_cert_error_string(verification));
	}
	return error_set(e, ERR_TLS, "TLS handshake: %s", tls_reason(reason, sizeof(reason)));
}

/* Runs the handshake of s->ssl, which STEP (SSL_accept or SSL_connect) drives. */
static int
shake_hands(struct stream *s, int (*step)(SSL *ssl), uint64_t deadline, struct error *e)
{
	uint32_t events;
	int rc;

	for (;;) {
		int n;

		if (fiber_cancelled())
			return error_set(e, ERR_CANCELLED, "cancelled");
		stream_bio_begin_read(s);
		n = step(s->ssl);
		stream_bio_rest(s);
		if (n == 1)
			return 0;
		rc = after_failure(s, n, &events);
		if (rc != 0 || (rc = wait_to_read(s, events, deadline)) != 0) {
			s->failed = true;
			return explain_handshake(s, rc, e);
		}
	}
}

static int
attach(struct stream *s, SSL_CTX *context, const BIO_METHOD *method, struct error *e)
{
	if ((s->ssl = SSL_new(context)) == NULL)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	if (stream_bio_attach(s, method) == 0)
		return 0;
	SSL_free(s->ssl);
	s->ssl = NULL;
	return error_set(e, ERR_NO_MEMORY, "out of memory");
}

int
stream_start_tls_server(
    struct stream *s, struct tls_server *server, uint64_t deadline, struct error *e)
{
	int rc;

	if ((rc = attach(s, server->context, server->bio, e)) != 0)
		return rc;
	s->server = tls_server_ref(server);
	return shake_hands(s, SSL_accept, deadline, e);
}

/* Tells OpenSSL whose certificate we expect (RFC 6125, RFC 9525): addresses are compared with
 * iPAddress entries and never sent as SNI (RFC 6066 section 3). */
static int
expect_name(SSL *ssl, const char *name)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	unsigned char address[sizeof(struct in6_addr)];

	/* For OpenSSL no name means any name. */
	if (name[0] == '\0')
		return ERR_INVALID;
	if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1 ? 0 : ERR_NO_MEMORY;
	SSL_set_hostflags(
	    ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	if (SSL_set1_host(ssl, name) != 1 || SSL_set_tlsext_host_name(ssl, name) != 1)
		return ERR_NO_MEMORY;
	return 0;
}

int
stream_start_tls_client(struct stream *s, struct tls_client *client, const char *name,
    uint64_t deadline, struct error *e)
{
	int rc;

	if ((rc = attach(s, client->context, client->bio, e)) != 0)
		return rc;
	s->client = tls_client_ref(client);
	if ((rc = expect_name(s->ssl, name)) != 0)
		return error_set(e, rc, "cannot verify the name \"%s\": %s", name, error_name(rc));
	tls_sessions_offer(&client->sessions, s->ssl);
	/* Should it be for a session that it failed, the next one does without. */
	if ((rc = shake_hands(s, SSL_connect, deadline, e)) == ERR_TLS)
		tls_sessions_clear(&client->sessions);
	return rc;
}

bool
stream_is_tls(const struct stream *s)
{
	return s->ssl != NULL;
}

const char *
stream_tls_version(const struct stream *s)
{
	return s->ssl == NULL ? "" : SSL_get_version(s->ssl);
}

const char *
stream_tls_cipher(const struct stream *s)
{
	return s->ssl == NULL ? "" : SSL_get_cipher_name(s->ssl);
}
