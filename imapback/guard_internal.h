/* guard_internal.h - the grammar of the wire guard, shared by guard.c, guard_head.c, guard_text.c
 * and guard_fetch.c. */
#pragma once
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "imapback/guard.h"

enum guard_state {
	HEAD,	     /* collecting the head of a line in word */
	LF_EXPECTED, /* CR was the end of a line */
	LINE_END,    /* nothing but CRLF may follow */
	WORDS,	     /* of CAPABILITY */
	DATA,	     /* structure: of ID, and of what is swallowed */
	SEARCH,
	SEARCH_MODSEQ, /* "(MODSEQ n)" at its end (RFC 7162 section 3.1.5) */
	VANISHED,      /* the set of UIDs, or what stands before it */
	VANISHED_TAG,  /* "(EARLIER)" (RFC 7162 section 3.2.10) */

	QUOTED,
	QUOTED_ESCAPE,
	LITERAL_SIZE,
	LITERAL_CR,
	LITERAL_LF,
	LITERAL, /* octets that stay in the stream */
	BODY,	 /* octets that go to the caller */
	FLAGS,	 /* inside a list of flags */

	TEXT_START,  /* the first octet of free text */
	CODE_NAME,   /* inside "[", collecting the name of a response code */
	CODE_NUMBER, /* its argument, by kind */
	CODE_MODSEQ,
	CODE_WORDS,
	CODE_FLAGS_OPEN,
	CODE_SKIP,
	CODE_END,
	TEXT,

	FETCH_OPEN,
	FETCH_ITEM, /* the name of an item; then its value, by kind */
	FETCH_NUMBER,
	FETCH_FLAGS_OPEN,
	FETCH_BODY,
	FETCH_NIL,
	FETCH_SKIP,
	FETCH_VALUE,	 /* that is collected begins */
	FETCH_ATOM,	 /* an atom of it */
	FETCH_STRING,	 /* behind a string of it */
	FETCH_NEXT,
};

/* What becomes of an octet. */
enum guard_action {
	PASS,  /* the parser gets it, if it gets this part of the line */
	DROP,  /* nobody gets it */
	EVENT, /* an event is filled in; the octet is used up */
	REFUSE,
};

static inline enum guard_action
refuse_with(struct guard *g, int error, const char *reason)
{
	g->reason = reason;
	g->error = error;
	return REFUSE;
}

static inline enum guard_action
refuse(struct guard *g, const char *reason)
{
	return refuse_with(g, ERR_PROTOCOL, reason);
}

static inline enum guard_action
go(struct guard *g, enum guard_state state, enum guard_action action)
{
	g->state = state;
	return action;
}

/* Octets of our own for the parser. No step writes more than a word and what goes around it. */
static inline void
emit(struct guard *g, const char *octets, size_t len)
{
	memcpy(g->out + g->out_len, octets, len);
	g->out_len += (uint32_t) len;
}

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

static inline enum guard_action
begin_word(struct guard *g, enum guard_state state, enum guard_action action)
{
	g->word_len = 0;
	return go(g, state, action);
}

/* One more octet of the value that is collected. */
static inline void
add_to_value(struct guard *g, char c)
{
	if (g->value_len < g->value_room)
		g->value[g->value_len++] = c;
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

/* ---- guard.c ---- */

/* A quoted string, a literal or a list of flags begins; AFTER is the state behind it. */
enum guard_action guard_begin_quoted(struct guard *g, enum guard_state after);
enum guard_action guard_begin_literal(struct guard *g, enum guard_state after);

/* Words with single blanks before them: C is one more octet of them. Octets that no atom has are
 * dropped. */
enum guard_action guard_in_words(struct guard *g, char c);

/* ---- guard_head.c: which kind of response a line is ---- */

enum guard_action guard_in_head(struct guard *g, char c);

/* ---- guard_text.c: status responses ---- */

/* The line, whose head is in word, is free text from here on (RFC 3501 section 7.1); C is the octet
 * behind the head. With ONLY_CODE, the parser needs it for the sake of a response code only. */
enum guard_action guard_begin_text(struct guard *g, char c, bool only_code);
enum guard_action guard_in_text(struct guard *g, char c);

/* ---- guard_fetch.c: FETCH responses ---- */

void guard_begin_fetch(struct guard *g);

/* The line at the beginning of IN, whole and in the form that a listing has from most servers:
 * fills EVENT as the octets would one by one, and returns how many there are; 0 for any other. */
size_t guard_take_listed(struct guard *g, const char *in, size_t len, struct guard_event *event);

enum guard_action guard_in_fetch(struct guard *g, char c, struct guard_event *event);

/* One more octet of a list of flags. */
enum guard_action guard_in_flags(struct guard *g, char c);
