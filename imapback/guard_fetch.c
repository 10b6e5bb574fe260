/* guard_fetch.c - FETCH responses (RFC 3501 section 7.4.2).
 *
 * libetpan holds all lines of an answer until its end, a listing of a million messages as well, so
 * listings are read here. Of the answer to a fetch it gets the responses with a body, reduced to
 * UID and body: what other clients did to flags of other messages meanwhile is no business of a
 * fetch. */
#include <stdio.h>

#include "imapback/guard_internal.h"

void
guard_begin_fetch(struct guard *g)
{
	g->uid = 0;
	g->size = 0;
	g->has_size = false;
	g->deleted = g->has_body = g->has_value = false;
}

/* Whether many bodies are expected, of which the parser learns nothing. */
static bool
is_batch(const struct guard *g)
{
	return g->expectation == GUARD_EXPECT_BODIES || g->expectation == GUARD_EXPECT_PARTS ||
	       g->expectation == GUARD_EXPECT_HEADERS;
}

static bool
expects_part(const struct guard *g)
{
	return g->expectation == GUARD_EXPECT_PART || g->expectation == GUARD_EXPECT_PARTS;
}

/* The value of an item begins that does not matter. */
static enum guard_action
skip_value(struct guard *g)
{
	g->depth = 0;
	return go(g, FETCH_SKIP, DROP);
}

/* The name of the item is BODY[] or BODY[]<origin>: sets the origin, and whether there is one. Where
 * headers are expected, it is BODY[HEADER]. */
static bool
is_body_name(struct guard *g, bool *part)
{
	uint64_t origin = 0;

	if (g->expectation == GUARD_EXPECT_HEADERS) {
		*part = false;
		g->origin = 0;
		return is_word(g, "BODY[HEADER]");
	}
	*part = g->word_len > 6;
	if (g->word_len < 6 || !text_is_word(g->word, 6, "BODY[]"))
		return false;
	if (*part && (g->word[6] != '<' || g->word[g->word_len - 1] != '>' ||
			 text_to_number(g->word + 7, g->word_len - 8, UINT32_MAX, &origin) != 0))
		return false;
	g->origin = (uint32_t) origin;
	return true;
}

/* The parser gets what came before the body, in its plainest form, and from here on what comes. */
static void
begin_body_item(struct guard *g, bool part)
{
	char text[64];
	int len;

	g->forward = true;
	len = g->uid == 0
		  ? snprintf(text, sizeof(text), "* 1 FETCH (BODY[]")
		  : snprintf(text, sizeof(text), "* 1 FETCH (UID %u BODY[]", (unsigned) g->uid);
	emit(g, text, (size_t) len);
	if (!part)
		return;
	len = snprintf(text, sizeof(text), "<%u>", (unsigned) g->origin);
	emit(g, text, (size_t) len);
}

/* Whether the item is the one that is collected. */
static bool
is_wanted(const struct guard *g)
{
	size_t len;

	if (g->wanted == NULL)
		return false;
	len = strlen(g->wanted);
	return g->word_len >= len && text_is_word(g->word, len, g->wanted);
}

/* Its value begins. */
static enum guard_action
begin_value(struct guard *g)
{
	if (g->has_value)
		return refuse(g, "two values in one response");
	g->has_value = true;
	g->value_len = 0;
	g->depth = 0;
	return go(g, FETCH_VALUE, DROP);
}

/* The name of an item is complete; its value follows. */
static enum guard_action
end_of_item(struct guard *g)
{
	bool part;

	begin_number(g);
	if (is_wanted(g))
		return begin_value(g);
	if (is_word(g, "UID") || is_word(g, "RFC822.SIZE"))
		return go(g, FETCH_NUMBER, DROP);
	if (is_word(g, "FLAGS"))
		return go(g, FETCH_FLAGS_OPEN, DROP);
	if (g->word_len < 5 || !text_is_word(g->word, 5, "BODY["))
		return skip_value(g);
	if (g->expectation == GUARD_EXPECT_LIST || g->expectation == GUARD_EXPECT_UIDS ||
	    g->expectation == GUARD_EXPECT_ATTRIBUTE || (g->diverted && !is_batch(g)))
		return refuse(g, "body that nobody asked for");
	if (!is_body_name(g, &part) || (part && !expects_part(g)))
		return refuse(g, "another part of the message than was asked for");
	if (g->has_body)
		return refuse(g, "two bodies in one response");
	g->has_body = true;
	if (!is_batch(g))
		begin_body_item(g, part);
	return go(g, FETCH_BODY, PASS);
}

