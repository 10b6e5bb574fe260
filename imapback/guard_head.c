/* guard_head.c - the beginning of a response line: tag, "*" or "+", number, keyword (RFC 3501
 * section 7). */
#include "imapback/guard_internal.h"

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

/* "OK", "NO" and so on at octet FROM of the head: free text follows. C is the octet behind the
 * head. */
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
	if (!is_part(g, keyword, "EXISTS") && !is_part(g, keyword, "RECENT") &&
	    !is_part(g, keyword, "EXPUNGE"))
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
	if (is_part(g, 2, "OK") || is_part(g, 2, "NO") || is_part(g, 2, "BAD") ||
	    is_part(g, 2, "BYE"))
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

enum action
guard_in_head(struct guard *g, char c)
{
	if (c == ' ' || c == '\r')
		return end_of_word(g, c);
	if ((unsigned char) c <= ' ' || c == 0x7f)
		return refuse(g, "control character at the start of a line");
	return add_to_word(g, c) ? DROP : refuse(g, "line that is no response");
}
