/* listing.c - see listing.h.
 *
 * The numbers that SELECT told are the truth that is looked for. UIDs are only added, from UIDNEXT
 * on, so all that can have happened to a mailbox since it was listed is that some of the messages
 * went and others came. If what is taken of the old listing and the new messages below UIDNEXT are
 * as many as SELECT told, they are the mailbox. If not, everything is listed. */
#include "gateway/listing.h"

#include <stdlib.h>

enum { INDEX_WORTH = 100 }; /* messages, below which a listing costs less than a file */

struct run {
	struct listing *listing;
	struct snapshot **snapshot;
	struct uidset *flagged_before;
	uint32_t *flagged; /* the same, in the order of the server */
	size_t flagged_count, flagged_room;
	struct uidset hidden;  /* bear the keyword of delete = mark */
	struct uidset deleted; /* flagged \Deleted, where flags do not come with the listing */
	uint32_t first;	       /* UIDs below are known already */
	struct fresh *fresh;   /* the others, in the order of the server */
	size_t fresh_count, fresh_room;
	bool keeps; /* an index is to be written */
	struct index_writer writer;
};

/* A message that came since the kept listing. */
struct fresh {
	struct index_message message;
	bool deleted;
};

static const struct imap_mailbox *
mailbox_of(const struct run *r)
{
	return &r->listing->link->mailbox;
}

static const struct upstream *
upstream_of(const struct run *r)
{
	return r->listing->link->upstream;
}

/* A snapshot with nothing in it. */
static int
begin(struct run *r, struct error *e)
{
	const struct imap_mailbox *mailbox = mailbox_of(r);

	snapshot_free(*r->snapshot);
	*r->snapshot = NULL;
	uidset_clear(r->flagged_before);
	r->flagged_count = r->fresh_count = 0;
	index_writer_clear(&r->writer);
	r->first = r->listing->asked = 1;
	if (snapshot_new(
		mailbox->uidvalidity, r->listing->book, mailbox->exists, r->snapshot) != 0)
		return error_set(e, ERR_NO_MEMORY, "no memory for a maildrop of %u messages",
		    (unsigned) mailbox->exists);
	return 0;
}

/* A server may list in any order, and a set is built quickly only in one. */
static int
note_flagged(struct run *r, uint32_t uid)
{
	if (r->flagged_count == r->flagged_room) {
		size_t room = r->flagged_room == 0 ? 64 : 2 * r->flagged_room;
		uint32_t *more = realloc(r->flagged, room * sizeof(*more));

		if (more == NULL)
			return ERR_NO_MEMORY;
		r->flagged = more;
		r->flagged_room = room;
	}
	r->flagged[r->flagged_count++] = uid;
	return 0;
}

static int
compare_uids(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *) a, right = *(const uint32_t *) b;

	return (left > right) - (left < right);
}

/* The listing is complete. */
static int
collect_flagged(struct run *r, struct error *e)
{
	if (r->flagged_count > 0)
		qsort(r->flagged, r->flagged_count, sizeof(*r->flagged), compare_uids);
	for (size_t i = 0; i < r->flagged_count; i++)
		if (uidset_add(r->flagged_before, r->flagged[i]) != 0)
			return error_set(
			    e, ERR_NO_MEMORY, "no memory for the messages that others flagged");
	return 0;
}

/* Adds a message of the mailbox to what the session sees, if it is to be seen. */
static int
show(struct run *r, const struct index_message *m, bool deleted)
{
	const struct upstream *upstream = upstream_of(r);
	int rc;

	if ((deleted && upstream->deleted == DELETED_HIDE) || uidset_contains(&r->hidden, m->uid))
		return 0;
	if (deleted && (rc = note_flagged(r, m->uid)) != 0)
		return rc;
	rc = snapshot_add(*r->snapshot, m->uid, m->size, (size_t) upstream->max_messages);
	if (rc != 0 || !m->exact)
		return rc;
	return snapshot_set_exact(*r->snapshot, snapshot_count(*r->snapshot), m->size);
}

