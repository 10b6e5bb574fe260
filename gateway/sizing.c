/* sizing.c - see sizing.h. */
#include "gateway/sizing.h"

#include <stdlib.h>

#include "mapping/deletion.h"

enum {
	COUNT_AT_ONCE = 1000,	      /* messages that are counted by one command */
	KEEP_MESSAGES = 10000,	      /* counted messages that may be lost to a crash */
	KEEP_OCTETS = 256 * 1048576, /* and octets of them */
};

static const struct upstream *
upstream_of(const struct sizing *s)
{
	return s->listing->link->upstream;
}

void
sizing_begin(struct sizing *s, const struct listing *listing)
{
	*s = (struct sizing){ .listing = listing, .estimates = listing->head.estimates };
}

/* ---- one message ---- */

static int
sized_begin(struct octet_sink *sink, uint64_t octets)
{
	struct sized_sink *w = (struct sized_sink *) sink;

	w->announced = octets;
	return w->to == NULL ? 0 : w->to->begin(w->to, octets);
}

static int
sized_chunk(struct octet_sink *sink, const char *octets, size_t len)
{
	struct sized_sink *w = (struct sized_sink *) sink;

	if (w->counts)
		octet_count_feed(&w->count, octets, len);
	return w->to == NULL ? 0 : w->to->chunk(w->to, octets, len);
}

struct octet_sink *
sizing_watch(const struct sizing *s, struct sized_sink *w, struct octet_sink *to)
{
	*w = (struct sized_sink){
		.sink = { .begin = sized_begin, .chunk = sized_chunk },
		.to = to,
		.counts = upstream_of(s)->size_mode != SIZES_FAST,
	};
	return s->listing->is_kept ? &w->sink : to;
}

/* Without memory it is learned the next time. */
static void
learn(struct sizing *s, uint32_t uid, uint64_t octets)
{
	if (s->count == s->room) {
		size_t room = s->room == 0 ? 16 : 2 * s->room;
		struct sized_message *more = realloc(s->learned, room * sizeof(*more));

		if (more == NULL)
			return;
		s->learned = more;
		s->room = room;
	}
	s->learned[s->count++] = (struct sized_message){ uid, octets };
}

/* The server has just told of M, or its size was kept and is now seen to be another: then either
 * the kept listing is wrong, or the server's word for sizes means little. The listing anew that the
 * former leads to tells which. */
static void
note_mismatch(struct sizing *s, const struct snapshot_message *m)
{
	if (s->estimates)
		return;
	if (m->uid < s->listing->asked)
		s->wrong = true;
	else
		s->estimates = true;
}

void
sizing_note(
    struct sizing *s, const struct snapshot_message *m, const struct sized_sink *w, int outcome)
{
	uint64_t counted = octet_count_end(&w->count);

	if (!s->listing->is_kept)
		return;
	if (outcome == ERR_GONE && m->uid < s->listing->asked)
		s->wrong = true;
	if (outcome != 0)
		return;
	if (m->exact) {
		s->wrong = s->wrong || (w->counts && counted != m->size);
		return;
	}
	if (w->announced != m->size)
		note_mismatch(s, m);
	if (w->counts && counted != m->size)
		learn(s, m->uid, counted);
}

/* ---- the kept listing ---- */

static int
compare_learned(const void *a, const void *b)
{
	const struct sized_message *left = a, *right = b;

	return (left->uid > right->uid) - (left->uid < right->uid);
}

/* What R has, with what was learned and without REMOVED. */
static void
copy_amended(const struct sizing *s, struct index_reader *r, const struct uidset *removed,
    struct index_writer *w)
{
	size_t removed_at = 0, at = 0;
	struct index_message m;

	while (index_next(r, &m)) {
		if (removed != NULL && uidset_contains_next(removed, &removed_at, m.uid))
			continue;
		while (at < s->count && s->learned[at].uid < m.uid)
			at++;
		if (at < s->count && s->learned[at].uid == m.uid) {
			m.size = s->learned[at].octets;
			m.exact = true;
		}
		index_add(w, &m);
	}
}

/* Writes the index anew. The lock on the maildrop keeps others from it. */
static int
amend(struct sizing *s, const struct uidset *removed)
{
	const struct listing *l = s->listing;
	size_t messages = (size_t) upstream_of(s)->max_messages, len;
	size_t most = messages * INDEX_MESSAGE_OCTETS + INDEX_HEADER;
	struct index_writer w = { 0 };
	struct index_reader r;
	unsigned char *octets, *amended;
	int rc;

	if ((rc = index_store_read(&l->place, most, &octets, &len)) != 0 || octets == NULL)
		return rc;
	if (s->count > 0)
		qsort(s->learned, s->count, sizeof(*s->learned), compare_learned);
	if (index_read(&r, octets, len) == 0 && r.head.owner == l->head.owner &&
	    r.head.uidvalidity == l->head.uidvalidity && r.head.uidnext == l->head.uidnext) {
		copy_amended(s, &r, removed, &w);
		r.head.estimates = s->estimates;
		if (index_finish(&w, &r.head, &amended, &len) == 0)
			rc = index_store_write(&l->place, amended, len);
	}
	s->count = 0;
	index_writer_clear(&w);
	free(octets);
	return rc;
}

