/* session_io.c - lines from the client, replies to it; see session_internal.h.
 *
 * Replies of pipelined commands are joined: they leave when the session would wait for more input, or when the queue is full,
 * and then the session waits until the client takes them. So a client that does not read costs one queue. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "pop3front/session_internal.h"

/* ---- input ---- */

static uint64_t
earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Reads more octets behind in_end. While the client is silent, the maildrop is kept alive. */
static int
receive(struct pop3_session *s)
{
	size_t got;
	int rc;

	for (;;) {
		uint64_t deadline = s->command_end;

		if (s->state == SESSION_TRANSACTION)
			deadline = earlier(deadline, s->next_keepalive);
		rc = stream_read(
		    s->client, s->in + s->in_end, s->in_room - s->in_end, &got, deadline);
		if (rc == 0)
			break;
		if (rc != ERR_TIMEOUT || s->state != SESSION_TRANSACTION || fiber_now() >= s->command_end)
			return rc;
		if ((rc = s->backend->keepalive(s->maildrop.handle, &s->report->error)) != 0) {
			s->report->end = POP3_END_UPSTREAM;
			return rc;
		}
		s->next_keepalive = fiber_deadline(s->settings->keepalive_ms);
	}
	s->in_end += got;
	if (s->state == SESSION_TRANSACTION)
		s->command_end = fiber_deadline(s->settings->idle_ms);
	return 0;
}

/* Moves what is in the buffer to one of ROOM octets (enough for it). The old one is cleansed. */
static int
move_input(struct pop3_session *s, size_t room)
{
	size_t len = s->in_end - s->in_at;
	char *buffer = malloc(room);

	if (buffer == NULL)
		return ERR_NO_MEMORY;
	if (len > 0)
		memcpy(buffer, s->in + s->in_at, len);
	if (s->in != NULL) {
		OPENSSL_cleanse(s->in, s->in_room);
		free(s->in);
	}
	s->in = buffer;
	s->in_room = room;
	s->in_at = 0;
	s->in_end = len;
	return 0;
}

/* Makes room for a line of LIMIT octets, as far as it has come by now. */
static int
make_room(struct pop3_session *s, size_t limit)
{
	size_t len = s->in_end - s->in_at;

	if (s->in == NULL)
		return move_input(s, SESSION_IN_SMALL);
	if (s->in_at > 0) {
		memmove(s->in, s->in + s->in_at, len);
		OPENSSL_cleanse(s->in + len, s->in_end - len);
		s->in_at = 0;
		s->in_end = len;
	}
	if (len < s->in_room)
		return 0;
	return move_input(s, s->in_room * 2 < limit ? s->in_room * 2 : limit);
}

static void
begin_command(struct pop3_session *s)
{
	const struct pop3_settings *settings = s->settings;

	if (s->state == SESSION_TRANSACTION)
		s->command_end = fiber_deadline(settings->idle_ms);
	else
		s->command_end = earlier(fiber_deadline(settings->login_ms), s->authorization_end);
}

int
session_read_line(struct pop3_session *s, size_t limit, const char **line, size_t *len)
{
	int rc;

	begin_command(s);
	for (;;) {
		size_t have = s->in_end - s->in_at, most = limit, taken = 0;

		if (most == 0 && s->state == SESSION_AUTHORIZATION && have > 0)
			most = command_line_limit(s->in + s->in_at, have);
		if (most == 0)
			most = COMMAND_LINE_MAX;
		if (have > 0)
			taken = command_find_line(s->in + s->in_at, have, len);
		if (taken > most || (taken == 0 && have >= most))
			return ERR_LIMIT;
		if (taken > 0) {
			*line = s->in + s->in_at;
			s->in_at += taken;
			return 0;
		}
		if ((rc = make_room(s, most)) != 0 || (rc = session_flush(s)) != 0 || (rc = receive(s)) != 0)
			return rc;
	}
}

void
session_forget_input(struct pop3_session *s)
{
	if (s->in == NULL)
		return;
	OPENSSL_cleanse(s->in, s->in_at);
	/* When memory is short the large buffer stays; nothing else is lost. */
	if (s->in_room > SESSION_IN_SMALL && s->in_end - s->in_at <= SESSION_IN_SMALL)
		(void) move_input(s, SESSION_IN_SMALL);
}

/* ---- output ---- */

int
session_reserve_output(struct pop3_session *s, size_t room)
{
	char *out;

	if (s->out_room >= room)
		return 0;
	if ((out = realloc(s->out, room)) == NULL)
		return ERR_NO_MEMORY;
	s->out = out;
	s->out_room = room;
	return 0;
}

/* Sends the queue and keeps its buffer. */
static int
send_queue(struct pop3_session *s)
{
	size_t len = s->out_len;
	int rc;

	s->out_len = 0;
	if (len == 0)
		return 0;
	if ((rc = stream_write(s->client, s->out, len, s->settings->write_ms)) == ERR_TIMEOUT)
		s->report->end = POP3_END_CLIENT_STUCK;
	return rc;
}

int
session_flush(struct pop3_session *s)
{
	int rc = send_queue(s);

	free(s->out);
	s->out = NULL;
	s->out_room = 0;
	return rc;
}

int
session_write(struct pop3_session *s, const char *octets, size_t len)
{
	int rc;

	if ((rc = session_reserve_output(s, SESSION_OUT_SMALL)) != 0)
		return rc;
	if (len > s->out_room - s->out_len && (rc = send_queue(s)) != 0)
		return rc;
	if (len > s->out_room)
		return stream_write(s->client, octets, len, s->settings->write_ms);
	memcpy(s->out + s->out_len, octets, len);
	s->out_len += len;
	return 0;
}

int
session_reply(struct pop3_session *s, const char *text)
{
	int rc;

	if ((rc = session_write(s, text, strlen(text))) != 0)
		return rc;
	return session_write(s, "\r\n", 2);
}

int
session_reply_format(struct pop3_session *s, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return session_reply(s, text);
}

void
session_free_buffers(struct pop3_session *s)
{
	if (s->in != NULL)
		OPENSSL_cleanse(s->in, s->in_room);
	free(s->in);
	free(s->out);
	s->in = s->out = NULL;
}
