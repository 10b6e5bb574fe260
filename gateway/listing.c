/* listing.c - see listing.h.
 *
 * The numbers that SELECT told are the truth that is looked for. UIDs are only added, from UIDNEXT
 * on, so all that can have happened to a mailbox since it was listed is that some of the messages
 * went and others came. If what is taken of the old listing and the new messages below UIDNEXT are
 * as many as SELECT told, they are the mailbox. If not, everything is listed. */
#include "gateway/listing.h"

#include <stdlib.h>

#include "gateway/index_store.h"
#include "mapping/index.h"

enum { INDEX_WORTH = 100 }; /* messages, below which a listing costs less than a file */

struct run {
	const struct listing *listing;
	struct snapshot **snapshot;
	struct uidset *flagged_before;
	uint32_t *flagged; /* the same, in the order of the server */
	size_t flagged_count, flagged_room;
	struct uidset hidden;  /* bear the keyword of delete = mark */
	struct uidset deleted; /* flagged \Deleted, where flags do not come with the listing */
	uint32_t first;	       /* UIDs below are known already */
	struct index_writer writer;
	struct index_place place;
	unsigned char *kept; /* the old index; NULL: there is none of use */
	struct index_reader reader;
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
	r->flagged_count = 0;
	index_writer_clear(&r->writer);
	r->first = 1;
	if (snapshot_new(
		mailbox->uidvalidity, upstream_of(r)->uidl, mailbox->exists, r->snapshot) != 0)
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
show(struct run *r, uint32_t uid, uint64_t size, bool deleted)
{
	const struct upstream *upstream = upstream_of(r);
	int rc;

	if ((deleted && upstream->deleted == DELETED_HIDE) || uidset_contains(&r->hidden, uid))
		return 0;
	if (deleted && (rc = note_flagged(r, uid)) != 0)
		return rc;
	return snapshot_add(*r->snapshot, uid, size, (size_t) upstream->max_messages);
}

static int
add_listed(void *ctx, uint32_t uid, uint64_t size, bool deleted)
{
	struct run *r = ctx;

	if (r->place.path != NULL && uid < mailbox_of(r)->uidnext)
		index_add(&r->writer, uid, size);
	return show(r, uid, size, deleted);
}

static int
list_all(struct run *r, struct error *e)
{
	int rc;

	if ((rc = begin(r, e)) != 0)
		return rc;
	if ((rc = imap_list(r->listing->link->imap, add_listed, r, e)) != 0)
		return error_prefix(e, "listing of \"%s\"", upstream_of(r)->mailbox);
	return 0;
}

/* ---- with an index ---- */

/* Only what SELECT told of. */
static int
add_new(void *ctx, uint32_t uid, uint64_t size, bool deleted)
{
	struct run *r = ctx;

	if (uid < r->first || uid >= mailbox_of(r)->uidnext)
		return 0;
	index_add(&r->writer, uid, size);
	return show(r, uid, size, deleted || uidset_contains(&r->deleted, uid));
}

/* The messages of the index, as far as they are among SURVIVORS (NULL: all). */
static int
take_index(struct run *r, const struct uidset *survivors)
{
	uint64_t size;
	uint32_t uid;
	int rc;

	while (index_next(&r->reader, &uid, &size)) {
		if (survivors != NULL && !uidset_contains(survivors, uid))
			continue;
		index_add(&r->writer, uid, size);
		if ((rc = show(r, uid, size, uidset_contains(&r->deleted, uid))) != 0)
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
	const struct index_head *head = &r->reader.head;

	return mailbox->exists == (uint64_t) head->count + (mailbox->uidnext - head->uidnext);
}

/* Puts the mailbox together. *DONE: it is as SELECT told. */
static int
list_changes(struct run *r, bool *done, struct error *e)
{
	struct imap *imap = r->listing->link->imap;
	const struct imap_mailbox *mailbox = mailbox_of(r);
	struct uidset survivors = { 0 };
	bool all = is_without_gaps(r);
	int rc;

	if ((rc = begin(r, e)) != 0 || (rc = imap_search_deleted(imap, &r->deleted, e)) != 0 ||
	    (!all && (rc = imap_search_all(imap, &survivors, e)) != 0))
		goto out;
	r->first = r->reader.head.uidnext;
	if ((rc = take_index(r, all ? NULL : &survivors)) != 0) {
		error_set(e, rc, "the kept listing does not fit");
		goto out;
	}
	if (mailbox->uidnext > r->first)
		rc = imap_list_from(imap, r->first, add_new, r, e);
	*done = rc == 0 && !r->writer.failed && r->writer.count == mailbox->exists;
out:
	uidset_clear(&survivors);
	return rc;
}

/* The index of an earlier session, if the mailbox can have come from it. */
static int
find_index(struct run *r)
{
	const struct imap_mailbox *mailbox = mailbox_of(r);
	const struct listing *l = r->listing;
	const struct upstream *upstream = upstream_of(r);
	const struct index_head *head = &r->reader.head;
	size_t len, most = (size_t) upstream->max_messages * INDEX_MESSAGE_OCTETS + INDEX_HEADER;
	int rc;

	if (!upstream->index_cache || mailbox->uidnext == 0 || mailbox->exists < INDEX_WORTH ||
	    index_store_place(
		l->state_directory, upstream->name, l->user, upstream->mailbox, &r->place) != 0)
		return 0;
	if ((rc = index_store_read(&r->place, most, &r->kept, &len)) != 0 || r->kept == NULL)
		return rc;
	if (index_read(&r->reader, r->kept, len) == 0 && head->owner == r->place.owner &&
	    head->uidvalidity == mailbox->uidvalidity && head->uidnext <= mailbox->uidnext &&
	    mailbox->exists <= (uint64_t) head->count + (mailbox->uidnext - head->uidnext))
		return 0;
	free(r->kept);
	r->kept = NULL;
	return 0;
}

/* Whether the index that was read says what a new one would. */
static bool
is_unchanged(const struct run *r)
{
	const struct imap_mailbox *mailbox = mailbox_of(r);

	return r->kept != NULL && r->reader.head.uidnext == mailbox->uidnext &&
	       r->reader.head.count == mailbox->exists;
}

static int
keep_index(struct run *r)
{
	const struct imap_mailbox *mailbox = mailbox_of(r);
	const struct index_head head = { .owner = r->place.owner,
		.uidvalidity = mailbox->uidvalidity,
		.uidnext = mailbox->uidnext };
	unsigned char *octets;
	size_t len;

	if (r->place.path == NULL || r->writer.count != mailbox->exists ||
	    index_finish(&r->writer, &head, &octets, &len) != 0)
		return 0;
	index_writer_clear(&r->writer);
	return index_store_write(&r->place, octets, len) == ERR_CANCELLED ? ERR_CANCELLED : 0;
}

static int
list(struct run *r, struct error *e)
{
	struct imap *imap = r->listing->link->imap;
	struct error attempt = { 0 };
	bool done = false;
	int rc;

	if ((rc = find_index(r)) != 0)
		return error_set(e, rc, "cancelled");
	if (r->kept != NULL && list_changes(r, &done, &attempt) != 0 && imap_is_dead(imap)) {
		*e = attempt;
		return error_prefix(e, "listing of \"%s\"", upstream_of(r)->mailbox);
	}
	if (done && is_unchanged(r))
		return 0;
	if (!done && (rc = list_all(r, e)) != 0)
		return rc;
	return keep_index(r) == 0 ? 0 : error_set(e, ERR_CANCELLED, "cancelled");
}

int
listing_run(const struct listing *l, struct snapshot **snapshot, struct uidset *flagged_before,
    struct error *e)
{
	const struct upstream *upstream = l->link->upstream;
	const struct imap_mailbox *mailbox = &l->link->mailbox;
	struct run r = { .listing = l, .snapshot = snapshot, .flagged_before = flagged_before };
	int rc = 0;

	if (mailbox->exists > upstream->max_messages)
		return error_set(e, ERR_LIMIT, "%u messages are more than max_messages",
		    (unsigned) mailbox->exists);
	if (upstream->delete == DELETION_MARK && upstream->mark_keyword[0] != '\0' &&
	    mailbox->exists > 0)
		rc = imap_search_keyword(l->link->imap, upstream->mark_keyword, &r.hidden, e);
	if (rc == 0)
		rc = list(&r, e);
	if (rc == 0)
		rc = collect_flagged(&r, e);
	if (rc == 0 && snapshot_seal(*snapshot) != 0)
		rc = error_set(e, ERR_PROTOCOL, "the server gave the same UID to two messages");
	uidset_clear(&r.hidden);
	uidset_clear(&r.deleted);
	index_writer_clear(&r.writer);
	free(r.place.path);
	free(r.kept);
	free(r.flagged);
	return rc;
}
