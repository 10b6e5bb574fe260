/* tls_staple.h - an OCSP response that comes along with a certificate (RFC 6066 section 8), so that
 * clients need not ask its authority. Not for other layers. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "base/error.h"

struct tls_staple {
	unsigned char *der; /* NULL: none */
	size_t len;
	int64_t until; /* seconds since 1970; where it names no end, a day from its making */
	bool good;     /* says that the certificate is not revoked */
};

/* Reads FILE (DER), which must be about CERTIFICATE; ISSUER may be NULL. Returns 0 with OUT to be
 * cleared, ERR_INVALID with a text that names FILE, or ERR_NO_MEMORY. Its signature is for clients
 * to judge. */
int tls_staple_load(const char *file, X509 *certificate, X509 *issuer, struct tls_staple *out,
    struct error *e);
void tls_staple_clear(struct tls_staple *staple);
