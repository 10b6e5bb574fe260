/* bearer.c - see bearer.h. */
#include "pop3front/bearer.h"

#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"

enum { SEPARATOR = 1 }; /* ^A ends each pair, and another one the message */

static const char scheme[] = "Bearer ";

/* A message that is being read. */
struct message {
	const char *at, *end;
	struct credentials *c;
	bool has_user, has_token;
};

static bool
starts_with(const char *text, size_t len, const char *word)
{
	return len >= strlen(word) && memcmp(text, word, strlen(word)) == 0;
}

/* RFC 7628 section 3.1: a key is letters, a value has no control characters but blanks and line
 * ends. */
static bool
is_pair(const char *pair, size_t len)
{
	size_t at = 0;

	while (at < len && ((pair[at] | 0x20) >= 'a' && (pair[at] | 0x20) <= 'z'))
		at++;
	if (at == 0 || at == len || pair[at] != '=')
		return false;
	for (; at < len; at++)
		if (((unsigned char) pair[at] < ' ' && strchr("\t\r\n", pair[at]) == NULL) ||
		    (unsigned char) pair[at] > '~' || pair[at] == '\0')
			return false;
	return true;
}

static int
take_token(struct message *m, const char *value, size_t len)
{
	size_t scheme_len = sizeof(scheme) - 1;

	if (m->has_token || len < scheme_len || !text_is_word(value, scheme_len, scheme))
		return ERR_INVALID;
	m->has_token = true;
	return credentials_set_token(m->c, value + scheme_len, len - scheme_len);
}

static int
take_pair(struct message *m, const char *pair, size_t len)
{
	if (starts_with(pair, len, "auth="))
		return take_token(m, pair + 5, len - 5);
	/* Of XOAUTH2 alone: in OAUTHBEARER the user has been named before. It is UTF-8, which
	 * is_pair does not allow. */
	if (m->c->kind == CREDENTIALS_XOAUTH2 && starts_with(pair, len, "user=")) {
		if (m->has_user)
			return ERR_INVALID;
		m->has_user = true;
		return credentials_set_user(m->c, pair + 5, len - 5);
	}
	return is_pair(pair, len) ? 0 : ERR_INVALID;
}

/* *(key "=" value ^A) ^A, and nothing behind it. */
static int
take_pairs(struct message *m)
{
	const char *stop;
	int rc;

	while ((stop = memchr(m->at, SEPARATOR, (size_t) (m->end - m->at))) != NULL) {
		if (stop == m->at)
			return stop + 1 == m->end && m->has_user && m->has_token ? 0 : ERR_INVALID;
		if ((rc = take_pair(m, m->at, (size_t) (stop - m->at))) != 0)
			return rc;
		m->at = stop + 1;
	}
	return ERR_INVALID;
}

int
bearer_parse_xoauth2(const char *text, size_t len, struct credentials *c)
{
	struct message m = { .at = text, .end = text + len, .c = c };

	c->kind = CREDENTIALS_XOAUTH2;
	return take_pairs(&m);
}

/* A saslname (RFC 5801 section 4): "=2C" and "=3D" stand for a comma and an equals sign. */
static int
take_saslname(struct message *m, const char *name, size_t len)
{
	char plain[USER_NAME_MAX + 1];
	size_t to = 0;

	for (size_t at = 0; at < len; at++) {
		char octet = name[at];

		if (octet == '=') {
			if (starts_with(name + at, len - at, "=2C"))
				octet = ',';
			else if (!starts_with(name + at, len - at, "=3D"))
				return ERR_INVALID;
			at += 2;
		}
		if (to == sizeof(plain))
			return ERR_LIMIT;
		plain[to++] = octet;
	}
	m->has_user = true;
	return credentials_set_user(m->c, plain, to);
}

/* "n,a=user,": no channel binding, or "y" from a client that could do it and sees that we cannot.
 */
static int
take_gs2_header(struct message *m)
{
	size_t left = (size_t) (m->end - m->at);
	const char *comma;
	int rc;

	if (!starts_with(m->at, left, "n,a=") && !starts_with(m->at, left, "y,a="))
		return ERR_INVALID;
	m->at += 4;
	if ((comma = memchr(m->at, ',', left - 4)) == NULL)
		return ERR_INVALID;
	if ((rc = take_saslname(m, m->at, (size_t) (comma - m->at))) != 0)
		return rc;
	m->at = comma + 1;
	if (m->at == m->end || *m->at != SEPARATOR)
		return ERR_INVALID;
	m->at++;
	return 0;
}

int
bearer_parse_oauthbearer(const char *text, size_t len, struct credentials *c)
{
	struct message m = { .at = text, .end = text + len, .c = c };
	int rc;

	c->kind = CREDENTIALS_OAUTHBEARER;
	if ((rc = take_gs2_header(&m)) != 0)
		return rc;
	return take_pairs(&m);
}
