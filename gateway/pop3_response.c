/* pop3_response.c - see pop3_response.h. */
#include "gateway/pop3_response.h"

#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/text.h"

/* Where in the answer the next octet stands. */
enum state {
	IN_STATUS, /* the status line */
	IN_LINE,   /* a line of a listing */
	AT_START,  /* a message, at the start of a line */
	AFTER_DOT, /* behind a dot there */
	AFTER_DOT_CR,
	IN_TEXT, /* a message, elsewhere */
	AT_END,
};

void
pop3_response_begin(struct pop3_response *r, enum pop3_response_form form)
{
	r->form = form;
	r->state = IN_STATUS;
	r->bare = r->after_cr = false;
	r->line_len = 0;
	r->text = r->reason = NULL;
	r->text_len = 0;
}

static enum pop3_response_event
bad(struct pop3_response *r, const char *reason)
{
	r->state = AT_END;
	r->reason = reason;
	return POP3_EVENT_BAD;
}

static enum pop3_response_event
give(struct pop3_response *r, enum pop3_response_event event, const char *text, size_t len)
{
	r->text = text;
	r->text_len = len;
	return event;
}

/* Gives what stands behind the first SKIP octets of the status line, and a blank. */
static enum pop3_response_event
give_status(struct pop3_response *r, enum pop3_response_event event, size_t skip)
{
	while (skip < r->line_len && r->line[skip] == ' ')
		skip++;
	return give(r, event, r->line + skip, r->line_len - skip);
}

static bool
begins_with(const struct pop3_response *r, const char *word)
{
	size_t len = strlen(word);

	return r->line_len >= len && text_is_word(r->line, len, word) &&
	       (r->line_len == len || r->line[len] == ' ' || r->line[len] == '\t');
}

static enum pop3_response_event
status_complete(struct pop3_response *r)
{
	r->state = AT_END;
	if (begins_with(r, "-ERR"))
		return give_status(r, POP3_EVENT_ERR, 4);
	if (r->form == POP3_RESPONSE_AUTH && begins_with(r, "+"))
		return give_status(r, POP3_EVENT_CHALLENGE, 1);
	if (!begins_with(r, "+OK"))
		return bad(r, "neither +OK nor -ERR");
	if (r->form == POP3_RESPONSE_LINES)
		r->state = IN_LINE;
	else if (r->form == POP3_RESPONSE_OCTETS)
		r->state = AT_START;
	return give_status(r, POP3_EVENT_OK, 3);
}

/* A line of a listing. A dot before it stands for none (RFC 1939 section 3). */
static enum pop3_response_event
listing_line_complete(struct pop3_response *r)
{
	size_t dot = r->line_len > 0 && r->line[0] == '.';

	if (dot && r->line_len == 1) {
		r->state = AT_END;
		return give(r, POP3_EVENT_END, NULL, 0);
	}
	return give(r, POP3_EVENT_LINE, r->line + dot, r->line_len - dot);
}

/* Collects a line of limited length in r->line. */
static enum pop3_response_event
feed_line(struct pop3_response *r, const char *data, size_t len, size_t *taken)
{
	size_t most = r->form == POP3_RESPONSE_AUTH ? POP3_CHALLENGE_MAX : POP3_LINE_MAX;
	const char *lf = memchr(data, '\n', len);
	size_t part = lf != NULL ? (size_t) (lf - data) : len;

	if (part > most - r->line_len)
		return bad(r, "a line without an end");
	if (memchr(data, '\0', part) != NULL)
		return bad(r, "NUL in a line");
	memcpy(r->line + r->line_len, data, part);
	r->line_len += part;
	*taken = part;
	if (lf == NULL)
		return POP3_EVENT_MORE;
	*taken = part + 1;
	if (r->state == IN_STATUS)
		r->bare = r->line_len == 0 || r->line[r->line_len - 1] != '\r';
	if (r->line_len > 0 && r->line[r->line_len - 1] == '\r')
		r->line_len--;
	return r->state == IN_STATUS ? status_complete(r) : listing_line_complete(r);
}

