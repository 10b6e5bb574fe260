/* guard_text.c - what people read, and what stands in brackets before it (RFC 3501 section 7.1);
 * lists of flags. */
#include "imapback/guard_internal.h"

/* ---- lists of flags ---- */

/* Keywords may be anything, and some servers send what no grammar allows; libetpan is known to fall
 * over such lists. Nobody here needs a keyword, so the parser sees the system flags only. */
static bool
is_system_flag(const struct guard *g)
{
	static const char *const flags[] = { "\\Answered", "\\Flagged", "\\Deleted", "\\Seen",
		"\\Draft", "\\Recent" };

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (is_word(g, flags[i]))
			return !(g->after_quoted == CODE_END && i == 5); /* never permanent */
	return false;
}

/* The list has been opened; AFTER is the state behind it. */
enum action
guard_begin_flags(struct guard *g, enum state after)
{
	g->after_quoted = after;
	begin_number(g); /* counts the flags passed on */
	return begin_word(g, FLAGS, PASS);
}

enum action
guard_in_flags(struct guard *g, char c)
{
	if (c == '(' || c == '"' || c == '{' || c == '\r')
		return refuse(g, "malformed list of flags");
	if (c != ' ' && c != ')') {
		/* One too long for the buffer is no system flag, and stays none. */
		(void) add_to_word(g, c);
		return DROP;
	}
	if (is_system_flag(g)) {
		if (g->number++ > 0)
			g->out[g->out_len++] = ' ';
		memcpy(g->out + g->out_len, g->word, g->word_len);
		g->out_len += g->word_len;
	}
	g->word_len = 0;
	return c == ')' ? go(g, (enum state) g->after_quoted, PASS) : DROP;
}

/* ---- free text ---- */

enum action
guard_in_text(struct guard *g, char c)
{
	return c == '\r' ? go(g, LF_EXPECTED, PASS) : PASS;
}

enum action
guard_in_text_start(struct guard *g, char c)
{
	/* libetpan skips any number of blanks before it looks for a code. */
	if (c == ' ' || c == '\t')
		return DROP;
	if (c == '[')
		return begin_word(g, CODE_NAME, DROP);
	g->state = TEXT;
	return guard_in_text(g, c);
}

/* Codes that libetpan reads by a grammar of their own, and nobody needs. It is known to fall over
 * malformed ones. */
static bool
is_unwanted_code(const struct guard *g)
{
	static const char *const codes[] = { "BADCHARSET", "APPENDUID", "COPYUID", "HIGHESTMODSEQ",
		"NOMODSEQ", "MODIFIED", "CLOSED" };

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (is_word(g, codes[i]))
			return true;
	return g->word_len == 0;
}

/* The name of a response code is complete; C ended it. Arguments that are not needed are dropped.
 */
static enum action
end_of_code_name(struct guard *g, char c)
{
	enum state next = CODE_DROPPED;

	/* In a greeting, libetpan 1.9.4 reads most codes through a null pointer. */
	if (is_word(g, "CAPABILITY"))
		next = CODE_WORDS;
	else if (g->expectation == GUARD_EXPECT_GREETING) {
		g->word[0] = 'X';
		g->word_len = 1;
	} else if (is_word(g, "UIDVALIDITY") || is_word(g, "UIDNEXT") || is_word(g, "UNSEEN"))
		next = CODE_NUMBER;
	else if (is_word(g, "PERMANENTFLAGS"))
		next = CODE_FLAGS_OPEN;
	else if (is_unwanted_code(g)) {
		g->word[0] = 'X';
		g->word_len = 1;
	}
	if (c == ']' && next != CODE_DROPPED)
		return refuse(g, "response code without its argument");
	g->out[g->out_len++] = '[';
	memcpy(g->out + g->out_len, g->word, g->word_len);
	g->out_len += g->word_len;
	begin_number(g);
	if (c == ']')
		return go(g, TEXT, PASS);
	return go(g, next, next == CODE_DROPPED ? DROP : PASS);
}

enum action
guard_in_code_name(struct guard *g, char c)
{
	if (c == ' ' || c == ']')
		return end_of_code_name(g, c);
	if (!is_atom_char(c) || !add_to_word(g, c))
		return refuse(g, "malformed response code");
	return DROP;
}

enum action
guard_in_code(struct guard *g, char c)
{
	if (c == '\r')
		return refuse(g, "response code without an end");
	switch ((enum state) g->state) {
	case CODE_NUMBER:
		if (is_digit(c))
			return add_digit(g, c, UINT32_MAX) ? PASS
							   : refuse(g, "number over 32 bits");
		break;
	case CODE_WORDS:
		if (c == ' ' || is_atom_char(c))
			return PASS;
		break;
	case CODE_FLAGS_OPEN:
		return c == '(' ? guard_begin_flags(g, CODE_END)
				: refuse(g, "malformed list of flags");
	case CODE_DROPPED:
		if (c != ']')
			return DROP;
		break;
	default:
		break;
	}
	return c == ']' ? go(g, TEXT, PASS) : refuse(g, "malformed response code");
}