/* Inside the brackets of "BODY[HEADER.FIELDS (MESSAGE-ID)]", which are part of the name. */
static bool
is_in_section(const struct guard *g)
{
	return g->wanted != NULL && memchr(g->word, '[', g->word_len) != NULL &&
	       memchr(g->word, ']', g->word_len) == NULL;
}

static enum guard_action
in_item(struct guard *g, char c)
{
	if (is_in_section(g) && (c == ' ' || c == '(' || c == ')' || c == '"'))
		return add_to_word(g, c) ? DROP : refuse(g, "malformed FETCH response");
	if (c == ' ')
		return end_of_item(g);
	if ((unsigned char) c <= ' ' || c == '(' || c == ')' || c == '"' || c == '{' ||
	    !add_to_word(g, c))
		return refuse(g, "malformed FETCH response");
	return DROP;
}

/* The response is complete. */
static enum guard_action
end_of_response(struct guard *g, struct guard_event *event)
{
	g->state = LINE_END;
	if (g->uid != 0 && g->has_value) {
		event->kind = GUARD_ATTRIBUTE;
		event->uid = g->uid;
		event->data = g->value;
		event->len = g->value_len;
		return EVENT;
	}
	if (g->uid == 0 || !(g->expectation == GUARD_EXPECT_UIDS ||
			       (g->expectation == GUARD_EXPECT_LIST && g->has_size)))
		return PASS;
	event->kind = GUARD_LISTED;
	event->uid = g->uid;
	event->number = g->size;
	event->deleted = g->deleted;
	return EVENT;
}

/* Behind a value. */
static enum guard_action
in_next(struct guard *g, char c, struct guard_event *event)
{
	if (c == ' ')
		return begin_word(g, FETCH_ITEM, DROP);
	return c == ')' ? end_of_response(g, event) : refuse(g, "malformed FETCH response");
}

/* False when the response has borne another UID and a body of it may be out already. */
static bool
note_uid(struct guard *g)
{
	char text[16];
	int len;

	if (is_batch(g) && g->uid != 0 && g->uid != g->number)
		return false;
	g->uid = (uint32_t) g->number;
	if (!g->forward)
		return true;
	len = snprintf(text, sizeof(text), " UID %u", (unsigned) g->uid);
	emit(g, text, (size_t) len);
	return true;
}

static enum guard_action
in_number(struct guard *g, char c, struct guard_event *event)
{
	bool is_uid = is_word(g, "UID");

	if (is_digit(c)) /* sizes have 63 bits (RFC 9051 section 9, number64) */
		return add_digit(g, c, is_uid ? UINT32_MAX : INT64_MAX)
			   ? DROP
			   : refuse(g, "number out of range");
	if (g->digits == 0)
		return refuse(g, "malformed FETCH response");
	if (is_uid && !note_uid(g))
		return refuse(g, "two UIDs in one response");
	if (!is_uid) {
		g->size = g->number;
		g->has_size = true;
	}
	return in_next(g, c, event);
}

static enum guard_action
in_skipped(struct guard *g, char c, struct guard_event *event)
{
	switch (c) {
	case '(':
		return ++g->depth > GUARD_DEPTH_MAX ? refuse(g, "parentheses nested too deeply")
						    : DROP;
	case ')':
		if (g->depth == 0)
			return in_next(g, c, event);
		g->depth--;
		return DROP;
	case ' ':
		return g->depth == 0 ? in_next(g, c, event) : DROP;
	case '"':
		return guard_begin_quoted(g, FETCH_SKIP);
	case '{':
		return guard_begin_literal(g, FETCH_SKIP);
	case '\r':
		return refuse(g, "malformed FETCH response");
	default:
		return DROP;
	}
}

