/* tls.h - what TLS needs to know before a connection exists: keys and certificates of our side,
 * trust in the other.
 *
 * Both objects are counted: a reload makes new ones, while streams go on with those they began
 * with. TLS 1.2 and 1.3, no renegotiation, no compression, no 0-RTT; buffers are released while a
 * connection rests. */
#pragma once
#include <stdbool.h>

#include "base/error.h"

struct tls_server; /* certificate and key of a listener */
struct tls_client; /* how a server's certificate is to be judged */

/* Reads a PEM chain and its private key. ALPN: "pop3" is accepted; a client that offers ALPN
 * without it is refused (RFC 7301 section 3.2, against cross-protocol attacks). Returns 0, or
 * ERR_INVALID / ERR_NO_MEMORY with a text that names the file and what is wrong with it (missing,
 * not PEM, key does not belong to the certificate, ...). */
int tls_server_new(
    const char *certificate_file, const char *key_file, struct tls_server **out, struct error *e);

enum tls_client_certificate { /* what a server asks of its clients */
	TLS_CLIENT_NONE,      /* nothing */
	TLS_CLIENT_REQUEST,   /* a certificate, but without one they are welcome too */
	TLS_CLIENT_REQUIRE,   /* a certificate, or the handshake fails */
};

/* Makes SERVER ask clients for a certificate that comes from an authority in CA_FILE (PEM); one
 * that is shown and not good for that fails the handshake. Sessions are not resumed then: a
 * certificate is judged anew each time. To be called before the first handshake. Errors as above.
 */
int tls_server_verify_clients(struct tls_server *server, const char *ca_file,
    enum tls_client_certificate wanted, struct error *e);

struct tls_server *tls_server_ref(struct tls_server *server);
void tls_server_unref(struct tls_server *server); /* NULL is allowed */

/* CA_FILE is a PEM file of trusted roots; NULL means the system's. The host name is always verified
 * (RFC 6125: names of the certificate's subjectAltName only, no partial wildcards), SNI is sent,
 * ALPN "imap" offered. Sessions are resumed: within an hour, the certificate of a name is not
 * verified again where the server proves to know the session. Errors as above. */
int tls_client_new(const char *ca_file, struct tls_client **out, struct error *e);

/* From now on each handshake is a full one. */
void tls_client_forbid_resumption(struct tls_client *client);

struct tls_client *tls_client_ref(struct tls_client *client);
void tls_client_unref(struct tls_client *client); /* NULL is allowed */
