/* guard.h - the wire guard: what stands between the network and the IMAP response parser.
 *
 * Every octet from the server passes this framing state machine (RFC 3501 sections 4 and 9: lines,
 * quoted strings, literals, parentheses). It refuses what would harm the parser behind it - endless
 * lines, deep nesting, numbers beyond 32 bits, literals nobody asked for, PREAUTH, more data than a
 * command may bring - and the parser gets only the responses that this program needs, in the
 * plainest form that they can have: free text, keywords and response codes without meaning for us
 * are taken out, and so is what no parser should hold. Message bodies, listings and search results
 * go to the caller as events.
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
	GUARD_PARSED_MAX = 262144, /* octets that the parser gets of the answer to one command; it
				      holds them all */
};

/* What the command that runs now may bring besides its tagged answer. */
enum guard_expectation {
	GUARD_EXPECT_GREETING, /* the first line of a connection: untagged OK */
	GUARD_EXPECT_RESPONSE, /* CAPABILITY, EXISTS and response codes; all else is swallowed */
	GUARD_EXPECT_ID,       /* and ID */
	GUARD_EXPECT_CHALLENGE, /* as GUARD_EXPECT_RESPONSE, and the text of continuation requests,
				   which else stays behind, as far as atoms have its octets */
	GUARD_EXPECT_LIST,     /* and FETCH responses, told as GUARD_LISTED; from here on, the amount
				  of an answer is the mailbox's */
	GUARD_EXPECT_UIDS,     /* the same, where the size does not matter */
	GUARD_EXPECT_BODY,     /* and one BODY[] in a FETCH response, diverted */
	GUARD_EXPECT_PART,     /* the same for BODY[]<origin> */
	GUARD_EXPECT_BODIES,   /* and BODY[] in any number of FETCH responses: those that come as
				  literals are diverted, and the parser gets none */
	GUARD_EXPECT_PARTS,    /* the same for BODY[]<origin> */
	GUARD_EXPECT_HEADERS,  /* the same for BODY[HEADER] */
	GUARD_EXPECT_SEARCH,   /* and SEARCH responses, diverted */
	GUARD_EXPECT_VANISHED, /* and VANISHED (EARLIER) responses (RFC 7162), diverted */
	GUARD_EXPECT_ATTRIBUTE, /* and FETCH responses with the item that guard_collect names, told as
				   GUARD_ATTRIBUTE */
};

enum guard_event_kind {
	GUARD_NOTHING,	  /* the input is used up, or the output is full */
	GUARD_BODY_BEGIN, /* a diverted body of event.number octets begins */
	GUARD_BODY_CHUNK, /* octets of it: event.data, event.len, pointing into the input */
	GUARD_BODY_END,	  /* all octets of it have come */
	GUARD_LISTED,	  /* message event.uid has event.number octets */
	GUARD_SEARCH_HIT, /* event.number is one number of a SEARCH response */
	GUARD_VANISHED,	  /* messages event.uid to event.number have gone */
	GUARD_ATTRIBUTE,  /* message event.uid has the value event.data, event.len: without quotation
			     marks or parentheses, cut to the room that there is; empty for NIL */
	GUARD_REFUSED,	  /* the octets break a rule, which guard_reason names. Final. */
};

struct guard_event {
	enum guard_event_kind kind;
	uint64_t number;
	uint32_t uid; /* BODY_BEGIN: the UID item that came before it in the same response, or 0 */
	uint32_t origin; /* BODY_BEGIN: where in the message the octets begin */
	bool deleted;	 /* LISTED: flagged \Deleted */
	const char *data;
	size_t len;
};

/* How a command ended, in the server's words. */
enum guard_status {
	GUARD_NO_ANSWER, /* it has not */
	GUARD_OK,
	GUARD_NO,
	GUARD_BAD,
	GUARD_BYE,
};

enum {
	GUARD_CODE_MAX = 32,  /* octets of the name of a response code, with the final NUL */
	GUARD_TEXT_MAX = 120, /* of the text, which is cut */
};

struct guard_answer {
	enum guard_status status;
	char tag[16];
	char code[GUARD_CODE_MAX]; /* e.g. "AUTHENTICATIONFAILED"; "" for none, or one too long to
				      have a meaning */
	char text[GUARD_TEXT_MAX]; /* foreign octets */
	size_t text_len;
};

