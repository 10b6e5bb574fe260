/* sasl.c - see sasl.h. */
#include "pop3front/sasl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/base64.h"
#include "base/error.h"
#include "base/text.h"
#include "pop3front/bearer.h"

/* One mechanism: the challenges that come before each response, and what takes a decoded response. */
struct sasl_mechanism {
	enum sasl_bit bit;
	const char *name;
	const char *challenges[2]; /* in base64; unused ones are NULL */
	enum sasl_outcome (*respond)(
	    struct sasl_exchange *x, const char *text, size_t len, struct credentials *c);
	const char *failure; /* see sasl_failure */
};

static enum sasl_outcome
outcome_of(int rc)
{
	if (rc == 0)
		return SASL_DONE;
	return rc == ERR_NO_MEMORY ? SASL_NO_MEMORY : SASL_BAD;
}

/* Whose mail PLAIN asks for (WANTED), and whose password it brings (OWNER). */
static int
set_plain_names(struct sasl_exchange *x, const char *wanted, size_t wanted_len, const char *owner,
    size_t owner_len, struct credentials *c)
{
	int rc;

	if (wanted_len == 0 || (wanted_len == owner_len && memcmp(wanted, owner, owner_len) == 0))
		return credentials_set_user(c, owner, owner_len);
	if (!x->offer->masters)
		return ERR_INVALID;
	if ((rc = credentials_set_user(c, wanted, wanted_len)) != 0)
		return rc;
	return credentials_set_master(c, owner, owner_len);
}

/* RFC 4616 section 2: [authzid] NUL authcid NUL passwd. */
static enum sasl_outcome
respond_plain(struct sasl_exchange *x, const char *text, size_t len, struct credentials *c)
{
	const char *end = text + len, *owner, *password;
	int rc;

	if ((owner = memchr(text, '\0', len)) == NULL)
		return SASL_BAD;
	owner++;
	if ((password = memchr(owner, '\0', (size_t) (end - owner))) == NULL)
		return SASL_BAD;
	rc = set_plain_names(
	    x, text, (size_t) (owner - text) - 1, owner, (size_t) (password - owner), c);
	if (rc != 0)
		return outcome_of(rc);
	password++;
	return outcome_of(credentials_set_password(c, password, (size_t) (end - password)));
}

/* LOGIN has no RFC; draft-murchison-sasl-login tells what clients do. */
static enum sasl_outcome
respond_login(struct sasl_exchange *x, const char *text, size_t len, struct credentials *c)
{
	int rc;

	if (x->step == 1)
		return outcome_of(credentials_set_password(c, text, len));
	if ((rc = credentials_set_user(c, text, len)) != 0)
		return outcome_of(rc);
	x->step = 1;
	return SASL_CHALLENGE;
}

static enum sasl_outcome
respond_xoauth2(struct sasl_exchange *x, const char *text, size_t len, struct credentials *c)
{
	(void) x;
	return outcome_of(bearer_parse_xoauth2(text, len, c));
}

static enum sasl_outcome
respond_oauthbearer(struct sasl_exchange *x, const char *text, size_t len, struct credentials *c)
{
	(void) x;
	return outcome_of(bearer_parse_oauthbearer(text, len, c));
}

/* RFC 4422 appendix A: the response is the authorization identity, and may be empty. A certificate is good for one user. */
static enum sasl_outcome
respond_external(struct sasl_exchange *x, const char *text, size_t len, struct credentials *c)
{
	const char *user = x->offer->certificate_user;
	size_t user_len = strlen(user);

	if (len != 0 && (len != user_len || memcmp(text, user, len) != 0))
		return SASL_BAD;
	c->kind = CREDENTIALS_CERTIFICATE;
	return outcome_of(credentials_set_user(c, user, user_len));
}

/* The failures say {"status":"401","schemes":"bearer"} and {"status":"invalid_token"}, whatever the server says. */
static const struct sasl_mechanism mechanisms[] = {
	{ SASL_PLAIN, "PLAIN", { "", NULL }, respond_plain, NULL },
	/* "Username:", "Password:" */
	{ SASL_LOGIN, "LOGIN", { "VXNlcm5hbWU6", "UGFzc3dvcmQ6" }, respond_login, NULL },
	{ SASL_XOAUTH2, "XOAUTH2", { "", NULL }, respond_xoauth2,
	    "eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIn0=" },
	{ SASL_OAUTHBEARER, "OAUTHBEARER", { "", NULL }, respond_oauthbearer,
	    "eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=" },
	{ SASL_EXTERNAL, "EXTERNAL", { "", NULL }, respond_external, NULL },
};

enum { MECHANISMS = sizeof(mechanisms) / sizeof(mechanisms[0]) };

static bool
is_offered(const struct sasl_offer *offer, const struct sasl_mechanism *m)
{
	if (m->bit == SASL_EXTERNAL && offer->certificate_user == NULL)
		return false;
	return (offer->mechanisms & (unsigned) m->bit) != 0;
}

const char *
sasl_list(const struct sasl_offer *offer, char out[SASL_LIST_MAX])
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < MECHANISMS; i++)
		if (is_offered(offer, &mechanisms[i]))
			at += (size_t) snprintf(out + at, SASL_LIST_MAX - at, "%s%s", at == 0 ? "" : " ",
			    mechanisms[i].name);
	return out;
}

int
sasl_begin(struct sasl_exchange *x, const struct sasl_offer *offer, const char *name, size_t len)
{
	for (size_t i = 0; i < MECHANISMS; i++) {
		if (!text_is_word(name, len, mechanisms[i].name) || !is_offered(offer, &mechanisms[i]))
			continue;
		*x = (struct sasl_exchange) { .mechanism = &mechanisms[i], .offer = offer };
		return 0;
	}
	return ERR_INVALID;
}

const char *
sasl_challenge(const struct sasl_exchange *x)
{
	return x->mechanism->challenges[x->step];
}

const char *
sasl_failure(const struct sasl_exchange *x)
{
	return x->mechanism->failure;
}

enum sasl_outcome
sasl_respond(struct sasl_exchange *x, const char *response, size_t len, struct credentials *c)
{
	enum sasl_outcome outcome = SASL_BAD;
	size_t room = len / 4 * 3 + 1, decoded_len;
	char *decoded;

	if (len == 1 && response[0] == '=')
		len = 0;
	if ((decoded = malloc(room)) == NULL)
		return SASL_NO_MEMORY;
	if (base64_decode(response, len, decoded, room, &decoded_len) == 0)
		outcome = x->mechanism->respond(x, decoded, decoded_len, c);
	OPENSSL_cleanse(decoded, room);
	free(decoded);
	return outcome;
}
