/* guard_data.c - strings, literals, structure that is only framed, search results (RFC 3501
 * sections 4 and 7). */
#include "imapback/guard_internal.h"

/* Whether the open literal is the body of a message: only there a literal may stand in a FETCH
 * response. */
static bool
is_body(const struct guard *g)
{
	return g->after_quoted == FETCH_NEXT;
}

/* ---- strings ---- */

enum action
guard_begin_quoted(struct guard *g, enum state after)
{
	g->after_quoted = after;
	return go(g, QUOTED, PASS);
}

enum action
guard_in_quoted(struct guard *g, char c)
{
	if (c == '\r')
		return refuse(g, "line end in a quoted string");
	if (g->state == QUOTED_ESCAPE)
		return go(g, QUOTED, PASS);
	if (c == '\\')
		return go(g, QUOTED_ESCAPE, PASS);
	return c == '"' ? go(g, (enum state) g->after_quoted, PASS) : PASS;
}

enum action
guard_begin_literal(struct guard *g, enum state after)
{
	g->after_quoted = after;
	begin_number(g);
	/* What the parser sees of a body's announcement is "{0}", so its digits are not passed. */
	return go(g, LITERAL_SIZE, PASS);
}

enum action
guard_in_literal_size(struct guard *g, char c)
{
	uint64_t max = is_body(g) ? INT64_MAX : GUARD_LITERAL_MAX;

	if (is_digit(c)) {
		if (!add_digit(g, c, max))
			return refuse(g, "literal too large");
		return is_body(g) ? DROP : PASS;
	}
	if (c != '}' || g->digits == 0)
		return refuse(g, "malformed literal");
	g->state = LITERAL_CR;
	if (!is_body(g))
		return PASS;
	g->out[g->out_len++] = '0';
	return PASS;
}

enum action
guard_in_literal_lf(struct guard *g, struct guard_event *event)
{
	g->line = 0;
	g->left = g->number;
	if (is_body(g)) {
		g->diverted = true;
		event->kind = GUARD_BODY_BEGIN;
		event->number = g->number;
		event->uid = g->uid;
		g->out[g->out_len++] = '\n';
		g->state = BODY;
		return EVENT;
	}
	return go(g, g->left == 0 ? (enum state) g->after_quoted : LITERAL, PASS);
}

enum action
guard_in_literal(struct guard *g)
{
	if (--g->left == 0)
		g->state = g->after_quoted;
	return PASS;
}

/* ---- structure ---- */

enum action
guard_in_words(struct guard *g, char c)
{
	if (c == '\r')
		return go(g, LF_EXPECTED, PASS);
	return c == ' ' || is_atom_char(c) ? PASS : refuse(g, "malformed capability");
}

enum action
guard_in_data(struct guard *g, char c)
{
	switch (c) {
	case '(':
		if (++g->depth > GUARD_DEPTH_MAX)
			return refuse(g, "parentheses nested too deeply");
		return PASS;
	case ')':
		if (g->depth == 0)
			return refuse(g, "closing parenthesis without an opening one");
		g->depth--;
		return PASS;
	case '"':
		return guard_begin_quoted(g, DATA);
	case '{':
		return guard_begin_literal(g, DATA);
	case '~':
		return g->forward ? refuse(g, "binary literal") : PASS;
	case '\r':
		if (g->depth > 0)
			return refuse(g, "line end inside parentheses");
		return go(g, LF_EXPECTED, PASS);
	default:
		return PASS;
	}
}

static enum action
end_of_hit(struct guard *g, char c, struct guard_event *event)
{
	bool hit = g->digits > 0 && g->expectation == GUARD_EXPECT_SEARCH;

	if (c == '\r')
		g->state = LF_EXPECTED;
	if (c == '(')
		g->state = SEARCH_MODSEQ;
	if (hit) {
		event->kind = GUARD_SEARCH_HIT;
		event->number = g->number;
	}
	begin_number(g);
	if (!hit)
		return c == '\r' ? PASS : DROP;
	if (c == '\r') /* is the parser's, all the same */
		g->out[g->out_len++] = '\r';
	return EVENT;
}

enum action
guard_in_search(struct guard *g, char c, struct guard_event *event)
{
	g->line = 0; /* any number of results is fine, as long as the budget lasts */
	if (is_digit(c))
		return add_digit(g, c, UINT32_MAX) ? DROP : refuse(g, "number over 32 bits");
	if (c == ' ' || c == '\r' || c == '(')
		return end_of_hit(g, c, event);
	return refuse(g, "search result that is no number");
}

enum action
guard_in_search_modseq(struct guard *g, char c)
{
	if (c == '\r')
		return go(g, LF_EXPECTED, PASS);
	return c == '"' || c == '{' ? refuse(g, "search result that is no number") : DROP;
}
