/* session_auth.c - the AUTHORIZATION state: USER, PASS, AUTH, STLS, UTF8, CAPA (RFC 1939 section 7, RFC 5034, RFC 2595, RFC
 * 6856, RFC 2449).
 *
 * User name and password belong together: whatever fails, both are forgotten. */
#include "pop3front/session_internal.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "pop3front/capabilities.h"
#include "pop3front/replies.h"
#include "pop3front/sasl.h"

/* RFC 2595 section 2.1: STLS makes sense once, and before anything was said. */
static bool
may_start_tls(const struct session *s)
{
	return s->state == SESSION_AUTHORIZATION && s->settings->tls != NULL &&
	    !stream_is_tls(s->client) && s->credentials.user == NULL;
}

static bool
may_log_in(const struct session *s)
{
	return s->settings->plaintext_login || stream_is_tls(s->client);
}

static bool
may_use_password(const struct session *s)
{
	return may_log_in(s) && (s->settings->mechanisms & SASL_PASSWORDS) != 0;
}

/* What AUTH accepts on this connection. USER has room for whom the certificate names. */
static struct sasl_offer
make_offer(const struct session *s, char user[USER_NAME_MAX + 1])
{
	struct sasl_offer offer = {
		.mechanisms = may_log_in(s) ? s->settings->mechanisms : 0,
		.masters = s->settings->names.master_separator != '\0',
	};

	if ((offer.mechanisms & SASL_EXTERNAL) != 0 &&
	    stream_tls_peer_name(s->client, s->settings->certificate_user, user, USER_NAME_MAX + 1) == 0)
		offer.certificate_user = user;
	return offer;
}

/* The credentials are not at fault, so there is no [AUTH]; and what came with the command may be a password. */
static enum session_next
refuse_plain_text(struct session *s)
{
	line_buffer_drop(&s->input);
	return session_reply(s, "-ERR TLS is needed to log in: use STLS, or the port for TLS");
}

enum session_next
session_capa(struct session *s, const struct command *c)
{
	char user[USER_NAME_MAX + 1], mechanisms[SASL_LIST_MAX], text[CAPABILITIES_MAX];
	const struct sasl_offer offer = make_offer(s, user);
	const struct capabilities state = {
		.logged_in = s->state == SESSION_TRANSACTION,
		.may_start_tls = may_start_tls(s),
		.may_use_password = may_use_password(s),
		.mechanisms = sasl_list(&offer, mechanisms),
	};

	(void) c;
	return session_write(s, text, capabilities_write(&state, text));
}

/* RFC 6856 section 2.1. Messages are handed over as they are in any case. */
enum session_next
session_utf8(struct session *s, const struct command *c)
{
	(void) c;
	return session_reply(s, "+OK messages are sent as they are");
}

/* A login that the mail server was not asked about. */
static enum session_next
forget_credentials(struct session *s, const char *reply)
{
	credentials_clear(&s->credentials);
	line_buffer_drop(&s->input);
	return session_bad_command(s, reply);
}

static void
note_user(struct session *s)
{
	if (s->credentials.user != NULL)
		snprintf(s->report->user, sizeof(s->report->user), "%s", s->credentials.user);
}

/* The delay before the answer to rejected credentials, give or take 15 %, so that nothing can be read from its length. */
static uint64_t
rejection_delay(uint64_t ms)
{
	uint16_t chance = 1 << 15;

	if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) < 0)
		return ms;
	return ms - ms * 15 / 100 + ms * 30 / 100 * chance / UINT16_MAX;
}

static int
hold_back(struct session *s, int code)
{
	if (s->backend->hold_back != NULL)
		return s->backend->hold_back(s->backend_ctx, code);
	if (!reply_is_rejection(code))
		return 0;
	return fiber_sleep(rejection_delay(s->settings->auth_failure_delay_ms));
}

/* RFC 7628 section 3.2.3: a client that showed a token is told of the failure by a challenge, answers with nothing of
 * interest, and then gets its -ERR. */
static enum session_next
tell_failure(struct session *s, const char *challenge)
{
	const char *response;
	size_t len;

	if (session_reply(s, "+ %s", challenge) == SESSION_OVER)
		return SESSION_OVER;
	return session_read_line(s, LINE_RESPONSE, &response, &len);
}

