/* fuzz_session.c - whole POP3 sessions: sequences of commands, in pieces, with faults behind,
 * beside and before them.
 *
 * The first octets choose settings and faults, the rest is what the client says; 0xFE ends a
 * flight, so that something can come after a TLS handshake. The linker puts the functions below in
 * the place of stream.h's and fiber.h's (CMakeLists.txt).
 *
 * Each line of the client gets exactly one response, and has it before more is read. Nothing of
 * what client or backend said is in a response. What QUIT commits is what the +OKs to DELE and RSET
 * say. A message that was cut has no end. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fiberio/fiber.h"
#include "pop3front/sasl.h"
#include "pop3front/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADER = 5, END_OF_FLIGHT = 0xFE, MESSAGES = 3, RESPONSES_MAX = 65536 };

enum response {
	RESPONSE_OK,
	RESPONSE_ERR,
	RESPONSE_CHALLENGE,
};

#define MAIL(text)                     \
	{                              \
		text, sizeof(text) - 1 \
	}
static const struct {
	const char *text;
	size_t len;
} mails[MESSAGES] = {
	MAIL("Subject: one\r\n\r\n.line 1\n.\r\n..\r\nend"),
	MAIL("h:\n\n\0"),
	MAIL(""),
};

/* Settings and faults of this run. */
static struct {
	bool plaintext, may_delete, handshake_fails, names_limited;
	int end_of_input;     /* what a read gives when the client has said all */
	unsigned writes_left; /* that succeed */
	int write_error;
	int commit_error, open_error, hold_back_error;
	int retrieve_error; /* 0: none */
	enum { BEFORE, BEHIND_BEGIN, SHORT, NO_BEGIN } retrieve_fault;
	size_t retrieved_before_fault;
} plan;

/* The client. */
static struct {
	const char *at, *end;
	size_t piece;
	char *sent; /* octets that the session has got */
	size_t sent_len, lines;
	bool tls, write_failed, closed, aborted;
	uint64_t now;
} client;

/* The session's output, cut into responses. */
static struct {
	char line[600];
	size_t line_len;
	bool in_body, is_message;
	enum response responses[RESPONSES_MAX]; /* complete ones */
	size_t count;
	uint64_t messages; /* of RETR, complete */
	bool says_auth, last_is_temporary;
} output;

static struct {
	struct uidl_book *uidls;
	struct snapshot *snapshot;
	unsigned opened, closed, commits;
	bool rejected, held_back;
	bool cut; /* a message was not poured to its end */
	struct uidset committed;
} backend;

static void
check(int ok)
{
	if (!ok)
		abort();
}

/* ---- what the session says ---- */

static bool
has_body(const char *status)
{
	size_t digits = strspn(status + 4, "0123456789");
	const char *rest = status + 4 + digits;

	return strstr(status, "follow") != NULL ||
	       (digits > 0 &&
		   (strcmp(rest, " messages\r\n") == 0 || strcmp(rest, " octets\r\n") == 0));
}

static void
response_is_complete(enum response response)
{
	check(output.count < RESPONSES_MAX);
	output.responses[output.count++] = response;
	output.messages += output.is_message;
	output.in_body = output.is_message = false;
}

static void
take_output_line(const char *line)
{
	size_t len = strlen(line);

	check(len >= 2 && line[len - 2] == '\r');
	if (output.in_body) {
		if (strcmp(line, ".\r\n") == 0)
			response_is_complete(RESPONSE_OK);
		return;
	}
	output.says_auth = output.says_auth || strstr(line, "[AUTH]") != NULL;
	output.last_is_temporary = strncmp(line, "-ERR [SYS/TEMP] ", 16) == 0;
	if (strncmp(line, "-ERR ", 5) == 0)
		response_is_complete(RESPONSE_ERR);
	else if (strncmp(line, "+ ", 2) == 0)
		response_is_complete(RESPONSE_CHALLENGE);
	else if (check(strncmp(line, "+OK", 3) == 0), !has_body(line))
		response_is_complete(RESPONSE_OK);
	else {
		output.in_body = true;
		output.is_message = strstr(line, " octets\r\n") != NULL;
	}
}

