/* bearer_refusal.c - why a server refuses a token: see sasl_message.h.
 *
 * Of the JSON (RFC 8259) only the "status" of the outermost object counts. Anything but well-formed
 * JSON of moderate size says nothing. */
#include <stdbool.h>
#include <string.h>

#include "base/base64.h"
#include "base/text.h"
#include "imapback/sasl_message.h"

enum { JSON_MAX = 2048, DEPTH_MAX = 16 };

struct json {
	const char *at, *end;
	unsigned depth;
};

/* A piece of the text. */
struct span {
	const char *text;
	size_t len;
};

static bool skip_value(struct json *j, struct span *value);

/* The next character that is no blank, or NUL at the end. */
static char
next(struct json *j)
{
	while (j->at < j->end && strchr(" \t\r\n", *j->at) != NULL && *j->at != '\0')
		j->at++;
	return j->at < j->end ? *j->at : '\0';
}

static bool
take(struct json *j, char c)
{
	if (next(j) != c || j->at == j->end)
		return false;
	j->at++;
	return true;
}

/* A string; VALUE is what stands between the quotes, escapes as they are. */
static bool
take_string(struct json *j, struct span *value)
{
	if (!take(j, '"'))
		return false;
	value->text = j->at;
	for (; j->at < j->end && (unsigned char) *j->at >= ' '; j->at++) {
		if (*j->at == '"') {
			value->len = (size_t) (j->at++ - value->text);
			return true;
		}
		if (*j->at == '\\' && ++j->at == j->end)
			return false;
	}
	return false;
}

/* A number, true, false or null: nobody minds its form. */
static bool
take_word(struct json *j, struct span *value)
{
	next(j);
	value->text = j->at;
	while (j->at < j->end &&
	       ((*j->at >= 'a' && *j->at <= 'z') || (*j->at >= '0' && *j->at <= '9') ||
		   *j->at == '-' || *j->at == '+' || *j->at == '.' || *j->at == 'E'))
		j->at++;
	value->len = (size_t) (j->at - value->text);
	return value->len > 0;
}

/* The members of an object behind its "{". STATUS, unless NULL, becomes the value of "status". */
static bool
take_members(struct json *j, struct span *status)
{
	struct span key, value;

	if (take(j, '}'))
		return true;
	do {
		value = (struct span){ "", 0 };
		if (!take_string(j, &key) || !take(j, ':') || !skip_value(j, &value))
			return false;
		if (status != NULL && key.len == 6 && memcmp(key.text, "status", 6) == 0)
			*status = value;
	} while (take(j, ','));
	return take(j, '}');
}

static bool
skip_array(struct json *j)
{
	struct span value;

	if (take(j, ']'))
		return true;
	do
		if (!skip_value(j, &value))
			return false;
	while (take(j, ','));
	return take(j, ']');
}

/* VALUE is set where it is a string or a word. */
static bool
skip_value(struct json *j, struct span *value)
{
	bool good;

	switch (next(j)) {
	case '"':
		return take_string(j, value);
	case '{':
	case '[':
		if (j->depth++ == DEPTH_MAX)
			return false;
		good = *j->at++ == '{' ? take_members(j, NULL) : skip_array(j);
		j->depth--;
		return good;
	default:
		return take_word(j, value);
	}
}

/* A status is one of HTTP, as Google and Microsoft give it, or an error of RFC 6750 section 3.1, or
 * of OAuth itself. */
static enum bearer_refusal
meaning(const struct span *status)
{
	static const char *const unavailable[] = { "server_error", "temporarily_unavailable",
		"unavailable", "internal_failure", "slow_down" };
	static const char *const rejected[] = { "invalid_token", "invalid_request",
		"insufficient_scope", "invalid_grant", "access_denied" };
	uint64_t number;

	if (status->len == 3 && text_to_number(status->text, 3, 599, &number) == 0) {
		if (number >= 500 || number == 429 || number == 408)
			return BEARER_UNAVAILABLE;
		return number >= 400 ? BEARER_REJECTED : BEARER_UNKNOWN;
	}
	for (size_t i = 0; i < sizeof(unavailable) / sizeof(unavailable[0]); i++)
		if (text_is_word(status->text, status->len, unavailable[i]))
			return BEARER_UNAVAILABLE;
	for (size_t i = 0; i < sizeof(rejected) / sizeof(rejected[0]); i++)
		if (text_is_word(status->text, status->len, rejected[i]))
			return BEARER_REJECTED;
	return BEARER_UNKNOWN;
}

enum bearer_refusal
bearer_refusal(const char *challenge, size_t len)
{
	struct span status = { "", 0 };
	char text[JSON_MAX];
	struct json j = { .at = text };
	size_t text_len;

	if (base64_decode(challenge, len, text, sizeof(text), &text_len) != 0)
		return BEARER_UNKNOWN;
	j.end = text + text_len;
	if (!take(&j, '{') || !take_members(&j, &status) || next(&j) != '\0' || j.at != j.end)
		return BEARER_UNKNOWN;
	return meaning(&status);
}
