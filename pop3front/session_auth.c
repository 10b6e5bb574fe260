/* session_auth.c - AUTHORIZATION: USER and PASS, AUTH, STLS (RFC 1939 section 4, RFC 5034, RFC 2595). */
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "pop3front/sasl.h"
#include "pop3front/session_internal.h"

bool
session_may_log_in(const struct pop3_session *s)
{
	return s->settings->plaintext_login || stream_is_tls(s->client);
}

static bool
is_rejection(int code)
{
	return code == ERR_AUTH || code == ERR_AUTH_DENIED || code == ERR_AUTH_EXPIRED ||
	    code == ERR_AUTH_PRIVACY;
}

/* MS milliseconds, give or take 15 percent, so that the time of an answer tells less. */
static uint64_t
jittered(uint64_t ms)
{
	uint32_t random = 0;

	if (RAND_bytes((unsigned char *) &random, sizeof(random)) != 1)
		return ms;
	return ms - ms * 15 / 100 + ms * 30 / 100 * (random % 1024) / 1024;
}

/* The server did not let the client in. User and password go as one: nothing of a failed login is there for the next. */
static int
refuse_login(struct pop3_session *s, int code)
{
	const char *reply = reply_to_failed_login(code);
	int rc;

	credentials_clear(&s->credentials);
	if (is_rejection(code) && (rc = fiber_sleep(jittered(s->settings->auth_failure_delay_ms))) != 0)
		return rc;
	if (++s->auth_failures >= s->settings->max_auth_failures)
		session_end(s, is_rejection(code) ? POP3_END_AUTH_FAILURES : POP3_END_UPSTREAM);
	return session_reply(s, reply);
}

/* The credentials are complete: opens the maildrop. Rule: +OK only when all of it worked. */
static int
log_in(struct pop3_session *s)
{
	int rc;

	rc = s->backend->open(s->backend_ctx, &s->credentials, &s->maildrop, &s->report->error);
	credentials_forget_password(&s->credentials);
	if (rc == ERR_CANCELLED)
		return rc;
	if (rc != 0) {
		s->maildrop.handle = NULL;
		return refuse_login(s, rc);
	}
	s->report->logged_in = true;
	s->report->error = (struct error) { 0 };
	s->state = SESSION_TRANSACTION;
	s->bad_commands = 0;
	s->next_keepalive = fiber_deadline(s->settings->keepalive_ms);
	return session_reply(s, REPLY_LOGGED_IN);
}

static void
note_user(struct pop3_session *s)
{
	snprintf(s->report->user, sizeof(s->report->user), "%s",
	    s->credentials.user == NULL ? "" : s->credentials.user);
}

int
session_user(struct pop3_session *s, const struct command *c)
{
	size_t len = c->text_len;
	int rc;

	if (!session_may_log_in(s))
		return session_reply(s, REPLY_NEEDS_TLS);
	while (len > 0 && c->text[len - 1] == ' ')
		len--;
	if ((rc = credentials_set_user(&s->credentials, c->text, len)) == ERR_NO_MEMORY)
		return rc;
	if (rc != 0)
		return session_bad_command(s, REPLY_BAD_USER);
	note_user(s);
	return session_reply(s, REPLY_SEND_PASSWORD);
}

int
session_pass(struct pop3_session *s, const struct command *c)
{
	int rc;

	if (!session_may_log_in(s))
		return session_reply(s, REPLY_NEEDS_TLS);
	if (s->credentials.user == NULL)
		return session_reply(s, REPLY_USER_FIRST);
	if ((rc = credentials_set_password(&s->credentials, c->text, c->text_len)) == ERR_NO_MEMORY)
		return rc;
	if (rc != 0) {
		credentials_clear(&s->credentials);
		return session_bad_command(s, REPLY_BAD_PASSWORD);
	}
	return log_in(s);
}

