/* guard.c - see guard.h.
 *
 * The head of a line (its tag or "*", number and keyword) is held back until the kind of the response is known. Then the
 * line is either free text (RFC 3501 section 7.1), or a FETCH response, read strictly by its grammar, or something else with
 * structure, of which only quotes, literals and parentheses are understood. Kinds that nobody here needs are swallowed, and so
 * are keywords among flags and the arguments of response codes that mean nothing to us. */
#include "imapback/guard.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"

enum state {
	HEAD,		/* collecting the head of a line in word */
	LF_EXPECTED,	/* CR was the end of a line */
	TEXT_START,	/* the first octet of free text */
	CODE_NAME,	/* inside "[", collecting the name of a response code */
	CODE_NUMBER,	/* its argument, by kind */
	CODE_WORDS,
	CODE_FLAGS_OPEN,
	CODE_DROPPED,
	CODE_END,
	TEXT,
	WORDS,		/* of CAPABILITY */
	DATA,		/* structure: of ID, and of what is swallowed */
	QUOTED,
	QUOTED_ESCAPE,
	LITERAL_SIZE,
	LITERAL_CR,
	LITERAL_LF,
	LITERAL,	/* octets that the parser gets */
	BODY,		/* octets that it does not get */
	SEARCH,
	SEARCH_MODSEQ,	/* "(MODSEQ n)" at its end (RFC 7162 section 3.1.5) */
	FETCH_OPEN,
	FETCH_ITEM,
	FETCH_NUMBER,
	FETCH_FLAGS_OPEN,
	FETCH_MODSEQ_OPEN,
	FETCH_MODSEQ,
	FETCH_DATE,
	FETCH_BODY,
	FETCH_NIL,
	FETCH_NEXT,
	FLAGS,		/* inside a list of flags; after_quoted says what comes behind it */
	LINE_END,	/* nothing but CRLF may follow */
};

/* What becomes of an octet. */
enum action {
	PASS,	/* the parser gets it, if it gets this line */
	DROP,	/* nobody gets it */
	EVENT,	/* an event is filled in; the octet is used up */
	REFUSE,
};

static enum action
refuse_with(struct guard *g, int error, const char *reason)
{
	g->reason = reason;
	g->error = error;
	return REFUSE;
}

static enum action
refuse(struct guard *g, const char *reason)
{
	return refuse_with(g, ERR_PROTOCOL, reason);
}

static enum action
go(struct guard *g, enum state state, enum action action)
{
	g->state = state;
	return action;
}

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

/* ---- words and numbers ---- */

static bool
is_word(const struct guard *g, const char *word)
{
	return text_is_word(g->word, g->word_len, word);
}