static void
take_output(const char *octets, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		/* Ours are ASCII, the messages too, and 0x80 can stand for a NUL. */
		check(
		    (unsigned char) octets[i] <= 0x80 && output.line_len < sizeof(output.line) - 1);
		output.line[output.line_len++] = octets[i] == '\0' ? '0' : octets[i];
		if (octets[i] != '\n')
			continue;
		output.line[output.line_len] = '\0';
		output.line_len = 0;
		take_output_line(output.line);
	}
}

int __wrap_stream_write_two(struct stream *s, const void *first, size_t first_len,
    const void *second, size_t second_len, uint64_t timeout_ms);

int
__wrap_stream_write_two(struct stream *s, const void *first, size_t first_len, const void *second,
    size_t second_len, uint64_t timeout_ms)
{
	(void) s, (void) timeout_ms;
	check(first_len + second_len > 0 && !client.write_failed);
	if (plan.writes_left-- == 0) {
		client.write_failed = true;
		return plan.write_error;
	}
	take_output(first, first_len);
	take_output(second, second_len);
	return 0;
}

/* ---- what it hears ---- */

int __wrap_stream_read(struct stream *s, void *buf, size_t room, size_t *got, uint64_t deadline);
bool __wrap_stream_has_input(struct stream *s);
bool __wrap_stream_is_tls(const struct stream *s);
int __wrap_stream_start_tls_server(
    struct stream *s, struct tls_server *server, uint64_t deadline, struct error *e);
void __wrap_stream_close(struct stream *s);
int __wrap_stream_tls_peer_name(
    const struct stream *s, enum stream_peer_name which, char *out, size_t room);
void __wrap_stream_abort(struct stream *s);
uint64_t __wrap_fiber_now(void);
uint64_t __wrap_fiber_deadline(uint64_t ms);
int __wrap_fiber_sleep(uint64_t ms);

int
__wrap_stream_read(struct stream *s, void *buf, size_t room, size_t *got, uint64_t deadline)
{
	size_t n = client.piece < room ? client.piece : room, i;
	char *to = buf;

	(void) s;
	/* Who takes nothing any more is not waited for, only heard out. */
	check(room > 0 && (deadline > client.now || client.write_failed));
	/* The greeting, and an answer to every line. */
	check(client.write_failed ||
	      (output.count == 1 + client.lines && !output.in_body && output.line_len == 0));
	if (client.at < client.end && (uint8_t) *client.at == END_OF_FLIGHT)
		client.at++;
	for (i = 0; i < n && client.at < client.end && (uint8_t) *client.at != END_OF_FLIGHT; i++) {
		to[i] = client.sent[client.sent_len++] = *client.at++;
		client.lines += to[i] == '\n';
	}
	*got = i;
	if (i > 0)
		return 0;
	if (deadline == client.now)
		return ERR_TIMEOUT;
	if (client.at < client.end) /* an empty flight */
		return __wrap_stream_read(s, buf, room, got, deadline);
	if (plan.end_of_input == ERR_TIMEOUT)
		client.now = deadline;
	return plan.end_of_input;
}

bool
__wrap_stream_has_input(struct stream *s)
{
	(void) s;
	return client.at < client.end && (uint8_t) *client.at != END_OF_FLIGHT;
}

bool
__wrap_stream_is_tls(const struct stream *s)
{
	(void) s;
	return client.tls;
}

/* Of what came in the clear, the STLS line must be the last. */
int
__wrap_stream_start_tls_server(
    struct stream *s, struct tls_server *server, uint64_t deadline, struct error *e)
{
	size_t start = client.sent_len - 1;

