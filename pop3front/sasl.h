/* sasl.h - the server's side of SASL for POP3 AUTH (RFC 5034, RFC 4616 PLAIN, LOGIN as deployed).
 *
 * Pure: base64 responses in, challenges or credentials out. Mechanisms are rows of a table, so that further ones (XOAUTH2,
 * OAUTHBEARER) are a row and a function. */
#pragma once
#include <stddef.h>

#include "base/credentials.h"

struct sasl_mechanism;	/* a row of the table */

struct sasl_exchange {
	const struct sasl_mechanism *mechanism;
	unsigned step;
};

enum sasl_outcome {
	SASL_CHALLENGE,	/* send "+ " and sasl_challenge, read another response */
	SASL_DONE,	/* the credentials are complete */
	SASL_BAD,	/* malformed, forbidden characters, or an authorization identity of someone else */
	SASL_NO_MEMORY,
};

/* Finds the mechanism NAME (LEN octets, any case). Returns 0 or ERR_INVALID. */
int sasl_begin(struct sasl_exchange *x, const char *name, size_t len);

/* The base64 text that follows "+ " for the response that is due now. */
const char *sasl_challenge(const struct sasl_exchange *x);

/* Takes one base64 response (LEN octets; "=" stands for an empty initial response, RFC 5034 section 4). Decoded secrets
 * are cleansed. Credentials are filled as far as they are known. */
enum sasl_outcome sasl_respond(
    struct sasl_exchange *x, const char *response, size_t len, struct credentials *c);

/* The mechanisms for CAPA and AUTH, e.g. "PLAIN LOGIN". */
const char *sasl_mechanisms(void);
