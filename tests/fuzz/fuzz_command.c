/* fuzz_command.c - what a client sends, cut into lines and parsed.
 *
 * The first octet says in what pieces it arrives. Whatever the pieces, the lines are those that a
 * look at the whole finds; no line is longer than it may be; the buffer is no larger than the line
 * in it needs; a command points into its line. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "pop3front/command.h"
#include "pop3front/line_buffer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct client {
	const char *at, *end; /* what was not sent yet */
	size_t piece;
};

static void
check(int ok)
{
	if (!ok)
		abort();
}

/* The line at the start of TEXT, by a look at all that will ever come. */
static enum line_state
whole_line(const char *text, size_t left, enum line_limit limit, size_t *taken, size_t *len)
{
	size_t most = limit == LINE_RESPONSE || (left >= 5 && strncasecmp(text, "AUTH ", 5) == 0)
			  ? (size_t) COMMAND_AUTH_LINE_MAX
			  : (size_t) COMMAND_LINE_MAX;

	for (*taken = 1; *taken <= left && *taken <= most; ++*taken) {
		if (text[*taken - 1] != '\n')
			continue;
		*len = *taken - 1;
		if (*len > 0 && text[*len - 1] == '\r')
			--*len;
		return LINE_COMPLETE;
	}
	return left >= most ? LINE_TOO_LONG : LINE_INCOMPLETE;
}

/* Sends until there is a line or an end. */
static enum line_state
receive_line(struct line_buffer *b, struct client *client, enum line_limit limit, const char **line,
    size_t *len)
{
	enum line_state state;
	size_t room, n;
	char *at;

	while ((state = line_buffer_next(b, limit, line, len)) == LINE_INCOMPLETE &&
	       client->at < client->end) {
		if (line_buffer_space(b, &at, &room) != 0)
			exit(2);
		check(room > 0);
		n = (size_t) (client->end - client->at);
		n = n < client->piece ? n : client->piece;
		n = n < room ? n : room;
		memcpy(at, client->at, n);
		line_buffer_filled(b, n);
		client->at += n;
	}
	return state;
}

static void
check_words(const struct command *c)
{
	const char *at = c->text, *end = c->text + c->text_len;
	unsigned words = 0;

	while (at < end) {
		const char *start = at;

		while (at < end && *at != ' ' && *at != '\t')
			at++;
		if (at > start && words < 2)
			check(
			    c->word[words] == start && c->word_len[words] == (size_t) (at - start));
		words += at > start;
		at++;
	}
	check(c->words == (words > 3 ? 3 : words));
}

static void
check_number(const char *word, size_t len)
{
	uint64_t number = 0;
	char text[24], back[24];
	size_t zeroes = 0;

	if (command_number(word, len, &number) != 0)
		return;
	while (zeroes + 1 < len && word[zeroes] == '0')
		zeroes++;
	check(len - zeroes < sizeof(text));
	memcpy(text, word + zeroes, len - zeroes);
	text[len - zeroes] = '\0';
	snprintf(back, sizeof(back), "%llu", (unsigned long long) number);
	check(strcmp(text, back) == 0);
}

/* Parses LINE; returns how long the line behind it may be. */
static enum line_limit
check_command(const char *line, size_t len)
{
	struct command c;

	switch (command_parse(line, len, &c)) {
	case COMMAND_HAS_NUL:
		check(memchr(line, '\0', len) != NULL);
		return LINE_COMMAND;
	case COMMAND_BAD_VERB:
		return LINE_COMMAND;
	case COMMAND_FINE:
		break;
	}
	check(c.verb != COMMAND_UNKNOWN && memchr(line, '\0', len) == NULL);
	check(c.text >= line + 3 && c.text + c.text_len == line + len);
	check_words(&c);
	for (unsigned i = 0; i < c.words && i < 2; i++)
		check_number(c.word[i], c.word_len[i]);
	return c.verb == COMMAND_AUTH && c.words > 0 ? LINE_RESPONSE : LINE_COMMAND;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum line_limit limit = LINE_COMMAND;
	enum line_state state;
	struct line_buffer b;
	struct client client;
	const char *text;

	if (size == 0)
		return 0;
	text = (const char *) data + 1;
	client = (struct client){ text, text + size - 1, 1 + (size_t) data[0] * data[0] };
	line_buffer_begin(&b);
	do {
		const char *line = NULL;
		size_t len = 0, want_len = 0, taken = 0, left = (size_t) (client.end - text);

		state = receive_line(&b, &client, limit, &line, &len);
		check(state == whole_line(text, left, limit, &taken, &want_len));
		if (state != LINE_COMPLETE)
			break;
		check(len == want_len && memcmp(line, text, len) == 0);
		limit = check_command(line, len);
		text += taken;
		check(line_buffer_left(&b) == (size_t) (client.at - text));
		line_buffer_drop(&b);
		check(b.grown == NULL || line_buffer_left(&b) > LINE_BUFFER_AT_REST);
	} while (state == LINE_COMPLETE);
	line_buffer_clear(&b);
	check(line_buffer_left(&b) == 0 && b.grown == NULL);
	return 0;
}