int
session_apop(struct pop3_session *s, const struct command *c)
{
	(void) c;
	return session_reply(s, REPLY_NO_APOP);
}

static int
list_mechanisms(struct pop3_session *s)
{
	const char *names = sasl_mechanisms();
	int rc;

	if ((rc = session_reply(s, "+OK mechanisms follow")) != 0)
		return rc;
	while (*names != '\0') {
		size_t len = strcspn(names, " ");

		if ((rc = session_reply_format(s, "%.*s", (int) len, names)) != 0)
			return rc;
		names += len + (names[len] == ' ');
	}
	return session_reply(s, ".");
}

/* Sends the challenge that is due and reads the response. */
static int
exchange_line(struct pop3_session *s, const struct sasl_exchange *x, const char **line, size_t *len)
{
	int rc;

	if ((rc = session_reply_format(s, "+ %s", sasl_challenge(x))) != 0)
		return rc;
	session_forget_input(s);
	return session_read_line(s, COMMAND_AUTH_LINE_MAX, line, len);
}

static int
refuse_sasl(struct pop3_session *s, const char *reply)
{
	credentials_clear(&s->credentials);
	return session_bad_command(s, reply);
}

int
session_auth(struct pop3_session *s, const struct command *c)
{
	enum sasl_outcome outcome = SASL_CHALLENGE;
	const char *line = c->word[1];
	size_t len = c->word_len[1];
	bool initial = c->words == 2;
	struct sasl_exchange x;
	int rc;

	if (!session_may_log_in(s))
		return session_reply(s, REPLY_NEEDS_TLS);
	if (c->words == 0)
		return list_mechanisms(s);
	if (sasl_begin(&x, c->word[0], c->word_len[0]) != 0)
		return session_bad_command(s, REPLY_NO_MECHANISM);
	credentials_clear(&s->credentials);
	while (outcome == SASL_CHALLENGE) {
		if (!initial && (rc = exchange_line(s, &x, &line, &len)) != 0)
			return rc;
		if (!initial && len == 1 && line[0] == '*')
			return refuse_sasl(s, REPLY_SASL_CANCELLED);
		initial = false;
		outcome = sasl_respond(&x, line, len, &s->credentials);
	}
	if (outcome == SASL_NO_MEMORY)
		return ERR_NO_MEMORY;
	if (outcome == SASL_BAD)
		return refuse_sasl(s, REPLY_SASL_MALFORMED);
	note_user(s);
	return log_in(s);
}

/* RFC 2595 section 4. What was sent behind STLS in the clear could later be taken for something sent inside TLS
 * (CVE-2011-0411 and many after it), so the connection ends there. */
int
session_stls(struct pop3_session *s, const struct command *c)
{
	int rc;

	(void) c;
	if (stream_is_tls(s->client))
		return session_reply(s, REPLY_TLS_ACTIVE);
	if (s->settings->tls == NULL)
		return session_reply(s, REPLY_NO_TLS);
	if (s->credentials.user != NULL)
		return session_reply(s, REPLY_STLS_LATE);
	if (s->in_at < s->in_end || stream_has_input(s->client)) {
		error_set(&s->report->error, ERR_PROTOCOL, "octets after STLS");
		session_end(s, POP3_END_BAD_COMMANDS);
		return 0;
	}
	if ((rc = session_reply(s, REPLY_START_TLS)) != 0 || (rc = session_flush(s)) != 0)
		return rc;
	rc = stream_start_tls_server(s->client, s->settings->tls,
	    fiber_deadline(s->settings->login_ms), &s->report->error);
	if (rc != 0 && rc != ERR_CANCELLED)
		s->report->end = POP3_END_TLS_FAILED;
	s->report->user[0] = '\0';
	return rc;
}

int
session_utf8(struct pop3_session *s, const struct command *c)
{
	(void) c;
	return session_reply(s, "+OK UTF-8 enabled"); /* RFC 6856 section 2.1; messages are passed on as they are anyway */
}
