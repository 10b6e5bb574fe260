/* guard_text.c - status responses: response code and free text (RFC 3501 section 7.1, RFC 5530).
 *
 * libetpan 1.9.4 was seen to crash on codes that it has a grammar for (in a greeting, without a
 * text, with odd flags), and nobody needs most of them. So the parser gets the codes below, their
 * arguments checked, and never the text. Code and text of the answer to the command are kept beside
 * the stream. */
#include "imapback/guard_internal.h"

/* The codes that the parser gets, and how their arguments are read. */
static const struct {
	const char *name;
	enum guard_state argument;
} wanted[] = {
	{ "CAPABILITY", CODE_WORDS },
	{ "PERMANENTFLAGS", CODE_FLAGS_OPEN },
	{ "READ-ONLY", CODE_END },
	{ "READ-WRITE", CODE_END },
	{ "UIDNEXT", CODE_NUMBER },
	{ "UIDVALIDITY", CODE_NUMBER },
};

/* The end of the line, for the parser too if it got its beginning. */
static enum guard_action
end_of_text(struct guard *g)
{
	if (g->answering && g->answer.status == GUARD_BYE)
		return refuse_with(g, ERR_TEMPORARY, "the server says BYE");
	return go(g, LF_EXPECTED, PASS);
}

/* The parser gets the head and, for the text, nothing but a blank: it wants that much. */
static void
release_line(struct guard *g)
{
	emit(g, g->word, g->word_len);
	emit(g, " ", 1);
	g->forward = true;
}

enum guard_action
guard_begin_text(struct guard *g, char c, bool only_code)
{
	if (!only_code)
		release_line(g);
	g->word_len = 0;
	if (c == '\r')
		return end_of_text(g);
	return go(g, TEXT_START, DROP);
}

static enum guard_action
in_text(struct guard *g, char c)
{
	if (c == '\r')
		return end_of_text(g);
	if (g->answering && g->answer.text_len < sizeof(g->answer.text))
		g->answer.text[g->answer.text_len++] = c;
	return go(g, TEXT, DROP);
}

/* A code that the parser gets; C, a blank or the bracket, ended its name. */
static enum guard_action
begin_argument(struct guard *g, char c, enum guard_state argument)
{
	if ((c == ']') != (argument == CODE_END))
		return refuse(g, "malformed response code");
	if (!g->forward) { /* untagged: OK, NO and BAD bring the same news */
		emit(g, "* OK ", 5);
		g->forward = true;
	}
	emit(g, "[", 1);
	emit(g, g->word, g->word_len);
	g->blank = true;
	begin_number(g);
	if (argument == CODE_END)
		return go(g, TEXT, PASS);
	return argument == CODE_WORDS ? go(g, argument, DROP) : go(g, argument, PASS);
}

/* A code that the parser does not get. */
static enum guard_action
skip_argument(struct guard *g, char c)
{
	if (c == '\r') /* no code, then, but a text with a bracket */
		return end_of_text(g);
	return c == ']' ? go(g, TEXT, DROP) : go(g, CODE_SKIP, DROP);
}

static enum guard_action
end_of_name(struct guard *g, char c)
{
	if (g->answering && g->word_len < sizeof(g->answer.code))
		memcpy(g->answer.code, g->word, g->word_len);
	/* Only CAPABILITY means anything in a greeting, and libetpan reads others there through a
	 * null pointer. */
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (is_word(g, wanted[i].name) &&
		    (i == 0 || g->expectation != GUARD_EXPECT_GREETING))
			return begin_argument(g, c, wanted[i].argument);
	if (c == ' ' && is_word(g, "HIGHESTMODSEQ")) {
		begin_number(g);
		return go(g, CODE_MODSEQ, DROP);
	}
	return skip_argument(g, c);
}

/* For us, not for the parser. 63 bits (RFC 7162 section 7, mod-sequence-value). */
static enum guard_action
in_modseq(struct guard *g, char c)
{
	if (is_digit(c))
		return add_digit(g, c, INT64_MAX) ? DROP : refuse(g, "number out of range");
	if (c == ']')
		g->modseq = g->number;
	return skip_argument(g, c);
}

static enum guard_action
in_name(struct guard *g, char c)
{
	if (c == ' ' || c == ']')
		return end_of_name(g, c);
	if (c == '\r' || !add_to_word(g, c))
		return skip_argument(g, c);
	return DROP;
}

static enum guard_action
in_number(struct guard *g, char c)
{
	if (is_digit(c))
		return add_digit(g, c, UINT32_MAX) ? PASS : refuse(g, "number over 32 bits");
	return c == ']' && g->digits > 0 ? go(g, TEXT, PASS) : refuse(g, "malformed response code");
}

static enum guard_action
in_words(struct guard *g, char c)
{
	if (c == '\r')
		return refuse(g, "malformed response code");
	return c == ']' ? go(g, TEXT, PASS) : guard_in_words(g, c);
}

enum guard_action
guard_in_text(struct guard *g, char c)
{
	switch ((enum guard_state) g->state) {
	case TEXT_START:
		if (c == ' ') /* some servers have more than one */
			return DROP;
		return c == '[' ? begin_word(g, CODE_NAME, DROP) : in_text(g, c);
	case CODE_NAME:
		return in_name(g, c);
	case CODE_NUMBER:
		return in_number(g, c);
	case CODE_MODSEQ:
		return in_modseq(g, c);
	case CODE_WORDS:
		return in_words(g, c);
	case CODE_FLAGS_OPEN:
		if (c != '(')
			return refuse(g, "malformed response code");
		/* One flag for a start that nobody asks about: libetpan cannot tell an empty list
		 * from none at all. */
		emit(g, "(\\Draft", 7);
		g->after = CODE_END;
		g->blank = true;
		return begin_word(g, FLAGS, DROP);
	case CODE_SKIP:
		return skip_argument(g, c);
	case CODE_END:
		return c == ']' ? go(g, TEXT, PASS) : refuse(g, "malformed response code");
	default:
		return in_text(g, c);
	}
}
