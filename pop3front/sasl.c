/* sasl.c - see sasl.h. */
#include "pop3front/sasl.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/base64.h"
#include "base/error.h"
#include "base/text.h"

/* One mechanism: the challenges that come before each response, and what takes a decoded response. */
struct sasl_mechanism {
	const char *name;
	const char *challenges[2]; /* in base64; unused ones are NULL */
	enum sasl_outcome (*respond)(
	    struct sasl_exchange *x, const char *text, size_t len, struct credentials *c);
};

static enum sasl_outcome
outcome_of(int rc)
{
	if (rc == 0)
		return SASL_DONE;
	return rc == ERR_NO_MEMORY ? SASL_NO_MEMORY : SASL_BAD;
}

/* RFC 4616 section 2: [authzid] NUL authcid NUL passwd. To act as somebody else is not offered. */
static enum sasl_outcome
respond_plain(struct sasl_exchange *x, const char *text, size_t len, struct credentials *c)
{
	const char *end = text + len, *user, *password;
	size_t authzid_len;
	int rc;

	(void) x;
	if ((user = memchr(text, '\0', len)) == NULL)
		return SASL_BAD;
	authzid_len = (size_t) (user - text);
	user++;
	if ((password = memchr(user, '\0', (size_t) (end - user))) == NULL)
		return SASL_BAD;
	if (authzid_len != 0 &&
	    (authzid_len != (size_t) (password - user) || memcmp(text, user, authzid_len) != 0))
		return SASL_BAD;
	if ((rc = credentials_set_user(c, user, (size_t) (password - user))) != 0)
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

static const struct sasl_mechanism mechanisms[] = {
	{ "PLAIN", { "", NULL }, respond_plain },
	{ "LOGIN", { "VXNlcm5hbWU6", "UGFzc3dvcmQ6" }, respond_login }, /* "Username:", "Password:" */
};

const char *
sasl_mechanisms(void)
{
	return "PLAIN LOGIN";
}

int
sasl_begin(struct sasl_exchange *x, const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++) {
		if (!text_is_word(name, len, mechanisms[i].name))
			continue;
		*x = (struct sasl_exchange) { .mechanism = &mechanisms[i] };
		return 0;
	}
	return ERR_INVALID;
}

const char *
sasl_challenge(const struct sasl_exchange *x)
{
	return x->mechanism->challenges[x->step];
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
