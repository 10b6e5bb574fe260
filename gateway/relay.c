/* relay.c - see relay.h.
 *
 * Two fibers: the session's own passes on what the server says, and one beside it what the client
 * says and how long everybody may be silent. So a client that sends many commands before it reads an
 * answer cannot bring both sides to a stop. Octets in passing lie on the stacks: a session at rest
 * has none. */
#include "gateway/relay.h"

#include <stdlib.h>
#include <string.h>

#include "fiberio/stream.h"
#include "gateway/admission.h"
#include "gateway/gatekeeper.h"
#include "gateway/last_line.h"
#include "gateway/pop3_client.h"

enum {
	CHUNK_UP = 4096,
	CHUNK_DOWN = 32768,
	QUIET_MS = 1000, /* of the server, before a session is ended between two commands */
	QUIT_LOOKS = 10, /* how many times command_ms a QUIT may take, whose client is gone */
};

struct relay {
	const struct maildrop_context *context;
	bool counted; /* in the census, as a session of its user */
	struct stream *server;

	struct pop3_passage *passage;
	struct fiber *upward;	 /* passes on what the client says; NULL: has ended */
	struct last_line client_said, server_said;
	bool awaiting;		 /* the client has said something, and the server nothing since */
	bool delivering;	 /* waiting for the client to take octets */
	bool client_ended;	 /* it sends no more */
	uint64_t moved_at;	 /* when octets were passed on, either way */
	uint64_t heard_at;	 /* the same from the server */
	bool called_off;	 /* by us, and not by the server */
	enum pop3_end end;	 /* why */
};

/* Whether the last that the server said is a whole line that begins with WORD. */
static bool
server_said(const struct relay *r, const char *word)
{
	return last_line_is_complete(&r->server_said) && last_line_begins(&r->server_said, word);
}

/* Whether there is more to come of the message that the client has asked for last. */
static bool
is_in_message(const struct relay *r)
{
	return (last_line_begins(&r->client_said, "RETR") ||
		   last_line_begins(&r->client_said, "TOP")) &&
	       !server_said(r, ".") && !server_said(r, "-ERR");
}

/* Whether QUIT is not answered yet: the answers to commands before it may still be coming. */
static bool
is_before_quit(const struct relay *r)
{
	return last_line_begins(&r->client_said, "QUIT") && !server_said(r, "+OK") &&
	       !server_said(r, "-ERR");
}

/* ---- what the client says ---- */

/* The server has to say something, or more of it, or to close. */
static bool
is_owing(const struct relay *r)
{
	return !r->delivering &&
	       (r->awaiting || r->client_ended || is_in_message(r) || is_before_quit(r) ||
		   !last_line_is_complete(&r->server_said));
}

/* Lets the session's fiber come back from the server. */
static void
call_off(struct relay *r, enum pop3_end end)
{
	r->called_off = true;
	r->end = end;
	stream_interrupt(r->server);
}

static uint64_t
command_ms(const struct relay *r)
{
	return r->context->upstream->imap.command_ms;
}

/* Whether nobody has been silent for too long; if somebody was, the session is called off. */
static bool
goes_on(struct relay *r)
{
	uint64_t silent = fiber_now() - r->moved_at;

	if (r->delivering) /* the writer has a limit of its own */
		return true;
	if (is_owing(r) && silent >= command_ms(r))
		call_off(r, POP3_END_UPSTREAM);
	else if (silent >= r->passage->idle_ms)
		call_off(r, POP3_END_IDLE);
	return !r->called_off;
}

/* How long to wait before the next look at that. */
static uint64_t
look_again(const struct relay *r)
{
	uint64_t ms = command_ms(r);

	return fiber_deadline(ms < r->passage->idle_ms ? ms : r->passage->idle_ms);
}

/* A server that is busy with a client who reads slowly takes no commands meanwhile. */
static int
send_up(struct relay *r, const char *octets, size_t len)
{
	last_line_feed(&r->client_said, octets, len);
	for (size_t i = 0; i < len; i++)
		r->passage->commands += octets[i] == '\n';
	r->awaiting = true;
	r->moved_at = fiber_now();
	return stream_write(r->server, octets, len, r->passage->idle_ms);
}