static bool
add_to_word(struct guard *g, char c)
{
	if (g->word_len == sizeof(g->word))
		return false;
	g->word[g->word_len++] = c;
	return true;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Takes another digit; false when the number gets over MAX. */
static bool
add_digit(struct guard *g, char c, uint64_t max)
{
	uint64_t digit = (uint64_t) (c - '0');

	if (g->number > (max - digit) / 10)
		return false;
	g->number = g->number * 10 + digit;
	g->digits++;
	return true;
}

static void
begin_number(struct guard *g)
{
	g->number = 0;
	g->digits = 0;
}

static enum action
begin_word(struct guard *g, enum state state, enum action action)
{
	g->word_len = 0;
	return go(g, state, action);
}

/* ---- the head of a line ---- */

/* Hands the head, which was held back, to the parser. */
static void
release_head(struct guard *g)
{
	memcpy(g->out + g->out_len, g->word, g->word_len);
	g->out_len += g->word_len;
	g->forward = true;
	g->word_len = 0;
}

/* The part of the head from octet FROM on up to a blank; returns its length. */
static size_t
part_length(const struct guard *g, size_t from)
{
	size_t len = 0;

	while (from + len < g->word_len && g->word[from + len] != ' ')
		len++;
	return len;
}

static bool
is_part(const struct guard *g, size_t from, const char *word)
{
	return text_is_word(g->word + from, part_length(g, from), word);
}

/* "OK", "NO" and so on at octet FROM of the head: free text follows. C is the octet behind the head. */
static enum action
begin_text(struct guard *g, char c)
{
	release_head(g);
	if (c == '\r')
		return go(g, LF_EXPECTED, PASS);
	return go(g, TEXT_START, PASS);
}

static enum action
begin_data(struct guard *g, char c, enum state state)
{
	g->depth = 0;
	if (c == '\r')
		return go(g, LF_EXPECTED, PASS);
	return go(g, state, PASS);
}

/* "* 12 EXISTS" and its kin, or "* 12 FETCH (...)". */
static enum action
begin_numbered(struct guard *g, char c, size_t keyword)
{
	uint64_t number;

	if (text_to_number(g->word + 2, keyword - 3, UINT32_MAX, &number) != 0)
		return refuse(g, "number over 32 bits");
	if (is_part(g, keyword, "FETCH")) {
		g->uid = 0;
		release_head(g);
		return begin_data(g, c, FETCH_OPEN);
	}
	if (!is_part(g, keyword, "EXISTS") && !is_part(g, keyword, "RECENT") && !is_part(g, keyword, "EXPUNGE"))
		return begin_data(g, c, DATA);
	release_head(g);
	return begin_data(g, c, LINE_END);
}

static enum action
begin_search(struct guard *g, char c)
{
	if (g->expectation == GUARD_EXPECT_SEARCH)
		release_head(g);
	begin_number(g);
	return c == '\r' ? go(g, LF_EXPECTED, PASS) : go(g, SEARCH, DROP);
}

/* "* KEYWORD": C ended the keyword. */
static enum action
begin_untagged(struct guard *g, char c)
{
	if (is_part(g, 2, "PREAUTH"))
		return refuse_with(g, ERR_PERMANENT, "PREAUTH: whose account is this?");
	if (g->expectation == GUARD_EXPECT_GREETING && is_part(g, 2, "BYE"))
		return refuse_with(g, ERR_TEMPORARY, "the server takes no connections now (BYE)");
	if (g->expectation == GUARD_EXPECT_GREETING && !is_part(g, 2, "OK"))
		return refuse(g, "not a greeting");
	if (is_part(g, 2, "OK") || is_part(g, 2, "NO") || is_part(g, 2, "BAD") || is_part(g, 2, "BYE"))
		return begin_text(g, c);
	if (is_part(g, 2, "SEARCH"))
		return begin_search(g, c);
	if (is_part(g, 2, "CAPABILITY")) {
		release_head(g);
		return begin_data(g, c, WORDS);
	}
	if (is_part(g, 2, "ID"))
		release_head(g);
	return begin_data(g, c, DATA);
}

/* "TAG STATUS": C ended the status. */
static enum action
begin_tagged(struct guard *g, char c, size_t status)
{
	if (g->expectation == GUARD_EXPECT_GREETING)
		return refuse(g, "not a greeting");
	for (size_t i = 0; i + 1 < status; i++)
		if (!is_digit(g->word[i]) && !(g->word[i] >= 'A' && g->word[i] <= 'Z') &&
		    !(g->word[i] >= 'a' && g->word[i] <= 'z'))
			return refuse(g, "line that begins with no tag");
	if (!is_part(g, status, "OK") && !is_part(g, status, "NO") && !is_part(g, status, "BAD"))
		return refuse(g, "tagged line without a status");
	return begin_text(g, c);
}

/* An octet that ends a word of the head: decides, or goes on to the next word. */
static enum action
end_of_word(struct guard *g, char c)
{
	size_t first = part_length(g, 0), second = first + 1;
	bool untagged = first == 1 && g->word[0] == '*';

	g->forward = false;
	if (first == 1 && g->word[0] == '+' && g->expectation != GUARD_EXPECT_GREETING)
		return begin_text(g, c);
	if (second > g->word_len) { /* so far there is one word */
		if (c == '\r' || first == 0)
			return refuse(g, "line that is no response");
		return add_to_word(g, c) ? DROP : refuse(g, "line that begins with no tag");
	}
	if (part_length(g, second) == 0)
		return refuse(g, "line that is no response");
	if (!untagged)
		return begin_tagged(g, c, second);
	if (!is_digit(g->word[second]))
		return begin_untagged(g, c);
	if (g->expectation == GUARD_EXPECT_GREETING)
		return refuse(g, "not a greeting");
	if (second + part_length(g, second) < g->word_len)
		return begin_numbered(g, c, second + part_length(g, second) + 1);
	if (c == '\r')
		return refuse(g, "line that is no response");
	return add_to_word(g, c) ? DROP : refuse(g, "number over 32 bits");
}

static enum action
in_head(struct guard *g, char c)
{
	if (c == ' ' || c == '\r')
		return end_of_word(g, c);
	if ((unsigned char) c <= ' ' || c == 0x7f)
		return refuse(g, "control character at the start of a line");
	return add_to_word(g, c) ? DROP : refuse(g, "line that is no response");
}

/* ---- lists of flags ---- */

/* Keywords may be anything, and some servers send what no grammar allows; libetpan is known to fall over such lists. Nobody here
 * needs a keyword, so the parser sees the system flags only. */
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
static enum action
begin_flags(struct guard *g, enum state after)
{
	g->after_quoted = after;
	begin_number(g); /* counts the flags passed on */
	return begin_word(g, FLAGS, PASS);
}

static enum action
in_flags(struct guard *g, char c)
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

static enum action
in_text(struct guard *g, char c)
{
	return c == '\r' ? go(g, LF_EXPECTED, PASS) : PASS;
}

static enum action
in_text_start(struct guard *g, char c)
{
	if (c == '[')
		return begin_word(g, CODE_NAME, DROP);
	g->state = TEXT;
	return in_text(g, c);
}

/* Octets that libetpan takes for part of an atom (RFC 3501 section 9, ATOM-CHAR). */
static bool
is_atom_char(char c)
{
	return c > ' ' && c < 0x7f && strchr("(){%*\"\\]", c) == NULL;
}

/* Codes that libetpan reads by a grammar of their own, and nobody needs. It is known to fall over malformed ones. */
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

/* The name of a response code is complete; C ended it. Arguments that are not needed are dropped. */
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

static enum action
in_code_name(struct guard *g, char c)
{
	if (c == ' ' || c == ']')
		return end_of_code_name(g, c);
	if (!is_atom_char(c) || !add_to_word(g, c))
		return refuse(g, "malformed response code");
	return DROP;
}

static enum action
in_code(struct guard *g, char c)
{
	if (c == '\r')
		return refuse(g, "response code without an end");
	switch ((enum state) g->state) {
	case CODE_NUMBER:
		if (is_digit(c))
			return add_digit(g, c, UINT32_MAX) ? PASS : refuse(g, "number over 32 bits");
		break;
	case CODE_WORDS:
		if (c == ' ' || is_atom_char(c))
			return PASS;
		break;
	case CODE_FLAGS_OPEN:
		return c == '(' ? begin_flags(g, CODE_END) : refuse(g, "malformed list of flags");
	case CODE_DROPPED:
		if (c != ']')
			return DROP;
		break;
	default:
		break;
	}
	return c == ']' ? go(g, TEXT, PASS) : refuse(g, "malformed response code");
}

/* ---- strings ---- */

static enum action
begin_quoted(struct guard *g, enum state after)
{
	g->after_quoted = after;
	return go(g, QUOTED, PASS);
}

static enum action
in_quoted(struct guard *g, char c)
{
	if (c == '\r')
		return refuse(g, "line end in a quoted string");
	if (g->state == QUOTED_ESCAPE)
		return go(g, QUOTED, PASS);
	if (c == '\\')
		return go(g, QUOTED_ESCAPE, PASS);
	return c == '"' ? go(g, (enum state) g->after_quoted, PASS) : PASS;
}

static bool
is_body(const struct guard *g)
{
	return g->after_quoted == FETCH_NEXT;
}

static enum action
begin_literal(struct guard *g, enum state after)
{
	g->after_quoted = after;
	begin_number(g);
	/* What the parser sees of a body's announcement is "{0}", so its digits are not passed. */
	return go(g, LITERAL_SIZE, PASS);
}

static enum action
in_literal_size(struct guard *g, char c)
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

static enum action
in_literal_lf(struct guard *g, struct guard_event *event)
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

static enum action
in_literal(struct guard *g)
{
	if (--g->left == 0)
		g->state = g->after_quoted;
	return PASS;
}

/* ---- structure ---- */

static enum action
in_words(struct guard *g, char c)
{
	if (c == '\r')
		return go(g, LF_EXPECTED, PASS);
	return c == ' ' || is_atom_char(c) ? PASS : refuse(g, "malformed capability");
}

static enum action
in_data(struct guard *g, char c)
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
		return begin_quoted(g, DATA);
	case '{':
		return begin_literal(g, DATA);
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

static enum action
in_search(struct guard *g, char c, struct guard_event *event)
{
	g->line = 0; /* any number of results is fine, as long as the budget lasts */
	if (is_digit(c))
		return add_digit(g, c, UINT32_MAX) ? DROP : refuse(g, "number over 32 bits");
	if (c == ' ' || c == '\r' || c == '(')
		return end_of_hit(g, c, event);
	return refuse(g, "search result that is no number");
}

static enum action
in_search_modseq(struct guard *g, char c)
{
	if (c == '\r')
		return go(g, LF_EXPECTED, PASS);
	return c == '"' || c == '{' ? refuse(g, "search result that is no number") : DROP;
}

/* ---- FETCH ---- */

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
	return c == ')' && g->digits > 0 ? go(g, FETCH_NEXT, PASS) : refuse(g, "malformed FETCH response");
}

