/* line_buffer.h - what a client has sent and nobody has looked at yet, cut into lines.
 *
 * A session at rest costs LINE_BUFFER_AT_REST octets. Only a line that begins with AUTH, and SASL responses, may be longer
 * than that: for those the buffer grows, and shrinks again behind them. Lines can carry passwords, so what is dropped,
 * moved or freed is cleansed. Pure: no I/O. */
#pragma once
#include <stddef.h>

enum { LINE_BUFFER_AT_REST = 512 };	/* octets */

struct line_buffer {
	char small[LINE_BUFFER_AT_REST];
	char *grown;	/* NULL at rest */
	size_t room;	/* of whichever is in use */
	size_t begin;	/* what is there lies between begin and end */
	size_t end;
	size_t taken;	/* octets of the line that was given out last */
};

enum line_limit {	/* how long the next line may be */
	LINE_COMMAND,	/* as command_line_limit says */
	LINE_RESPONSE,	/* COMMAND_AUTH_LINE_MAX */
};

enum line_state {
	LINE_COMPLETE,
	LINE_INCOMPLETE,
	LINE_TOO_LONG,
};

void line_buffer_begin(struct line_buffer *b);

/* The next line, without its end; valid until the next call on B. */
enum line_state line_buffer_next(
    struct line_buffer *b, enum line_limit limit, const char **line, size_t *len);

/* Lets go of the line given out last; no effect where there is none. */
void line_buffer_drop(struct line_buffer *b);

/* Where further octets belong: *ROOM (at least 1) at *AT. To be called when a line is incomplete. Returns 0 or
 * ERR_NO_MEMORY. */
int line_buffer_space(struct line_buffer *b, char **at, size_t *room);

/* LEN octets were put there. */
void line_buffer_filled(struct line_buffer *b, size_t len);

/* Octets behind the line given out last, and where they are until the next call on B. */
size_t line_buffer_left(const struct line_buffer *b);
const char *line_buffer_rest(struct line_buffer *b);

/* Cleanses everything and goes back to rest. */
void line_buffer_clear(struct line_buffer *b);