/* Passes on what there is. Errors are of either side; r->client_ended tells. */
static int
pass_up(struct relay *r)
{
	char octets[CHUNK_UP];
	size_t len;
	int rc;

	rc = stream_read(r->passage->client, octets, sizeof(octets), &len, look_again(r));
	if (rc != 0) {
		r->client_ended = rc != ERR_INTERRUPTED && rc != ERR_CANCELLED;
		return rc;
	}
	return send_up(r, octets, len);
}

/* The client has said all that it will, and may be waiting for the answers still. */
static void
see_to_the_end(struct relay *r)
{
	stream_end_output(r->server);
	while (goes_on(r) && fiber_park(look_again(r)) == ERR_TIMEOUT)
		;
}

/* The process is to end: when the server has said all that it has to, so does the session. */
static void
drain(struct relay *r)
{
	while (goes_on(r)) {
		if (!r->delivering && !is_owing(r) && fiber_now() - r->heard_at >= QUIET_MS) {
			call_off(r, POP3_END_SHUTDOWN);
			return;
		}
		if (fiber_park(fiber_deadline(QUIET_MS)) != ERR_TIMEOUT)
			return;
	}
}

static void
upward_main(void *arg)
{
	struct relay *r = arg;
	const struct pop3_passage *p = r->passage;
	int rc = p->ahead_len > 0 ? send_up(r, p->ahead, p->ahead_len) : 0;

	while (rc == 0) {
		rc = stream_await_input(p->client, look_again(r));
		if (rc == 0)
			rc = pass_up(r);
		else if (rc == ERR_TIMEOUT && goes_on(r))
			rc = 0;
	}
	if (r->client_ended)
		see_to_the_end(r);
	else if (rc == ERR_INTERRUPTED)
		drain(r);
	else if (rc != ERR_CANCELLED && rc != ERR_CLOSED && !r->called_off)
		call_off(r, POP3_END_UPSTREAM);
	/* That the server has closed is for who reads from it: there may be last words. */
	r->upward = NULL;
}

/* ---- what the server says ---- */

/* Passes on what there is. Where the client does not take it, the session is called off. */
static int
pass_down(struct relay *r)
{
	struct pop3_passage *p = r->passage;
	char octets[CHUNK_DOWN];
	size_t len;
	int rc;

	if ((rc = stream_read(r->server, octets, sizeof(octets), &len, FIBER_NO_DEADLINE)) != 0)
		return rc;
	last_line_feed(&r->server_said, octets, len);
	r->awaiting = false;
	r->delivering = true;
	rc = stream_write(p->client, octets, len, p->write_ms);
	r->delivering = false;
	r->moved_at = r->heard_at = fiber_now();
	if (rc == 0) {
		p->octets += len;
		return 0;
	}
	r->called_off = true;
	r->end = rc == ERR_TIMEOUT ? POP3_END_CLIENT_STUCK : POP3_END_CLIENT_CLOSED;
	return rc;
}

/* The client is gone, but its QUIT has reached the server: that does its work, and must not be
 * disturbed by a reset. Not for ever, though, whatever it goes on saying. */
static void
let_quit_happen(struct relay *r)
{
	uint64_t end = fiber_deadline(command_ms(r) * QUIT_LOOKS), deadline;
	char octets[CHUNK_UP];
	size_t len;
	int rc = 0;

	while (rc == 0 && fiber_now() < end) {
		deadline = fiber_deadline(command_ms(r));
		rc = stream_read(r->server, octets, sizeof(octets), &len,
		    deadline < end ? deadline : end);
	}
}

/* The server has closed the connection. Only behind an answer to QUIT, or last words that begin with
 * -ERR, or where the client has ended and every answer may have come, is that not a cut. */
static enum pop3_end
judge_close(const struct relay *r, struct error *e)
{
	bool quit = last_line_begins(&r->client_said, "QUIT") && !r->awaiting;
	bool positive = server_said(r, "+OK"), negative = server_said(r, "-ERR");

	if (quit && (positive || negative))
		return positive ? POP3_END_QUIT : POP3_END_QUIT_FAILED;
	if (r->client_ended && !r->awaiting && !is_in_message(r) &&
	    (r->passage->octets == 0 || positive || negative || server_said(r, ".")))
		return POP3_END_CLIENT_CLOSED;
	r->passage->must_abort = !negative;
	error_set(e, ERR_CLOSED, "the server has closed the connection");
	return r->client_ended ? POP3_END_CLIENT_CLOSED : POP3_END_UPSTREAM;
}

