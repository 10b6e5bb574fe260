/* driver.c - libetpan's idea of a stream, made of ours: what the parser reads has passed the wire
 * guard.
 *
 * libetpan 1.9.4 was seen to spin when a read returns 0 at the end of a stream inside a literal, so
 * reads return -1 at every end. It holds message bodies in memory, so they never get there. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/reserve.h"
#include "base/text.h"
#include "fiberio/fiber.h"
#include "imapback/imap_internal.h"

enum {
	PARSER_BUFFER = 1024, /* of libetpan's stream, each way */
	INPUT_SMALL = 8192,   /* for answers */
	INPUT_LARGE = 65536,  /* while a body is poured */
	BUSY_FACTOR = 10,     /* how much longer the server has between two lines */
	RATE = 1024,	      /* octets a second that a busy server must send */
	HITS_MORE = 100000,   /* search results beyond the known messages: new ones come */
};

int
imap_fail(struct imap *imap, int code, const char *format, ...)
{
	va_list args;
	char text[ERROR_TEXT_MAX];

	if (imap->dead)
		return imap->error.code;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	imap->dead = true;
	return error_set(&imap->error, code, "%s", text);
}

/* Whether the running command brings data whose amount is the mailbox's, not ours. */
static bool
brings_data(const struct imap *imap)
{
	return imap->guard.expectation >= GUARD_EXPECT_LIST;
}

/* How long may still be waited for the server: for one octet, and in all for the login or for a
 * command without data. Only waiting counts: while our client is slow, the server is not to blame.
 */
static uint64_t
patience(const struct imap *imap)
{
	uint64_t most = imap->options.command_ms, left;

	if (brings_data(imap))
		return most;
	left = imap->logged_in ? most * BUSY_FACTOR : most;
	left = left > imap->waited ? left - imap->waited : 0;
	return left < most ? left : most;
}

/* A server that drips would hold a fiber for ever without ever being silent (security: slow drip).
 * Between two lines it may be busy with the command, and many then say so from time to time, so
 * that it has ten times as long to show that it sends data. */
static int
judge_rate(struct imap *imap, size_t got, uint64_t waited_ms)
{
	imap->waited += waited_ms;
	imap->slow_octets += got;
	imap->slow_ms += waited_ms;
	imap->slow_time += guard_is_idle(&imap->guard) ? waited_ms : waited_ms * BUSY_FACTOR;
	if (imap->slow_time < imap->options.command_ms * BUSY_FACTOR)
		return 0;
	if (imap->slow_octets < imap->slow_ms * RATE / 1000)
		return imap_fail(imap, ERR_TIMEOUT, "the server sends less than 1 KiB/s");
	imap->slow_octets = imap->slow_ms = imap->slow_time = 0;
	return 0;
}

void
imap_wait_anew(struct imap *imap)
{
	imap->slow_octets = imap->slow_ms = imap->slow_time = 0;
	if (imap->logged_in)
		imap->waited = 0;
}

static int
make_room(struct imap *imap)
{
	bool large = imap->operation.body_begun || imap->batch.open ||
		     imap->guard.expectation == GUARD_EXPECT_LIST;
	size_t wanted = large ? INPUT_LARGE : INPUT_SMALL;

	if (imap->in != NULL && imap->in_room >= wanted)
		return 0;
	free(imap->in);
	imap->in = malloc(wanted);
	imap->in_room = imap->in == NULL ? 0 : wanted;
	return imap->in == NULL ? imap_fail(imap, ERR_NO_MEMORY, "out of memory") : 0;
}

int
imap_refill(struct imap *imap)
{
	uint64_t begun = fiber_now();
	size_t got;
	int rc;

	if ((rc = make_room(imap)) != 0)
		return rc;
	rc = stream_read(
	    imap->stream, imap->in, imap->in_room, &got, fiber_deadline(patience(imap)));
	if (rc == ERR_TIMEOUT)
		return imap_fail(imap, rc,
		    patience(imap) < imap->options.command_ms ? "the server takes too long"
							      : "the server is silent");
	if (rc != 0)
		return imap_fail(imap, rc, "reading from the server: %s", error_name(rc));
	imap->in_at = 0;
	imap->in_end = got;
	return judge_rate(imap, got, fiber_now() - begun);
}

