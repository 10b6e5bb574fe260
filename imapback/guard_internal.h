/* guard_internal.h - the grammar of the wire guard: where it can be, and what becomes of an octet.
 * Not for other parts. */
#pragma once
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "imapback/guard.h"

enum state {
	HEAD,	     /* collecting the head of a line in word */
	LF_EXPECTED, /* CR was the end of a line */
	TEXT_START,  /* the first octet of free text */
	CODE_NAME,   /* inside "[", collecting the name of a response code */
	CODE_NUMBER, /* its argument, by kind */
	CODE_WORDS,
	CODE_FLAGS_OPEN,
	CODE_DROPPED,
	CODE_END,
	TEXT,
	WORDS, /* of CAPABILITY */
	DATA,  /* structure: of ID, and of what is swallowed */
	QUOTED,
	QUOTED_ESCAPE,
	LITERAL_SIZE,
	LITERAL_CR,
	LITERAL_LF,
	LITERAL, /* octets that the parser gets */
	BODY,	 /* octets that it does not get */
	SEARCH,
	SEARCH_MODSEQ, /* "(MODSEQ n)" at its end (RFC 7162 section 3.1.5) */
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
	FLAGS,	  /* inside a list of flags; after_quoted says what comes behind it */
	LINE_END, /* nothing but CRLF may follow */
};

/* What becomes of an octet. */
enum action {
	PASS,  /* the parser gets it, if it gets this line */
	DROP,  /* nobody gets it */
	EVENT, /* an event is filled in; the octet is used up */
	REFUSE,
};

static inline enum action
refuse_with(struct guard *g, int error, const char *reason)
{
	g->reason = reason;
	g->error = error;
	return REFUSE;
}

static inline enum action
refuse(struct guard *g, const char *reason)
{
	return refuse_with(g, ERR_PROTOCOL, reason);
}

static inline enum action
go(struct guard *g, enum state state, enum action action)
{
	g->state = state;
	return action;
}

/* ---- words and numbers ---- */

static inline bool
is_word(const struct guard *g, const char *word)
{
	return text_is_word(g->word, g->word_len, word);
}

static inline bool
add_to_word(struct guard *g, char c)
{
	if (g->word_len == sizeof(g->word))
		return false;
	g->word[g->word_len++] = c;
	return true;
}

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Takes another digit; false when the number gets over MAX. */
static inline bool
add_digit(struct guard *g, char c, uint64_t max)
{
	uint64_t digit = (uint64_t) (c - '0');

	if (g->number > (max - digit) / 10)
		return false;
	g->number = g->number * 10 + digit;
	g->digits++;
	return true;
}

static inline void
begin_number(struct guard *g)
{
	g->number = 0;
	g->digits = 0;
}

static inline enum action
begin_word(struct guard *g, enum state state, enum action action)
{
	g->word_len = 0;
	return go(g, state, action);
}

/* Octets that libetpan takes for part of an atom (RFC 3501 section 9, ATOM-CHAR). */
static inline bool
is_atom_char(char c)
{
	return c > ' ' && c < 0x7f && strchr("(){%*\"\\]", c) == NULL;
}

/* ---- the parts of the grammar; each takes one octet and says what becomes of it ---- */

/* guard_head.c: until the kind of a line is known */
enum action guard_in_head(struct guard *g, char c);

/* guard_text.c: free text, response codes, lists of flags. AFTER is the state behind the list. */
enum action guard_in_text(struct guard *g, char c);
enum action guard_in_text_start(struct guard *g, char c);
enum action guard_in_code_name(struct guard *g, char c);
enum action guard_in_code(struct guard *g, char c);
enum action guard_begin_flags(struct guard *g, enum state after);
enum action guard_in_flags(struct guard *g, char c);

/* guard_data.c: strings and literals (AFTER as above), structure, search results */
enum action guard_begin_quoted(struct guard *g, enum state after);
enum action guard_in_quoted(struct guard *g, char c);
enum action guard_begin_literal(struct guard *g, enum state after);
enum action guard_in_literal_size(struct guard *g, char c);
enum action guard_in_literal_lf(struct guard *g, struct guard_event *event);
enum action guard_in_literal(struct guard *g);
enum action guard_in_words(struct guard *g, char c);
enum action guard_in_data(struct guard *g, char c);
enum action guard_in_search(struct guard *g, char c, struct guard_event *event);
enum action guard_in_search_modseq(struct guard *g, char c);

/* guard_fetch.c: FETCH responses, strictly by their grammar */
enum action guard_in_fetch(struct guard *g, char c);
