/* guard_fetch.c - FETCH responses (RFC 3501 section 7.4.2), of which only the items that we ask for
 * may come. */
#include "imapback/guard_internal.h"

/* The name of an item is complete; its value follows. */
static enum action
end_of_item(struct guard *g)
{
	begin_number(g);
	if (is_word(g, "UID") || is_word(g, "RFC822.SIZE"))
		return go(g, FETCH_NUMBER, PASS);
	if (is_word(g, "FLAGS"))
		return go(g, FETCH_FLAGS_OPEN, PASS);
	if (is_word(g, "MODSEQ"))
		return go(g, FETCH_MODSEQ_OPEN, PASS);
	if (is_word(g, "INTERNALDATE"))
		return go(g, FETCH_DATE, PASS);
	if (g->word_len >= 6 && text_is_word(g->word, 6, "BODY[]")) {
		if (g->word_len == 6)
			return go(g, FETCH_BODY, PASS);
		/* "<origin>" of a partial fetch */
		for (uint32_t i = 7; i + 1 < g->word_len; i++)
			if (!is_digit(g->word[i]) || !add_digit(g, g->word[i], UINT32_MAX))
				return refuse(g, "malformed origin of a body");
		if (g->digits > 0 && g->word[6] == '<' && g->word[g->word_len - 1] == '>')
			return go(g, FETCH_BODY, PASS);
	}
	return refuse(g, "item in FETCH that nobody asked for");
}

static enum action
in_fetch_item(struct guard *g, char c)
{
	if (c == ' ')
		return end_of_item(g);
	if ((unsigned char) c <= ' ' || c == '(' || c == ')' || c == '"' || c == '{')
		return refuse(g, "malformed FETCH response");
	return add_to_word(g, c) ? PASS : refuse(g, "item in FETCH that nobody asked for");
}

static enum action
in_fetch_next(struct guard *g, char c)
{
	if (c == ' ')
		return begin_word(g, FETCH_ITEM, PASS);
	return c == ')' ? go(g, LINE_END, PASS) : refuse(g, "malformed FETCH response");
}

static enum action
in_fetch_number(struct guard *g, char c)
{
	if (is_digit(c))
		return add_digit(g, c, UINT32_MAX) ? PASS : refuse(g, "number over 32 bits");
	if (g->digits == 0)
		return refuse(g, "malformed FETCH response");
	if (is_word(g, "UID"))
		g->uid = (uint32_t) g->number;
	return in_fetch_next(g, c);
}

/* "(n)", of 63 bits (RFC 7162 section 3.1.4). */
static enum action
in_fetch_modseq(struct guard *g, char c)
{
	if (is_digit(c))
		return add_digit(g, c, INT64_MAX) ? PASS : refuse(g, "number over 63 bits");
	return c == ')' && g->digits > 0 ? go(g, FETCH_NEXT, PASS)
					 : refuse(g, "malformed FETCH response");
}

static enum action
in_fetch_body(struct guard *g, char c)
{
	if (c == 'N' || c == 'n')
		return go(g, FETCH_NIL, PASS);
	if (g->expectation != GUARD_EXPECT_BODY || g->diverted)
		return refuse(g, "body that nobody asked for");
	if (c == '"')
		return guard_begin_quoted(g, FETCH_NEXT);
	return c == '{' ? guard_begin_literal(g, FETCH_NEXT)
			: refuse(g, "malformed FETCH response");
}

enum action
guard_in_fetch(struct guard *g, char c)
{
	switch ((enum state) g->state) {
	case FETCH_OPEN:
		return c == '(' ? begin_word(g, FETCH_ITEM, PASS)
				: refuse(g, "malformed FETCH response");
	case FETCH_ITEM:
		return in_fetch_item(g, c);
	case FETCH_NUMBER:
		return in_fetch_number(g, c);
	case FETCH_FLAGS_OPEN:
		return c == '(' ? guard_begin_flags(g, FETCH_NEXT)
				: refuse(g, "malformed list of flags");
	case FETCH_MODSEQ_OPEN:
		return c == '(' ? go(g, FETCH_MODSEQ, PASS) : refuse(g, "malformed FETCH response");
	case FETCH_MODSEQ:
		return in_fetch_modseq(g, c);
	case FETCH_DATE:
		return c == '"' ? guard_begin_quoted(g, FETCH_NEXT) : refuse(g, "malformed date");
	case FETCH_BODY:
		return in_fetch_body(g, c);
	case FETCH_NIL:
		return c == 'I' || c == 'i' || c == 'L' || c == 'l' ? PASS : in_fetch_next(g, c);
	default:
		return in_fetch_next(g, c);
	}
}