static enum action
in_fetch_body(struct guard *g, char c)
{
	if (c == 'N' || c == 'n')
		return go(g, FETCH_NIL, PASS);
	if (g->expectation != GUARD_EXPECT_BODY || g->diverted)
		return refuse(g, "body that nobody asked for");
	if (c == '"')
		return begin_quoted(g, FETCH_NEXT);
	return c == '{' ? begin_literal(g, FETCH_NEXT) : refuse(g, "malformed FETCH response");
}

static enum action
in_fetch(struct guard *g, char c)
{
	switch ((enum state) g->state) {
	case FETCH_OPEN:
		return c == '(' ? begin_word(g, FETCH_ITEM, PASS) : refuse(g, "malformed FETCH response");
	case FETCH_ITEM:
		return in_fetch_item(g, c);
	case FETCH_NUMBER:
		return in_fetch_number(g, c);
	case FETCH_FLAGS_OPEN:
		return c == '(' ? begin_flags(g, FETCH_NEXT) : refuse(g, "malformed list of flags");
	case FETCH_MODSEQ_OPEN:
		return c == '(' ? go(g, FETCH_MODSEQ, PASS) : refuse(g, "malformed FETCH response");
	case FETCH_MODSEQ:
		return in_fetch_modseq(g, c);
	case FETCH_DATE:
		return c == '"' ? begin_quoted(g, FETCH_NEXT) : refuse(g, "malformed date");
	case FETCH_BODY:
		return in_fetch_body(g, c);
	case FETCH_NIL:
		return c == 'I' || c == 'i' || c == 'L' || c == 'l' ? PASS : in_fetch_next(g, c);
	default:
		return in_fetch_next(g, c);
	}
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
		return in_head(g, c);
	case LF_EXPECTED:
		return c == '\n' ? end_of_line(g) : refuse(g, "line end that is not CRLF");
	case TEXT_START:
		return in_text_start(g, c);
	case CODE_NAME:
		return in_code_name(g, c);
	case CODE_NUMBER:
	case CODE_WORDS:
	case CODE_FLAGS_OPEN:
	case CODE_DROPPED:
	case CODE_END:
		return in_code(g, c);
	case FLAGS:
		return in_flags(g, c);
	case TEXT:
		return in_text(g, c);
	case WORDS:
		return in_words(g, c);
	case DATA:
		return in_data(g, c);
	case QUOTED:
	case QUOTED_ESCAPE:
		return in_quoted(g, c);
	case LITERAL_SIZE:
		return in_literal_size(g, c);
	case LITERAL_CR:
		return c == '\r' ? go(g, LITERAL_LF, PASS) : refuse(g, "malformed literal");
	case LITERAL_LF:
		return c == '\n' ? in_literal_lf(g, event) : refuse(g, "malformed literal");
	case LITERAL:
		return in_literal(g);
	case SEARCH:
		return in_search(g, c, event);
	case SEARCH_MODSEQ:
		return in_search_modseq(g, c);
	case LINE_END:
		return c == '\r' ? go(g, LF_EXPECTED, PASS) : refuse(g, "octets behind the end of a response");
	default:
		return in_fetch(g, c);
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
	*event = (struct guard_event) { .kind = GUARD_NOTHING };
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
