/* guard.c - see guard.h.
 *
 * The head of a line (its tag or "*", number and keyword) is held back until the kind of the
 * response is known. Then the line is either free text (RFC 3501 section 7.1), or a FETCH response,
 * read strictly by its grammar, or something else with structure, of which only quotes, literals
 * and parentheses are understood. Kinds that nobody here needs are swallowed, and so are keywords
 * among flags and the arguments of response codes that mean nothing to us. */
#include "imapback/guard.h"

#include <string.h>

#include "imapback/guard_internal.h"

void
guard_init(struct guard *g)
{
	memset(g, 0, sizeof(*g));
	g->state = HEAD;
	guard_expect(g, GUARD_EXPECT_GREETING, GUARD_LINE_MAX);
}

void
guard_expect(struct guard *g, enum guard_expectation expectation, uint64_t budget)
{
	g->expectation = expectation;
	g->budget = budget;
	g->diverted = false;
}

bool
guard_is_idle(const struct guard *g)
{
	return g->state == HEAD && g->word_len == 0 && g->out_len == 0;
}

const char *
guard_reason(const struct guard *g)
{
	return g->reason == NULL ? "" : g->reason;
}

int
guard_error(const struct guard *g)
{
	return g->error;
}

/* ---- one octet ---- */

static enum action
end_of_line(struct guard *g)
{
	if (g->expectation == GUARD_EXPECT_GREETING)
		g->expectation = GUARD_EXPECT_RESPONSE;
	g->line = 0;
	return begin_word(g, HEAD, PASS);
}

static enum action
step(struct guard *g, char c, struct guard_event *event)
{
	switch ((enum state) g->state) {
	case HEAD:
		return guard_in_head(g, c);
	case LF_EXPECTED:
		return c == '\n' ? end_of_line(g) : refuse(g, "line end that is not CRLF");
	case TEXT_START:
		return guard_in_text_start(g, c);
	case CODE_NAME:
		return guard_in_code_name(g, c);
	case CODE_NUMBER:
	case CODE_WORDS:
	case CODE_FLAGS_OPEN:
	case CODE_DROPPED:
	case CODE_END:
		return guard_in_code(g, c);
	case FLAGS:
		return guard_in_flags(g, c);
	case TEXT:
		return guard_in_text(g, c);
	case WORDS:
		return guard_in_words(g, c);
	case DATA:
		return guard_in_data(g, c);
	case QUOTED:
	case QUOTED_ESCAPE:
		return guard_in_quoted(g, c);
	case LITERAL_SIZE:
		return guard_in_literal_size(g, c);
	case LITERAL_CR:
		return c == '\r' ? go(g, LITERAL_LF, PASS) : refuse(g, "malformed literal");
	case LITERAL_LF:
		return c == '\n' ? guard_in_literal_lf(g, event) : refuse(g, "malformed literal");
	case LITERAL:
		return guard_in_literal(g);
	case SEARCH:
		return guard_in_search(g, c, event);
	case SEARCH_MODSEQ:
		return guard_in_search_modseq(g, c);
	case LINE_END:
		return c == '\r' ? go(g, LF_EXPECTED, PASS)
				 : refuse(g, "octets behind the end of a response");
	default:
		return guard_in_fetch(g, c);
	}
}

/* What holds for every octet that is not part of a diverted body. */
static enum action
take(struct guard *g, char c, struct guard_event *event)
{
	bool line_feed = g->state == LF_EXPECTED || g->state == LITERAL_LF;

	if (g->budget == 0)
		return refuse(g, "more data than the command may bring");
	g->budget--;
	if (c == '\0')
		return refuse(g, "NUL");
	if (g->state != LITERAL && ++g->line > GUARD_LINE_MAX)
		return refuse(g, "line over 65,536 octets");
	if (c == '\n' && !line_feed && g->state != LITERAL)
		return refuse(g, "line end that is not CRLF");
	return step(g, c, event);
}

/* ---- the stream ---- */

static size_t
feed_body(struct guard *g, const char *in, size_t len, struct guard_event *event)
{
	size_t n = len < g->left ? len : (size_t) g->left;

	if (g->left == 0) {
		event->kind = GUARD_BODY_END;
		g->state = g->after_quoted;
		return 0;
	}
	event->kind = GUARD_BODY_CHUNK;
	event->data = in;
	event->len = n;
	g->left -= n;
	return n;
}

/* Writes what was held back; false when OUT is full before that is done. */
static bool
drain(struct guard *g, char *out, size_t room, size_t *written)
{
	while (g->out_at < g->out_len && *written < room)
		out[(*written)++] = g->out[g->out_at++];
	if (g->out_at < g->out_len)
		return false;
	g->out_at = g->out_len = 0;
	return true;
}

size_t
guard_feed(struct guard *g, const char *in, size_t len, char *out, size_t room, size_t *written,
    struct guard_event *event)
{
	size_t at = 0;

	*written = 0;
	*event = (struct guard_event){ .kind = GUARD_NOTHING };
	while (g->reason == NULL && drain(g, out, room, written) && *written < room) {
		enum action action;

		if (g->state == BODY && (g->left == 0 || at < len))
			return at + feed_body(g, in + at, len - at, event);
		if (at == len)
			return at;
		action = take(g, in[at], event);
		if (action == REFUSE)
			break;
		at++;
		/* Behind what was held back and this octet released, if there is any. */
		if (action == PASS && g->forward)
			g->out[g->out_len++] = in[at - 1];
		if (action == EVENT)
			return at;
	}
	if (g->reason != NULL) {
		event->kind = GUARD_REFUSED;
		*written = 0;
	}
	return at;
}