void
sizing_end(struct sizing *s, const struct uidset *removed)
{
	const struct listing *l = s->listing;

	if (l == NULL)
		return;
	if (l->is_kept && s->wrong) {
		log_event(l->link->log, LOG_LEVEL_INFO, l->link->session_id,
		    "the kept listing does not fit the mailbox, and is dropped", NULL);
		(void) index_store_remove(&l->place);
	} else if (l->is_kept && (s->count > 0 || s->estimates != l->head.estimates ||
				     (removed != NULL && removed->count > 0))) {
		(void) amend(s, removed);
	}
	free(s->learned);
	*s = (struct sizing){ 0 };
}

/* ---- size_mode = exact ---- */

/* Messages that are counted now: numbers FIRST to BEHIND - 1, as far as they are not exact. */
struct piece {
	size_t first, behind;
	struct uidset uids;
};

static int
next_piece(const struct snapshot *snapshot, size_t first, struct piece *piece, struct error *e)
{
	size_t number = first, count = snapshot_count(snapshot), ranges;
	unsigned uids = 0;

	*piece = (struct piece){ .first = first };
	for (; number <= count && uids < COUNT_AT_ONCE; number++) {
		const struct snapshot_message *m = snapshot_at(snapshot, number);

		if (m->exact)
			continue;
		if (uidset_add(&piece->uids, m->uid) != 0)
			return error_set(e, ERR_NO_MEMORY, "no memory for a set of messages");
		uids++;
	}
	piece->behind = number;
	ranges = uidset_batch(&piece->uids, 0, DELETION_SET_OCTETS);
	if (ranges < piece->uids.count) { /* what does not fit is for the next one */
		piece->uids.count = ranges;
		while (snapshot_at(snapshot, piece->behind - 1)->uid >
		       piece->uids.ranges[ranges - 1].last)
			piece->behind--;
	}
	return 0;
}

/* The number of message UID in PIECE; 0: it is not there, or is exact already. */
static size_t
find_in_piece(const struct snapshot *snapshot, const struct piece *piece, uint32_t uid)
{
	size_t low = piece->first, high = piece->behind;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (snapshot_at(snapshot, middle)->uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == piece->behind || snapshot_at(snapshot, low)->uid != uid ||
	    snapshot_at(snapshot, low)->exact)
		return 0;
	return low;
}

static int
note_counted(struct sizing *s, struct snapshot *snapshot, size_t number,
    const struct sized_sink *w, struct error *e)
{
	uint64_t octets = octet_count_end(&w->count);

	if (snapshot_set_exact(snapshot, number, octets) != 0)
		return error_set(e, ERR_PROTOCOL, "more octets than can be counted");
	if (s->listing->is_kept)
		learn(s, snapshot_at(snapshot, number)->uid, octets);
	return 0;
}

/* By one command. */
static int
count_batch(struct sizing *s, struct snapshot *snapshot, const struct piece *piece,
    uint64_t *octets, struct error *e)
{
	struct imap *imap = s->listing->link->imap;
	struct sized_sink w = { { sized_begin, sized_chunk }, NULL, true, 0, { 0 } };
	uint64_t announced;
	size_t number;
	uint32_t uid;
	int rc;

	rc = imap_batch_open(imap, piece->uids.ranges, piece->uids.count, 0, e);
	while (rc == 0 && (rc = imap_batch_next(imap, &uid, &announced, e)) == 0 && uid != 0) {
		if ((number = find_in_piece(snapshot, piece, uid)) == 0)
			continue;
		w.count = (struct octet_count){ 0 };
		if ((rc = imap_batch_take(imap, &w.sink, e)) == 0)
			rc = note_counted(s, snapshot, number, &w, e);
		*octets += announced;
	}
	return rc;
}

/* One by one: what did not come as it should. */
static int
count_rest(struct sizing *s, struct snapshot *snapshot, const struct piece *piece, struct error *e)
{
	struct imap *imap = s->listing->link->imap;
	int rc;

	for (size_t number = piece->first; number < piece->behind; number++) {
		struct sized_sink w = { { sized_begin, sized_chunk }, NULL, true, 0, { 0 } };
		const struct snapshot_message *m = snapshot_at(snapshot, number);

		if (m->exact)
			continue;
		rc = imap_fetch(imap, m->uid, &w.sink, e);
		if (rc != 0 && imap_is_dead(imap))
			return rc;
		if (rc == 0 && (rc = note_counted(s, snapshot, number, &w, e)) != 0)
			return rc;
	}
	return 0;
}

int
sizing_measure(struct sizing *s, struct snapshot *snapshot, struct error *e)
{
	size_t first = 1;
	uint64_t octets = 0;
	int rc = 0;

	while (rc == 0 && first <= snapshot_count(snapshot)) {
		struct piece piece;

		rc = next_piece(snapshot, first, &piece, e);
		if (rc == 0 && piece.uids.count > 0 &&
		    (rc = count_batch(s, snapshot, &piece, &octets, e)) == 0)
			rc = count_rest(s, snapshot, &piece, e);
		first = piece.behind;
		uidset_clear(&piece.uids);
		if (rc == 0 && (s->count >= KEEP_MESSAGES || octets >= KEEP_OCTETS)) {
			octets = 0;
			if (amend(s, NULL) == ERR_CANCELLED)
				rc = error_set(e, ERR_CANCELLED, "cancelled");
		}
	}
	/* Also what was counted before the server was lost. */
	if (rc != ERR_CANCELLED && s->count > 0 && amend(s, NULL) == ERR_CANCELLED)
		rc = error_set(e, ERR_CANCELLED, "cancelled");
	return rc;
}
