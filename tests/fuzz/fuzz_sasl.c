/* fuzz_sasl.c - SASL exchanges: base64 responses as a client sends them, and credentials of any octets; and what a server
 * says of a token.
 *
 * The first octet chooses. Lines of the rest are responses to one exchange; or else the rest is a message of PLAIN or for a
 * token that is encoded first: PLAIN must be understood exactly as RFC 4616 says, and what is understood of a token makes
 * the same message again. Credentials that come out can be carried on: within their limits and without what would end a
 * line of a command. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/error.h"
#include "base/text.h"
#include "imapback/sasl_message.h"
#include "pop3front/sasl.h"
#include "pop3front/user_names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sasl_offer all = {
	SASL_PASSWORDS | SASL_XOAUTH2 | SASL_OAUTHBEARER | SASL_EXTERNAL, true, "cert"
};

static void
check(int ok)
{
	if (!ok)
		abort();
}

static int
is_user(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char) text[i] < 0x20 || text[i] == 0x7f)
			return 0;
	return len >= 1 && len <= USER_NAME_MAX && text_is_utf8(text, len);
}

static int
is_password(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] == '\0' || text[i] == '\r' || text[i] == '\n')
			return 0;
	return len >= 1 && len <= PASSWORD_MAX;
}

static int
is_token(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] <= 0x20 || text[i] == 0x7f)
			return 0;
	return len >= 1 && len <= PASSWORD_MAX;
}

/* C is complete: it can be carried on, and says the same when it comes back. */
static void
check_credentials(struct credentials *c)
{
	static const struct user_names names = { .max_length = 40, .master_separator = '*' };
	static const struct sasl_offer offer = {
		SASL_PLAIN | SASL_XOAUTH2 | SASL_OAUTHBEARER, true, NULL
	};
	static const char *const mechanisms[] = { "PLAIN", "XOAUTH2", "OAUTHBEARER" };
	struct credentials again = { 0 };
	struct secret message = { 0 };
	struct sasl_exchange x;

	check(c->user != NULL && is_user(c->user, strlen(c->user)));
	check(c->master == NULL || is_user(c->master, strlen(c->master)));
	if (c->kind == CREDENTIALS_CERTIFICATE) {
		check(strcmp(c->user, "cert") == 0 && c->password == NULL);
		return;
	}
	check(c->password != NULL && strlen(c->password) == c->password_len);
	check(credentials_are_token(c) ? is_token(c->password, c->password_len)
				       : is_password(c->password, c->password_len));
	check(sasl_message(c, "imap.test", 993, &message) == 0 && message.len > 2);
	check(sasl_begin(&x, &offer, mechanisms[c->kind], strlen(mechanisms[c->kind])) == 0);
	check(sasl_respond(&x, message.octets, message.len - 2, &again) == SASL_DONE);
	check(again.kind == c->kind && strcmp(again.user, c->user) == 0);
	check((again.master == NULL) == (c->master == NULL));
	check(c->master == NULL || strcmp(again.master, c->master) == 0);
	check(strcmp(again.password, c->password) == 0);
	credentials_clear(&again);
	secret_free(&message);
	if (user_names_resolve(&names, c) == 0) {
		check(strlen(c->user) <= 40 && strchr(c->user, '*') == NULL && c->user[0] != '\0');
		check(c->master == NULL || (strchr(c->master, '*') == NULL && c->master[0] != '\0'));
	}
}

/* Sends responses, a line each, for as long as the exchange wants some. */
static void
exchange(const char *name, const char *text, size_t len)
{
	enum sasl_outcome outcome = SASL_CHALLENGE;
	struct credentials c = { 0 };
	struct sasl_exchange x;
	unsigned steps = 0;

	check(sasl_begin(&x, &all, name, strlen(name)) == 0);
	while (outcome == SASL_CHALLENGE) {
		const char *end = memchr(text, '\n', len);
		size_t line = end == NULL ? len : (size_t) (end - text);
		char *copy = malloc(line == 0 ? 1 : line);

		if (copy == NULL)
			exit(2);
		check(sasl_challenge(&x) != NULL && ++steps <= 2);
		memcpy(copy, text, line);
		outcome = sasl_respond(&x, copy, line, &c);
		free(copy);
		text += end == NULL ? line : line + 1;
		len -= end == NULL ? line : line + 1;
	}
	if (outcome == SASL_DONE)
		check_credentials(&c);
	credentials_clear(&c);
}

/* TEXT is a message by which a token is shown. */
static void
token(const char *name, const char *text, size_t len)
{
	char *encoded = malloc(base64_encoded_size(len) + 1);

	if (encoded == NULL)
		exit(2);
	base64_encode(text, len, encoded);
	exchange(name, encoded, strlen(encoded));
	/* Nothing of a server's may do harm either. */
	check(bearer_refusal(text, len) <= BEARER_UNAVAILABLE);
	check(bearer_refusal(encoded, strlen(encoded)) <= BEARER_UNAVAILABLE);
	free(encoded);
}

/* What a message of PLAIN says; NULL where it says nothing that can be used. */
static const char *
plain_password(const char *text, size_t len, const char **user, size_t *user_len, size_t *password_len)
{
	const char *end = text + len, *first = memchr(text, '\0', len), *second;

	if (first == NULL || (second = memchr(first + 1, '\0', (size_t) (end - first - 1))) == NULL)
		return NULL;
	*user = first + 1;
	*user_len = (size_t) (second - *user);
	*password_len = (size_t) (end - second - 1);
	if (!is_user(*user, *user_len) || !is_password(second + 1, *password_len))
		return NULL;
	if (first != text && ((size_t) (first - text) != *user_len || memcmp(text, *user, *user_len) != 0)) {
		*user = text;
		*user_len = (size_t) (first - text);
		if (!is_user(*user, *user_len))
			return NULL;
	}
	return second + 1;
}

static void
plain(const char *text, size_t len)
{
	char *encoded = malloc(base64_encoded_size(len) + 1);
	size_t user_len = 0, password_len = 0;
	const char *user = NULL, *password;
	struct credentials c = { 0 };
	struct sasl_exchange x;
	enum sasl_outcome outcome;

	if (encoded == NULL)
		exit(2);
	base64_encode(text, len, encoded);
	check(sasl_begin(&x, &all, "PLAIN", 5) == 0);
	outcome = sasl_respond(&x, encoded, strlen(encoded), &c);
	password = plain_password(text, len, &user, &user_len, &password_len);
	check(outcome == (password != NULL ? SASL_DONE : SASL_BAD));
	if (password != NULL) {
		check(strlen(c.user) == user_len && memcmp(c.user, user, user_len) == 0);
		check(c.password_len == password_len && memcmp(c.password, password, password_len) == 0);
	}
	credentials_clear(&c);
	free(encoded);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *) data + 1;
	struct sasl_exchange x;

	if (size == 0)
		return 0;
	switch (data[0] & 7) {
	case 0:
		exchange("PLAIN", text, size - 1);
		break;
	case 1:
		exchange("LOGIN", text, size - 1);
		break;
	case 2:
		plain(text, size - 1);
		break;
	case 4:
		exchange("XOAUTH2", text, size - 1);
		exchange("OAUTHBEARER", text, size - 1);
		break;
	case 5:
		token("XOAUTH2", text, size - 1);
		break;
	case 6:
		token("OAUTHBEARER", text, size - 1);
		break;
	case 7:
		exchange("EXTERNAL", text, size - 1);
		break;
	default:
		if (sasl_begin(&x, &all, text, size - 1) == 0)
			check(size - 1 >= 5 && size - 1 <= 11 && x.mechanism != NULL);
	}
	return 0;
}
