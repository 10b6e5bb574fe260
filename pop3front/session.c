/* session.c - the life of a POP3 session: greeting, one command after the other, end.
 *
 * Which command may come when stands in the table below. The commands themselves are in session_auth.c,
 * session_transaction.c, session_retrieve.c and session_quit.c. */
#include "pop3front/session.h"

#include <string.h>

#include "base/text.h"
#include "pop3front/session_internal.h"

enum {
	ALWAYS = SESSION_AUTHORIZATION | SESSION_TRANSACTION,
	VERBATIM = 3, /* the argument is the rest of the line, words or not */
};

static const struct {
	unsigned states;	/* in which it may come */
	unsigned min_words;
	unsigned max_words;
	session_handler *run;
} commands[] = {
	[COMMAND_APOP] = { 0, 0, 0, NULL }, /* known, so that it is not unknown; never offered */
	[COMMAND_AUTH] = { SESSION_AUTHORIZATION, 0, 2, session_auth },
	[COMMAND_CAPA] = { ALWAYS, 0, 0, session_capa },
	[COMMAND_DELE] = { SESSION_TRANSACTION, 1, 1, session_dele },
	[COMMAND_LIST] = { SESSION_TRANSACTION, 0, 1, session_list },
	[COMMAND_NOOP] = { SESSION_TRANSACTION, 0, 0, session_noop },
	[COMMAND_PASS] = { SESSION_AUTHORIZATION, 0, VERBATIM, session_pass },
	[COMMAND_QUIT] = { ALWAYS, 0, 0, session_quit },
	[COMMAND_RETR] = { SESSION_TRANSACTION, 1, 1, session_retr },
	[COMMAND_RSET] = { SESSION_TRANSACTION, 0, 0, session_rset },
	[COMMAND_STAT] = { SESSION_TRANSACTION, 0, 0, session_stat },
	[COMMAND_STLS] = { SESSION_AUTHORIZATION, 0, 0, session_stls },
	[COMMAND_TOP] = { SESSION_TRANSACTION, 2, 2, session_top },
	[COMMAND_UIDL] = { SESSION_TRANSACTION, 0, 1, session_uidl },
	[COMMAND_USER] = { SESSION_AUTHORIZATION, 1, VERBATIM, session_user },
	[COMMAND_UTF8] = { SESSION_AUTHORIZATION, 0, 0, session_utf8 },
};

enum session_next
session_end(struct session *s, enum pop3_end end)
{
	if (!s->over)
		s->report->end = end;
	s->over = true;
	return SESSION_OVER;
}

void
session_note(struct session *s, int code)
{
	if (s->report->error.code != code)
		error_set(&s->report->error, code, "%s", "");
}

enum session_next
session_fail(struct session *s, enum pop3_end end, int code)
{
	session_note(s, code);
	return session_end(s, code == ERR_CANCELLED ? POP3_END_SHUTDOWN : end);
}

enum session_next
session_client_failed(struct session *s, const char *what, int code)
{
	s->client_gone = true;
	error_set(&s->report->error, code, "%s the client: %s", what, error_name(code));
	if (code == ERR_CANCELLED)
		return session_end(s, POP3_END_SHUTDOWN);
	return session_end(s, code == ERR_TIMEOUT ? POP3_END_CLIENT_STUCK : POP3_END_CLIENT_CLOSED);
}

enum session_next
session_bad_command(struct session *s, const char *text)
{
	unsigned most = s->state == SESSION_AUTHORIZATION ? s->settings->max_bad_commands_before
							  : s->settings->max_bad_commands_after;

	if (++s->bad_commands >= most)
		return session_last_words(s, POP3_END_BAD_COMMANDS, text);
	return session_reply(s, "%s", text);
}

void
session_backend_used(struct session *s)
{
	uint64_t ms = s->backend->patience != NULL ? s->backend->patience(s->maildrop.handle)
						  : s->settings->keepalive_ms;

	s->keepalive_at = ms == 0 ? FIBER_NO_DEADLINE : fiber_deadline(ms);
}

static enum session_next
keep_alive(struct session *s)
{
	int rc = s->backend->keepalive(s->maildrop.handle, &s->report->error);

	session_backend_used(s);
	if (rc == 0)
		return SESSION_GOES_ON;
	if (rc != ERR_CANCELLED)
		session_reply(s, "-ERR [SYS/TEMP] the connection to the mail server is lost");
	return session_fail(s, POP3_END_UPSTREAM, rc);
}

/* Waits for octets of a line that must be complete at DEADLINE. Returns when some came, or when the backend was kept
 * alive meanwhile. */
static enum session_next
wait_for_input(struct session *s, uint64_t deadline)
{
	uint64_t until = deadline;
	size_t room, got;
	char *at;
	int rc;

	if (session_flush(s) == SESSION_OVER)
		return SESSION_OVER;
	session_output_drop(s);
	if ((rc = line_buffer_space(&s->input, &at, &room)) != 0)
		return session_fail(s, POP3_END_INTERNAL, rc);
	if (s->state == SESSION_TRANSACTION && s->keepalive_at < until)
		until = s->keepalive_at;
	/* To whom nothing can be written any more, nothing is answered: what has come counts, nothing is waited for. */
	if (s->client_gone)
		until = deadline = fiber_now();
	switch (rc = stream_read(s->client, at, room, &got, until)) {
	case 0:
		line_buffer_filled(&s->input, got);
		return SESSION_GOES_ON;
	case ERR_TIMEOUT:
		if (s->client_gone)
			return session_end(s, POP3_END_CLIENT_CLOSED);
		/* RFC 1939 section 3: who was silent for too long gets no answer, and nothing is removed. */
		return until < deadline ? keep_alive(s) : session_end(s, POP3_END_IDLE);
	case ERR_INTERRUPTED:
		return session_last_words(
		    s, POP3_END_SHUTDOWN, "-ERR [SYS/TEMP] server is shutting down");
	case ERR_CLOSED:
		return session_end(s, POP3_END_CLIENT_CLOSED);
	default:
		return session_client_failed(s, "reading from", rc);
	}
}

