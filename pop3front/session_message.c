/* session_message.c - RETR and TOP: messages on their way to the client (RFC 1939 sections 5 and 7). */
#include <inttypes.h>
#include <stdlib.h>

#include "pop3front/session_internal.h"

enum {
	TOP_FIRST_SLICE = 4096,	      /* holds most headers */
	TOP_LINE_ESTIMATE = 80,
	TOP_LARGEST_SLICE = 1 << 20,
};

/* Where the backend pours a message. */
struct delivery {
	struct octet_sink sink; /* first: the sink is the delivery */
	struct pop3_session *session;
	struct dotstuff stuff;
	bool started;		/* +OK is out, or at least queued */
	bool is_top;
	uint64_t size;		/* what LIST shows */
	uint64_t announced;	/* octets of the current slice */
};

/* Feeds the queue of the session; it is sent only when there is more to come than it can hold, so that the tail of a message
 * and its final dot leave in one write. */
static int
deliver_chunk(struct octet_sink *sink, const char *octets, size_t len)
{
	struct delivery *d = (struct delivery *) sink;
	struct pop3_session *s = d->session;
	int rc;

	while (len > 0) {
		size_t room = s->out_room - s->out_len, used, written = 0;

		used = room <= DOTSTUFF_END_MAX ? 0
						: dotstuff_feed(&d->stuff, octets, len, s->out + s->out_len,
						      room - DOTSTUFF_END_MAX, &written);
		s->out_len += written;
		s->report->octets += written;
		octets += used;
		len -= used;
		if (used > 0)
			continue;
		if ((rc = session_flush(s)) != 0 || (rc = session_reserve_output(s, SESSION_OUT_LARGE)) != 0)
			return rc;
	}
	return 0;
}

static int
deliver_begin(struct octet_sink *sink, uint64_t octets)
{
	struct delivery *d = (struct delivery *) sink;
	int rc;

	d->announced = octets;
	if (d->started)
		return 0;
	if ((rc = session_reserve_output(d->session, SESSION_OUT_LARGE)) != 0)
		return rc;
	d->started = true;
	if (d->is_top)
		return session_reply(d->session, "+OK");
	return session_reply_format(d->session, "+OK %" PRIu64 " octets", d->size);
}

static void
delivery_init(struct delivery *d, struct pop3_session *s, const struct snapshot_message *m, uint64_t lines)
{
	*d = (struct delivery) {
		.sink = { .begin = deliver_begin, .chunk = deliver_chunk },
		.session = s,
		.size = m->size,
	};
	dotstuff_begin(&d->stuff, lines, s->settings->nul);
}

/* The message is complete. */
static int
delivery_end(struct delivery *d)
{
	char end[DOTSTUFF_END_MAX];
	size_t len = dotstuff_end(&d->stuff, end);

	return session_write(d->session, end, len);
}

/* The message failed with CODE. Once +OK is out, what follows must not look like the end of a message: the connection is torn
 * down, and the message cannot be deleted. */
static int
delivery_failed(struct delivery *d, size_t number, int code)
{
	struct pop3_session *s = d->session;

	if (code == ERR_CANCELLED) {
		s->abort = d->started;
		return code;
	}
	if (!d->started)
		return session_reply(s, reply_to_failed_command(code));
	snapshot_set_broken(s->maildrop.snapshot, number);
	s->abort = true;
	session_end(s, s->report->end == POP3_END_CLIENT_STUCK ? POP3_END_CLIENT_STUCK : POP3_END_CUT);
	return 0;
}

int
session_retr(struct pop3_session *s, const struct command *c)
{
	const struct snapshot_message *m;
	struct delivery delivery;
	size_t number;
	int rc;

	if (!session_find_message(s, c->word[0], c->word_len[0], &number, &m, &rc))
		return rc;
	delivery_init(&delivery, s, m, DOTSTUFF_ALL_LINES);
	rc = s->backend->retrieve(s->maildrop.handle, m, &delivery.sink, &s->report->error);
	if (rc != 0)
		return delivery_failed(&delivery, number, rc);
	if ((rc = delivery_end(&delivery)) != 0 || (rc = session_flush(s)) != 0)
		return rc;
	snapshot_set_retrieved(s->maildrop.snapshot, number);
	s->report->retrieved++;
	return 0;
}

/* The first slice: large enough for most answers, so that they cost one round trip. */
static uint32_t
first_slice(uint64_t lines)
{
	if (lines > (TOP_LARGEST_SLICE - TOP_FIRST_SLICE) / TOP_LINE_ESTIMATE)
		return TOP_LARGEST_SLICE;
	return TOP_FIRST_SLICE + (uint32_t) lines * TOP_LINE_ESTIMATE;
}

/* Pours slices of message M until TOP has its lines or the message ends. */
static int
pour_slices(struct pop3_session *s, const struct snapshot_message *m, uint64_t lines, struct delivery *d)
{
	uint32_t slice = first_slice(lines);
	uint64_t offset = 0;
	int rc;

	for (;;) {
		d->announced = 0;
		rc = s->backend->retrieve_part(
		    s->maildrop.handle, m, offset, slice, &d->sink, &s->report->error);
		if (rc != 0)
			return rc;
		if (dotstuff_is_full(&d->stuff) || d->announced < slice)
			return 0;
		offset += d->announced;
		slice = slice > TOP_LARGEST_SLICE / 4 ? TOP_LARGEST_SLICE : slice * 4;
	}
}

int
session_top(struct pop3_session *s, const struct command *c)
{
	const struct snapshot_message *m;
	struct delivery delivery;
	uint64_t lines;
	size_t number;
	int rc;

	if (command_number(c->word[1], c->word_len[1], &lines) != 0)
		return session_bad_command(s, "-ERR not a number of lines");
	if (!session_find_message(s, c->word[0], c->word_len[0], &number, &m, &rc))
		return rc;
	delivery_init(&delivery, s, m, lines);
	delivery.is_top = true;
	if ((rc = pour_slices(s, m, lines, &delivery)) != 0)
		return delivery_failed(&delivery, number, rc);
	return delivery_end(&delivery);
}