/* Gives the octets of a message from AT on, up to a line that begins with a dot. */
static enum pop3_response_event
give_text(struct pop3_response *r, const char *data, size_t len, size_t at, size_t *taken)
{
	size_t begin = at;
	const char *lf;

	while ((lf = memchr(data + at, '\n', len - at)) != NULL) {
		bool cr = lf > data + begin ? lf[-1] == '\r' : r->after_cr;

		at = (size_t) (lf - data) + 1;
		if (!cr && !r->bare)
			continue;
		if (at == len || data[at] == '.') {
			r->state = AT_START;
			break;
		}
	}
	*taken = lf == NULL ? len : at;
	r->after_cr = data[*taken - 1] == '\r';
	return give(r, POP3_EVENT_OCTETS, data + begin, *taken - begin);
}

static enum pop3_response_event
feed_message(struct pop3_response *r, const char *data, size_t len, size_t *taken)
{
	size_t at = 0;

	if (r->state == AT_START && data[at] == '.') {
		r->state = AFTER_DOT;
		at++;
	}
	if (r->state == AFTER_DOT && at < len && data[at] == '\r') {
		r->state = AFTER_DOT_CR;
		at++;
	}
	*taken = at;
	if (at == len)
		return POP3_EVENT_MORE;
	if (data[at] == '\n' &&
	    (r->state == AFTER_DOT_CR || (r->state == AFTER_DOT && r->bare))) {
		r->state = AT_END;
		*taken = at + 1;
		return give(r, POP3_EVENT_END, NULL, 0);
	}
	if (r->state == AFTER_DOT_CR) {
		/* A lone CR behind a dot that was added: the message's own. */
		r->state = IN_TEXT;
		r->after_cr = true;
		return give(r, POP3_EVENT_OCTETS, "\r", 1);
	}
	if (r->state != IN_TEXT)
		r->after_cr = false;
	r->state = IN_TEXT;
	return give_text(r, data, len, at, taken);
}

enum pop3_response_event
pop3_response_feed(struct pop3_response *r, const char *data, size_t len, size_t *taken)
{
	*taken = 0;
	if (len == 0)
		return POP3_EVENT_MORE;
	if (r->state == AT_END)
		return bad(r, "octets behind the end");
	if (r->state != IN_STATUS && r->state != IN_LINE)
		return feed_message(r, data, len, taken);
	if (r->text != NULL) /* the line before this one was given */
		r->line_len = 0;
	r->text = NULL;
	return feed_line(r, data, len, taken);
}

/* Takes the next word off TEXT. */
static size_t
next_word(const char **text, size_t *len, const char **word)
{
	size_t n = 0;

	while (*len > 0 && (**text == ' ' || **text == '\t')) {
		(*text)++;
		(*len)--;
	}
	*word = *text;
	while (n < *len && (*text)[n] != ' ' && (*text)[n] != '\t')
		n++;
	*text += n;
	*len -= n;
	return n;
}

static const struct {
	const char *word;
	unsigned bit;
} capabilities[] = {
	{ "STLS", POP3_CAP_STLS },
	{ "USER", POP3_CAP_USER },
	{ "TOP", POP3_CAP_TOP },
	{ "UIDL", POP3_CAP_UIDL },
	{ "PIPELINING", POP3_CAP_PIPELINING },
	{ "RESP-CODES", POP3_CAP_RESP_CODES },
	{ "AUTH-RESP-CODE", POP3_CAP_AUTH_RESP_CODE },
}, mechanisms[] = {
	{ "PLAIN", POP3_CAP_SASL_PLAIN },
	{ "XOAUTH2", POP3_CAP_SASL_XOAUTH2 },
	{ "OAUTHBEARER", POP3_CAP_SASL_OAUTHBEARER },
};

unsigned
pop3_capability_bits(const char *line, size_t len)
{
	const char *word;
	size_t n = next_word(&line, &len, &word);
	unsigned bits = 0;

	for (size_t i = 0; i < sizeof(capabilities) / sizeof(capabilities[0]); i++)
		if (text_is_word(word, n, capabilities[i].word))
			bits |= capabilities[i].bit;
	if (!text_is_word(word, n, "SASL"))
		return bits;
	while ((n = next_word(&line, &len, &word)) > 0)
		for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++)
			if (text_is_word(word, n, mechanisms[i].word))
				bits |= mechanisms[i].bit;
	return bits;
}