static int
add_listed(void *ctx, uint32_t uid, uint64_t size, bool deleted)
{
	const struct index_message m = { uid, size, false };
	struct run *r = ctx;

	if (r->keeps && uid < mailbox_of(r)->uidnext)
		index_add(&r->writer, &m);
	return show(r, &m, deleted);
}

static int
list_all(struct run *r, struct error *e)
{
	int rc;

	if ((rc = begin(r, e)) != 0)
		return rc;
	if ((rc = imap_list(r->listing->link->imap, add_listed, r, e)) != 0)
		return error_prefix(e, "listing of \"%s\"", r->listing->mailbox);
	return 0;
}

/* ---- with an index ---- */

/* Only what SELECT told of. */
static int
note_fresh(void *ctx, uint32_t uid, uint64_t size, bool deleted)
{
	struct run *r = ctx;

	if (uid < r->first || uid >= mailbox_of(r)->uidnext)
		return 0;
	if (r->fresh_count == mailbox_of(r)->exists)
		return ERR_PROTOCOL;
	if (r->fresh_count == r->fresh_room) {
		size_t room = r->fresh_room == 0 ? 16 : 2 * r->fresh_room;
		struct fresh *more = realloc(r->fresh, room * sizeof(*more));

		if (more == NULL)
			return ERR_NO_MEMORY;
		r->fresh = more;
		r->fresh_room = room;
	}
	r->fresh[r->fresh_count++] = (struct fresh){ { uid, size, false }, deleted };
	return 0;
}

static int
compare_fresh(const void *a, const void *b)
{
	const struct fresh *left = a, *right = b;

	return (left->message.uid > right->message.uid) - (left->message.uid < right->message.uid);
}

static int
take_fresh(struct run *r)
{
	int rc = 0;

	if (r->fresh_count > 0)
		qsort(r->fresh, r->fresh_count, sizeof(*r->fresh), compare_fresh);
	for (size_t i = 0; i < r->fresh_count && rc == 0; i++) {
		const struct index_message *m = &r->fresh[i].message;

		index_add(&r->writer, m);
		rc = show(r, m, r->fresh[i].deleted || uidset_contains(&r->deleted, m->uid));
	}
	return rc;
}

/* What became of the messages of the index. */
struct fate {
	bool all_there;
	bool by_gone; /* GONE says what went; else SURVIVORS what is left */
	struct uidset gone, survivors;
};

/* The messages of the index that are there still. */
static int
take_index(struct run *r, const struct fate *fate)
{
	const struct uidset *set = fate->by_gone ? &fate->gone : &fate->survivors;
	size_t at = 0, deleted_at = 0;
	struct index_message m;
	int rc;

	while (index_next(&r->listing->reader, &m)) {
		if (!fate->all_there && uidset_contains_next(set, &at, m.uid) == fate->by_gone)
			continue;
		index_add(&r->writer, &m);
		if ((rc = show(r, &m, uidset_contains_next(&r->deleted, &deleted_at, m.uid))) != 0)
			return rc;
	}
	return 0;
}

/* Nothing went if the index and all UIDs that were given since are as many as there are messages.
 */
static bool
is_without_gaps(const struct run *r)
{
	const struct imap_mailbox *mailbox = mailbox_of(r);
	const struct index_head *head = &r->listing->reader.head;

	return mailbox->exists == (uint64_t) head->count + (mailbox->uidnext - head->uidnext);
}

/* Something went. A server with QRESYNC says what; any other what is left. */
static int
ask_what_went(struct run *r, struct fate *fate, struct error *e)
{
	const struct index_head *head = &r->listing->reader.head;
	struct imap *imap = r->listing->link->imap;
	/* No more ranges can be of use than there are messages, and gaps between them. */
	size_t most = (size_t) head->count + mailbox_of(r)->exists + 1;
	int rc;

	rc = imap_list_vanished(imap, head->uidnext, head->modseq, most, &fate->gone, e);
	fate->by_gone = rc == 0;
	if (rc == 0 || imap_is_dead(imap))
		return rc;
	return imap_search_all(imap, &fate->survivors, e);
}

