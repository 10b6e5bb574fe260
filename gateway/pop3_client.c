/* pop3_client.c - see pop3_client.h. */
#include "gateway/pop3_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "fiberio/stream.h"
#include "imapback/sasl_message.h"

enum {
	INPUT_ROOM = 16384,
	CAPABILITY_LINES = 200,
	MESSAGES_MAX = 10000000,   /* of a listing */
	HEADER_MAX = 64 << 20,	   /* octets of one header */
	HEADERS_AHEAD = 64,	   /* asked for before the first has come */
	RATE_LOOK = 10,		   /* how many times command_ms may be waited in all */
	RATE = 1024,		   /* at less than so many octets a second */
	QUIT_MS = 1000,
};

struct pop3_client {
	const struct imap_options *options;
	struct stream *stream; /* NULL once it was given away */
	unsigned capabilities;
	bool has_top; /* it has answered one */
	bool dead;
	struct error error; /* why */
	struct pop3_response response;
	uint64_t waited;   /* for the answer, in milliseconds; only while the server is silent */
	uint64_t received; /* octets of it */
	size_t begin, end; /* octets in IN that were not looked at yet */
	char in[INPUT_ROOM];
};

/* The connection is of no use any more. Returns CODE. */
static int
fail(struct pop3_client *client, struct error *e, int code, const char *text)
{
	if (!client->dead)
		error_set(&client->error, code, "%s", text);
	client->dead = true;
	return error_set(e, client->error.code, "%s", client->error.text);
}

/* A refusal, which the server is free to make. */
static int
refused(struct pop3_client *client, const char *what, int code, struct error *e)
{
	char text[160];

	text_escape(client->response.text, client->response.text_len, text, sizeof(text));
	return error_set(e, code, "%s refused: %s", what, text);
}

static int
send_octets(struct pop3_client *client, const char *octets, size_t len, struct error *e)
{
	int rc;

	if (client->dead)
		return fail(client, e, client->error.code, "");
	if ((rc = stream_write(client->stream, octets, len, client->options->command_ms)) != 0)
		return fail(client, e, rc, "the server does not take the command");
	return 0;
}

/* Begins to wait for the answer to a command. */
static void
begin_answer(struct pop3_client *client, enum pop3_response_form form)
{
	pop3_response_begin(&client->response, form);
	client->waited = client->received = 0;
}

static int
send_command(struct pop3_client *client, const char *line, enum pop3_response_form form,
    struct error *e)
{
	/* Nobody speaks unasked in POP3: that would be taken for the answer. */
	if (!client->dead && client->begin < client->end)
		return fail(client, e, ERR_PROTOCOL, "the server speaks unasked");
	begin_answer(client, form);
	return send_octets(client, line, strlen(line), e);
}

/* Reads more. A server that drips would hold the fiber for ever without ever being silent. */
static int
refill(struct pop3_client *client, struct error *e)
{
	uint64_t most = client->options->command_ms, begun = fiber_now();
	size_t got;
	int rc;

	client->begin = client->end = 0;
	rc = stream_read(
	    client->stream, client->in, sizeof(client->in), &got, fiber_deadline(most));
	if (rc == ERR_TIMEOUT)
		return fail(client, e, rc, "the server does not answer");
	if (rc == ERR_CLOSED)
		return fail(client, e, rc, "the server has closed the connection");
	if (rc != 0)
		return fail(client, e, rc, error_name(rc));
	client->end = got;
	client->received += got;
	client->waited += fiber_now() - begun;
	if (client->waited > most * RATE_LOOK && client->received < client->waited * RATE / 1000)
		return fail(client, e, ERR_TIMEOUT, "the server sends less than 1 KiB/s");
	return 0;
}

