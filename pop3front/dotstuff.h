/* dotstuff.h - the octets of a message as a POP3 multi-line response (RFC 1939 section 3).
 *
 * A state machine over chunks: the input may be cut anywhere. Bare LF becomes CRLF; a lone CR stays as it is; a "." at
 * the start of any line, the first included, is doubled; a missing final CRLF is added; ".CRLF" ends it. Optionally NUL
 * becomes 0x80, and TOP's limit of body lines ends the output early. Pure: buffer in, buffer out. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DOTSTUFF_ALL_LINES UINT64_MAX

enum dotstuff_nul {
	DOTSTUFF_NUL_KEEP,
	DOTSTUFF_NUL_REPLACE,	/* 0x80, as other servers do for clients that stop at NUL */
};

struct dotstuff {
	enum dotstuff_nul nul;
	uint64_t body_lines_left;	/* TOP; DOTSTUFF_ALL_LINES for RETR */
	unsigned line_start : 1;	/* the next octet begins a line */
	unsigned after_cr : 1;		/* the last octet was CR */
	unsigned line_empty : 1;	/* the current line has no octet but perhaps one CR; only TOP asks */
	unsigned in_body : 1;		/* the blank line behind the header has passed; only TOP asks */
	unsigned full : 1;		/* TOP's limit is reached: all further input is ignored */
};

enum { DOTSTUFF_END_MAX = 5 };	/* octets that dotstuff_end writes at most: CRLF.CRLF */

/* BODY_LINES: how many lines of the body follow the header and the blank line; DOTSTUFF_ALL_LINES for all. */
void dotstuff_begin(struct dotstuff *d, uint64_t body_lines, enum dotstuff_nul nul);

/* Takes octets from IN (LEN) and writes to OUT (ROOM, at least 2) as long as both last; returns how many octets of IN were
 * used and sets *WRITTEN. Once dotstuff_is_full, everything is used and nothing written. */
size_t dotstuff_feed(
    struct dotstuff *d, const char *in, size_t len, char *out, size_t room, size_t *written);

/* Takes octets from IN (LEN) that the caller hands on as they are, as long as there is nothing to change; returns how many,
 * often 0. Not for TOP, nor where NUL is replaced: 0 then. What it does not take is for dotstuff_feed. */
size_t dotstuff_pass(struct dotstuff *d, const char *in, size_t len);

/* Whether TOP's limit of lines is reached: no further input can matter. */
bool dotstuff_is_full(const struct dotstuff *d);

/* Writes what ends the response: a missing CRLF and ".CRLF". Returns the number of octets. */
size_t dotstuff_end(struct dotstuff *d, char out[DOTSTUFF_END_MAX]);