/* Puts the mailbox together. *DONE: it is as SELECT told. */
static int
list_changes(struct run *r, bool *done, struct error *e)
{
	struct imap *imap = r->listing->link->imap;
	struct fate fate = { .all_there = is_without_gaps(r) };
	int rc;

	if ((rc = begin(r, e)) != 0)
		return rc;
	r->first = r->listing->asked = r->listing->reader.head.uidnext;
	if ((rc = imap_search_deleted(imap, &r->deleted, e)) != 0 ||
	    (mailbox_of(r)->uidnext > r->first &&
		(rc = imap_list_from(imap, r->first, note_fresh, r, e)) != 0) ||
	    (!fate.all_there && (rc = ask_what_went(r, &fate, e)) != 0))
		goto out;
	if ((rc = take_index(r, &fate)) != 0 || (rc = take_fresh(r)) != 0) {
		error_set(e, rc, "the kept listing does not fit");
		goto out;
	}
	*done = !r->writer.failed && r->writer.count == mailbox_of(r)->exists;
out:
	uidset_clear(&fate.gone);
	uidset_clear(&fate.survivors);
	return rc;
}

static void
drop_kept(struct listing *l)
{
	free(l->kept);
	l->kept = NULL;
}

/* Whether an index is worth a file here. One that has learned something always is. */
static bool
is_worth_keeping(const struct run *r)
{
	const struct imap_mailbox *mailbox = mailbox_of(r);

	return r->listing->place.path != NULL && mailbox->uidnext != 0 &&
	       (mailbox->exists >= INDEX_WORTH || upstream_of(r)->size_mode != SIZES_FAST);
}

/* Whether the mailbox can have come from the index of an earlier session. */
static bool
is_successor(const struct imap_mailbox *mailbox, const struct index_head *head)
{
	return mailbox->exists > 0 && head->uidvalidity == mailbox->uidvalidity &&
	       head->uidnext <= mailbox->uidnext &&
	       mailbox->exists <= (uint64_t) head->count + (mailbox->uidnext - head->uidnext);
}

/* What the next index says of the whole. */
static struct index_head
new_head(const struct run *r)
{
	const struct imap_mailbox *mailbox = mailbox_of(r);
	const struct listing *l = r->listing;
	struct index_head head = { .owner = l->place.owner,
		.uidvalidity = mailbox->uidvalidity,
		.uidnext = mailbox->uidnext,
		.modseq = mailbox->modseq };

	if (l->kept == NULL)
		return head;
	/* From an earlier state on a server only tells more than is needed. */
	if (head.modseq == 0)
		head.modseq = l->reader.head.modseq;
	head.estimates = l->reader.head.estimates;
	return head;
}

/* Whether the index that was read says what a new one would. That flags have changed since its
 * MODSEQ is no reason to write. */
static bool
is_unchanged(const struct run *r)
{
	const struct imap_mailbox *mailbox = mailbox_of(r);
	const struct index_head *head = &r->listing->reader.head;

	return r->listing->kept != NULL && head->uidnext == mailbox->uidnext &&
	       head->count == mailbox->exists && (head->modseq != 0 || mailbox->modseq == 0);
}

static int
keep_index(struct run *r)
{
	struct listing *l = r->listing;
	unsigned char *octets;
	size_t len;
	int rc;

	l->head = new_head(r);
	if (!r->keeps || r->writer.count != mailbox_of(r)->exists ||
	    index_finish(&r->writer, &l->head, &octets, &len) != 0)
		return 0;
	index_writer_clear(&r->writer);
	rc = index_store_write(&l->place, octets, len);
	l->is_kept = rc == 0;
	return rc == ERR_CANCELLED ? rc : 0;
}

static int
list(struct run *r, struct error *e)
{
	struct listing *l = r->listing;
	struct error attempt = { 0 };
	bool done = false;
	int rc;

	r->keeps = is_worth_keeping(r);
	if (l->kept != NULL && !r->keeps && index_store_remove(&l->place) == ERR_CANCELLED)
		return error_set(e, ERR_CANCELLED, "cancelled");
	if (l->kept != NULL && (!r->keeps || !is_successor(mailbox_of(r), &l->reader.head)))
		drop_kept(l);
	if (l->kept != NULL && list_changes(r, &done, &attempt) != 0 &&
	    imap_is_dead(l->link->imap)) {
		*e = attempt;
		return error_prefix(e, "listing of \"%s\"", r->listing->mailbox);
	}
	if (done && is_unchanged(r)) {
		l->head = l->reader.head;
		l->is_kept = true;
		return 0;
	}
	if (!done) {
		drop_kept(l);
		if ((rc = list_all(r, e)) != 0)
			return rc;
	}
	return keep_index(r) == 0 ? 0 : error_set(e, ERR_CANCELLED, "cancelled");
}