/* The next event of the answer. Returns 0 with *EVENT set, which is never MORE or BAD. */
static int
next_event(struct pop3_client *client, enum pop3_response_event *event, struct error *e)
{
	size_t taken;
	int rc;

	if (client->dead)
		return fail(client, e, client->error.code, "");
	for (;;) {
		*event = pop3_response_feed(&client->response, client->in + client->begin,
		    client->end - client->begin, &taken);
		client->begin += taken;
		if (*event == POP3_EVENT_BAD)
			return fail(client, e, ERR_PROTOCOL, client->response.reason);
		if (*event != POP3_EVENT_MORE)
			return 0;
		if ((rc = refill(client, e)) != 0)
			return rc;
	}
}

/* Sends LINE and reads the status of the answer. */
static int
ask(struct pop3_client *client, const char *line, enum pop3_response_form form,
    enum pop3_response_event *event, struct error *e)
{
	int rc = send_command(client, line, form, e);

	return rc != 0 ? rc : next_event(client, event, e);
}

/* ---- connecting ---- */

static int
start_tls(struct pop3_client *client, struct error *e)
{
	const struct imap_options *o = client->options;
	const char *name = o->verify_name != NULL ? o->verify_name : o->host;

	return stream_start_tls_client(client->stream, o->tls, name, fiber_deadline(o->tls_ms), e);
}

static int
read_greeting(struct pop3_client *client, struct error *e)
{
	enum pop3_response_event event;
	int rc;

	begin_answer(client, POP3_RESPONSE_STATUS);
	if ((rc = next_event(client, &event, e)) != 0)
		return rc;
	if (event == POP3_EVENT_OK)
		return 0;
	return refused(client, "connection", ERR_TEMPORARY, e);
}

static int
learn_capabilities(struct pop3_client *client, struct error *e)
{
	enum pop3_response_event event;
	unsigned lines = 0;
	int rc;

	client->capabilities = 0;
	if ((rc = ask(client, "CAPA\r\n", POP3_RESPONSE_LINES, &event, e)) != 0)
		return rc;
	if (event == POP3_EVENT_ERR) {
		client->capabilities = POP3_CAP_USER; /* what every server had before there was CAPA */
		return 0;
	}
	while ((rc = next_event(client, &event, e)) == 0 && event == POP3_EVENT_LINE) {
		if (++lines > CAPABILITY_LINES)
			return fail(client, e, ERR_PROTOCOL, "capabilities without an end");
		client->capabilities |=
		    pop3_capability_bits(client->response.text, client->response.text_len);
	}
	return rc;
}

/* STLS (RFC 2595 section 4) is a must once the administrator chose it: it is sent even where it is
 * not announced, for who can hide the announcement can do so to get our password in the clear. */
static int
upgrade(struct pop3_client *client, struct error *e)
{
	enum pop3_response_event event;
	int rc;

	if ((rc = ask(client, "STLS\r\n", POP3_RESPONSE_STATUS, &event, e)) != 0)
		return rc;
	if (event == POP3_EVENT_ERR)
		return refused(client, "STLS", ERR_TLS, e);
	/* They would be taken for something that the server said inside TLS. */
	if (client->begin < client->end)
		return fail(client, e, ERR_PROTOCOL, "octets behind the answer to STLS");
	return start_tls(client, e);
}

static int
establish(struct pop3_client *client, struct error *e)
{
	enum imap_security security = client->options->security;
	int rc;

	if (security == IMAP_TLS_IMPLICIT && (rc = start_tls(client, e)) != 0)
		return rc;
	if ((rc = read_greeting(client, e)) != 0)
		return rc;
	if (security == IMAP_TLS_STARTTLS && (rc = upgrade(client, e)) != 0)
		return rc;
	return learn_capabilities(client, e);
}

int
pop3_client_open(const struct imap_options *options, struct pop3_client **out, struct error *e)
{
	struct pop3_client *client = calloc(1, sizeof(*client));
	struct error why = { 0 };
	int rc;

	if (client == NULL)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	client->options = options;
	rc = stream_connect(options->host, options->port, fiber_deadline(options->connect_ms),
	    &client->stream, &why);
	if (rc == 0)
		rc = establish(client, &why);
	if (rc != 0) {
		pop3_client_close(client);
		return error_set(
		    e, rc, "%s port %u: %s", options->host, (unsigned) options->port, why.text);
	}
	*out = client;
	return 0;
}

