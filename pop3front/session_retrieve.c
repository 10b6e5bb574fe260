/* session_retrieve.c - RETR and TOP: messages on their way from the backend to the client (RFC 1939 sections 5 and 7).
 *
 * +OK goes out when the backend has found the message, the final dot when it has confirmed that this was all of it. In
 * between nothing can be taken back, so failing to deliver the rest must not look like an end of message: the connection is
 * aborted. */
#include "pop3front/session_internal.h"

#include <inttypes.h>
#include <string.h>

#include "pop3front/dotstuff.h"
#include "pop3front/replies.h"

enum {
	TOP_FIRST_SLICE = 4096,		/* octets; most headers fit */
	TOP_OCTETS_OF_LINE = 80,	/* what a line of the body may come to */
	TOP_LARGEST_SLICE = 1 << 20,

	THROUGH = 8192,			/* octets that are worth a write without a copy */
};

struct transfer {
	struct octet_sink sink;		/* first, so that the backend's sink leads here */
	struct session *session;
	struct dotstuff stuff;
	const char *greeting;		/* the answer; NULL: "+OK n octets" */
	uint64_t most;			/* octets that may come at a time */
	bool started;			/* the answer was given */
	uint64_t announced;		/* octets that the backend promised in its last begin */
	uint64_t received;		/* of these */
};

static int
transfer_begin(struct octet_sink *sink, uint64_t octets)
{
	struct transfer *t = (struct transfer *) sink;
	struct session *s = t->session;
	int rc;

	if (octets > t->most)
		return ERR_PROTOCOL;
	t->announced = octets;
	t->received = 0;
	if (t->started)
		return 0;
	if ((rc = session_output_room(s, OUTPUT_MESSAGE)) != 0)
		return rc;
	t->started = true;
	if (t->greeting != NULL)
		session_reply(s, "%s", t->greeting);
	else
		session_reply(s, "+OK %" PRIu64 " octets", octets);
	return s->over || s->client_gone ? ERR_CLOSED : 0;
}

/* Makes room for at least OCTETS more octets in the output, which is larger than that. */
static int
make_room(struct session *s, size_t octets)
{
	if (s->output.room - s->output.len >= octets)
		return 0;
	session_flush(s);
	return s->over || s->client_gone ? ERR_CLOSED : 0;
}

/* Octets that nothing happens to need not be copied. Only where more is to come, for the last ones are written together with
 * the final dot. Sets *USED. */
static int
pass_through(struct transfer *t, const char *octets, size_t len, size_t *used)
{
	struct session *s = t->session;

	*used = 0;
	if (len < THROUGH || t->received == t->announced)
		return 0;
	if ((*used = dotstuff_pass(&t->stuff, octets, len)) == 0)
		return 0;
	s->report->octets += *used;
	if (*used < THROUGH && s->output.room - s->output.len >= *used + DOTSTUFF_END_MAX + 2) {
		memcpy(s->output.data + s->output.len, octets, *used);
		s->output.len += *used;
		return 0;
	}
	session_write_through(s, octets, *used);
	return s->over || s->client_gone ? ERR_CLOSED : 0;
}

/* What is written only when more is to come leaves something to be written together with the final dot. */
static int
transfer_chunk(struct octet_sink *sink, const char *octets, size_t len)
{
	struct transfer *t = (struct transfer *) sink;
	struct session_output *out = &t->session->output;
	size_t used, written;
	int rc;

	t->received += len;
	for (; len > 0; octets += used, len -= used) {
		if ((rc = pass_through(t, octets, len, &used)) != 0)
			return rc;
		if (used > 0)
			continue;
		if ((rc = make_room(t->session, DOTSTUFF_END_MAX + 2)) != 0)
			return rc;
		used = dotstuff_feed(&t->stuff, octets, len, out->data + out->len,
		    out->room - out->len - DOTSTUFF_END_MAX, &written);
		out->len += written;
		t->session->report->octets += written;
	}
	return 0;
}

static void
transfer_prepare(struct transfer *t, struct session *s, uint64_t body_lines, const char *greeting)
{
	*t = (struct transfer) {
		.sink = { .begin = transfer_begin, .chunk = transfer_chunk },
		.session = s,
		.greeting = greeting,
		.most = UINT64_MAX,
	};
	dotstuff_begin(&t->stuff, body_lines, s->settings->nul);
}

