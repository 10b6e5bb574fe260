/* sasl.h - the server's side of SASL for POP3 AUTH (RFC 5034): PLAIN (RFC 4616), LOGIN as deployed, XOAUTH2 as Google and
 * Microsoft tell it, OAUTHBEARER (RFC 7628), EXTERNAL (RFC 4422 appendix A).
 *
 * Pure: base64 responses in, challenges or credentials out. Mechanisms are rows of a table. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/credentials.h"

enum sasl_bit {
	SASL_PLAIN = 1 << 0,
	SASL_LOGIN = 1 << 1,
	SASL_XOAUTH2 = 1 << 2,
	SASL_OAUTHBEARER = 1 << 3,
	SASL_EXTERNAL = 1 << 4,
	SASL_PASSWORDS = SASL_PLAIN | SASL_LOGIN,
};

/* What is possible on a connection. */
struct sasl_offer {
	unsigned mechanisms;		/* bits of enum sasl_bit */
	bool masters;			/* PLAIN may name a user other than the one whose password it is */
	const char *certificate_user;	/* whom the client's certificate names; NULL: no EXTERNAL */
};

struct sasl_mechanism;	/* a row of the table */

struct sasl_exchange {
	const struct sasl_mechanism *mechanism;
	const struct sasl_offer *offer;
	unsigned step;
};

enum sasl_outcome {
	SASL_CHALLENGE,	/* send "+ " and sasl_challenge, read another response */
	SASL_DONE,	/* the credentials are complete */
	SASL_BAD,	/* malformed, forbidden characters, or an authorization identity not allowed */
	SASL_NO_MEMORY,
};

/* Begins with the mechanism NAME (LEN octets, any case), if OFFER has it. OFFER must outlive the exchange. Returns 0 or
 * ERR_INVALID. */
int sasl_begin(
    struct sasl_exchange *x, const struct sasl_offer *offer, const char *name, size_t len);

/* The base64 text that follows "+ " for the response that is due now. */
const char *sasl_challenge(const struct sasl_exchange *x);

/* Takes one base64 response (LEN octets; "=" stands for an empty initial response, RFC 5034 section 4). Decoded secrets
 * are cleansed. Credentials are filled as far as they are known. */
enum sasl_outcome sasl_respond(
    struct sasl_exchange *x, const char *response, size_t len, struct credentials *c);

/* What follows "+ " when the credentials were rejected, before the client gives its empty answer and gets -ERR (RFC 7628
 * section 3.2.3); NULL where the mechanism has no such step. */
const char *sasl_failure(const struct sasl_exchange *x);

enum { SASL_LIST_MAX = 64 };	/* octets of the longest list, with the final NUL */

/* Writes the mechanisms of OFFER for CAPA and AUTH, e.g. "PLAIN LOGIN"; "" for none. Returns OUT. */
const char *sasl_list(const struct sasl_offer *offer, char out[SASL_LIST_MAX]);
