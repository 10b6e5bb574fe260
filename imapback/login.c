/* login.c - AUTHENTICATE and LOGIN (RFC 3501 section 6.2, RFC 4959).
 *
 * Not by libetpan: its AUTHENTICATE needs Cyrus SASL plug-ins at run time, and its LOGIN writes
 * user names as they are. The secret goes from a buffer of ours straight to the socket, so that no
 * copy stays behind in a stream's buffer. */
#include <stdlib.h>
#include <string.h>

#include "imapback/imap_internal.h"
#include "imapback/sasl_message.h"

enum {
	INITIAL_RESPONSE_MAX = 1024, /* longer ones wait for the continuation: RFC 2683
					section 3.2.1.5 on long lines */
	LINES_BEFORE_CONTINUATION = 16,
};

/* How each kind of credentials is shown by SASL. */
static const struct mechanism {
	const char *name;
	enum imap_capability capability;
	const char *to_challenge; /* what a challenge behind the message is answered with */
} mechanisms[] = {
	/* PLAIN has no second step: "*" calls it off (RFC 3501 section 6.2.2). */
	[CREDENTIALS_PASSWORD] = { "PLAIN", IMAP_CAP_AUTH_PLAIN, "*\r\n" },
	/* A refused token is explained in a challenge, and the answer to it says nothing. */
	[CREDENTIALS_XOAUTH2] = { "XOAUTH2", IMAP_CAP_AUTH_XOAUTH2, "\r\n" },
	[CREDENTIALS_OAUTHBEARER] = { "OAUTHBEARER", IMAP_CAP_AUTH_OAUTHBEARER, "AQ==\r\n" },
};

/* Reads until the server asks for more with "+" (*GO_ON) or begins its final answer. */
static int
await_continuation(struct imap *imap, bool *go_on)
{
	const char *line;
	int rc;

	*go_on = false;
	for (int i = 0; i < LINES_BEFORE_CONTINUATION; i++) {
		if ((rc = imap_read_line(imap, &line)) != 0)
			return rc;
		*go_on = line[0] == '+';
		if (line[0] != '*')
			return 0;
	}
	return imap_fail(
	    imap, ERR_PROTOCOL, "the server chatters instead of asking for the credentials");
}

/* Sends the command and MESSAGE, with or without waiting in between. *GO_ON is false when the
 * server has answered before it was told. */
static int
send_message(
    struct imap *imap, const struct mechanism *m, const struct secret *message, bool *go_on)
{
	bool initial =
	    (imap->capabilities & IMAP_CAP_SASL_IR) != 0 && message->len <= INITIAL_RESPONSE_MAX;
	char command[40];
	int rc;

	*go_on = true;
	snprintf(command, sizeof(command), "AUTHENTICATE %s%s", m->name, initial ? " " : "");
	if (initial)
		return imap_send_secret(
		    imap, command, message->octets, message->len, GUARD_EXPECT_CHALLENGE);
	if ((rc = imap_send_line(imap, command, GUARD_EXPECT_CHALLENGE)) != 0 ||
	    (rc = await_continuation(imap, go_on)) != 0 || !*go_on)
		return rc;
	return imap_write_raw(imap, message->octets, message->len);
}

/* *REFUSAL says why a token was refused, as far as the server does. */
static int
authenticate(struct imap *imap, const struct credentials *c, const struct mechanism *m,
    struct imap_outcome *outcome, enum bearer_refusal *refusal)
{
	struct secret message = { 0 };
	const char *line;
	bool go_on;
	int rc;

	if (sasl_message(c, imap->options.host, imap->options.port, &message) != 0)
		return imap_fail(imap, ERR_NO_MEMORY, "out of memory");
	rc = send_message(imap, m, &message, &go_on);
	secret_free(&message);
	if (rc != 0)
		return rc;
	if (go_on && (rc = imap_read_line(imap, &line)) != 0)
		return rc;
	if (go_on && line[0] == '+') {
		line += strspn(line, "+ ");
		*refusal = bearer_refusal(line, strcspn(line, "\r\n"));
		if ((rc = imap_write_raw(imap, m->to_challenge, strlen(m->to_challenge))) != 0 ||
		    (rc = imap_read_line(imap, &line)) != 0)
			return rc;
		if (line[0] == '+')
			return imap_fail(imap, ERR_PROTOCOL, "the server asks without an end");
	}
	return imap_take_answer(imap, outcome);
}

/* Whether TEXT can stand between quotes (RFC 3501 section 9, QUOTED-CHAR; 7 bits). */
static bool
is_quotable(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char) text[i] < 0x20 || (unsigned char) text[i] > 0x7e)
			return false;
	return true;
}

/* TEXT as a quoted string with a blank before it. */
static int
quote(const char *text, size_t len, struct secret *out)
{
	size_t at = 0;

	if (secret_new(out, 2 * len + 3) != 0)
		return ERR_NO_MEMORY;
	out->octets[at++] = ' ';
	out->octets[at++] = '"';
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '"' || text[i] == '\\')
			out->octets[at++] = '\\';
		out->octets[at++] = text[i];
	}
	out->octets[at] = '"';
	return 0;
}

/* Sends one argument of LOGIN: quoted, or as a synchronising literal where it has octets that
 * quotes cannot hold. *GO_ON is false when the server answered instead of taking the literal. */