static enum pop3_end
judge_calling_off(const struct relay *r, struct error *e)
{
	static const char bye[] = "-ERR [SYS/TEMP] server is shutting down\r\n";
	struct pop3_passage *p = r->passage;

	switch (r->end) {
	case POP3_END_UPSTREAM:
		error_set(e, ERR_TIMEOUT, "the server does not answer");
		p->must_abort = true;
		break;
	case POP3_END_SHUTDOWN:
		(void) stream_write(p->client, bye, sizeof(bye) - 1, QUIET_MS);
		break;
	case POP3_END_CLIENT_STUCK:
		error_set(e, ERR_TIMEOUT, "writing to the client: %s", error_name(ERR_TIMEOUT));
		p->must_abort = true;
		break;
	default:
		break;
	}
	return r->end;
}

/* Why the session is over: RC is what reading from the server, or writing to the client, came to. */
static enum pop3_end
judge_end(struct relay *r, int rc, struct error *e)
{
	if (rc == ERR_CANCELLED) {
		error_set(e, rc, "%s", error_name(rc));
		r->passage->must_abort = true;
		return POP3_END_SHUTDOWN;
	}
	if (r->called_off)
		return judge_calling_off(r, e);
	if (rc == ERR_CLOSED)
		return judge_close(r, e);
	error_set(e, rc, "reading from the server: %s", error_name(rc));
	r->passage->must_abort = true;
	return rc == ERR_NO_MEMORY ? POP3_END_INTERNAL : POP3_END_UPSTREAM;
}

static enum pop3_end
relay_pass_on(void *handle, struct pop3_passage *p, struct error *e)
{
	struct relay *r = handle;
	enum pop3_end end;
	int rc;

	r->passage = p;
	r->moved_at = r->heard_at = fiber_now();
	if (fiber_spawn(fiber_self_runtime(), upward_main, r, &r->upward) != 0) {
		error_set(e, ERR_NO_MEMORY, "out of memory");
		return POP3_END_INTERNAL;
	}
	do
		rc = stream_await_input(r->server, FIBER_NO_DEADLINE);
	while (rc == 0 && (rc = pass_down(r)) == 0);
	if (r->upward != NULL)
		fiber_cancel(r->upward);
	end = judge_end(r, rc, e);
	if (end == POP3_END_CLIENT_CLOSED && last_line_begins(&r->client_said, "QUIT"))
		let_quit_happen(r);
	return end;
}

/* ---- login ---- */

static void
relay_close(void *handle)
{
	struct relay *r = handle;

	stream_close(r->server);
	if (r->counted)
		census_leave_user(r->context->census, r->context->seat);
	free(r);
}

/* Connects and logs in. On 0 r->server is the stream on which the session goes on. */
static int
connect_and_login(struct relay *r, const struct credentials *c, struct error *e)
{
	const struct upstream *upstream = r->context->upstream;
	struct credentials shown; /* owns nothing */
	struct pop3_client *client;
	int rc;

	if ((rc = admission_credentials(upstream, c, &shown, e)) != 0 ||
	    (rc = pop3_client_open(&upstream->imap, &client, e)) != 0)
		return rc;
	if ((rc = pop3_client_login(client, &shown, e)) != 0) {
		pop3_client_quit(client);
		return admission_refused(c, rc, e);
	}
	r->server = pop3_client_give_stream(client);
	return r->server != NULL ? 0 : error_set(e, ERR_PROTOCOL, "the server speaks unasked");
}

static int
relay_open(void *ctx, const struct credentials *c, struct pop3_maildrop *out, struct error *e)
{
	const struct maildrop_context *context = ctx;
	struct relay *r;
	int rc;

	if ((r = calloc(1, sizeof(*r))) == NULL)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	r->context = context;
	if ((rc = connect_and_login(r, c, e)) != 0)
		goto fail;
	if (context->visit != NULL)
		gatekeeper_tell(context->visit, 0);
	if ((rc = admission_enter_census(context, c->user, &r->counted, e)) != 0)
		goto fail;
	admission_log_master(context, c);
	*out = (struct pop3_maildrop){ .handle = r, .passed_on = true };
	return 0;
fail:
	admission_log_failure(context, c, rc, e);
	relay_close(r);
	return rc;
}

const struct pop3_backend relay_backend = {
	.open = relay_open,
	.pass_on = relay_pass_on,
	.close = relay_close,
};