/* When a line must have come that nothing has been seen of yet. */
static uint64_t
line_deadline(const struct session *s)
{
	uint64_t deadline;

	if (s->state == SESSION_TRANSACTION)
		return fiber_deadline(s->settings->idle_ms);
	deadline = fiber_deadline(s->settings->login_ms);
	return deadline < s->authorization_deadline ? deadline : s->authorization_deadline;
}

enum session_next
session_read_line(struct session *s, enum line_limit limit, const char **line, size_t *len)
{
	uint64_t deadline = line_deadline(s);
	enum line_state state;

	/* Who is busy without ever logging in does not stay either. */
	if (deadline <= fiber_now())
		return session_end(s, POP3_END_IDLE);
	while ((state = line_buffer_next(&s->input, limit, line, len)) == LINE_INCOMPLETE)
		if (wait_for_input(s, deadline) == SESSION_OVER)
			return SESSION_OVER;
	if (state == LINE_TOO_LONG)
		return session_last_words(s, POP3_END_BAD_COMMANDS, "-ERR line too long");
	return SESSION_GOES_ON;
}

/* A browser that was made to speak to us (ALPACA): what follows such a line may be commands of somebody's choice. */
static bool
is_http(const char *line, size_t len)
{
	static const char *const methods[] = { "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS",
		"TRACE", "PATCH", "PRI" };
	const char *blank = memchr(line, ' ', len);

	for (size_t i = 0; blank != NULL && i < sizeof(methods) / sizeof(methods[0]); i++)
		if (text_is_word(line, (size_t) (blank - line), methods[i]))
			return true;
	return false;
}

static enum session_next
run_command(struct session *s, const struct command *c)
{
	if ((commands[c->verb].states & (unsigned) s->state) == 0)
		return session_bad_command(s, "-ERR command not possible now");
	if (c->words < commands[c->verb].min_words)
		return session_bad_command(s, "-ERR argument missing");
	if (c->words > commands[c->verb].max_words)
		return session_bad_command(s, "-ERR too many arguments");
	return commands[c->verb].run(s, c);
}

static enum session_next
next_command(struct session *s)
{
	struct command c;
	const char *line;
	size_t len;

	if (session_read_line(s, LINE_COMMAND, &line, &len) == SESSION_OVER)
		return SESSION_OVER;
	if (++s->report->commands == 1 && is_http(line, len))
		return session_last_words(s, POP3_END_BAD_COMMANDS, "-ERR this is not HTTP");
	switch (command_parse(line, len, &c)) {
	case COMMAND_HAS_NUL:
		return session_last_words(s, POP3_END_BAD_COMMANDS, "-ERR NUL in a command line");
	case COMMAND_BAD_VERB:
		return session_bad_command(s, "-ERR unknown command");
	case COMMAND_FINE:
		break;
	}
	return run_command(s, &c);
}

static void
session_finish(struct session *s)
{
	/* The maildrop first: who has read the answer to QUIT may come again at once, and must not find it locked. */
	if (s->state == SESSION_TRANSACTION)
		s->backend->close(s->maildrop.handle);
	if (!s->must_abort)
		session_flush(s);
	session_output_drop(s);
	line_buffer_clear(&s->input);
	credentials_clear(&s->credentials);
	if (s->must_abort)
		stream_abort(s->client);
	else
		stream_close(s->client);
}

void
pop3_session_run(struct stream *client, const struct pop3_settings *settings,
    const struct pop3_backend *backend, void *backend_ctx, struct pop3_report *report)
{
	struct session s = {
		.client = client,
		.settings = settings,
		.backend = backend,
		.backend_ctx = backend_ctx,
		.report = report,
		.state = SESSION_AUTHORIZATION,
		.authorization_deadline = fiber_deadline(settings->authorization_ms),
	};

	*report = (struct pop3_report) { 0 };
	line_buffer_begin(&s.input);
	if (session_reply(&s, "+OK POP3 server ready") == SESSION_GOES_ON)
		while (next_command(&s) == SESSION_GOES_ON)
			;
	session_finish(&s);
}

const char *
pop3_end_name(enum pop3_end end)
{
	static const char *const names[] = {
		[POP3_END_QUIT] = "quit",
		[POP3_END_QUIT_FAILED] = "quit, but not all messages were removed",
		[POP3_END_CLIENT_CLOSED] = "client closed the connection",
		[POP3_END_IDLE] = "client was silent for too long",
		[POP3_END_CLIENT_STUCK] = "client did not take its data",
		[POP3_END_BAD_COMMANDS] = "bad commands",
		[POP3_END_AUTH_FAILURES] = "too many rejected logins",
		[POP3_END_TLS_FAILED] = "TLS failed",
		[POP3_END_UPSTREAM] = "maildrop was lost",
		[POP3_END_CUT] = "message was cut",
		[POP3_END_SHUTDOWN] = "shutdown",
		[POP3_END_INTERNAL] = "out of memory",
	};

	return names[end];
}
