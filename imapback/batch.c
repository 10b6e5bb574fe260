/* batch.c - many messages by one UID FETCH, taken one by one as they come.
 *
 * A client that takes message after message would else wait for the server with each. Nothing is
 * held: what nobody has taken yet waits in the socket, and back-pressure is TCP's. The guard tells
 * of bodies and keeps them from the parser, which gets the rest of the answer when it is complete.
 * A message is complete only when its FETCH response is, for that may yet bear another UID. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "imapback/imap_internal.h"

/* Octets of bodies in one answer that may be passed over: some times as much as anybody asks for at a
 * time. A server that does not keep to what it said of its sizes would have us read for ever. */
enum { PASSED_MAX = 8 << 20 };

/* Keeps LEN octets for the parser. The guard has a limit for what that may come to. */
static int
keep(struct imap *imap, const char *octets, size_t len)
{
	struct imap_batch *batch = &imap->batch;
	size_t room = batch->kept_room == 0 ? 256 : batch->kept_room;
	char *kept;

	while (batch->kept_len + len > room)
		room *= 2;
	if (room > batch->kept_room) {
		if ((kept = realloc(batch->kept, room)) == NULL)
			return imap_fail(imap, ERR_NO_MEMORY, "out of memory");
		batch->kept = kept;
		batch->kept_room = room;
	}
	memcpy(batch->kept + batch->kept_len, octets, len);
	batch->kept_len += len;
	return 0;
}

/* Goes on to the next event, or to the end of a response where there is nothing more to read
 * (GUARD_NOTHING), which may be the last one. */
static int
advance(struct imap *imap, struct guard_event *event)
{
	char out[512];
	size_t written;
	int rc;

	for (;;) {
		if ((rc = imap_guard(imap, out, sizeof(out), &written, event)) != 0 ||
		    (written > 0 && (rc = keep(imap, out, written)) != 0))
			return rc;
		if (event->kind != GUARD_NOTHING || guard_is_halted(&imap->guard))
			return 0;
		if (written > 0)
			continue;
		if (guard_is_idle(&imap->guard))
			return 0;
		if ((rc = imap_refill(imap)) != 0)
			return rc;
	}
}

/* A body begins. */
static int
announce(struct imap *imap, const struct guard_event *event)
{
	struct imap_batch *batch = &imap->batch;

	if (event->origin != 0 || event->number > batch->most)
		return imap_fail(imap, ERR_PROTOCOL, "the server sent another part of the message");
	batch->announced = true;
	batch->told = false;
	batch->uid = event->uid;
	batch->octets = event->number;
	return 0;
}

/* The current response to its end, or to where the next body begins. */
static int
end_response(struct imap *imap)
{
	struct guard_event event;
	int rc;

	imap->batch.announced = false;
	if ((rc = advance(imap, &event)) != 0)
		return rc;
	return event.kind == GUARD_BODY_BEGIN ? announce(imap, &event) : 0;
}

/* Takes the announced body to its end; SINK may be NULL. */
static int
take_body(struct imap *imap, struct octet_sink *sink)
{
	struct guard_event event;
	int rc;

	for (;;) {
		if ((rc = advance(imap, &event)) != 0)
			return rc;
		if (event.kind == GUARD_BODY_END)
			return end_response(imap);
		if (event.kind != GUARD_BODY_CHUNK)
			return imap_fail(imap, ERR_PROTOCOL, "a body without an end");
		if (sink != NULL && (rc = sink->chunk(sink, event.data, event.len)) != 0)
			return imap_fail(imap, rc, "delivery: %s", error_name(rc));
	}
}

/* The answer has come: the parser sees what was kept of it. */
static int
finish(struct imap *imap)
{
	struct imap_batch *batch = &imap->batch;
	struct imap_outcome outcome;
	const char *line;
	int rc;

	batch->open = false;
	if ((rc = imap_read_line(imap, &line)) == 0)
		rc = imap_take_answer(imap, &outcome);
	free(batch->kept);
	*batch = (struct imap_batch){ 0 };
	/* NO, and what did not come, is for those to find out who want the messages. */
	if (rc == 0 && !outcome.ok && outcome.status != RESPONSE_NO)
		rc = imap_fail(imap, ERR_PROTOCOL, "FETCH answered BAD: %s", outcome.text);
	return rc;
}