/* CHALLENGE: what the mechanism wants said first; NULL: nothing. */
static enum session_next
login_failed(struct session *s, int code, const char *challenge)
{
	const char *reply = reply_to_failed_login(code);
	int rc;

	session_note(s, code);
	if (code == ERR_CANCELLED)
		return session_fail(s, POP3_END_SHUTDOWN, code);
	if ((rc = hold_back(s, code)) != 0)
		return session_fail(s, POP3_END_SHUTDOWN, rc);
	if (!reply_is_rejection(code))
		return session_reply(s, "%s", reply);
	if (challenge != NULL && tell_failure(s, challenge) == SESSION_OVER)
		return SESSION_OVER;
	if (++s->auth_failures >= s->settings->max_auth_failures)
		return session_last_words(s, POP3_END_AUTH_FAILURES, reply);
	return session_reply(s, "%s", reply);
}

/* Judges the names first: for those that may not log in, no server is asked. */
static int
open_maildrop(struct session *s)
{
	int rc;

	if ((rc = user_names_resolve(&s->settings->names, &s->credentials)) != 0) {
		error_set(&s->report->error, rc, "this user name is not allowed here");
		if (s->backend->refused != NULL)
			s->backend->refused(s->backend_ctx, s->credentials.user, &s->report->error);
		return rc;
	}
	note_user(s);
	return s->backend->open(s->backend_ctx, &s->credentials, &s->maildrop, &s->report->error);
}

/* The credentials are complete: everything that makes a maildrop must succeed before +OK. CHALLENGE as in login_failed. */
static enum session_next
log_in(struct session *s, const char *challenge)
{
	int rc;

	line_buffer_drop(&s->input);
	rc = open_maildrop(s);
	credentials_clear(&s->credentials);
	if (rc != 0)
		return login_failed(s, rc, challenge);
	s->state = SESSION_TRANSACTION;
	s->bad_commands = 0;
	s->report->logged_in = true;
	s->report->error = (struct error) { 0 }; /* of an earlier try */
	if (s->maildrop.passed_on)
		return session_pass_on(s);
	session_backend_used(s);
	return session_reply(s, "+OK maildrop has %zu messages", snapshot_left(s->maildrop.snapshot));
}

/* The name is the rest of the line, but for trailing blanks. Whether there is such a user is not told. */
enum session_next
session_user(struct session *s, const struct command *c)
{
	size_t len = c->text_len;

	if (!may_log_in(s))
		return refuse_plain_text(s);
	if (!may_use_password(s))
		return session_bad_command(s, "-ERR passwords are not taken here: use AUTH");
	while (len > 0 && (c->text[len - 1] == ' ' || c->text[len - 1] == '\t'))
		len--;
	switch (credentials_set_user(&s->credentials, c->text, len)) {
	case 0:
		note_user(s);
		return session_reply(s, "+OK send the password");
	case ERR_NO_MEMORY:
		return session_fail(s, POP3_END_INTERNAL, ERR_NO_MEMORY);
	default:
		return forget_credentials(s, "-ERR not a user name");
	}
}

/* The password is the rest of the line, every blank of it. An empty one is not shown to servers: some take it for an
 * anonymous login. */
enum session_next
session_pass(struct session *s, const struct command *c)
{
	if (!may_log_in(s))
		return refuse_plain_text(s);
	if (s->credentials.user == NULL)
		return forget_credentials(s, "-ERR USER comes first");
	switch (credentials_set_password(&s->credentials, c->text, c->text_len)) {
	case 0:
		return log_in(s, NULL);
	case ERR_NO_MEMORY:
		return session_fail(s, POP3_END_INTERNAL, ERR_NO_MEMORY);
	default:
		return forget_credentials(s, "-ERR password is empty or malformed");
	}
}

