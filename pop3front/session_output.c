/* session_output.c - answers on their way to the client.
 *
 * They are collected, so that the answers to pipelined commands leave together, and written when the buffer is full or
 * before the session waits for the client. Who does not read makes us wait here, and so costs no more than this buffer. */
#include "pop3front/session_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
session_output_room(struct session *s, size_t room)
{
	char *data;

	if (s->output.room >= room)
		return 0;
	if ((data = realloc(s->output.data, room)) == NULL)
		return ERR_NO_MEMORY;
	s->output.data = data;
	s->output.room = room;
	return 0;
}

void
session_output_drop(struct session *s)
{
	free(s->output.data);
	s->output = (struct session_output) { 0 };
}

enum session_next
session_write_through(struct session *s, const char *octets, size_t octets_len)
{
	size_t len = s->output.len;
	int rc;

	s->output.len = 0;
	if (len + octets_len == 0 || s->client_gone)
		return s->over ? SESSION_OVER : SESSION_GOES_ON;
	rc = stream_write_two(
	    s->client, s->output.data, len, octets, octets_len, s->settings->write_ms);
	if (rc == 0)
		return SESSION_GOES_ON;
	s->client_gone = s->must_abort = true;
	/* It may have gone behind a QUIT, which counts (RFC 1939 section 6): what it has sent will still be read. */
	if (rc == ERR_CLOSED && s->state == SESSION_TRANSACTION)
		return SESSION_GOES_ON;
	return session_client_failed(s, "writing to", rc);
}

enum session_next
session_flush(struct session *s)
{
	return session_write_through(s, "", 0);
}

enum session_next
session_write(struct session *s, const char *octets, size_t len)
{
	struct session_output *out = &s->output;

	if (session_output_room(s, OUTPUT_REPLIES) != 0)
		return session_fail(s, POP3_END_INTERNAL, ERR_NO_MEMORY);
	while (len > 0) {
		size_t part = out->room - out->len < len ? out->room - out->len : len;

		memcpy(out->data + out->len, octets, part);
		out->len += part;
		octets += part;
		len -= part;
		if (len > 0 && session_flush(s) == SESSION_OVER)
			return SESSION_OVER;
	}
	return SESSION_GOES_ON;
}

enum session_next
session_reply(struct session *s, const char *format, ...)
{
	char line[256]; /* RFC 2449 section 4: at most 512 octets; ours are far shorter */
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	if (len < 0 || (size_t) len > sizeof(line) - 2)
		len = (int) sizeof(line) - 2;
	memcpy(line + len, "\r\n", 2);
	return session_write(s, line, (size_t) len + 2);
}

enum session_next
session_last_words(struct session *s, enum pop3_end end, const char *text)
{
	session_reply(s, "%s", text);
	return session_end(s, end);
}