/* The announced body, which nobody takes. A new connection is cheaper than a very long one. */
static int
pass_over(struct imap *imap)
{
	struct imap_batch *batch = &imap->batch;

	if (batch->octets > PASSED_MAX - batch->passed)
		return imap_fail(imap, ERR_CLOSED, "more than is worth reading of messages that "
						   "are not wanted any more");
	batch->passed += batch->octets;
	return take_body(imap, NULL);
}

/* To the next body or the end of the answer. */
static int
find_next(struct imap *imap)
{
	int rc;

	if (imap->batch.announced && imap->batch.told && (rc = pass_over(imap)) != 0)
		return rc;
	while (!imap->batch.announced && !guard_is_halted(&imap->guard)) {
		if (guard_is_idle(&imap->guard) && imap->in_at == imap->in_end &&
		    (rc = imap_refill(imap)) != 0)
			return rc;
		if ((rc = end_response(imap)) != 0)
			return rc;
	}
	if (!imap->batch.announced)
		return finish(imap);
	imap->batch.told = true;
	return 0;
}

/* Sends UID FETCH of RANGES with AFTER behind it; a body has MOST octets. */
static int
open_batch(struct imap *imap, const struct uid_range *ranges, size_t count, const char *after,
    enum guard_expectation expectation, uint64_t most, struct error *e)
{
	char *text;

	if (imap->dead)
		return imap_dead_error(imap, e);
	if ((text = imap_set_command("UID FETCH ", ranges, count, after)) == NULL)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	if (imap_send_line(imap, text, expectation) == 0)
		imap->batch = (struct imap_batch){ .open = true, .most = most };
	free(text);
	return imap->dead ? imap_dead_error(imap, e) : 0;
}

int
imap_batch_open(
    struct imap *imap, const struct uid_range *ranges, size_t count, uint32_t part, struct error *e)
{
	char after[64] = " (UID BODY.PEEK[])";

	if (part > 0)
		snprintf(after, sizeof(after), " (UID BODY.PEEK[]<0.%" PRIu32 ">)", part);
	return open_batch(imap, ranges, count, after, part > 0 ? GUARD_EXPECT_PARTS : GUARD_EXPECT_BODIES,
	    part > 0 ? part : UINT64_MAX, e);
}

int
imap_batch_open_headers(
    struct imap *imap, const struct uid_range *ranges, size_t count, struct error *e)
{
	return open_batch(imap, ranges, count, " (UID BODY.PEEK[HEADER])", GUARD_EXPECT_HEADERS,
	    UINT64_MAX, e);
}

int
imap_batch_next(struct imap *imap, uint32_t *uid, uint64_t *octets, struct error *e)
{
	*uid = 0;
	*octets = 0;
	do {
		if (imap->dead || find_next(imap) != 0)
			return imap_dead_error(imap, e);
	} while (imap->batch.open && imap->batch.uid == 0);
	if (imap->batch.open) {
		*uid = imap->batch.uid;
		*octets = imap->batch.octets;
	}
	return 0;
}

int
imap_batch_take(struct imap *imap, struct octet_sink *sink, struct error *e)
{
	int rc;

	if (imap->dead)
		return imap_dead_error(imap, e);
	if ((rc = sink->begin(sink, imap->batch.octets)) != 0) {
		imap_fail(imap, rc, "delivery: %s", error_name(rc));
		return imap_dead_error(imap, e);
	}
	return take_body(imap, sink) == 0 ? 0 : imap_dead_error(imap, e);
}

bool
imap_in_batch(const struct imap *imap)
{
	return imap->batch.open;
}

int
imap_batch_close(struct imap *imap, struct error *e)
{
	while (imap->batch.open)
		if (imap->dead || find_next(imap) != 0)
			return imap_dead_error(imap, e);
	return 0;
}
