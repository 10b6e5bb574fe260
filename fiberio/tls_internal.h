/* tls_internal.h - the OpenSSL contexts behind tls.h. Not for other layers. */
#pragma once
#include <openssl/ssl.h>

#include "fiberio/tls.h"
#include "fiberio/tls_sessions.h"
#include "fiberio/tls_staple.h"

/* A certificate of ours, ready to be shown. */
struct tls_identity {
	X509 *certificate;
	EVP_PKEY *key;
	STACK_OF(X509) * chain; /* NULL: none */
	char **names;		/* its dNSNames */
	size_t name_count;
	struct tls_staple staple;
};

struct tls_server {
	unsigned references;
	SSL_CTX *context;
	BIO_METHOD *bio; /* of their streams */
	struct tls_identity *identities; /* in the order of the pairs */
	size_t count;
	struct tls_tickets *tickets; /* NULL: OpenSSL's own */
};

struct tls_client {
	unsigned references;
	SSL_CTX *context;
	BIO_METHOD *bio; /* of their streams */
	struct tls_sessions sessions;
	enum tls_trust trust;
	struct tls_pin *pins;
	size_t pin_count;
	struct tls_pin refused; /* the key of the last server that no pin was for */
};

/* What a BIO on a stream is (stream_bio.c), to be freed by BIO_meth_free; NULL without memory. */
BIO_METHOD *stream_bio_method_new(void);

/* What OpenSSL says went wrong last, in its words, and clears its queue. BUF has ROOM octets;
 * returns BUF. */
char *tls_reason(char *buf, size_t room);

/* A context for METHOD with what both ends have in common. Returns 0, ERR_INVALID with *WHICH of
 * the terms is not understood, or ERR_NO_MEMORY. */
int tls_context_new(const SSL_METHOD *method, const struct tls_terms *terms, enum tls_era era,
    SSL_CTX **out, enum tls_term *which);

/* As that, with a text in E. */
int tls_context_make(const SSL_METHOD *method, const struct tls_terms *terms, enum tls_era era,
    SSL_CTX **out, struct error *e);

/* Makes PAIR the certificate of CONTEXT for its type of key. Errors as tls_server_new. */
int tls_context_load_pair(SSL_CTX *context, const struct tls_pair *pair, struct error *e);

/* Returns 0, or ERR_INVALID with a text for people that FILE, a WHAT, cannot be read. */
int tls_check_readable(const char *what, const char *file, struct error *e);

/* Whether the certificate of the server, which CLIENT has refused, came from somebody with another
 * key than those that are pinned; then *PIN is that key. Of the handshake that failed last. */
bool tls_client_refused_key(const SSL *ssl, const struct tls_client *client, struct tls_pin *pin);
