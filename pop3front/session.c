/* session.c - the life of a POP3 session: greeting, commands, end; see session.h. */
#include "pop3front/session.h"

#include <inttypes.h>
#include <string.h>

#include "pop3front/capabilities.h"
#include "pop3front/session_internal.h"

enum { ANY_WORDS = 255 };	/* the handler looks at the text itself */

/* A command is a row: when it may come, how many arguments it takes, what it does. */
static const struct command_row {
	enum command_verb verb;
	unsigned states;
	unsigned min_words, max_words;
	session_command_fn *run;
} commands[] = {
	{ COMMAND_CAPA, SESSION_AUTHORIZATION | SESSION_TRANSACTION, 0, ANY_WORDS, session_capa },
	{ COMMAND_QUIT, SESSION_AUTHORIZATION | SESSION_TRANSACTION, 0, 0, session_quit },
	{ COMMAND_APOP, SESSION_AUTHORIZATION, 0, ANY_WORDS, session_apop },
	{ COMMAND_AUTH, SESSION_AUTHORIZATION, 0, 2, session_auth },
	{ COMMAND_PASS, SESSION_AUTHORIZATION, 0, ANY_WORDS, session_pass },
	{ COMMAND_STLS, SESSION_AUTHORIZATION, 0, 0, session_stls },
	{ COMMAND_USER, SESSION_AUTHORIZATION, 0, ANY_WORDS, session_user },
	{ COMMAND_UTF8, SESSION_AUTHORIZATION, 0, 0, session_utf8 },
	{ COMMAND_DELE, SESSION_TRANSACTION, 1, 1, session_dele },
	{ COMMAND_LIST, SESSION_TRANSACTION, 0, 1, session_list },
	{ COMMAND_NOOP, SESSION_TRANSACTION, 0, 0, session_noop },
	{ COMMAND_RETR, SESSION_TRANSACTION, 1, 1, session_retr },
	{ COMMAND_RSET, SESSION_TRANSACTION, 0, 0, session_rset },
	{ COMMAND_STAT, SESSION_TRANSACTION, 0, 0, session_stat },
	{ COMMAND_TOP, SESSION_TRANSACTION, 2, 2, session_top },
	{ COMMAND_UIDL, SESSION_TRANSACTION, 0, 1, session_uidl },
};

void
session_end(struct pop3_session *s, enum pop3_end end)
{
	s->over = true;
	s->report->end = end;
}

int
session_bad_command(struct pop3_session *s, const char *text)
{
	const struct pop3_settings *settings = s->settings;
	unsigned most = s->state == SESSION_TRANSACTION ? settings->max_bad_commands_after
							: settings->max_bad_commands_before;

	if (++s->bad_commands < most)
		return session_reply(s, text);
	session_end(s, POP3_END_BAD_COMMANDS);
	return session_reply(s, REPLY_TOO_MANY_ERRORS);
}

int
session_capa(struct pop3_session *s, const struct command *c)
{
	const struct capabilities capabilities = {
		.logged_in = s->state == SESSION_TRANSACTION,
		.may_start_tls = s->settings->tls != NULL && !stream_is_tls(s->client),
		.may_log_in = session_may_log_in(s),
	};
	char text[CAPABILITIES_MAX];
	size_t len = capabilities_write(&capabilities, text);

	(void) c;
	return session_write(s, text, len);
}

int
session_noop(struct pop3_session *s, const struct command *c)
{
	(void) c;
	return session_reply(s, "+OK");
}

static void
close_maildrop(struct pop3_session *s)
{
	if (s->maildrop.handle != NULL)
		s->backend->close(s->maildrop.handle);
	s->maildrop.handle = NULL;
	s->maildrop.snapshot = NULL;
}

/* QUIT (RFC 1939 section 6). From here on the client has asked for its deletions, so nothing waits for it any more: not even
 * pending replies are sent before. And before the answer the maildrop is free, for the client may come back at once. */
int
session_quit(struct pop3_session *s, const struct command *c)
{
	struct deletion_result *result = &s->report->deleted;
	int rc;

	(void) c;
	session_end(s, POP3_END_QUIT);
	if (s->state == SESSION_AUTHORIZATION)
		return session_reply(s, REPLY_GOODBYE);
	rc = s->backend->commit(s->maildrop.handle, result, &s->report->error);
	if (rc == ERR_CANCELLED)
		return rc;
	close_maildrop(s);
	if (rc == 0 || result->marked == 0)
		return session_reply(s, REPLY_GOODBYE);
	session_end(s, POP3_END_QUIT_FAILED);
	return session_reply_format(s,
	    "-ERR [SYS/TEMP] %" PRIu64 " of %" PRIu64 " messages not removed", result->remaining,
	    result->marked);
}

