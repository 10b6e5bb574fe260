/* line_buffer.c - see line_buffer.h. */
#include "pop3front/line_buffer.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/error.h"
#include "pop3front/command.h"

static char *
octets(struct line_buffer *b)
{
	return b->grown != NULL ? b->grown : b->small;
}

void
line_buffer_begin(struct line_buffer *b)
{
	memset(b, 0, sizeof(*b));
	b->room = sizeof(b->small);
}

enum line_state
line_buffer_next(struct line_buffer *b, enum line_limit limit, const char **line, size_t *len)
{
	const char *data;
	size_t left, most;

	line_buffer_drop(b);
	data = octets(b) + b->begin;
	left = b->end - b->begin;
	most = limit == LINE_RESPONSE ? COMMAND_AUTH_LINE_MAX : command_line_limit(data, left);
	b->taken = command_find_line(data, left, len);
	if (b->taken > most || (b->taken == 0 && left >= most))
		return LINE_TOO_LONG;
	if (b->taken == 0)
		return LINE_INCOMPLETE;
	*line = data;
	return LINE_COMPLETE;
}

/* Moves what is there to TO, and leaves no copy behind. */
static void
move(struct line_buffer *b, char *to)
{
	char *from = octets(b);
	size_t left = b->end - b->begin;

	if (to != from) {
		memcpy(to, from + b->begin, left);
		OPENSSL_cleanse(from, b->end);
	} else if (b->begin > 0) {
		memmove(to, from + b->begin, left);
		OPENSSL_cleanse(to + left, b->end - left);
	}
	b->begin = 0;
	b->end = left;
}

static void
shrink(struct line_buffer *b)
{
	move(b, b->small);
	free(b->grown);
	b->grown = NULL;
	b->room = sizeof(b->small);
}

void
line_buffer_drop(struct line_buffer *b)
{
	if (b->taken == 0)
		return;
	OPENSSL_cleanse(octets(b) + b->begin, b->taken);
	b->begin += b->taken;
	b->taken = 0;
	if (b->begin == b->end)
		b->begin = b->end = 0;
	if (b->grown != NULL && b->end - b->begin <= sizeof(b->small))
		shrink(b);
}

static int
grow(struct line_buffer *b)
{
	size_t room = b->room * 4 < COMMAND_AUTH_LINE_MAX ? b->room * 4 : COMMAND_AUTH_LINE_MAX;
	char *grown = malloc(room);

	if (grown == NULL)
		return ERR_NO_MEMORY;
	move(b, grown);
	free(b->grown);
	b->grown = grown;
	b->room = room;
	return 0;
}

int
line_buffer_space(struct line_buffer *b, char **at, size_t *room)
{
	int rc;

	move(b, octets(b));
	if (b->end == b->room && (rc = grow(b)) != 0)
		return rc;
	*at = octets(b) + b->end;
	*room = b->room - b->end;
	return 0;
}

void
line_buffer_filled(struct line_buffer *b, size_t len)
{
	b->end += len;
}

size_t
line_buffer_left(const struct line_buffer *b)
{
	return b->end - b->begin - b->taken;
}

const char *
line_buffer_rest(struct line_buffer *b)
{
	return octets(b) + b->begin + b->taken;
}

void
line_buffer_clear(struct line_buffer *b)
{
	OPENSSL_cleanse(octets(b), b->end);
	free(b->grown);
	line_buffer_begin(b);
}