	(void) server, (void) deadline;
	while (start > 0 && client.sent[start - 1] != '\n')
		start--;
	check(
	    !client.tls && !__wrap_stream_has_input(s) && client.sent[client.sent_len - 1] == '\n');
	check(strncasecmp(client.sent + start, "STLS", 4) == 0);
	check(
	    output.count == 1 + client.lines && output.responses[output.count - 1] == RESPONSE_OK);
	client.tls = true;
	return plan.handshake_fails ? error_set(e, ERR_TLS, "\xff") : 0;
}

int
__wrap_stream_tls_peer_name(
    const struct stream *s, enum stream_peer_name which, char *out, size_t room)
{
	(void) s, (void) which;
	if (!client.tls)
		return ERR_GONE;
	snprintf(out, room, "cert");
	return 0;
}

void
__wrap_stream_close(struct stream *s)
{
	(void) s;
	check(!client.closed && !client.aborted);
	client.closed = true;
}

void
__wrap_stream_abort(struct stream *s)
{
	(void) s;
	check(!client.closed && !client.aborted);
	client.aborted = true;
}

uint64_t
__wrap_fiber_now(void)
{
	return client.now;
}

uint64_t
__wrap_fiber_deadline(uint64_t ms)
{
	return client.now + ms;
}

int
__wrap_fiber_sleep(uint64_t ms)
{
	client.now += ms;
	return 0;
}

/* ---- the maildrop ---- */

static int
open_maildrop(void *ctx, const struct credentials *c, struct pop3_maildrop *out, struct error *e)
{

	(void) ctx;
	check(plan.plaintext || client.tls);
	check(c->user != NULL && c->user[0] != '\0');
	check(!plan.names_limited || (strlen(c->user) <= 3 && strchr(c->user, '*') == NULL));
	check(c->master == NULL || (plan.names_limited && strlen(c->master) <= 3));
	check(c->kind == CREDENTIALS_CERTIFICATE
		  ? client.tls && strcmp(c->user, "cert") == 0
		  : c->password != NULL && strlen(c->password) == c->password_len);
	backend.rejected = backend.rejected || c->user[0] == 'x';
	if (c->user[0] == 'x')
		return error_set(e, ERR_AUTH, "\xff");
	if (plan.open_error != 0)
		return error_set(e, plan.open_error, "\xff");
	check(backend.opened++ == 0);
	if (uidl_book_new(&backend.uidls) != 0 ||
	    uidl_book_add_template_text(backend.uidls, 1, "u%u", 3) != 0 ||
	    snapshot_new(1, backend.uidls, MESSAGES, &backend.snapshot) != 0)
		exit(2);
	for (uint32_t i = 0; i < MESSAGES; i++)
		check(snapshot_add(backend.snapshot, i + 1, mails[i].len, MESSAGES) == 0);
	check(snapshot_seal(backend.snapshot) == 0);
	if (!plan.may_delete)
		snapshot_forbid_marks(backend.snapshot);
	*out = (struct pop3_maildrop){ &backend, backend.snapshot, false };
	return 0;
}

static void
refuse_name(void *ctx, const char *user, const struct error *e)
{
	(void) ctx;
	check(plan.names_limited && user[0] != '\0' && e->code == ERR_AUTH);
	backend.rejected = true;
}

/* After each failed login, before the client hears of it. */
static int
hold_back(void *ctx, int code)
{
	(void) ctx;
	check(code == ERR_AUTH ? backend.rejected : code == plan.open_error);
	client.now += 2000;
	backend.held_back = true;
	return plan.hold_back_error;
}

