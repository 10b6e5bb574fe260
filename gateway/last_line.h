/* last_line.h - how the last line of a stream of octets began, however the stream is cut. Pure.
 *
 * Enough to know whether somebody has said QUIT, or was told +OK, without taking a protocol apart. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum { LAST_LINE_BEGIN = 8 }; /* octets of a line that are kept */

struct last_line { /* all zero: nothing was said */
	char now[LAST_LINE_BEGIN]; /* of the line that is not complete */
	size_t now_len;
	char last[LAST_LINE_BEGIN]; /* of the last complete one */
	size_t last_len;
};

/* LEN octets of DATA were said. */
void last_line_feed(struct last_line *l, const char *data, size_t len);

/* Whether all that was said are complete lines. */
bool last_line_is_complete(const struct last_line *l);

/* Whether the last complete line begins with WORD (shorter than LAST_LINE_BEGIN), in letters of any
 * case, and a blank or nothing behind it. */
bool last_line_begins(const struct last_line *l, const char *word);
