/* guard_head.c - which kind of response a line is (RFC 3501 section 7).
 *
 * The head of a line, its tag or "*", number and keyword, is held back until the kind is known.
 * Kinds that nobody here needs are swallowed: their framing is followed, but the parser does not
 * see them. */
#include "imapback/guard_internal.h"

/* Hands the head, which was held back, to the parser. */
static void
release_head(struct guard *g)
{
	emit(g, g->word, g->word_len);
	g->forward = true;
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

/* C is the octet behind the head; what follows is read in STATE. */
static enum guard_action
begin_data(struct guard *g, char c, enum guard_state state)
{
	g->depth = 0;
	g->word_len = 0;
	return c == '\r' ? go(g, LF_EXPECTED, PASS) : go(g, state, PASS);
}

/* CAPABILITY, or a challenge of SASL. */
static enum guard_action
begin_words(struct guard *g, char c)
{
	release_head(g);
	begin_data(g, c, WORDS);
	g->blank = true;
	return c == '\r' ? PASS : DROP;
}

/* "* 12 EXISTS" and its kin, or "* 12 FETCH (...)". */
static enum guard_action
begin_numbered(struct guard *g, char c, size_t keyword)
{
	bool bodies = g->expectation == GUARD_EXPECT_BODY || g->expectation == GUARD_EXPECT_PART ||
		      g->expectation == GUARD_EXPECT_BODIES || g->expectation == GUARD_EXPECT_PARTS ||
		      g->expectation == GUARD_EXPECT_HEADERS;
	uint64_t number;

	if (text_to_number(g->word + 2, keyword - 3, UINT32_MAX, &number) != 0)
		return refuse(g, "number over 32 bits");
	if (is_part(g, keyword, "FETCH") && (bodies || g->expectation == GUARD_EXPECT_LIST ||
						g->expectation == GUARD_EXPECT_UIDS ||
						g->expectation == GUARD_EXPECT_ATTRIBUTE)) {
		guard_begin_fetch(g);
		return begin_data(g, c, FETCH_OPEN);
	}
	if (is_part(g, keyword, "EXISTS")) {
		release_head(g);
		return begin_data(g, c, LINE_END);
	}
	return begin_data(g, c, DATA);
}

static enum guard_action
begin_search(struct guard *g, char c)
{
	begin_number(g);
	g->searched = true;
	return begin_data(g, c, SEARCH);
}

/* Read whether it is of interest or not: it may be as long as a search result. */
static enum guard_action
begin_vanished(struct guard *g, char c)
{
	begin_number(g);
	g->first = 0;
	g->earlier = false;
	return begin_data(g, c, VANISHED);
}

static void
begin_answer(struct guard *g, enum guard_status status)
{
	g->answer = (struct guard_answer){ .status = status };
	g->answering = true;
}

/* What may come in place of a greeting. */
static enum guard_action
begin_greeting(struct guard *g, char c)
{
	if (is_part(g, 2, "OK"))
		return guard_begin_text(g, c, false);
	return refuse(g, "not a greeting");
}

/* "* KEYWORD": C ended the keyword. */
static enum guard_action
begin_untagged(struct guard *g, char c)
{
	if (is_part(g, 2, "PREAUTH"))
		return refuse_with(g, ERR_PERMANENT, "PREAUTH: whose account is this?");
	if (is_part(g, 2, "BYE")) {
		begin_answer(g, GUARD_BYE);
		return guard_begin_text(g, c, true);
	}
	if (g->expectation == GUARD_EXPECT_GREETING)
		return begin_greeting(g, c);
	if (is_part(g, 2, "OK") || is_part(g, 2, "NO") || is_part(g, 2, "BAD"))
		return guard_begin_text(g, c, true);
	if (is_part(g, 2, "SEARCH") && g->expectation == GUARD_EXPECT_SEARCH)
		return begin_search(g, c);
	if (is_part(g, 2, "VANISHED"))
		return begin_vanished(g, c);
	if (is_part(g, 2, "CAPABILITY"))
		return begin_words(g, c);
	if (is_part(g, 2, "ID") && g->expectation == GUARD_EXPECT_ID)
		release_head(g);
	if (is_part(g, 2, "LIST"))
		g->listed = true;
	return begin_data(g, c, DATA);
}

static bool
is_alphanumeric(char c)
{
	return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* "TAG STATUS": C ended the status, which begins at octet STATUS. */
static enum guard_action
begin_tagged(struct guard *g, char c, size_t status)
{
	size_t tag_len = status - 1;

	if (g->expectation == GUARD_EXPECT_GREETING)
		return refuse(g, "not a greeting");
	if (tag_len >= sizeof(g->answer.tag))
		return refuse(g, "line that begins with no tag");
	for (size_t i = 0; i < tag_len; i++)
		if (!is_alphanumeric(g->word[i]))
			return refuse(g, "line that begins with no tag");
	if (is_part(g, status, "OK"))
		begin_answer(g, GUARD_OK);
	else if (is_part(g, status, "NO"))
		begin_answer(g, GUARD_NO);
	else if (is_part(g, status, "BAD"))
		begin_answer(g, GUARD_BAD);
	else
		return refuse(g, "tagged line without a status");
	memcpy(g->answer.tag, g->word, tag_len);
	return guard_begin_text(g, c, false);
}

/* An octet that ends a word of the head: decides, or goes on to the next word. */
static enum guard_action
end_of_word(struct guard *g, char c)
{
	size_t first = part_length(g, 0), second = first + 1;
	bool untagged = first == 1 && g->word[0] == '*';

	if (first == 1 && g->word[0] == '+' && g->expectation == GUARD_EXPECT_CHALLENGE)
		return begin_words(g, c);
	if (first == 1 && g->word[0] == '+' && g->expectation != GUARD_EXPECT_GREETING)
		return guard_begin_text(g, c, false);
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

enum guard_action
guard_in_head(struct guard *g, char c)
{
	if (c == ' ' || c == '\r')
		return end_of_word(g, c);
	if ((unsigned char) c <= ' ' || c == 0x7f)
		return refuse(g, "line that is no response");
	return add_to_word(g, c) ? DROP : refuse(g, "line that is no response");
}