static int
pour(const char *text, size_t len, struct octet_sink *sink, struct error *e)
{
	bool faulty = plan.retrieve_error != 0;
	size_t come =
	    faulty && plan.retrieved_before_fault < len ? plan.retrieved_before_fault : len;
	int rc;

	if (faulty && plan.retrieve_fault == BEFORE)
		return error_set(e, plan.retrieve_error, "\xff");
	if (faulty && plan.retrieve_fault == NO_BEGIN)
		return 0;
	if ((rc = sink->begin(sink, len)) != 0)
		return rc;
	backend.cut = come < len || (faulty && plan.retrieve_fault == BEHIND_BEGIN);
	for (size_t i = 0; i < come; i += 7)
		if ((rc = sink->chunk(sink, text + i, come - i < 7 ? come - i : 7)) != 0)
			return rc;
	return faulty && plan.retrieve_fault == BEHIND_BEGIN
		   ? error_set(e, plan.retrieve_error, "\xff")
		   : 0;
}

static int
retrieve(void *handle, const struct snapshot_message *m, struct octet_sink *sink, struct error *e)
{
	(void) handle;
	check(!m->deleted);
	return pour(mails[m->uid - 1].text, mails[m->uid - 1].len, sink, e);
}

static int
retrieve_part(void *handle, const struct snapshot_message *m, uint64_t offset, uint32_t octets,
    struct octet_sink *sink, struct error *e)
{
	(void) handle;
	check(!m->deleted && offset == 0 && octets >= 4096);
	return pour(mails[m->uid - 1].text, mails[m->uid - 1].len, sink, e);
}

static int
keepalive(void *handle, struct error *e)
{
	(void) handle, (void) e;
	return 0;
}

static int
commit(void *handle, struct deletion_result *result, struct error *e)
{
	(void) handle;
	check(backend.commits++ == 0);
	check(snapshot_marked_uids(backend.snapshot, 0, &backend.committed) == 0);
	if (plan.commit_error != 0)
		return error_set(e, plan.commit_error, "\xff");
	result->remaining = 0;
	return 0;
}

static void
close_maildrop(void *handle)
{
	(void) handle;
	backend.closed++;
	snapshot_free(backend.snapshot);
	uidl_book_free(backend.uidls);
}

/* ---- what must be true in the end ---- */

/* The messages that the answered lines have marked, as bits from 2 on. */
static unsigned
marked_by_the_answers(void)
{
	const char *line = client.sent, *end = client.sent + client.sent_len;
	unsigned marked = 0;

	for (size_t i = 1; i < output.count; i++) {
		const char *next = memchr(line, '\n', (size_t) (end - line));

		if (next == NULL) /* last words that no line asked for */
			break;
		if (output.responses[i] == RESPONSE_OK && strncasecmp(line, "RSET", 4) == 0)
			marked = 0;
		if (output.responses[i] == RESPONSE_OK && strncasecmp(line, "DELE", 4) == 0)
			marked |= 1u << strtoul(line + 5, NULL, 10);
		line = next + 1;
	}
	return marked;
}

static void
check_quit(const struct pop3_report *r)
{
	unsigned committed = 0;

	for (uint32_t uid = 1; uid <= MESSAGES; uid++)
		committed |= uidset_contains(&backend.committed, uid) ? 1u << uid : 0;
	check(backend.commits == 0 || plan.commit_error == 0 ||
	      r->deleted.remaining == r->deleted.marked);
	check(backend.commits == 0 || r->end == POP3_END_QUIT || r->end == POP3_END_QUIT_FAILED);
	check(plan.may_delete || committed == 0);
	if (backend.commits == 0 || client.write_failed)
		return;
	check(committed == marked_by_the_answers());
	check((r->end == POP3_END_QUIT_FAILED) == (plan.commit_error != 0 && committed != 0));
	check(output.responses[output.count - 1] ==
	      (r->end == POP3_END_QUIT ? RESPONSE_OK : RESPONSE_ERR));
	check(r->end == POP3_END_QUIT || output.last_is_temporary);
}