static enum guard_action
in_body(struct guard *g, char c, struct guard_event *event)
{
	if (c != '{' && is_batch(g)) { /* whoever wants this message asks for it alone */
		skip_value(g);
		return in_skipped(g, c, event);
	}
	if (c == 'N' || c == 'n') {
		g->word_len = 0;
		add_to_word(g, c);
		return go(g, FETCH_NIL, PASS);
	}
	if (c != '"' && c != '{')
		return refuse(g, "malformed FETCH response");
	g->diverted = true;
	return c == '"' ? guard_begin_quoted(g, FETCH_NEXT) : guard_begin_literal(g, FETCH_NEXT);
}

static enum guard_action
in_nil(struct guard *g, char c, struct guard_event *event)
{
	if (c != ' ' && c != ')')
		return add_to_word(g, c) ? PASS : refuse(g, "malformed FETCH response");
	return is_word(g, "NIL") ? in_next(g, c, event) : refuse(g, "malformed FETCH response");
}

/* At the beginning of the value that is collected, or behind its opening parenthesis. */
static enum guard_action
in_value(struct guard *g, char c)
{
	if (c == '(' && g->depth == 0) {
		g->depth = 1;
		return DROP;
	}
	if (c == '"')
		return guard_begin_quoted(g, FETCH_STRING);
	if (c == '{')
		return guard_begin_literal(g, FETCH_STRING);
	if ((unsigned char) c <= ' ' || c == '(' || c == ')')
		return refuse(g, "malformed FETCH response");
	add_to_value(g, c);
	return go(g, FETCH_ATOM, DROP);
}

/* Behind the string that is the value. */
static enum guard_action
end_of_value(struct guard *g, char c, struct guard_event *event)
{
	if (g->depth == 0)
		return in_next(g, c, event);
	if (c != ')')
		return refuse(g, "malformed FETCH response");
	g->depth = 0;
	return go(g, FETCH_NEXT, DROP);
}

static enum guard_action
in_atom(struct guard *g, char c, struct guard_event *event)
{
	if (c == ' ' || c == ')') {
		if (text_is_word(g->value, g->value_len, "NIL"))
			g->value_len = 0;
		return end_of_value(g, c, event);
	}
	if ((unsigned char) c <= ' ' || c == '(' || c == '"' || c == '{')
		return refuse(g, "malformed FETCH response");
	add_to_value(g, c);
	return DROP;
}

enum guard_action
guard_in_fetch(struct guard *g, char c, struct guard_event *event)
{
	switch ((enum guard_state) g->state) {
	case FETCH_OPEN:
		return c == '(' ? begin_word(g, FETCH_ITEM, DROP)
				: refuse(g, "malformed FETCH response");
	case FETCH_ITEM:
		return in_item(g, c);
	case FETCH_NUMBER:
		return in_number(g, c, event);
	case FETCH_FLAGS_OPEN:
		if (c != '(')
			return refuse(g, "malformed FETCH response");
		g->after = FETCH_NEXT;
		return begin_word(g, FLAGS, DROP);
	case FETCH_BODY:
		return in_body(g, c, event);
	case FETCH_NIL:
		return in_nil(g, c, event);
	case FETCH_SKIP:
		return in_skipped(g, c, event);
	case FETCH_VALUE:
		return in_value(g, c);
	case FETCH_ATOM:
		return in_atom(g, c, event);
	case FETCH_STRING:
		return end_of_value(g, c, event);
	default:
		return in_next(g, c, event);
	}
}

/* ---- lists of flags ---- */

/* In PERMANENTFLAGS the parser gets the two that we store, and \* for keywords. Those may be
 * anything, and some servers send what no grammar allows. */
