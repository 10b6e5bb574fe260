/* guard.c - the stream through the wire guard: lines, strings, structure, limits; see guard.h. What
 * the single kinds of responses are made of is in guard_head.c, guard_text.c and guard_fetch.c. */
#include "imapback/guard.h"

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
	g->parsed = 0;
	g->modseq = 0;
	g->diverted = g->searched = g->listed = g->halted = false;
	g->answer = (struct guard_answer){ .status = GUARD_NO_ANSWER };
	guard_collect(g, NULL, NULL, 0);
}

void
guard_collect(struct guard *g, const char *wanted, char *value, size_t room)
{
	g->wanted = wanted;
	g->value = value;
	g->value_room = room;
	g->value_len = 0;
	g->has_value = false;
}

bool
guard_is_idle(const struct guard *g)
{
	return g->state == HEAD && g->word_len == 0 && g->out_len == 0;
}

bool
guard_is_halted(const struct guard *g)
{
	return g->halted;
}

bool
guard_has_searched(const struct guard *g)
{
	return g->searched;
}

bool
guard_has_listed(const struct guard *g)
{
	return g->listed;
}

uint64_t
guard_modseq(const struct guard *g)
{
	return g->modseq;
}

const struct guard_answer *
guard_answer(const struct guard *g)
{
	return &g->answer;
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

/* ---- strings ---- */

/* An octet of a string: the parser gets it unless the string is part of a value that it does not
 * get. */
static enum guard_action
string_octet(const struct guard *g)
{
	return g->after == FETCH_SKIP || g->after == FETCH_STRING ? DROP : PASS;
}

/* The same for one of its content, which may be collected. */
static enum guard_action
content_octet(struct guard *g, char c)
{
	if (g->after == FETCH_STRING)
		add_to_value(g, c);
	return string_octet(g);
}

static bool
is_body(const struct guard *g)
{
	return g->after == FETCH_NEXT;
}

enum guard_action
guard_begin_quoted(struct guard *g, enum guard_state after)
{
	g->after = after;
	return go(g, QUOTED, string_octet(g));
}

static enum guard_action
in_quoted(struct guard *g, char c)
{
	if (c == '\r')
		return refuse(g, "line end in a quoted string");
	if (g->state == QUOTED_ESCAPE)
		return go(g, QUOTED, content_octet(g, c));
	if (c == '\\')
		return go(g, QUOTED_ESCAPE, string_octet(g));
	if (c == '"')
		return go(g, (enum guard_state) g->after, string_octet(g));
	return content_octet(g, c);
}

enum guard_action
guard_begin_literal(struct guard *g, enum guard_state after)
{
	g->after = after;
	begin_number(g);
	return go(g, LITERAL_SIZE, string_octet(g));
}

static enum guard_action
in_literal_size(struct guard *g, char c)
{
	uint64_t max = is_body(g) ? INT64_MAX : GUARD_LITERAL_MAX;

	if (is_digit(c)) {
		if (!add_digit(g, c, max))
			return refuse(g, "literal too large");
		return is_body(g) ? DROP : string_octet(g);
	}
	if (c != '}' || g->digits == 0)
		return refuse(g, "malformed literal");
	if (is_body(g) && g->forward) /* the parser gets "{0}" */
		emit(g, "0", 1);
	return go(g, LITERAL_CR, string_octet(g));
}

static enum guard_action
in_literal_lf(struct guard *g, struct guard_event *event)
{
	g->line = 0;
	g->left = g->number;
	if (!is_body(g))
		return go(g, g->left == 0 ? (enum guard_state) g->after : LITERAL, string_octet(g));
	event->kind = GUARD_BODY_BEGIN;
	event->number = g->number;
	event->uid = g->uid;
	event->origin = g->origin;
	if (g->forward)
		emit(g, "\n", 1);
	return go(g, BODY, EVENT);
}

static enum guard_action
in_literal(struct guard *g, char c)
{
	if (--g->left == 0)
		g->state = g->after;
	return content_octet(g, c);
}

/* ---- structure ---- */

/* Octets of an atom (RFC 3501 section 9, ATOM-CHAR). */
static bool
is_atom_char(char c)
{
	return c > ' ' && c < 0x7f && strchr("(){%*\"\\]", c) == NULL;
}

enum guard_action
guard_in_words(struct guard *g, char c)
{
	if (!is_atom_char(c)) {
		g->blank = g->blank || c == ' ';
		return DROP;
	}
	if (g->blank)
		emit(g, " ", 1);
	g->blank = false;
	return PASS;
}

static enum guard_action
in_data(struct guard *g, char c)
{
	switch (c) {
	case '(':
		return ++g->depth > GUARD_DEPTH_MAX ? refuse(g, "parentheses nested too deeply")
						    : PASS;
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
		return g->forward ? refuse(g, "binary literal") : DROP;
	case '\r':
		if (g->depth > 0)
			return refuse(g, "line end inside parentheses");
		return go(g, LF_EXPECTED, PASS);
	default:
		return PASS;
	}
}

/* ---- search results ---- */

static enum guard_action
end_of_hit(struct guard *g, char c, struct guard_event *event)
{
	bool hit = g->digits > 0;

	if (c == '\r')
		g->state = LF_EXPECTED;
	if (c == '(')
		g->state = SEARCH_MODSEQ;
	if (hit) {
		event->kind = GUARD_SEARCH_HIT;
		event->number = g->number;
	}
	begin_number(g);
	return hit ? EVENT : DROP;
}

static enum guard_action
in_search(struct guard *g, char c, struct guard_event *event)
{
	g->line = 0; /* any number of results is fine, as long as the budget lasts */
	if (is_digit(c))
		return add_digit(g, c, UINT32_MAX) ? DROP : refuse(g, "number over 32 bits");
	if (c == ' ' || c == '\r' || c == '(')
		return end_of_hit(g, c, event);
	return refuse(g, "search result that is no number");
}

static enum guard_action
in_search_modseq(struct guard *g, char c)
{
	if (c == '\r')
		return go(g, LF_EXPECTED, DROP);
	return c == '"' || c == '{' ? refuse(g, "search result that is no number") : DROP;
}

/* ---- what has vanished ---- */

/* C makes no sense there. Where nobody asked, the line is swallowed like others. */
static enum guard_action
spoil_vanished(struct guard *g, char c, uint32_t depth)
{
	if (g->expectation == GUARD_EXPECT_VANISHED)
		return refuse(g, "malformed VANISHED");
	g->depth = depth;
	g->state = DATA;
	return in_data(g, c);
}

static enum guard_action
in_vanished_tag(struct guard *g, char c)
{
	if (c == ')') {
		g->earlier = is_word(g, "EARLIER");
		return go(g, VANISHED, DROP);
	}
	return c > ' ' && add_to_word(g, c) ? DROP : spoil_vanished(g, c, 1);
}

/* C ended a UID, or a range of them. */
static enum guard_action
end_of_vanished(struct guard *g, char c, struct guard_event *event)
{
	uint32_t last = (uint32_t) g->number, first = g->first == 0 ? last : g->first;

	if (g->digits == 0 || last == 0)
		return spoil_vanished(g, c, 0);
	event->kind = GUARD_VANISHED;
	event->uid = first < last ? first : last;
	event->number = first < last ? last : first;
	g->first = 0;
	begin_number(g);
	if (c == '\r')
		g->state = LF_EXPECTED;
	if (g->earlier && g->expectation == GUARD_EXPECT_VANISHED)
		return EVENT;
	*event = (struct guard_event){ .kind = GUARD_NOTHING };
	return DROP;
}

static enum guard_action
in_vanished(struct guard *g, char c, struct guard_event *event)
{
	g->line = 0; /* as of search results */
	if (is_digit(c))
		return add_digit(g, c, UINT32_MAX) ? DROP : spoil_vanished(g, c, 0);
	if (g->digits == 0 && g->first == 0) {
		if (c == '(')
			return begin_word(g, VANISHED_TAG, DROP);
		if (c == '\r')
			return go(g, LF_EXPECTED, DROP);
		return c == ' ' ? DROP : spoil_vanished(g, c, 0);
	}
	if (c == ':' && g->first == 0 && g->number != 0) {
		g->first = (uint32_t) g->number;
		begin_number(g);
		return DROP;
	}
	if (c == ',' || c == '\r')
		return end_of_vanished(g, c, event);
	return spoil_vanished(g, c, 0);
}

/* ---- one octet ---- */

static enum guard_action
end_of_line(struct guard *g)
{
	g->halted = g->expectation == GUARD_EXPECT_GREETING || g->answering;
	g->answering = false;
	g->line = 0;
	return begin_word(g, HEAD, PASS);
}

static enum guard_action
in_line(struct guard *g, char c, struct guard_event *event)
{
	switch ((enum guard_state) g->state) {
	case HEAD:
		return guard_in_head(g, c);
	case LF_EXPECTED:
		return c == '\n' ? end_of_line(g) : refuse(g, "line end that is not CRLF");
	case LINE_END:
		return c == '\r' ? go(g, LF_EXPECTED, PASS)
				 : refuse(g, "octets behind the end of a response");
	case WORDS:
		return c == '\r' ? go(g, LF_EXPECTED, PASS) : guard_in_words(g, c);
	case DATA:
		return in_data(g, c);
	case SEARCH:
		return in_search(g, c, event);
	case SEARCH_MODSEQ:
		return in_search_modseq(g, c);
	case VANISHED:
		return in_vanished(g, c, event);
	case VANISHED_TAG:
		return in_vanished_tag(g, c);
	default:
		return g->state >= FETCH_OPEN ? guard_in_fetch(g, c, event) : guard_in_text(g, c);
	}
}

static enum guard_action
step(struct guard *g, char c, struct guard_event *event)
{
	switch ((enum guard_state) g->state) {
	case QUOTED:
	case QUOTED_ESCAPE:
		return in_quoted(g, c);
	case LITERAL_SIZE:
		return in_literal_size(g, c);
	case LITERAL_CR:
		return c == '\r' ? go(g, LITERAL_LF, string_octet(g))
				 : refuse(g, "malformed literal");
	case LITERAL_LF:
		return c == '\n' ? in_literal_lf(g, event) : refuse(g, "malformed literal");
	case LITERAL:
		return in_literal(g, c);
	case FLAGS:
		return guard_in_flags(g, c);
	default:
		return in_line(g, c, event);
	}
}

/* What holds for every octet that is not part of a diverted body. */
static enum guard_action
take(struct guard *g, char c, struct guard_event *event)
{
	bool line_feed = g->state == LF_EXPECTED || g->state == LITERAL_LF;

	if (g->budget == 0)
		return refuse(g, "more data than the command may bring");
	g->budget--;
	if (c == '\0' && !(g->state == LITERAL && g->after == FETCH_STRING))
		return refuse(g, "NUL");
	if (g->state != LITERAL && ++g->line > GUARD_LINE_MAX)
		return refuse(g, "line over 65,536 octets");
	if (c == '\n' && !line_feed && g->state != LITERAL)
		return refuse(g, "line end that is not CRLF");
	if (g->state == HEAD && g->word_len == 0)
		g->forward = false;
	return step(g, c, event);
}

/* ---- the stream ---- */

static size_t
feed_body(struct guard *g, const char *in, size_t len, struct guard_event *event)
{
	size_t n = len < g->left ? len : (size_t) g->left;

	if (g->left == 0) {
		event->kind = GUARD_BODY_END;
		g->state = g->after;
		return 0;
	}
	event->kind = GUARD_BODY_CHUNK;
	event->data = in;
	event->len = n;
	g->left -= n;
	return n;
}

/* Writes what is there for the parser; false when OUT is full before that is done. */
static bool
drain(struct guard *g, char *out, size_t room, size_t *written)
{
	while (g->out_at < g->out_len && *written < room)
		out[(*written)++] = g->out[g->out_at++];
	if (g->out_at < g->out_len)
		return false;
	g->parsed += g->out_len;
	g->out_at = g->out_len = 0;
	if (g->reason == NULL && g->parsed > GUARD_PARSED_MAX)
		refuse(g, "more data than the parser should hold");
	return true;
}

size_t
guard_feed(struct guard *g, const char *in, size_t len, char *out, size_t room, size_t *written,
    struct guard_event *event)
{
	size_t at = 0, used;

	*written = 0;
	*event = (struct guard_event){ .kind = GUARD_NOTHING };
	while (drain(g, out, room, written) && *written < room && g->reason == NULL) {
		enum guard_action action;

		if (g->state == BODY && (g->left == 0 || at < len))
			return at + feed_body(g, in + at, len - at, event);
		if (at == len || g->halted)
			return at;
		if (g->state == HEAD && g->word_len == 0 && g->expectation == GUARD_EXPECT_LIST &&
		    (used = guard_take_listed(g, in + at, len - at, event)) > 0) {
			at += used;
			if (event->kind != GUARD_NOTHING)
				return at;
			continue;
		}
		action = take(g, in[at], event);
		if (action == REFUSE)
			break;
		at++;
		if (action == PASS && g->forward)
			emit(g, &in[at - 1], 1);
		if (action == EVENT)
			return at;
	}
	if (g->reason != NULL) {
		event->kind = GUARD_REFUSED;
		*written = 0;
	}
	return at;
}