static void
check_end(const struct pop3_report *r)
{
	check(client.closed != client.aborted);
	check(backend.opened == backend.closed && r->logged_in == (backend.opened > 0));
	check(!output.says_auth || (backend.rejected && backend.held_back));
	check(r->end != POP3_END_CUT || client.aborted);
	check_quit(r);
	if (client.write_failed) {
		check(client.aborted);
		return;
	}
	check(output.messages == r->retrieved);
	check((r->end == POP3_END_CUT) == backend.cut);
	check(output.count <= 2 + client.lines);
	check(client.aborted || (!output.in_body && output.line_len == 0));
	check(!client.aborted || r->end == POP3_END_CUT || r->end == POP3_END_SHUTDOWN);
}

static void
make_plan(const uint8_t *header)
{
	static const int ends[] = { ERR_CLOSED, ERR_TIMEOUT, ERR_INTERRUPTED, ERR_CANCELLED };
	static const int open_errors[] = { 0, 0, ERR_TEMPORARY, ERR_IN_USE };
	static const int commit_errors[] = { 0, 0, ERR_INCOMPLETE, ERR_CLOSED };
	static const int retrieve_errors[] = { 0, ERR_GONE, ERR_TEMPORARY, ERR_CLOSED };

	memset(&plan, 0, sizeof(plan));
	plan.plaintext = header[0] & 1;
	plan.may_delete = header[0] & 2;
	plan.handshake_fails = header[0] & 4;
	plan.names_limited = header[4] & 16;
	plan.hold_back_error = header[4] & 32 ? ERR_CANCELLED : 0;
	plan.end_of_input = ends[header[0] >> 3 & 3];
	plan.retrieve_error = retrieve_errors[header[2] & 3];
	plan.retrieve_fault = header[2] >> 2 & 3;
	plan.retrieved_before_fault = 2 * (size_t) (header[2] >> 4);
	plan.writes_left = header[3] & 0x7f ? (header[3] & 0x7f) - 1U : UINT32_MAX;
	plan.write_error = header[3] & 0x80 ? ERR_TIMEOUT : ERR_CLOSED;
	plan.open_error = open_errors[header[4] & 3];
	plan.commit_error = commit_errors[header[4] >> 2 & 3];
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct pop3_backend functions = {
		.open = open_maildrop,
		.refused = refuse_name,
		.hold_back = hold_back,
		.retrieve = retrieve,
		.retrieve_part = retrieve_part,
		.keepalive = keepalive,
		.commit = commit,
		.close = close_maildrop,
	};
	struct pop3_settings settings = { .login_ms = 60000,
		.authorization_ms = 180000,
		.idle_ms = 600000,
		.write_ms = 60000,
		.keepalive_ms = 60000,
		.auth_failure_delay_ms = 2000,
		.max_auth_failures = 3,
		.max_bad_commands_before = 3,
		.max_bad_commands_after = 10 };
	struct pop3_report report;

	if (size < HEADER || size >= RESPONSES_MAX / 2)
		return 0;
	make_plan(data);
	settings.plaintext_login = plan.plaintext;
	settings.names.max_length = plan.names_limited ? 3 : 0;
	settings.names.master_separator = plan.names_limited ? '*' : '\0';
	settings.mechanisms = SASL_PASSWORDS | SASL_XOAUTH2 | SASL_OAUTHBEARER | SASL_EXTERNAL;
	settings.tls = data[0] & 32 ? (struct tls_server *) &plan : NULL; /* never looked into */
	settings.nul = data[0] & 64 ? DOTSTUFF_NUL_REPLACE : DOTSTUFF_NUL_KEEP;
	memset(&backend, 0, sizeof(backend));
	memset(&client, 0, sizeof(client));
	output.count = output.messages = output.line_len = 0;
	output.in_body = output.is_message = output.says_auth = output.last_is_temporary = false;
	client.piece = 1 + (size_t) data[1] * data[1];
	client.at = (const char *) data + HEADER;
	client.end = (const char *) data + size;
	client.now = 1;
	if ((client.sent = malloc(size)) == NULL)
		exit(2);
	pop3_session_run((struct stream *) &client, &settings, &functions, NULL, &report);
	check_end(&report);
	uidset_clear(&backend.committed);
	free(client.sent);
	return 0;
}