/* Takes a number of up to MAX off LINE. */
static int
next_number(const char **line, size_t *len, uint64_t max, uint64_t *out)
{
	const char *word;
	size_t n = next_word(line, len, &word);

	return text_to_number(word, n, max, out) == 0 ? 0 : ERR_PROTOCOL;
}

int
pop3_numbers(const char *line, size_t len, uint32_t *messages, uint64_t *octets)
{
	uint64_t first;

	if (next_number(&line, &len, UINT32_MAX, &first) != 0 ||
	    next_number(&line, &len, INT64_MAX, octets) != 0)
		return ERR_PROTOCOL;
	*messages = (uint32_t) first;
	return 0;
}

int
pop3_uidl_line(const char *line, size_t len, uint32_t *number, char uidl[POP3_UIDL_MAX + 1])
{
	uint64_t first;
	const char *word;
	size_t n;

	if (next_number(&line, &len, UINT32_MAX, &first) != 0)
		return ERR_PROTOCOL;
	n = next_word(&line, &len, &word);
	if (n == 0 || n > POP3_UIDL_MAX)
		return ERR_PROTOCOL;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char) word[i] < 0x21 || (unsigned char) word[i] > 0x7e)
			return ERR_PROTOCOL;
	memcpy(uidl, word, n);
	uidl[n] = '\0';
	*number = (uint32_t) first;
	return 0;
}

/* What a response code means; where it depends on the command, a login differs from the rest. */
static const struct {
	const char *code;
	int to_login;
	int to_other;
} codes[] = {
	{ "AUTH", ERR_AUTH, ERR_TEMPORARY },
	{ "IN-USE", ERR_IN_USE, ERR_IN_USE },
	{ "LOGIN-DELAY", ERR_TEMPORARY, ERR_TEMPORARY },
	{ "SYS/TEMP", ERR_TEMPORARY, ERR_TEMPORARY },
	{ "SYS/PERM", ERR_PERMANENT, ERR_PERMANENT },
};

/* What old servers without response codes say of something else than the credentials. Taken for
 * rejected ones, these would make clients forget passwords. */
static const struct {
	const char *words;
	int meaning;
} phrases[] = {
	{ "in use", ERR_IN_USE },
	{ "get lock", ERR_IN_USE },
	{ "mailbox lock", ERR_IN_USE },
	{ "mailbox is locked", ERR_IN_USE },
	{ "maildrop lock", ERR_IN_USE },
	{ "maildrop is locked", ERR_IN_USE },
	{ "already locked", ERR_IN_USE },
	{ "try again", ERR_TEMPORARY },
	{ "try later", ERR_TEMPORARY },
	{ "temporar", ERR_TEMPORARY },
	{ "too many", ERR_TEMPORARY },
	{ "unavailable", ERR_TEMPORARY },
	{ "internal error", ERR_TEMPORARY },
};

/* The response code at the start of TEXT: its index in the table, or -1. */
static int
find_code(const char *text, size_t len)
{
	const char *end = len > 0 && text[0] == '[' ? memchr(text, ']', len) : NULL;
	size_t n;

	if (end == NULL)
		return -1;
	n = (size_t) (end - text) - 1;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		size_t known = strlen(codes[i].code);

		/* More may follow in levels of its own, or behind a blank (RFC 2449 section 8). */
		if (n >= known && text_is_word(text + 1, known, codes[i].code) &&
		    (n == known || text[1 + known] == '/' || text[1 + known] == ' '))
			return (int) i;
	}
	return -1;
}

static bool
contains(const char *text, size_t len, const char *words)
{
	size_t n = strlen(words);

	for (size_t i = 0; i + n <= len; i++)
		if (strncasecmp(text + i, words, n) == 0)
			return true;
	return false;
}

int
pop3_login_refusal(const char *text, size_t len, unsigned announced)
{
	int code = find_code(text, len);

	if (code >= 0)
		return codes[code].to_login;
	if ((announced & POP3_CAP_AUTH_RESP_CODE) != 0)
		return ERR_TEMPORARY;
	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if (contains(text, len, phrases[i].words))
			return phrases[i].meaning;
	return ERR_AUTH;
}

int
pop3_refusal(const char *text, size_t len)
{
	int code = find_code(text, len);

	return code >= 0 ? codes[code].to_other : ERR_PERMANENT;
}