/* ---- the listing ---- */

static bool
hides_keyword(const struct upstream *upstream)
{
	return upstream->delete == DELETION_MARK && upstream->mark_keyword[0] != '\0';
}

/* Sizes that were counted are not what size_mode = fast is to show. */
static bool
is_of_use(struct listing *l, size_t len)
{
	const struct index_head *head = &l->reader.head;

	return index_read(&l->reader, l->kept, len) == 0 &&
	       head->owner == l->place.owner &&
	       (head->exact == 0 || l->link->upstream->size_mode != SIZES_FAST);
}

/* The index of an earlier session. */
static int
find_index(struct listing *l)
{
	const struct upstream *upstream = l->link->upstream;
	size_t len, most = (size_t) upstream->max_messages * INDEX_MESSAGE_OCTETS + INDEX_HEADER;
	int rc;

	if (!upstream->index_cache || index_store_place(l->state_directory, upstream->name, l->user,
					  l->mailbox, &l->place) != 0)
		return 0;
	if ((rc = index_store_read(&l->place, most, &l->kept, &len)) != 0 || l->kept == NULL)
		return rc;
	if (!is_of_use(l, len))
		drop_kept(l);
	return 0;
}

int
listing_begin(struct listing *l)
{
	int rc;

	if ((rc = find_index(l)) != 0)
		return rc;
	/* Not where the server has not told MODSEQ by itself: VANISHED needs an old one. */
	if (l->kept != NULL && l->reader.head.modseq != 0)
		imap_want_qresync(l->link->imap);
	return 0;
}

void
listing_foresee(struct listing *l)
{
	const struct upstream *upstream = l->link->upstream;
	struct imap *imap = l->link->imap;

	/* One command only: of several behind SELECT, a server may mix the answers (RFC 3501 section
	 * 5.5), and Dovecot does. Nor are new messages asked for before it is known that there are
	 * some: FETCH from UIDNEXT on was seen to take Dovecot a third of a second. */
	if (hides_keyword(upstream))
		imap_foresee_search_keyword(imap, upstream->mark_keyword);
	else if (l->kept == NULL)
		imap_foresee_list_from(imap, 1);
	else
		imap_foresee_search_deleted(imap);
}

int
listing_run(struct listing *l, struct snapshot **snapshot, struct uidset *flagged_before,
    struct error *e)
{
	const struct upstream *upstream = l->link->upstream;
	const struct imap_mailbox *mailbox = &l->link->mailbox;
	struct run r = { .listing = l, .snapshot = snapshot, .flagged_before = flagged_before };
	int rc = 0;

	if (mailbox->exists > upstream->max_messages)
		return error_set(e, ERR_LIMIT, "%u messages are more than max_messages",
		    (unsigned) mailbox->exists);
	if (hides_keyword(upstream) && mailbox->exists > 0)
		rc = imap_search_keyword(l->link->imap, upstream->mark_keyword, &r.hidden, e);
	if (rc == 0)
		rc = list(&r, e);
	if (rc == 0)
		rc = collect_flagged(&r, e);
	if (rc == 0 && snapshot_seal(*snapshot) != 0)
		rc = error_set(e, ERR_PROTOCOL, "the server gave the same UID to two messages");
	drop_kept(l);
	uidset_clear(&r.hidden);
	uidset_clear(&r.deleted);
	index_writer_clear(&r.writer);
	free(r.flagged);
	free(r.fresh);
	return rc;
}

void
listing_clear(struct listing *l)
{
	drop_kept(l);
	free(l->place.path);
	l->place.path = NULL;
}
