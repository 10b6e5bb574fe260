/* retrieval.c - see retrieval.h. */
#include "gateway/retrieval.h"

#include "base/failpoint.h"
#include "mapping/deletion.h"

/* Passes everything on, and knows whether anything came. */
struct watched_sink {
	struct octet_sink sink; /* first, so that it leads here */
	struct octet_sink *to;
	bool begun;
};

static int
watched_begin(struct octet_sink *sink, uint64_t octets)
{
	struct watched_sink *w = (struct watched_sink *) sink;
	int rc;

	w->begun = true;
	if ((rc = FAILPOINT("retr.begin")) != 0)
		return rc;
	return w->to->begin(w->to, octets);
}

static int
watched_chunk(struct octet_sink *sink, const char *octets, size_t len)
{
	struct watched_sink *w = (struct watched_sink *) sink;
	int rc;

	if ((rc = FAILPOINT("retr.chunk")) != 0)
		return rc;
	return w->to->chunk(w->to, octets, len);
}

/* Octets that can be given back are. */
static void
settle(struct retrieval *r)
{
	if (r->reserved == 0 || (r->link->imap != NULL && imap_in_batch(r->link->imap)))
		return;
	r->pool->used -= r->reserved;
	r->reserved = 0;
}

/* As struct prefetch counts: 0 for all of a message. */
static uint32_t
part_of(const struct wanted *w)
{
	return w->part ? w->octets : 0;
}

/* Looks for what is wanted in the open batch; *FOUND says whether it was there. */
static int
take_from_batch(struct retrieval *r, const struct wanted *w, struct octet_sink *sink, bool *found,
    struct error *e)
{
	struct imap *imap = r->link->imap;
	uint64_t octets;
	uint32_t uid;
	int rc;

	do {
		if ((rc = imap_batch_next(imap, &uid, &octets, e)) != 0)
			return rc;
	} while (uid != 0 && uid < w->message->uid);
	if (uid != w->message->uid)
		return 0;
	*found = true;
	return imap_batch_take(imap, sink, e);
}

/* Octets that may still be asked for. A reload can make the pool smaller than what is in use. */
static uint64_t
room_in(const struct retrieval_pool *pool)
{
	return pool->used < pool->most ? pool->most - pool->used : 0;
}

/* Asks for the message and those behind it, where that is worth it. */
static int
open_batch(struct retrieval *r, const struct wanted *w, bool *opened, struct error *e)
{
	struct uidset set = { 0 };
	uint64_t octets;
	int rc = 0;

	*opened = false;
	if (prefetch_plan(&r->prefetch, r->snapshot, snapshot_number(r->snapshot, w->message),
		part_of(w), room_in(r->pool), &set, &octets) > 1) {
		rc = imap_batch_open(r->link->imap, set.ranges,
		    uidset_batch(&set, 0, DELETION_SET_OCTETS), part_of(w), e);
		*opened = rc == 0;
		r->part = part_of(w);
		r->reserved = octets;
		r->pool->used += octets;
	}
	uidset_clear(&set);
	return rc;
}

/* Takes what is wanted from a batch, an open one or a new one; *FOUND says whether that was
 * possible. */
static int
fetch_in_series(struct retrieval *r, const struct wanted *w, struct octet_sink *sink, bool *found,
    struct error *e)
{
	struct imap *imap = r->link->imap;
	bool opened;
	int rc;

	*found = false;
	if (imap_in_batch(imap) && w->offset == 0 && r->part == part_of(w)) {
		if ((rc = take_from_batch(r, w, sink, found, e)) != 0)
			return rc;
		if (*found) {
			prefetch_hit(&r->prefetch, snapshot_number(r->snapshot, w->message));
			return 0;
		}
	}
	if (imap_in_batch(imap)) {
		prefetch_miss(&r->prefetch);
		if ((rc = imap_batch_close(imap, e)) != 0)
			return rc;
	}
	settle(r);
	if (w->offset != 0)
		return 0;
	if ((rc = open_batch(r, w, &opened, e)) != 0 || !opened)
		return rc;
	return take_from_batch(r, w, sink, found, e);
}

static int
fetch_alone(struct retrieval *r, const struct wanted *w, struct octet_sink *sink, struct error *e)
{
	struct imap *imap = r->link->imap;

	if (w->part)
		return imap_fetch_part(imap, w->message->uid, w->offset, w->octets, sink, e);
	return imap_fetch(imap, w->message->uid, sink, e);
}

static int
fetch(struct retrieval *r, const struct wanted *w, struct octet_sink *sink, struct error *e)
{
	bool found = false;
	int rc = 0;

	if (r->pool != NULL)
		rc = fetch_in_series(r, w, sink, &found, e);
	if (rc == 0 && !found)
		rc = fetch_alone(r, w, sink, e);
	return rc == 0 ? FAILPOINT_ERROR("retr.end", e) : rc;
}

/* Selects the mailbox of what is wanted. */
static int
turn_to(struct retrieval *r, const struct wanted *w, struct error *e)
{
	size_t part = w->message->part;

	return mailbox_link_turn(
	    r->link, r->mailboxes[part], snapshot_uidvalidity(r->snapshot, part), e);
}

/* A connection that was lost while nothing was wanted often shows only when something is. As long
 * as the client has seen nothing of the answer, a new one may give it. */
int
retrieval_run(struct retrieval *r, const struct wanted *w, struct octet_sink *sink, struct error *e)
{
	struct watched_sink watched = { { watched_begin, watched_chunk }, sink, false };
	bool was_lost = mailbox_link_is_lost(r->link);
	int rc;

	if ((rc = turn_to(r, w, e)) == 0)
		rc = fetch(r, w, &watched.sink, e);
	if (!was_lost && !watched.begun && (rc == ERR_CLOSED || rc == ERR_TIMEOUT) &&
	    (rc = turn_to(r, w, e)) == 0)
		rc = fetch_alone(r, w, &watched.sink, e);
	settle(r);
	return rc;
}

bool
retrieval_is_ahead(const struct retrieval *r)
{
	return r->link->imap != NULL && imap_in_batch(r->link->imap);
}

int
retrieval_forget(struct retrieval *r, struct error *e)
{
	int rc = 0;

	if (retrieval_is_ahead(r)) {
		prefetch_miss(&r->prefetch);
		rc = imap_batch_close(r->link->imap, e);
	}
	settle(r);
	return rc;
}

void
retrieval_end(struct retrieval *r)
{
	if (r->pool != NULL)
		r->pool->used -= r->reserved;
	r->reserved = 0;
}