static int
send_argument(struct imap *imap, const char *text, size_t len, bool *go_on)
{
	struct secret quoted = { 0 };
	char announcement[32];
	int rc;

	*go_on = true;
	if (is_quotable(text, len)) {
		if (quote(text, len, &quoted) != 0)
			return imap_fail(imap, ERR_NO_MEMORY, "out of memory");
		rc = imap_write_raw(imap, quoted.octets, strlen(quoted.octets));
		secret_free(&quoted);
		return rc;
	}
	snprintf(announcement, sizeof(announcement), " {%zu}\r\n", len);
	if ((rc = imap_write_raw(imap, announcement, strlen(announcement))) != 0)
		return rc;
	if ((rc = await_continuation(imap, go_on)) != 0 || !*go_on)
		return rc;
	return imap_write_raw(imap, text, len);
}

/* LOGIN where both arguments can be quoted, in one piece. */
static int
login_quoted(struct imap *imap, const struct credentials *c, struct imap_outcome *outcome)
{
	struct secret user = { 0 }, password = { 0 }, both = { 0 };
	const char *line;
	int len, rc;

	if (quote(c->user, strlen(c->user), &user) != 0 ||
	    quote(c->password, c->password_len, &password) != 0 ||
	    secret_new(&both, user.len + password.len + 2) != 0) {
		rc = imap_fail(imap, ERR_NO_MEMORY, "out of memory");
		goto out;
	}
	len = snprintf(
	    both.octets, both.len + 1, "%s%s\r\n", user.octets, password.octets);
	rc = imap_send_secret(
	    imap, "LOGIN", both.octets, (size_t) len, GUARD_EXPECT_RESPONSE);
	if (rc == 0 && (rc = imap_read_line(imap, &line)) == 0)
		rc = imap_take_answer(imap, outcome);
out:
	secret_free(&user);
	secret_free(&password);
	secret_free(&both);
	return rc;
}

static int
login(struct imap *imap, const struct credentials *c, struct imap_outcome *outcome)
{
	const char *line;
	bool go_on;
	int rc;

	if (is_quotable(c->user, strlen(c->user)) && is_quotable(c->password, c->password_len))
		return login_quoted(imap, c, outcome);
	if ((rc = imap_send(imap, "LOGIN", GUARD_EXPECT_RESPONSE)) != 0)
		return rc;
	if ((rc = send_argument(imap, c->user, strlen(c->user), &go_on)) != 0)
		return rc;
	if (go_on && (rc = send_argument(imap, c->password, c->password_len, &go_on)) != 0)
		return rc;
	if (go_on && ((rc = imap_write_raw(imap, "\r\n", 2)) != 0 ||
			 (rc = imap_read_line(imap, &line)) != 0))
		return rc;
	return imap_take_answer(imap, outcome);
}

/* CR, LF and NUL would end the command and begin another (security: injection). credentials.h keeps
 * them out, and here is where it would matter. */
static bool
is_clean(const char *text, size_t len)
{
	return memchr(text, '\0', len) == NULL && memchr(text, '\r', len) == NULL &&
	       memchr(text, '\n', len) == NULL;
}

/* What looks like rejected credentials makes clients forget passwords, so what is none must not.
 * Gmail has no response code for an account with more connections than it allows; and that a token
 * could not be judged is told in the challenge before the NO. */
static int
login_refused(struct imap *imap, const struct imap_outcome *outcome, enum bearer_refusal refusal,
    struct error *e)
{
	int rc = imap_refused(imap, outcome, "login", RESPONSE_TO_LOGIN, e);

	if (rc != ERR_AUTH ||
	    (refusal != BEARER_UNAVAILABLE &&
		strcasestr(outcome->text, "too many simultaneous connections") == NULL))
		return rc;
	if (e != NULL)
		e->code = ERR_TEMPORARY;
	return ERR_TEMPORARY;
}

/* How to log in with C. LOGIN is for servers that know nothing better, and for one's own mail.
 * Returns 0 with *M set, or to NULL for LOGIN. */
static int
choose(struct imap *imap, const struct credentials *c, const struct mechanism **m, struct error *e)
{
	*m = &mechanisms[c->kind];
	if ((imap->capabilities & (unsigned) (*m)->capability) != 0)
		return 0;
	if (credentials_are_token(c) || c->master != NULL)
		return error_set(e, ERR_PERMANENT, "the server offers no AUTH=%s%s", (*m)->name,
		    c->master != NULL ? ", which logging in for another user needs" : "");
	*m = NULL;
	if ((imap->capabilities & IMAP_CAP_LOGINDISABLED) == 0)
		return 0;
	return error_set(e, ERR_PERMANENT,
	    "the server offers no way to log in (no AUTH=PLAIN, LOGINDISABLED): is TLS missing?");
}

static bool
are_clean(const struct credentials *c)
{
	return is_clean(c->user, strlen(c->user)) && is_clean(c->password, c->password_len) &&
	       (c->master == NULL || is_clean(c->master, strlen(c->master)));
}

int
imap_login(struct imap *imap, const struct credentials *c, struct error *e)
{
	enum bearer_refusal refusal = BEARER_UNKNOWN;
	const struct mechanism *m;
	struct imap_outcome outcome;
	int rc;

	if (imap->dead)
		return imap_dead_error(imap, e);
	if (c->kind == CREDENTIALS_CERTIFICATE || c->password == NULL || !are_clean(c))
		return error_set(e, ERR_INVALID, "credentials with CR, LF or NUL, or none");
	if ((rc = choose(imap, c, &m, e)) != 0)
		return rc;
	imap->mechanism = m != NULL ? m->name : "LOGIN";
	rc = m != NULL ? authenticate(imap, c, m, &outcome, &refusal) : login(imap, c, &outcome);
	if (rc != 0) {
		imap_dead_error(imap, e);
		error_prefix(e, "login");
		return rc;
	}
	if (!outcome.ok)
		return login_refused(imap, &outcome, refusal, e);
	imap->session->imap_state = MAILIMAP_STATE_AUTHENTICATED;
	imap->logged_in = true;
	return imap_learn_capabilities(imap, e);
}