/* RFC 5034 section 4 does not say what AUTH alone means; clients expect a list. */
static enum session_next
list_mechanisms(struct session *s, const struct sasl_offer *offer)
{
	char mechanisms[SASL_LIST_MAX];
	const char *name = sasl_list(offer, mechanisms);

	if (session_reply(s, "+OK mechanisms follow") == SESSION_OVER)
		return SESSION_OVER;
	while (*name != '\0') {
		size_t len = strcspn(name, " ");

		if (session_reply(s, "%.*s", (int) len, name) == SESSION_OVER)
			return SESSION_OVER;
		name += len + strspn(name + len, " ");
	}
	return session_reply(s, ".");
}

/* Challenges, and reads the response to it. *CANCELLED: it was "*". */
static enum session_next
ask(struct session *s, const struct sasl_exchange *x, const char **response, size_t *len, bool *cancelled)
{
	if (session_reply(s, "+ %s", sasl_challenge(x)) == SESSION_OVER)
		return SESSION_OVER;
	if (session_read_line(s, LINE_RESPONSE, response, len) == SESSION_OVER)
		return SESSION_OVER;
	*cancelled = *len == 1 && (*response)[0] == '*';
	return SESSION_GOES_ON;
}

/* Runs the exchange X, which begins with the initial response in C where there is one, to its end. */
static enum session_next
run_exchange(struct session *s, struct sasl_exchange *x, const struct command *c)
{
	enum sasl_outcome outcome = SASL_CHALLENGE;
	const char *response;
	bool cancelled = false;
	size_t len;

	if (c->words == 2)
		outcome = sasl_respond(x, c->word[1], c->word_len[1], &s->credentials);
	while (outcome == SASL_CHALLENGE && !cancelled) {
		if (ask(s, x, &response, &len, &cancelled) == SESSION_OVER)
			return SESSION_OVER;
		if (!cancelled)
			outcome = sasl_respond(x, response, len, &s->credentials);
	}
	note_user(s);
	if (cancelled) {
		credentials_clear(&s->credentials);
		return session_reply(s, "-ERR authentication cancelled");
	}
	if (outcome == SASL_NO_MEMORY)
		return session_fail(s, POP3_END_INTERNAL, ERR_NO_MEMORY);
	if (outcome == SASL_BAD)
		return forget_credentials(s, "-ERR malformed response");
	return log_in(s, sasl_failure(x));
}

enum session_next
session_auth(struct session *s, const struct command *c)
{
	char user[USER_NAME_MAX + 1];
	const struct sasl_offer offer = make_offer(s, user);
	struct sasl_exchange x;

	if (!may_log_in(s))
		return refuse_plain_text(s);
	if (c->words == 0)
		return list_mechanisms(s, &offer);
	credentials_clear(&s->credentials);
	if (sasl_begin(&x, &offer, c->word[0], c->word_len[0]) != 0)
		return session_bad_command(s, "-ERR mechanism not supported");
	return run_exchange(s, &x, c);
}

/* RFC 2595 section 4. Octets behind the STLS line were sent without protection, by whomever: they must not become commands
 * of the protected session, and no honest client sends them. */
enum session_next
session_stls(struct session *s, const struct command *c)
{
	uint64_t deadline;
	int rc;

	(void) c;
	if (!may_start_tls(s))
		return session_bad_command(s, "-ERR STLS is not possible now");
	if (line_buffer_left(&s->input) > 0 || stream_has_input(s->client)) {
		error_set(&s->report->error, ERR_PROTOCOL, "octets after STLS");
		session_output_drop(s);
		return session_end(s, POP3_END_BAD_COMMANDS);
	}
	if (session_reply(s, "+OK begin TLS") == SESSION_OVER || session_flush(s) == SESSION_OVER)
		return SESSION_OVER;
	deadline = fiber_deadline(s->settings->login_ms);
	if (s->authorization_deadline < deadline)
		deadline = s->authorization_deadline;
	rc = stream_start_tls_server(s->client, s->settings->tls, deadline, &s->report->error);
	if (rc != 0)
		return session_fail(s, POP3_END_TLS_FAILED, rc);
	/* Everything that was said before may be somebody else's words. Only the counts of failures stay. */
	line_buffer_clear(&s->input);
	credentials_clear(&s->credentials);
	s->report->user[0] = '\0';
	return SESSION_GOES_ON;
}