static int
begin_body(struct imap *imap, const struct guard_event *event)
{
	struct imap_operation *op = &imap->operation;
	int rc;

	if (event->uid != 0 && event->uid != op->uid)
		return imap_fail(imap, ERR_PROTOCOL, "the server sent UID %u instead of %u",
		    (unsigned) event->uid, (unsigned) op->uid);
	if (event->origin != op->offset || event->number > op->octets)
		return imap_fail(imap, ERR_PROTOCOL, "the server sent another part of the message");
	op->body_begun = true;
	if ((rc = op->sink->begin(op->sink, event->number)) != 0)
		return imap_fail(imap, rc, "delivery: %s", error_name(rc));
	return 0;
}

/* A server may send results in any order, and the same again. */
int
imap_keep_hit(struct imap *imap, uint64_t uid)
{
	struct imap_operation *op = &imap->operation;
	size_t room = op->hit_room == 0 ? 64 : op->hit_room * 2;
	uint32_t *hits;

	if (uid == 0 || op->hit_count >= (size_t) imap->exists + HITS_MORE)
		return imap_fail(
		    imap, ERR_PROTOCOL, "a search result with more than the mailbox can hold");
	if (op->hit_count == op->hit_room) {
		if ((hits = realloc(op->hits, room * sizeof(*hits))) == NULL)
			return imap_fail(imap, ERR_NO_MEMORY, "out of memory");
		op->hits = hits;
		op->hit_room = room;
	}
	op->hits[op->hit_count++] = (uint32_t) uid;
	return 0;
}

/* More of them than the mailbox can have had: whoever asked has to do without. */
int
imap_keep_vanished(struct imap *imap, uint32_t first, uint32_t last)
{
	struct imap_operation *op = &imap->operation;
	size_t room = op->vanished_room == 0 ? 64 : op->vanished_room * 2;
	struct uid_range *vanished;

	if (op->vanished_count >= op->vanished_most) {
		op->vanished_too_many = true;
		return 0;
	}
	if (op->vanished_count == op->vanished_room) {
		if ((vanished = realloc(op->vanished, room * sizeof(*vanished))) == NULL)
			return imap_fail(imap, ERR_NO_MEMORY, "out of memory");
		op->vanished = vanished;
		op->vanished_room = room;
	}
	op->vanished[op->vanished_count++] = (struct uid_range){ first, last };
	return 0;
}

/* The connection ends by a rule of the guard's, or by BYE. */
static int
take_refusal(struct imap *imap)
{
	const struct guard_answer *answer = guard_answer(&imap->guard);
	int code = guard_error(&imap->guard);
	char said[128] = "";

	if (answer->status == GUARD_BYE) {
		text_escape(answer->text, answer->text_len, said, sizeof(said));
		/* Once a mailbox is open, it is lost; before, trying later may help. */
		if (imap->session->imap_state == MAILIMAP_STATE_SELECTED)
			code = ERR_CLOSED;
	}
	return imap_fail(imap, code, "%s%s%s%s %s", guard_reason(&imap->guard),
	    answer->code[0] == '\0' ? "" : " [", answer->code, answer->code[0] == '\0' ? "" : "]",
	    said);
}

/* Does what the guard took out of the stream. The sink may suspend. */
static int
take_event(struct imap *imap, const struct guard_event *event)
{
	struct imap_operation *op = &imap->operation;
	int rc = 0;

	switch (event->kind) {
	case GUARD_NOTHING:
		break;
	case GUARD_BODY_BEGIN:
		return begin_body(imap, event);
	case GUARD_BODY_CHUNK:
		if ((rc = op->sink->chunk(op->sink, event->data, event->len)) != 0)
			return imap_fail(imap, rc, "delivery: %s", error_name(rc));
		break;
	case GUARD_BODY_END:
		op->body_complete = true;
		break;
	case GUARD_LISTED:
		if ((rc = op->each(op->each_ctx, event->uid, event->number, event->deleted)) != 0)
			return imap_fail(imap, rc, "listing: %s", error_name(rc));
		break;
	case GUARD_ATTRIBUTE:
		rc = op->each_attribute(op->each_ctx, event->uid, event->data, event->len);
		if (rc != 0)
			return imap_fail(imap, rc, "attributes: %s", error_name(rc));
		break;
	case GUARD_SEARCH_HIT:
		return imap_keep_hit(imap, event->number);
	case GUARD_VANISHED:
		return imap_keep_vanished(imap, event->uid, (uint32_t) event->number);
	case GUARD_REFUSED:
		break;
	}
	return 0;
}

