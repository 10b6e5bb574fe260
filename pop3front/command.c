/* command.c - see command.h. */
#include "pop3front/command.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"

static const struct {
	const char *name;
	enum command_verb verb;
} verbs[] = {
	{ "APOP", COMMAND_APOP },
	{ "AUTH", COMMAND_AUTH },
	{ "CAPA", COMMAND_CAPA },
	{ "DELE", COMMAND_DELE },
	{ "LIST", COMMAND_LIST },
	{ "NOOP", COMMAND_NOOP },
	{ "PASS", COMMAND_PASS },
	{ "QUIT", COMMAND_QUIT },
	{ "RETR", COMMAND_RETR },
	{ "RSET", COMMAND_RSET },
	{ "STAT", COMMAND_STAT },
	{ "STLS", COMMAND_STLS },
	{ "TOP", COMMAND_TOP },
	{ "UIDL", COMMAND_UIDL },
	{ "USER", COMMAND_USER },
	{ "UTF8", COMMAND_UTF8 },
};

static enum command_verb
find_verb(const char *word, size_t len)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (text_is_word(word, len, verbs[i].name))
			return verbs[i].verb;
	return COMMAND_UNKNOWN;
}

static size_t
word_length(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && text[n] != ' ' && text[n] != '\t')
		n++;
	return n;
}

/* Finds the words of the argument text; blanks around them do not count. */
static void
split_words(struct command *c)
{
	size_t at = 0;

	while (at < c->text_len && c->words < 3) {
		size_t len = word_length(c->text + at, c->text_len - at);

		if (len > 0) {
			if (c->words < 2) {
				c->word[c->words] = c->text + at;
				c->word_len[c->words] = len;
			}
			c->words++;
		}
		at += len + 1;
	}
}

enum command_fault
command_parse(const char *line, size_t len, struct command *out)
{
	size_t verb_len;

	*out = (struct command) { 0 };
	if (memchr(line, '\0', len) != NULL)
		return COMMAND_HAS_NUL;
	verb_len = word_length(line, len);
	out->verb = find_verb(line, verb_len);
	if (out->verb == COMMAND_UNKNOWN)
		return COMMAND_BAD_VERB;
	out->text = line + verb_len;
	if (verb_len < len) {
		out->text = line + verb_len + 1;
		out->text_len = len - verb_len - 1;
	}
	split_words(out);
	return COMMAND_FINE;
}

size_t
command_find_line(const char *data, size_t len, size_t *line_len)
{
	const char *end = memchr(data, '\n', len);
	size_t taken;

	if (end == NULL)
		return 0;
	taken = (size_t) (end - data) + 1;
	*line_len = taken - 1;
	if (*line_len > 0 && data[*line_len - 1] == '\r')
		(*line_len)--;
	return taken;
}

size_t
command_line_limit(const char *data, size_t len)
{
	return len >= 5 && text_is_word(data, 5, "AUTH ") ? COMMAND_AUTH_LINE_MAX : COMMAND_LINE_MAX;
}

int
command_number(const char *word, size_t len, uint64_t *out)
{
	return text_to_number(word, len, UINT64_MAX, out) == 0 ? 0 : ERR_INVALID;
}
