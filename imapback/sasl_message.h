/* sasl_message.h - what a client says in SASL: the messages of PLAIN (RFC 4616), XOAUTH2 and
 * OAUTHBEARER (RFC 7628), and what a server's refusal of a token means. Pure. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/credentials.h"
#include "imapback/secret.h"

/* Writes the message that shows C, in base64 with CRLF, to OUT, which is to be freed with
 * secret_free. Passwords and tokens are taken as they are: credentials.h keeps out what cannot
 * stand there. HOST and PORT are the server's own, for OAUTHBEARER. Returns 0 or ERR_NO_MEMORY. */
int sasl_message(const struct credentials *c, const char *host, uint16_t port, struct secret *out);

enum bearer_refusal {
	BEARER_UNKNOWN,	    /* the server does not say why, or not so that it can be understood */
	BEARER_REJECTED,    /* the token is not good */
	BEARER_UNAVAILABLE, /* the server could not judge it */
};

/* Judges the challenge (LEN octets of base64, as it stands behind "+ ") by which a server refuses a
 * token (RFC 7628 section 3.2.2): JSON with a "status". */
enum bearer_refusal bearer_refusal(const char *challenge, size_t len);