unsigned
pop3_client_capabilities(const struct pop3_client *client)
{
	return client->capabilities;
}

const char *
pop3_client_tls_version(const struct pop3_client *client)
{
	return stream_tls_version(client->stream);
}

const char *
pop3_client_tls_cipher(const struct pop3_client *client)
{
	return stream_tls_cipher(client->stream);
}

bool
pop3_client_is_dead(const struct pop3_client *client)
{
	return client->dead;
}

/* ---- logging in ---- */

/* How each kind of credentials is shown by SASL. */
static const struct mechanism {
	const char *command;
	enum pop3_capability capability;
	const char *to_challenge; /* what a challenge behind the message is answered with */
} mechanisms[] = {
	[CREDENTIALS_PASSWORD] = { "AUTH PLAIN\r\n", POP3_CAP_SASL_PLAIN, "*\r\n" },
	[CREDENTIALS_XOAUTH2] = { "AUTH XOAUTH2\r\n", POP3_CAP_SASL_XOAUTH2, "\r\n" },
	[CREDENTIALS_OAUTHBEARER] = { "AUTH OAUTHBEARER\r\n", POP3_CAP_SASL_OAUTHBEARER, "AQ==\r\n" },
};

static int
login_refused(struct pop3_client *client, enum bearer_refusal refusal, struct error *e)
{
	const struct pop3_response *r = &client->response;
	int code = pop3_login_refusal(r->text, r->text_len, client->capabilities);

	if (code == ERR_AUTH && refusal == BEARER_UNAVAILABLE)
		code = ERR_TEMPORARY;
	return refused(client, "login", code, e);
}

/* Sends MESSAGE to the server that has asked for it, and reads on until +OK or -ERR. A refused token
 * is explained in a challenge, and the answer to it says nothing. */
static int
show(struct pop3_client *client, const struct mechanism *m, const struct secret *message,
    enum pop3_response_event *event, enum bearer_refusal *refusal, struct error *e)
{
	const struct pop3_response *r = &client->response;
	int rc;

	begin_answer(client, POP3_RESPONSE_AUTH);
	if ((rc = send_octets(client, message->octets, message->len, e)) != 0 ||
	    (rc = next_event(client, event, e)) != 0 || *event != POP3_EVENT_CHALLENGE)
		return rc;
	*refusal = bearer_refusal(r->text, r->text_len);
	if ((rc = ask(client, m->to_challenge, POP3_RESPONSE_AUTH, event, e)) != 0)
		return rc;
	if (*event == POP3_EVENT_CHALLENGE)
		return fail(client, e, ERR_PROTOCOL, "the server asks without an end");
	return 0;
}

/* The message waits for the server's "+ ": not every server that has AUTH takes it with the command,
 * and long ones would not fit a command line (RFC 5034 section 4). */
static int
authenticate(struct pop3_client *client, const struct credentials *c, const struct mechanism *m,
    struct error *e)
{
	enum bearer_refusal refusal = BEARER_UNKNOWN;
	enum pop3_response_event event;
	struct secret message = { 0 };
	int rc;

	if ((rc = ask(client, m->command, POP3_RESPONSE_AUTH, &event, e)) != 0)
		return rc;
	if (event == POP3_EVENT_ERR)
		return refused(client, "AUTH", ERR_PERMANENT, e);
	if (event == POP3_EVENT_OK)
		return fail(client, e, ERR_PROTOCOL, "logged in before there were credentials");
	if (sasl_message(c, client->options->host, client->options->port, &message) != 0)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	rc = show(client, m, &message, &event, &refusal, e);
	secret_free(&message);
	if (rc != 0)
		return rc;
	return event == POP3_EVENT_OK ? 0 : login_refused(client, refusal, e);
}