static void
end_of_flag(struct guard *g)
{
	bool deleted = is_word(g, "\\Deleted");

	if (g->after == FETCH_NEXT) {
		g->deleted = g->deleted || deleted;
		return;
	}
	if (!deleted && !is_word(g, "\\Seen") && !is_word(g, "\\*"))
		return;
	if (g->blank)
		emit(g, " ", 1);
	emit(g, g->word, g->word_len);
	g->blank = true;
}

enum guard_action
guard_in_flags(struct guard *g, char c)
{
	if (c == '(' || c == '\r')
		return refuse(g, "malformed list of flags");
	if (c != ' ' && c != ')') {
		/* One too long for the buffer is none of ours, and stays so. */
		(void) add_to_word(g, c);
		return DROP;
	}
	end_of_flag(g);
	g->word_len = 0;
	if (c == ' ')
		return DROP;
	/* The list of a FETCH is not for the parser. */
	return g->after == FETCH_NEXT ? go(g, FETCH_NEXT, DROP)
				      : go(g, (enum guard_state) g->after, PASS);
}

/* ---- a listing, line by line ----
 *
 * A mailbox has up to millions of messages, and each octet costs much more on its way through the
 * states above than here. Nothing is decided here that is not decided there: what is in any way
 * unusual takes that way. */

enum { LISTED_LINE_MAX = 512, DIGITS_32 = 10, DIGITS_63 = 18 };

struct listed {
	const char *at, *end;
	uint32_t uid;
	uint64_t size;
	bool has_size, deleted;
};

static bool
skip_text(struct listed *l, const char *text, size_t len)
{
	if ((size_t) (l->end - l->at) < len || memcmp(l->at, text, len) != 0)
		return false;
	l->at += len;
	return true;
}

#define SKIP(l, text) skip_text(l, text, sizeof(text) - 1)

static bool
read_digits(struct listed *l, unsigned most, uint64_t *number)
{
	const char *first = l->at;

	for (*number = 0; l->at < l->end && is_digit(*l->at); l->at++)
		*number = *number * 10 + (uint64_t) (*l->at - '0');
	return l->at > first && l->at - first <= (ptrdiff_t) most;
}

static bool
read_flags(struct listed *l)
{
	const char *flag = l->at;

	for (; l->at < l->end; l->at++) {
		char c = *l->at;

		if (c == '(' || c == '\r' || c == '\n' || c == '\0')
			return false;
		if (c != ' ' && c != ')')
			continue;
		if (text_is_word(flag, (size_t) (l->at - flag), "\\Deleted"))
			l->deleted = true;
		flag = l->at + 1;
		if (c == ')')
			break;
	}
	return l->at++ < l->end;
}

static bool
read_listed_item(struct listed *l)
{
	uint64_t uid;

	if (SKIP(l, "UID ")) {
		if (l->uid != 0 || !read_digits(l, DIGITS_32, &uid) || uid > UINT32_MAX)
			return false;
		l->uid = (uint32_t) uid;
		return true;
	}
	if (SKIP(l, "RFC822.SIZE ")) {
		if (l->has_size || !read_digits(l, DIGITS_63, &l->size))
			return false;
		l->has_size = true;
		return true;
	}
	return SKIP(l, "FLAGS (") && read_flags(l);
}

size_t
guard_take_listed(struct guard *g, const char *in, size_t len, struct guard_event *event)
{
	size_t most = len < LISTED_LINE_MAX ? len : LISTED_LINE_MAX, used;
	struct listed l = { .at = in, .end = in + most };
	uint64_t number;

	if (!SKIP(&l, "* ") || !read_digits(&l, DIGITS_32, &number) || number > UINT32_MAX ||
	    !SKIP(&l, " FETCH ("))
		return 0;
	do {
		if (!read_listed_item(&l))
			return 0;
	} while (SKIP(&l, " "));
	used = (size_t) (l.at - in) + 3;
	if (!SKIP(&l, ")\r\n") || used > g->budget)
		return 0;
	g->budget -= used;
	g->line = 0;
	if (l.uid == 0 || !l.has_size)
		return used;
	*event = (struct guard_event){
		.kind = GUARD_LISTED, .number = l.size, .uid = l.uid, .deleted = l.deleted
	};
	return used;
}