int
imap_guard(struct imap *imap, char *out, size_t room, size_t *written, struct guard_event *event)
{
	const char *in = imap->in == NULL ? "" : imap->in + imap->in_at;

	*written = 0;
	if (imap->dead)
		return imap->error.code;
	imap->in_at +=
	    guard_feed(&imap->guard, in, imap->in_end - imap->in_at, out, room, written, event);
	return event->kind == GUARD_REFUSED ? take_refusal(imap) : 0;
}

/* What a batch has kept for the parser. */
static size_t
read_kept(struct imap_batch *batch, char *buf, size_t room)
{
	size_t left = batch->kept_len - batch->kept_at;
	size_t n = left < room ? left : room;

	if (n > 0)
		memcpy(buf, batch->kept + batch->kept_at, n);
	batch->kept_at += n;
	return n;
}

static ssize_t
driver_read(mailstream_low *low, void *buf, size_t room)
{
	struct imap *imap = low->data;
	size_t written = read_kept(&imap->batch, buf, room);

	while (written == 0) {
		struct guard_event event;

		if (imap_guard(imap, buf, room, &written, &event) != 0 ||
		    take_event(imap, &event) != 0)
			return -1;
		if (written > 0 || event.kind != GUARD_NOTHING)
			continue;
		if (guard_is_halted(&imap->guard))
			imap_fail(imap, ERR_PROTOCOL, "the answer to the command is no answer");
		else
			imap_refill(imap);
	}
	/* libetpan 1.9.4 was seen to crash, and to forget what it holds, when it gets no memory. */
	if (memory_reserve(RESERVE_OCTETS) != 0) {
		imap_fail(imap, ERR_NO_MEMORY, "out of memory");
		return -1;
	}
	return (ssize_t) written;
}

static ssize_t
driver_write(mailstream_low *low, const void *buf, size_t len)
{
	struct imap *imap = low->data;

	return imap_write_raw(imap, buf, len) == 0 ? (ssize_t) len : -1;
}

int
imap_write_raw(struct imap *imap, const void *octets, size_t len)
{
	uint64_t begun = fiber_now();
	int rc;

	if (imap->dead)
		return imap->error.code;
	rc = stream_write_by(imap->stream, octets, len, fiber_deadline(patience(imap)));
	imap->waited += fiber_now() - begun;
	return rc == 0 ? 0 : imap_fail(imap, rc, "writing to the server: %s", error_name(rc));
}

static int
driver_close(mailstream_low *low)
{
	(void) low;
	return 0;
}

/* No descriptor: nothing in libetpan may select(2) on it. */
static int
driver_get_fd(mailstream_low *low)
{
	(void) low;
	return -1;
}

static void
driver_free(mailstream_low *low)
{
	free(low);
}

static void
driver_cancel(mailstream_low *low)
{
	(void) low;
}

static struct mailstream_cancel *
driver_get_cancel(mailstream_low *low)
{
	(void) low;
	return NULL;
}

static carray *
driver_get_certificate_chain(mailstream_low *low)
{
	(void) low;
	return NULL;
}

static int
driver_no_idle(mailstream_low *low)
{
	(void) low;
	return -1;
}

mailstream *
imap_driver_new(struct imap *imap)
{
	/* libetpan takes it without const, but writes nothing to it. */
	static mailstream_low_driver driver = {
		.mailstream_read = driver_read,
		.mailstream_write = driver_write,
		.mailstream_close = driver_close,
		.mailstream_get_fd = driver_get_fd,
		.mailstream_free = driver_free,
		.mailstream_cancel = driver_cancel,
		.mailstream_get_cancel = driver_get_cancel,
		.mailstream_get_certificate_chain = driver_get_certificate_chain,
		.mailstream_setup_idle = driver_no_idle,
		.mailstream_unsetup_idle = driver_no_idle,
		.mailstream_interrupt_idle = driver_no_idle,
	};
	mailstream_low *low = mailstream_low_new(imap, &driver);
	mailstream *stream;

	if (low == NULL)
		return NULL;
	if ((stream = mailstream_new(low, PARSER_BUFFER)) == NULL)
		free(low);
	return stream;
}

bool
imap_has_unread(struct imap *imap)
{
	return imap->in_at < imap->in_end || !guard_is_idle(&imap->guard) ||
	       imap->session->imap_stream->read_buffer_len > 0 || stream_has_input(imap->stream);
}

void
imap_driver_rest(struct imap *imap)
{
	if (imap->in_at < imap->in_end)
		return;
	free(imap->in);
	imap->in = NULL;
	imap->in_room = imap->in_at = imap->in_end = 0;
}
