/* tls_sessions.h - sessions of a tls_client with its servers, so that the next handshake can resume
 * one (RFC 8446 section 2.2) and costs no certificate. Not for other layers.
 *
 * Nothing is verified when a session is resumed, so it stands for the verification behind it: under
 * the same settings (each tls_client has its own sessions), for the same name, an hour ago at most,
 * of a certificate that is valid still. A ticket of TLS 1.3 is used once (appendix C.4). */
#pragma once
#include <stdint.h>

#include <openssl/ssl.h>

enum { TLS_SESSIONS_MAX = 32 };

struct tls_session {
	SSL_SESSION *session;
	char *name;	   /* that the server had to prove */
	uint64_t verified; /* when it did: seconds of a clock that is never set */
};

struct tls_sessions {
	struct tls_session kept[TLS_SESSIONS_MAX]; /* the oldest first */
	size_t count;
};

/* Lets connections of CONTEXT leave their sessions in SESSIONS, which must outlive them. */
void tls_sessions_attach(struct tls_sessions *sessions, SSL_CTX *context);

/* Offers the server of SSL the last session under the name that SSL expects, if there is one.
 * Before the handshake, and once the name is set. */
void tls_sessions_offer(struct tls_sessions *sessions, SSL *ssl);

/* Frees what is kept. */
void tls_sessions_clear(struct tls_sessions *sessions);