/* VERB and ARGUMENT as one line. An argument that holds a line's end would be another command. */
static int
send_secret_line(struct pop3_client *client, const char *verb, const char *argument, size_t len,
    enum pop3_response_event *event, struct error *e)
{
	struct secret line = { 0 };
	size_t verb_len = strlen(verb);
	int rc;

	if (memchr(argument, '\r', len) != NULL || memchr(argument, '\n', len) != NULL ||
	    memchr(argument, '\0', len) != NULL)
		return error_set(e, ERR_PERMANENT, "a name or password that POP3 cannot carry");
	if (secret_new(&line, verb_len + len + 2) != 0)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	memcpy(line.octets, verb, verb_len);
	memcpy(line.octets + verb_len, argument, len);
	memcpy(line.octets + verb_len + len, "\r\n", 2);
	begin_answer(client, POP3_RESPONSE_STATUS);
	rc = send_octets(client, line.octets, line.len, e);
	secret_free(&line);
	return rc != 0 ? rc : next_event(client, event, e);
}

static int
user_and_pass(struct pop3_client *client, const struct credentials *c, struct error *e)
{
	enum pop3_response_event event;
	int rc;

	rc = send_secret_line(client, "USER ", c->user, strlen(c->user), &event, e);
	if (rc == 0 && event == POP3_EVENT_OK)
		rc = send_secret_line(client, "PASS ", c->password, c->password_len, &event, e);
	if (rc != 0)
		return rc;
	return event == POP3_EVENT_OK ? 0 : login_refused(client, BEARER_UNKNOWN, e);
}

/* Octets behind +OK: Dovecot opens the maildrop only then, and where it cannot, it says why and is
 * gone. */
static int
read_afterthought(struct pop3_client *client, struct error *e)
{
	const struct pop3_response *r = &client->response;
	enum pop3_response_event event;
	int rc;

	if (client->in[client->begin] != '-')
		return fail(client, e, ERR_PROTOCOL, "the server speaks unasked");
	begin_answer(client, POP3_RESPONSE_STATUS);
	if ((rc = next_event(client, &event, e)) != 0)
		return rc;
	refused(client, "maildrop", pop3_refusal(r->text, r->text_len), &client->error);
	client->dead = true;
	return error_set(e, client->error.code, "%s", client->error.text);
}

int
pop3_client_login(struct pop3_client *client, const struct credentials *c, struct error *e)
{
	const struct mechanism *m;
	int rc;

	if (c->kind == CREDENTIALS_CERTIFICATE || c->password == NULL)
		return error_set(e, ERR_INVALID, "no credentials that could be shown");
	m = &mechanisms[c->kind];
	if ((client->capabilities & (unsigned) m->capability) != 0)
		rc = authenticate(client, c, m, e);
	else if (credentials_are_token(c) || c->master != NULL)
		return error_set(e, ERR_PERMANENT, "the server does not offer what this login needs: %.*s",
		    (int) strcspn(m->command, "\r"), m->command);
	else
		rc = user_and_pass(client, c, e);
	if (rc == 0 && client->begin < client->end)
		return read_afterthought(client, e);
	return rc;
}

/* ---- reading the maildrop ---- */

int
pop3_client_stat(
    struct pop3_client *client, uint32_t *messages, uint64_t *octets, struct error *e)
{
	const struct pop3_response *r = &client->response;
	enum pop3_response_event event;
	int rc;

	if ((rc = ask(client, "STAT\r\n", POP3_RESPONSE_STATUS, &event, e)) != 0)
		return rc;
	if (event == POP3_EVENT_ERR)
		return refused(client, "STAT", pop3_refusal(r->text, r->text_len), e);
	if (pop3_numbers(r->text, r->text_len, messages, octets) != 0)
		return fail(client, e, ERR_PROTOCOL, "STAT without numbers");
	return 0;
}

