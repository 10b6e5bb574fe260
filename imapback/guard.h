/* guard.h - the wire guard: what stands between the network and the IMAP response parser.
 *
 * Every octet from the server passes this framing state machine (RFC 3501 sections 4 and 9: lines,
 * quoted strings, literals, parentheses). It refuses what would harm the parser behind it - endless
 * lines, deep nesting, numbers beyond 32 bits, literals nobody asked for, PREAUTH, more data than a
 * command may bring - and lets through only the kinds of responses that this program needs. What
 * the parser should not hold is taken out: message bodies and search results go to the caller as
 * events, and the parser sees an empty literal or an empty result in their place.
 *
 * Pure: octets in, octets and events out; it allocates nothing. The input may be cut anywhere. An
 * error is final. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	GUARD_LINE_MAX = 65536,	   /* octets of a line, diverted ones not counted */
	GUARD_LITERAL_MAX = 65536, /* octets of a literal that is not diverted */
	GUARD_DEPTH_MAX = 64,	   /* open parentheses */
};

/* What the command that runs now may bring. */
enum guard_expectation {
	GUARD_EXPECT_GREETING, /* the first line of a connection: untagged OK */
	GUARD_EXPECT_RESPONSE, /* any response, no body, no search result (those are then refused)
				*/
	GUARD_EXPECT_BODY,     /* and one BODY[...] in a FETCH response, diverted */
	GUARD_EXPECT_SEARCH,   /* and SEARCH responses, diverted */
};

enum guard_event_kind {
	GUARD_NOTHING,	  /* the input is used up, or the output is full */
	GUARD_BODY_BEGIN, /* a diverted body of event.number octets begins */
	GUARD_BODY_CHUNK, /* octets of it: event.data, event.len, pointing into the input */
	GUARD_BODY_END,	  /* all octets of it have come */
	GUARD_SEARCH_HIT, /* event.number is one number of a SEARCH response */
	GUARD_REFUSED,	  /* the octets break a rule, which guard_reason names. Final. */
};

struct guard_event {
	enum guard_event_kind kind;
	uint64_t number;
	uint32_t uid; /* BODY_BEGIN: the UID item that came before it in the same response, or 0 */
	const char *data;
	size_t len;
};

enum { GUARD_HEAD_MAX = 48 }; /* octets of a line that are held until its kind is known */

/* The state between two octets; nobody but guard.c looks into it. */
struct guard {
	enum guard_expectation expectation;
	uint64_t budget;       /* octets that may still come */
	const char *reason;    /* NULL: nothing was refused */
	int error;	       /* what that amounts to */
	unsigned state;	       /* where in the grammar, see guard.c */
	unsigned after_quoted; /* the state behind the string or list of flags that is open */
	uint32_t line;	       /* octets of the current line */
	uint32_t depth;	       /* open parentheses */
	uint64_t number;       /* of a number or literal size that is being read */
	uint32_t digits;
	uint64_t left;		   /* octets of the open literal */
	uint32_t uid;		   /* of the current FETCH response */
	bool forward;		   /* the current line is for the parser */
	bool diverted;		   /* a body was taken out since guard_expect */
	char word[GUARD_HEAD_MAX]; /* the word that is being read */
	uint32_t word_len;
	char out[GUARD_HEAD_MAX + 16]; /* for the parser, before anything else */
	uint32_t out_at, out_len;
};

/* Begins a connection. */
void guard_init(struct guard *g);

/* To be called when a command is sent (and, with GUARD_EXPECT_GREETING, at the start): BUDGET is
 * how many octets of response data, diverted ones not counted, may come until the next call. */
void guard_expect(struct guard *g, enum guard_expectation expectation, uint64_t budget);

/* Takes octets of IN (LEN) and writes what the parser may see to OUT (ROOM, at least 1), until the
 * input is used up, the output is full or there is an event. Returns the number of octets used;
 * *WRITTEN is set and *EVENT filled. Call again with the rest after an event. No octet of IN is
 * looked at again once used; nothing is written after GUARD_REFUSED. */
size_t guard_feed(struct guard *g, const char *in, size_t len, char *out, size_t room,
    size_t *written, struct guard_event *event);

/* Whether the guard is between two lines: nothing has begun that is not complete. */
bool guard_is_idle(const struct guard *g);

/* Which rule was broken, in a few words of ours, e.g. "line over 65,536 octets", and the error that
 * it amounts to: mostly ERR_PROTOCOL; ERR_PERMANENT for PREAUTH, which only somebody's work on the
 * configuration can change; ERR_TEMPORARY for a server that greets with BYE. */
const char *guard_reason(const struct guard *g);
int guard_error(const struct guard *g);
