/* config_parse.c - the form of a configuration file.
 *
 * A line is cut into tokens, and its first tokens say what it is. A faulty line is reported once
 * and left. */
#include "gateway/config_parse.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"

enum token_type {
	TOKEN_WORD,
	TOKEN_QUOTED,
	TOKEN_EQUALS,
	TOKEN_COMMA,
	TOKEN_OPEN,
	TOKEN_CLOSE,
	TOKEN_END,
	TOKEN_FAULTY, /* already reported */
};

struct token {
	enum token_type type;
	const char *text; /* as written, quotes and escapes undone; in the parser's scratch */
};

struct parser {
	const struct config_events *events;
	void *ctx;
	unsigned line;
	unsigned block_line; /* where the open block began; 0: none is open */
	const char *at;	     /* the rest of the line */
	const char *end;
	char *scratch; /* texts of this line's tokens */
	char *scratch_at;
	const char *items[CONFIG_ITEMS_MAX];
};

enum { SHOWN_MAX = 64 }; /* octets of the file that a message repeats */

static void __attribute__((format(printf, 2, 3))) fault(struct parser *p, const char *format, ...)
{
	char message[256];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	p->events->fault(p->ctx, p->line, message);
}

/* TEXT, short and safe, for one message. */
static const char *
shown(const char *text, char buf[SHOWN_MAX])
{
	text_escape(text, strlen(text), buf, SHOWN_MAX);
	return buf;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_word_octet(char c)
{
	return !is_blank(c) && strchr("\"#,={}", c) == NULL;
}

static struct token
word_token(struct parser *p)
{
	struct token token = { TOKEN_WORD, p->scratch_at };

	while (p->at < p->end && is_word_octet(*p->at))
		*p->scratch_at++ = *p->at++;
	*p->scratch_at++ = '\0';
	return token;
}

static struct token
quoted_token(struct parser *p)
{
	struct token token = { TOKEN_QUOTED, p->scratch_at };

	for (p->at++; p->at < p->end && *p->at != '"'; p->at++) {
		if (*p->at == '\\') {
			p->at++;
			if (p->at == p->end || (*p->at != '"' && *p->at != '\\')) {
				fault(p, "only \\\" and \\\\ are known escapes in a quoted value");
				token.type = TOKEN_FAULTY;
				return token;
			}
		}
		*p->scratch_at++ = *p->at;
	}
	*p->scratch_at++ = '\0';
	if (p->at == p->end) {
		fault(p, "a quoted value has no closing quote");
		token.type = TOKEN_FAULTY;
		return token;
	}
	p->at++;
	return token;
}

static struct token
next_token(struct parser *p)
{
	static const struct {
		char octet;
		struct token token;
	} signs[] = {
		{ '=', { TOKEN_EQUALS, "=" } },
		{ ',', { TOKEN_COMMA, "," } },
		{ '{', { TOKEN_OPEN, "{" } },
		{ '}', { TOKEN_CLOSE, "}" } },
	};

	while (p->at < p->end && is_blank(*p->at))
		p->at++;
	if (p->at == p->end || *p->at == '#')
		return (struct token){ TOKEN_END, "" };
	if (*p->at == '"')
		return quoted_token(p);
	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
		if (*p->at == signs[i].octet) {
			p->at++;
			return signs[i].token;
		}
	}
	return word_token(p);
}

/* Whether the line ends here; a fault otherwise. AFTER is what was read last. */
static bool
expect_end(struct parser *p, const char *after)
{
	struct token token = next_token(p);
	char buf[SHOWN_MAX];

	if (token.type != TOKEN_END && token.type != TOKEN_FAULTY)
		fault(p, "unexpected \"%s\" behind \"%s\"", shown(token.text, buf), after);
	return token.type == TOKEN_END;
}

static void
end_block(struct parser *p)
{
	p->block_line = 0;
	p->events->block_end(p->ctx, p->line);
}

static void
parse_block(struct parser *p, const char *kind, const char *label)
{
	if (p->block_line != 0) {
		fault(p, "the block of line %u is not closed; \"}\" is missing before this line",
		    p->block_line);
		end_block(p);
	}
	p->block_line = p->line;
	p->events->block_begin(p->ctx, p->line, kind, label);
	expect_end(p, "{");
}