/* Sends the command of a listing. Returns 0 when its lines follow. */
static int
begin_listing(struct pop3_client *client, const char *command, struct error *e)
{
	const struct pop3_response *r = &client->response;
	enum pop3_response_event event;
	int rc;

	if ((rc = ask(client, command, POP3_RESPONSE_LINES, &event, e)) != 0)
		return rc;
	if (event == POP3_EVENT_ERR)
		return refused(client, "listing", pop3_refusal(r->text, r->text_len), e);
	return 0;
}

/* Numbers must ascend: so a listing has an end. *LAST is the one before. */
static int
judge_number(struct pop3_client *client, int rc, uint32_t number, uint32_t *last, struct error *e)
{
	if (rc != 0)
		return fail(client, e, ERR_PROTOCOL, "a line of a listing makes no sense");
	if (number <= *last || number > MESSAGES_MAX)
		return fail(client, e, ERR_PROTOCOL, "message numbers do not ascend");
	*last = number;
	return 0;
}

int
pop3_client_list(
    struct pop3_client *client, pop3_client_list_fn *each, void *ctx, struct error *e)
{
	const struct pop3_response *r = &client->response;
	enum pop3_response_event event;
	uint32_t number = 0, last = 0;
	uint64_t size = 0;
	int rc;

	if ((rc = begin_listing(client, "LIST\r\n", e)) != 0)
		return rc;
	while ((rc = next_event(client, &event, e)) == 0 && event == POP3_EVENT_LINE) {
		rc = pop3_numbers(r->text, r->text_len, &number, &size);
		if ((rc = judge_number(client, rc, number, &last, e)) != 0)
			return rc;
		if ((rc = each(ctx, number, size)) != 0)
			return fail(client, e, rc, "the listing was called off");
	}
	return rc;
}

int
pop3_client_uidl(
    struct pop3_client *client, pop3_client_uidl_fn *each, void *ctx, struct error *e)
{
	const struct pop3_response *r = &client->response;
	enum pop3_response_event event;
	uint32_t number = 0, last = 0;
	char uidl[POP3_UIDL_MAX + 1];
	int rc;

	if ((rc = begin_listing(client, "UIDL\r\n", e)) != 0)
		return rc;
	while ((rc = next_event(client, &event, e)) == 0 && event == POP3_EVENT_LINE) {
		rc = pop3_uidl_line(r->text, r->text_len, &number, uidl);
		if ((rc = judge_number(client, rc, number, &last, e)) != 0)
			return rc;
		if ((rc = each(ctx, number, uidl)) != 0)
			return fail(client, e, rc, "the listing was called off");
	}
	return rc;
}

/* ---- messages ---- */

/* Whether the server may be one without TOP, which some close the connection for after a few. */
static bool
may_lack_top(const struct pop3_client *client)
{
	return (client->capabilities & POP3_CAP_TOP) == 0 && !client->has_top;
}

/* Reads the answer to one TOP and hands it on. */
static int
read_header(struct pop3_client *client, uint32_t number, const struct pop3_header_reader *reader,
    void *ctx, struct error *e)
{
	const struct pop3_response *r = &client->response;
	enum pop3_response_event event;
	int rc, code = 0;

	begin_answer(client, POP3_RESPONSE_OCTETS);
	if ((rc = next_event(client, &event, e)) != 0)
		return rc;
	if (event == POP3_EVENT_ERR)
		code = pop3_refusal(r->text, r->text_len) == ERR_TEMPORARY ? ERR_TEMPORARY : ERR_GONE;
	else
		client->has_top = true;
	if (code == ERR_GONE && may_lack_top(client))
		return refused(client, "TOP, which is not announced,", ERR_PERMANENT, e);
	while (code == 0 && (rc = next_event(client, &event, e)) == 0 &&
	       event == POP3_EVENT_OCTETS) {
		if (client->received > HEADER_MAX)
			return fail(client, e, ERR_LIMIT, "a header without an end");
		if ((rc = reader->octets(ctx, number, r->text, r->text_len)) != 0)
			return fail(client, e, rc, "reading headers was called off");
	}
	if (rc == 0 && (rc = reader->end(ctx, number, code)) != 0)
		return fail(client, e, rc, "reading headers was called off");
	return rc;
}