enum {
	GUARD_WORD_MAX = 48
}; /* octets of a word, or of the head of a line until its kind is known */

/* The state between two octets; nobody but guard*.c looks into it. */
struct guard {
	enum guard_expectation expectation;
	uint64_t budget;    /* octets that may still come */
	uint32_t parsed;    /* octets that the parser got */
	const char *reason; /* NULL: nothing was refused */
	int error;	    /* what that amounts to */
	unsigned state;	    /* where in the grammar, see guard_internal.h */
	unsigned after;	    /* the state behind the string or list of flags that is open */
	uint32_t line;	    /* octets of the current line */
	uint32_t depth;	    /* open parentheses */
	uint64_t number;    /* that is being read */
	uint32_t digits;
	uint64_t left; /* octets of the open literal */
	uint32_t uid;  /* of the current FETCH response, as are the next three */
	uint64_t size;
	bool has_size;
	bool deleted;
	uint32_t origin; /* of the body that is announced */
	bool forward;	 /* the octets are for the parser */
	bool blank;	 /* a blank goes before the next word */
	bool answering;	 /* the current line is the answer below */
	bool diverted;	 /* a body has come since guard_expect */
	bool searched;	 /* so has a SEARCH response */
	bool listed;	 /* so has a LIST response */
	bool earlier;	 /* VANISHED is of what went before SELECT */
	uint32_t first;	 /* of the UIDs of VANISHED that are being read; 0: there is only one */
	uint64_t modseq; /* HIGHESTMODSEQ, told since guard_expect; 0: not told */
	bool has_body;	 /* and in the current FETCH response */
	bool halted;	 /* the answer is complete: what follows waits for guard_expect */
	struct guard_answer answer;
	const char *wanted; /* see guard_collect */
	char *value;
	size_t value_room, value_len;
	bool has_value;
	char word[GUARD_WORD_MAX]; /* the word that is being read */
	uint32_t word_len;
	char out[2 * GUARD_WORD_MAX]; /* for the parser, before anything else */
	uint32_t out_at, out_len;
};

/* Begins a connection. */
void guard_init(struct guard *g);

/* To be called when a command is sent (and, with GUARD_EXPECT_GREETING, at the start): BUDGET is
 * how many octets of response data, bodies not counted, may come until the next call. Behind the
 * greeting, and behind a tagged answer, nothing is taken before that: what a server sends ahead of
 * its turn is not taken for part of an answer. */
void guard_expect(struct guard *g, enum guard_expectation expectation, uint64_t budget);

/* With GUARD_EXPECT_ATTRIBUTE: the item of FETCH whose name begins with WANTED is collected in VALUE
 * (ROOM octets). Both must stay until the next guard_expect. */
void guard_collect(struct guard *g, const char *wanted, char *value, size_t room);

/* Takes octets of IN (LEN) and writes what the parser may see to OUT (ROOM, at least 1), until the
 * input is used up, the output is full or there is an event. Returns the number of octets used;
 * *WRITTEN is set and *EVENT filled. Call again with the rest after an event. No octet of IN is
 * looked at again once used; nothing is written after GUARD_REFUSED. */
size_t guard_feed(struct guard *g, const char *in, size_t len, char *out, size_t room,
    size_t *written, struct guard_event *event);

/* Whether the guard is between two lines: nothing has begun that is not complete. */
bool guard_is_idle(const struct guard *g);

/* Whether it takes nothing more before guard_expect. */
bool guard_is_halted(const struct guard *g);

/* Whether a SEARCH response, be it empty, came since guard_expect. */
bool guard_has_searched(const struct guard *g);

/* Whether a LIST response came since guard_expect. */
bool guard_has_listed(const struct guard *g);

/* The HIGHESTMODSEQ that came since guard_expect (RFC 7162 section 3.1.2.1); 0: none. */
uint64_t guard_modseq(const struct guard *g);

/* The tagged answer that came since guard_expect, or BYE. */
const struct guard_answer *guard_answer(const struct guard *g);

/* Which rule was broken, in a few words of ours, e.g. "line over 65,536 octets", and the error that
 * it amounts to: mostly ERR_PROTOCOL; ERR_PERMANENT for PREAUTH, which only somebody's work on the
 * configuration can change; ERR_TEMPORARY for BYE. */
const char *guard_reason(const struct guard *g);
int guard_error(const struct guard *g);