/* The final dot, and everything out. */
static enum session_next
transfer_finish(struct transfer *t)
{
	struct session *s = t->session;

	if (make_room(s, DOTSTUFF_END_MAX) == 0)
		s->output.len += dotstuff_end(&t->stuff, s->output.data + s->output.len);
	session_flush(s);
	return s->client_gone ? session_end(s, POP3_END_CLIENT_CLOSED) : SESSION_GOES_ON;
}

/* Handing message NUMBER over failed with CODE. */
static enum session_next
transfer_failed(struct transfer *t, size_t number, int code)
{
	struct session *s = t->session;

	if (t->started) {
		snapshot_set_broken(s->maildrop.snapshot, number);
		s->must_abort = true;
		if (s->client_gone)
			return session_end(s, POP3_END_CLIENT_CLOSED);
		return session_fail(s, POP3_END_CUT, code);
	}
	if (code == ERR_CANCELLED)
		return session_fail(s, POP3_END_SHUTDOWN, code);
	session_reply(s, "%s", reply_to_failed_retrieval(code));
	if (reply_is_loss(code))
		return session_fail(s, POP3_END_UPSTREAM, code);
	return s->over ? SESSION_OVER : SESSION_GOES_ON;
}

enum session_next
session_retr(struct session *s, const struct command *c)
{
	struct transfer t;
	size_t number;
	int rc;

	if (session_message_number(s, c, 0, &number) != 0)
		return s->over ? SESSION_OVER : SESSION_GOES_ON;
	transfer_prepare(&t, s, DOTSTUFF_ALL_LINES, NULL);
	rc = s->backend->retrieve(s->maildrop.handle, snapshot_at(s->maildrop.snapshot, number),
	    &t.sink, &s->report->error);
	session_backend_used(s);
	if (rc == 0 && (!t.started || t.received != t.announced))
		rc = error_set(&s->report->error, ERR_PROTOCOL, "message of another length than announced");
	if (rc != 0)
		return transfer_failed(&t, number, rc);
	if (transfer_finish(&t) == SESSION_OVER)
		return SESSION_OVER;
	snapshot_set_retrieved(s->maildrop.snapshot, number);
	s->report->retrieved++;
	return SESSION_GOES_ON;
}

static uint32_t
first_slice(uint64_t lines)
{
	if (lines > (TOP_LARGEST_SLICE - TOP_FIRST_SLICE) / TOP_OCTETS_OF_LINE)
		return TOP_LARGEST_SLICE;
	return (uint32_t) (TOP_FIRST_SLICE + lines * TOP_OCTETS_OF_LINE);
}

/* Fetches the message slice by slice until the lines are there or it ends. */
static int
retrieve_lines(struct transfer *t, const struct snapshot_message *m, uint64_t lines)
{
	struct session *s = t->session;
	uint32_t slice = first_slice(lines);
	uint64_t offset = 0;
	int rc;

	do {
		t->most = slice;
		rc = s->backend->retrieve_part(
		    s->maildrop.handle, m, offset, slice, &t->sink, &s->report->error);
		if (rc != 0)
			return rc;
		if (!t->started || t->received != t->announced)
			return error_set(
			    &s->report->error, ERR_PROTOCOL, "part of another length than announced");
		if (t->received < slice)
			return 0;
		offset += slice;
		slice = slice > TOP_LARGEST_SLICE / 4 ? TOP_LARGEST_SLICE : slice * 4;
	} while (!dotstuff_is_full(&t->stuff));
	return 0;
}

enum session_next
session_top(struct session *s, const struct command *c)
{
	struct transfer t;
	uint64_t lines;
	size_t number;
	int rc;

	if (session_message_number(s, c, 0, &number) != 0)
		return s->over ? SESSION_OVER : SESSION_GOES_ON;
	if (command_number(c->word[1], c->word_len[1], &lines) != 0)
		return session_reply(s, "-ERR not a number of lines");
	transfer_prepare(&t, s, lines, "+OK top of the message follows");
	rc = retrieve_lines(&t, snapshot_at(s->maildrop.snapshot, number), lines);
	session_backend_used(s);
	return rc == 0 ? transfer_finish(&t) : transfer_failed(&t, number, rc);
}