/* Asks for the headers of NUMBERS (COUNT), few enough that the server need not read on to take
 * them. */
static int
ask_headers(struct pop3_client *client, const uint32_t *numbers, size_t count, struct error *e)
{
	char commands[HEADERS_AHEAD * sizeof("TOP 4294967295 0\r\n")];
	size_t len = 0;

	for (size_t i = 0; i < count; i++)
		len += (size_t) snprintf(commands + len, sizeof(commands) - len,
		    "TOP %lu 0\r\n", (unsigned long) numbers[i]);
	return send_octets(client, commands, len, e);
}

int
pop3_client_headers(struct pop3_client *client, const uint32_t *numbers, size_t count,
    const struct pop3_header_reader *reader, void *ctx, struct error *e)
{
	bool pipelining = (client->capabilities & POP3_CAP_PIPELINING) != 0;
	size_t most, asked = 0;
	int rc = 0;

	if (!client->dead && client->begin < client->end)
		return fail(client, e, ERR_PROTOCOL, "the server speaks unasked");
	for (size_t i = 0; i < count && rc == 0; i++) {
		most = pipelining && !may_lack_top(client) ? HEADERS_AHEAD : 1;
		/* Half of what was asked for is still to come when more is. */
		if (asked < count && asked - i <= most / 2) {
			size_t more = i + most - asked;

			if (more > count - asked)
				more = count - asked;
			if ((rc = ask_headers(client, numbers + asked, more, e)) != 0)
				return rc;
			asked += more;
		}
		rc = read_header(client, numbers[i], reader, ctx, e);
	}
	return rc;
}

int
pop3_client_retrieve(
    struct pop3_client *client, uint32_t number, struct octet_sink *sink, struct error *e)
{
	const struct pop3_response *r = &client->response;
	enum pop3_response_event event;
	char command[32];
	int rc;

	snprintf(command, sizeof(command), "RETR %lu\r\n", (unsigned long) number);
	if ((rc = ask(client, command, POP3_RESPONSE_OCTETS, &event, e)) != 0)
		return rc;
	if (event == POP3_EVENT_ERR) {
		rc = pop3_refusal(r->text, r->text_len);
		return refused(client, "RETR", rc == ERR_TEMPORARY ? rc : ERR_GONE, e);
	}
	if ((rc = sink->begin(sink, POP3_CLIENT_OCTETS_UNKNOWN)) != 0)
		return fail(client, e, rc, "delivery failed");
	while ((rc = next_event(client, &event, e)) == 0 && event == POP3_EVENT_OCTETS)
		if ((rc = sink->chunk(sink, r->text, r->text_len)) != 0)
			return fail(client, e, rc, "delivery failed");
	return rc;
}

/* ---- the end ---- */

struct stream *
pop3_client_give_stream(struct pop3_client *client)
{
	struct stream *stream = client->stream;

	if (client->dead || client->begin < client->end)
		stream = NULL;
	else
		client->stream = NULL;
	pop3_client_close(client);
	return stream;
}

void
pop3_client_quit(struct pop3_client *client)
{
	static const char quit[] = "QUIT\r\n";
	size_t got;

	if (client == NULL)
		return;
	/* A lock at the server ends with its answer; but nobody waits for long. */
	if (!client->dead && client->begin == client->end &&
	    stream_write(client->stream, quit, sizeof(quit) - 1, QUIT_MS) == 0)
		(void) stream_read(
		    client->stream, client->in, sizeof(client->in), &got, fiber_deadline(QUIT_MS));
	pop3_client_close(client);
}

void
pop3_client_close(struct pop3_client *client)
{
	if (client == NULL)
		return;
	stream_close(client->stream);
	free(client);
}