static void
parse_close(struct parser *p)
{
	if (p->block_line == 0)
		fault(p, "\"}\" without a block");
	else
		end_block(p);
	expect_end(p, "}");
}

/* Behind "name =". */
static void
parse_values(struct parser *p, const char *name)
{
	struct token token;
	char name_buf[SHOWN_MAX], buf[SHOWN_MAX];
	size_t count = 0;

	shown(name, name_buf);
	do {
		token = next_token(p);
		if (token.type == TOKEN_FAULTY)
			return;
		if (token.type != TOKEN_WORD && token.type != TOKEN_QUOTED) {
			fault(p, "%s: a value is missing", name_buf);
			return;
		}
		if (count == CONFIG_ITEMS_MAX) {
			fault(p, "%s: more than %d values", name_buf, CONFIG_ITEMS_MAX);
			return;
		}
		p->items[count++] = token.text;
		token = next_token(p);
	} while (token.type == TOKEN_COMMA);
	if (token.type == TOKEN_FAULTY)
		return;
	if (token.type != TOKEN_END) {
		fault(p,
		    "%s: unexpected \"%s\" behind the value; a value with blanks or signs needs "
		    "quotes",
		    name_buf, shown(token.text, buf));
		return;
	}
	p->events->setting(p->ctx, p->line, name, p->items, count);
}

/* A line that begins with WORD: a setting or a block. */
static void
parse_named(struct parser *p, const char *word)
{
	struct token second = next_token(p), third;
	char buf[SHOWN_MAX];

	if (second.type == TOKEN_EQUALS) {
		parse_values(p, word);
		return;
	}
	if (second.type == TOKEN_OPEN) {
		parse_block(p, word, "");
		return;
	}
	if (second.type == TOKEN_WORD) {
		third = next_token(p);
		if (third.type == TOKEN_OPEN) {
			parse_block(p, word, second.text);
			return;
		}
		if (third.type == TOKEN_FAULTY)
			return;
	}
	if (second.type != TOKEN_FAULTY)
		fault(p, "expected \"=\" or \"{\" behind \"%s\"", shown(word, buf));
}

static bool
has_control(const char *text, const char *end)
{
	for (; text < end; text++)
		if ((unsigned char) *text < 0x20 ? *text != '\t' : *text == 0x7f)
			return true;
	return false;
}

/* The line from AT to END, without its line end. */
static void
parse_line(struct parser *p)
{
	struct token first;
	char buf[SHOWN_MAX];

	if (has_control(p->at, p->end)) {
		fault(p, "a control character");
		return;
	}
	if (!text_is_utf8(p->at, (size_t) (p->end - p->at))) {
		fault(p, "not UTF-8");
		return;
	}
	p->scratch_at = p->scratch;
	first = next_token(p);
	if (first.type == TOKEN_WORD)
		parse_named(p, first.text);
	else if (first.type == TOKEN_CLOSE)
		parse_close(p);
	else if (first.type != TOKEN_END && first.type != TOKEN_FAULTY)
		fault(p, "expected a name, found \"%s\"", shown(first.text, buf));
}

int
config_parse(const char *text, size_t len, const struct config_events *events, void *ctx)
{
	struct parser p = { .events = events, .ctx = ctx };
	const char *next = text, *end = text + len, *newline;

	/* A token is never longer than its source, and each but the last has a neighbour whose
	 * octet pays for its NUL. */
	if ((p.scratch = malloc(len + 2)) == NULL)
		return ERR_NO_MEMORY;
	while (next < end) {
		newline = memchr(next, '\n', (size_t) (end - next));
		p.line++;
		p.at = next;
		p.end = newline != NULL ? newline : end;
		next = newline != NULL ? newline + 1 : end;
		if (p.end > p.at && p.end[-1] == '\r')
			p.end--;
		parse_line(&p);
	}
	if (p.block_line != 0) {
		p.line = p.block_line;
		fault(&p, "the block that begins here is not closed; \"}\" is missing");
		end_block(&p);
	}
	free(p.scratch);
	return 0;
}
