/* tls.h - what TLS needs to know before a connection exists: keys and certificates of our side,
 * trust in the other.
 *
 * Both objects are counted: a reload makes new ones, while streams go on with those they began
 * with. TLS 1.2 and 1.3, no renegotiation, no compression, no 0-RTT; buffers are released while a
 * connection rests. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct tls_server; /* certificates and keys of a listener */
struct tls_client; /* how a server's certificate is to be judged */
struct tls_tickets;

/* ---- for both ---- */

enum tls_version {
	TLS_VERSION_1_2,
	TLS_VERSION_1_3,
};

/* What a connection may agree on. Texts are lists as OpenSSL writes them; NULL: its own choice. */
struct tls_terms {
	enum tls_version minimum;
	const char *ciphers; /* before TLS 1.3; never below 112 bits, whatever it says */
	const char *suites;  /* of TLS 1.3 */
	const char *groups;  /* for the exchange of keys, the best first */
};

enum tls_term {
	TLS_TERM_CIPHERS,
	TLS_TERM_SUITES,
	TLS_TERM_GROUPS,
};

/* Whether OpenSSL understands TERMS. Returns 0; ERR_INVALID with *WHICH that it does not; or
 * ERR_NO_MEMORY. */
int tls_terms_check(const struct tls_terms *terms, enum tls_term *which);

/* PEM files: a certificate with its chain, and its private key, without a passphrase. */
struct tls_pair {
	const char *certificate;
	const char *key;
	const char *staple; /* DER file: an OCSP response about the certificate; NULL: none */
};

/* ---- listeners ---- */

enum tls_era {
	TLS_ERA_TODAY,
	TLS_ERA_LEGACY, /* TLS 1.0 and weak keys too, and no tickets: for devices that know no
			 * better. The minimum of the terms does not count. */
};

struct tls_server_options {
	const struct tls_pair *pairs; /* the first is for whoever asks for no name, or another */
	size_t pair_count;	      /* 1 or more */
	struct tls_terms terms;
	enum tls_era era;
};

/* Reads the pairs of OPTIONS, which need not stay. A client is shown those that bear the name it
 * asks for by SNI: exactly, or else by a wildcard for the first label; of several, one of each type
 * of key is offered. ALPN: "pop3" is accepted; a client that offers ALPN without it is refused (RFC
 * 7301 section 3.2, against cross-protocol attacks). Returns 0, or ERR_INVALID / ERR_NO_MEMORY with
 * a text that names the file and what is wrong with it (missing, not PEM, key does not belong to
 * the certificate, ...). */
int tls_server_new(
    const struct tls_server_options *options, struct tls_server **out, struct error *e);

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

/* From now on SERVER makes and takes session tickets by the keys in TICKETS, which must outlive its
 * connections. Before that it has keys of its own, which nobody shares. */
void tls_server_use_tickets(struct tls_server *server, struct tls_tickets *tickets);

/* Whether the OCSP response of pair INDEX is too old, or is none that clients would like to see, at
 * NOW (seconds since 1970). It is not shown to clients when it is too old. */
bool tls_server_staple_is_bad(const struct tls_server *server, size_t index, int64_t now);

/* ---- servers of others ---- */

enum { TLS_PIN_OCTETS = 32, TLS_PIN_TEXT_MAX = 64 };

/* SHA-256 of a public key, as a certificate holds it (its subjectPublicKeyInfo). */
struct tls_pin {
	unsigned char digest[TLS_PIN_OCTETS];
};

/* Reads "sha256/" and base64, with or without its final "=". Returns 0 or ERR_INVALID. */
int tls_pin_parse(const char *text, struct tls_pin *out);
void tls_pin_format(const struct tls_pin *pin, char out[TLS_PIN_TEXT_MAX]);

enum tls_trust {
	TLS_TRUST_CHAIN,   /* a certificate from a trusted authority, for the name, in its time */
	TLS_TRUST_PIN,	   /* any certificate with a pinned key */
	TLS_TRUST_ANYBODY, /* whoever answers */
};

struct tls_client_options {
	const char *ca_file;	  /* PEM file of trusted roots */
	const char *ca_directory; /* every file in it is one; neither: the system's roots */
	enum tls_trust trust;
	const struct tls_pin *pins; /* the key must be one of them; none: any */
	size_t pin_count;
	const struct tls_pair *own; /* who we are, if the server asks; NULL: nobody */
	const char *alpn;	    /* what will be spoken; NULL: "imap" */
	struct tls_terms terms;
};

/* Reads what OPTIONS name; they need not stay. Where the chain is verified, so is the host name
 * (RFC 6125: names of the certificate's subjectAltName only, no partial wildcards). SNI is sent,
 * ALPN offered (RFC 7301). Sessions are resumed: within an hour, the certificate of a name is not
 * verified again where the server proves to know the session. Errors as above. */
int tls_client_new(
    const struct tls_client_options *options, struct tls_client **out, struct error *e);

/* From now on each handshake is a full one. */
void tls_client_forbid_resumption(struct tls_client *client);

struct tls_client *tls_client_ref(struct tls_client *client);
void tls_client_unref(struct tls_client *client); /* NULL is allowed */