static int
run_command(struct pop3_session *s, const struct command *c)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const struct command_row *row = &commands[i];

		if (row->verb != c->verb)
			continue;
		if ((row->states & (unsigned) s->state) == 0)
			return session_bad_command(s, REPLY_WRONG_STATE);
		if (c->words < row->min_words || c->words > row->max_words)
			return session_bad_command(s, REPLY_BAD_ARGUMENTS);
		return row->run(s, c);
	}
	return session_bad_command(s, REPLY_UNKNOWN_COMMAND);
}

/* A browser that somebody has led here sends a body with commands behind its header (ALPACA): the first line is enough. */
static bool
looks_like_http(const char *line, size_t len)
{
	return memmem(line, len, " HTTP/", 6) != NULL;
}

static int
run_line(struct pop3_session *s, const char *line, size_t len)
{
	struct command c;

	s->report->commands++;
	switch (command_parse(line, len, &c)) {
	case COMMAND_FINE:
		return run_command(s, &c);
	case COMMAND_HAS_NUL:
		session_end(s, POP3_END_BAD_COMMANDS);
		return session_reply(s, REPLY_HAS_NUL);
	case COMMAND_BAD_VERB:
		break;
	}
	if (s->report->commands == 1 && looks_like_http(line, len)) {
		session_end(s, POP3_END_BAD_COMMANDS);
		return session_reply(s, REPLY_UNKNOWN_COMMAND);
	}
	return session_bad_command(s, REPLY_UNKNOWN_COMMAND);
}

static int
serve(struct pop3_session *s)
{
	const char *line;
	size_t len;
	int rc;

	rc = session_reply(s, REPLY_GREETING);
	while (rc == 0 && !s->over) {
		if ((rc = session_read_line(s, 0, &line, &len)) == 0)
			rc = run_line(s, line, len);
		session_forget_input(s);
	}
	return rc;
}

/* What an error that ended serve means, and what the client is told of it. */
static void
conclude(struct pop3_session *s, int rc)
{
	enum pop3_end *end = &s->report->end;
	const char *last = NULL;

	if (rc == ERR_LIMIT) {
		*end = POP3_END_BAD_COMMANDS;
		last = REPLY_LINE_TOO_LONG;
	} else if (rc == ERR_INTERRUPTED) {
		*end = POP3_END_SHUTDOWN;
		last = REPLY_SHUTDOWN;
	} else if (rc == ERR_NO_MEMORY) {
		*end = POP3_END_INTERNAL;
		last = REPLY_NO_MEMORY;
	} else if (rc == ERR_CANCELLED)
		*end = POP3_END_SHUTDOWN;
	else if (*end == POP3_END_UPSTREAM)
		last = REPLY_LOST;
	else if (rc == ERR_TIMEOUT && *end != POP3_END_CLIENT_STUCK)
		*end = POP3_END_IDLE;
	else if (rc == ERR_CLOSED || rc == ERR_TLS)
		*end = *end == POP3_END_TLS_FAILED ? *end : POP3_END_CLIENT_CLOSED;
	/* Without memory even this may fail; then the closed connection must say it all. */
	if (last != NULL)
		(void) session_reply(s, last);
}

void
pop3_session_run(struct stream *client, const struct pop3_settings *settings,
    const struct pop3_backend *backend, void *backend_ctx, struct pop3_report *report)
{
	struct pop3_session s = {
		.client = client,
		.settings = settings,
		.backend = backend,
		.backend_ctx = backend_ctx,
		.report = report,
		.state = SESSION_AUTHORIZATION,
	};
	int rc;

	*report = (struct pop3_report) { .end = POP3_END_CLIENT_CLOSED };
	s.authorization_end = fiber_deadline(settings->authorization_ms);
	if ((rc = serve(&s)) != 0)
		conclude(&s, rc);
	close_maildrop(&s);
	if (s.abort)
		stream_abort(client);
	else {
		(void) session_flush(&s);
		stream_close(client);
	}
	session_free_buffers(&s);
	credentials_clear(&s.credentials);
}

const char *
pop3_end_name(enum pop3_end end)
{
	static const char *const names[] = {
		[POP3_END_QUIT] = "quit",
		[POP3_END_QUIT_FAILED] = "quit, but messages could not be removed",
		[POP3_END_CLIENT_CLOSED] = "client closed the connection",
		[POP3_END_IDLE] = "client was silent for too long",
		[POP3_END_CLIENT_STUCK] = "client did not take its data",
		[POP3_END_BAD_COMMANDS] = "bad commands",
		[POP3_END_AUTH_FAILURES] = "too many rejected logins",
		[POP3_END_TLS_FAILED] = "TLS failed",
		[POP3_END_UPSTREAM] = "mail server failed",
		[POP3_END_CUT] = "message could not be finished",
		[POP3_END_SHUTDOWN] = "shutdown",
		[POP3_END_INTERNAL] = "out of memory",
	};

	return names[end];
}
