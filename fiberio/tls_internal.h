/* tls_internal.h - the OpenSSL contexts behind tls.h. Not for other layers. */
#pragma once
#include <openssl/ssl.h>

#include "fiberio/tls.h"
#include "fiberio/tls_sessions.h"

struct tls_server {
	unsigned references;
	SSL_CTX *context;
	BIO_METHOD *bio; /* of their streams */
};

struct tls_client {
	unsigned references;
	SSL_CTX *context;
	BIO_METHOD *bio; /* of their streams */
	struct tls_sessions sessions;
};

/* What a BIO on a stream is (stream_bio.c), to be freed by BIO_meth_free; NULL without memory. */
BIO_METHOD *stream_bio_method_new(void);

/* What OpenSSL says went wrong last, in its words, and clears its queue. BUF has ROOM octets;
 * returns BUF. */
char *tls_reason(char *buf, size_t room);
