/* removal.c - see removal.h. */
#include "gateway/removal.h"

#include <stdio.h>
#include <string.h>

#include "base/failpoint.h"

/* One command over a part of a set: a flag change, an expunge, a move, a search. */
typedef int batch_fn(struct removal *r, const struct uidset *batch, void *arg, struct error *e);

/* What the name of the trash mailbox may take in a command, encoded and quoted. */
static size_t
name_octets(const struct removal *r)
{
	size_t octets = 4 * strlen(r->link->upstream->trash_mailbox);

	return octets > DELETION_SET_OCTETS / 2 ? DELETION_SET_OCTETS / 2 : octets;
}

/* Calls STEP for SET in pieces that keep a command line short; ends at the first failure. */
static int
for_each_batch(
    struct removal *r, const struct uidset *set, batch_fn *step, void *arg, struct error *e)
{
	size_t room = DELETION_SET_OCTETS - name_octets(r), at = 0;
	int rc;

	while (at < set->count) {
		size_t count = uidset_batch(set, at, room);
		const struct uidset batch = { set->ranges + at, count, count };

		if ((rc = step(r, &batch, arg, e)) != 0)
			return rc;
		at += count;
	}
	return 0;
}

static int
add_all(struct uidset *to, const struct uidset *from, struct error *e)
{
	if (uidset_add_set(to, from) == 0)
		return 0;
	return error_set(e, ERR_NO_MEMORY, "no memory for a set of messages");
}

/* ---- flags ---- */

static int
mark_batch(struct removal *r, const struct uidset *batch, void *change, struct error *e)
{
	const enum imap_flag_change *to = change;

	if (r->keyword != NULL)
		return imap_store_keyword(
		    r->link->imap, batch->ranges, batch->count, *to, r->keyword, e);
	return imap_store(r->link->imap, batch->ranges, batch->count, *to, IMAP_FLAG_DELETED, e);
}

static int
set_mark(struct removal *r, const struct uidset *batch, void *arg, struct error *e)
{
	enum imap_flag_change change = IMAP_FLAGS_ADD;
	int rc;

	(void) arg;
	if ((rc = FAILPOINT_ERROR("store.before", e)) != 0 ||
	    (rc = add_all(&r->touched, batch, e)) != 0 ||
	    (rc = mark_batch(r, batch, &change, e)) != 0)
		return rc;
	return FAILPOINT_ERROR("store.after", e);
}

/* Of others: always \Deleted. */
static int
lift_batch(struct removal *r, const struct uidset *batch, void *change, struct error *e)
{
	const enum imap_flag_change *to = change;

	return imap_store(r->link->imap, batch->ranges, batch->count, *to, IMAP_FLAG_DELETED, e);
}

int
removal_restore_lifted(struct removal *r, struct error *e)
{
	enum imap_flag_change change = IMAP_FLAGS_ADD;
	struct error unwritten = { 0 };
	int rc;

	if (r->lifted.count == 0)
		return 0;
	if ((rc = for_each_batch(r, &r->lifted, lift_batch, &change, e)) != 0)
		return rc;
	uidset_clear(&r->lifted);
	if ((rc = FAILPOINT_ERROR("lift.restored", e)) != 0)
		return rc;
	/* Else the flags may be put back once more, whatever their owner has done by then. */
	if (r->journal != NULL &&
	    journal_change(r->journal, r->entry, r->task, &r->lifted, &unwritten) != 0)
		log_error(r->link->log, LOG_LEVEL_WARNING, r->link->session_id,
		    "the journal does not know yet that flags of others were put back", &unwritten,
		    NULL);
	return 0;
}

/* The flags of others first: they are none of our business, and must not wait for ours. */
int
removal_undo(struct removal *r, const struct uidset *set, struct error *e)
{
	static const struct uidset none = { 0 };
	enum imap_flag_change change = IMAP_FLAGS_REMOVE;
	struct uidset ours = { 0 };
	int rc;

	if ((rc = removal_restore_lifted(r, e)) != 0 ||
	    (rc = FAILPOINT_ERROR("unflag.before", e)) != 0)
		return rc;
	if (uidset_subtract(set, r->keyword == NULL ? r->flagged_before : &none, &ours) != 0)
		rc = error_set(e, ERR_NO_MEMORY, "no memory for a set of messages");
	else
		rc = for_each_batch(r, &ours, mark_batch, &change, e);
	uidset_clear(&ours);
	return rc;
}

/* ---- searches ---- */

struct look {
	bool any; /* whether the mark does not matter */
	bool with;
	struct uidset *found;
};

static int
look_batch(struct removal *r, const struct uidset *batch, void *arg, struct error *e)
{
	const struct look *look = arg;

	if (look->any)
		return imap_search_uids(r->link->imap, batch->ranges, batch->count, look->found, e);
	return imap_search_marked(
	    r->link->imap, batch->ranges, batch->count, r->keyword, look->with, look->found, e);
}

/* The members of SET that LOOK finds, added to FOUND. A server may name others, which are none of
 * our business. */
static int
look_among(struct removal *r, const struct uidset *set, struct look *look, struct uidset *found,
    struct error *e)
{
	struct uidset hits = { 0 }, members = { 0 };
	int rc;

	look->found = &hits;
	if ((rc = for_each_batch(r, set, look_batch, look, e)) == 0) {
		if (uidset_intersect(&hits, set, &members) != 0)
			rc = error_set(e, ERR_NO_MEMORY, "no memory for a set of messages");
		else
			rc = add_all(found, &members, e);
	}
	uidset_clear(&hits);
	uidset_clear(&members);
	return rc;
}

int
removal_look(
    struct removal *r, const struct uidset *set, bool with, struct uidset *found, struct error *e)
{
	struct look look = { .with = with };

	return look_among(r, set, &look, found, e);
}

/* Which of OURS are still there; where they are to be marked only, which are not. */
static int
verify(struct removal *r, const struct uidset *ours, struct uidset *remaining, struct error *e)
{
	struct look look = { .any = r->link->upstream->delete != DELETION_MARK };
	int rc;

	if ((rc = FAILPOINT_ERROR("verify.before", e)) != 0 ||
	    (rc = look_among(r, ours, &look, remaining, e)) != 0)
		return rc;
	return FAILPOINT_ERROR("verify.after", e);
}

/* ---- removing ---- */

static int
copy_batch(struct removal *r, const struct uidset *batch, void *arg, struct error *e)
{
	struct uidset missing = { 0 };
	int rc;

	(void) arg;
	if (uidset_subtract(batch, &r->copied, &missing) != 0)
		rc = error_set(e, ERR_NO_MEMORY, "no memory for a set of messages");
	else
		rc = missing.count == 0 ? 0
					: imap_copy(r->link->imap, missing.ranges, missing.count,
					      r->link->upstream->trash_mailbox, e);
	if (rc == 0 && (rc = add_all(&r->copied, &missing, e)) == 0)
		rc = FAILPOINT_ERROR("copy.after", e);
	uidset_clear(&missing);
	return rc;
}

/* With UIDPLUS: flag and remove one batch. */
static int
uid_expunge_batch(struct removal *r, const struct uidset *batch, void *arg, struct error *e)
{
	int rc;

	if ((rc = set_mark(r, batch, arg, e)) != 0 ||
	    (rc = FAILPOINT_ERROR("expunge.before", e)) != 0 ||
	    (rc = imap_uid_expunge(r->link->imap, batch->ranges, batch->count, e)) != 0)
		return rc;
	return FAILPOINT_ERROR("expunge.after", e);
}

static int
move_batch(struct removal *r, const struct uidset *batch, void *arg, struct error *e)
{
	int rc;

	(void) arg;
	if ((rc = FAILPOINT_ERROR("move.before", e)) != 0 ||
	    (rc = imap_move(r->link->imap, batch->ranges, batch->count,
		 r->link->upstream->trash_mailbox, e)) != 0)
		return rc;
	return FAILPOINT_ERROR("move.after", e);
}

static int
expunge(struct removal *r, struct error *e)
{
	int rc;

	if ((rc = FAILPOINT_ERROR("expunge.before", e)) != 0 ||
	    (rc = imap_expunge(r->link->imap, e)) != 0)
		return rc;
	return FAILPOINT_ERROR("expunge.after", e);
}

/* Takes the flag off FOREIGN, which others have set. A crash must not lose it, so the journal knows
 * first. */
static int
lift(struct removal *r, const struct uidset *foreign, struct error *e)
{
	enum imap_flag_change change = IMAP_FLAGS_REMOVE;
	int rc;

	if (r->journal != NULL &&
	    (rc = journal_change(r->journal, r->entry, r->task, foreign, e)) != 0)
		return rc;
	if ((rc = add_all(&r->lifted, foreign, e)) != 0 ||
	    (rc = for_each_batch(r, foreign, lift_batch, &change, e)) != 0)
		return rc;
	return FAILPOINT_ERROR("lift.after", e);
}

/* Others have flagged FOREIGN: takes their flags off, makes sure that only OURS are flagged then,
 * expunges, and puts the flags back whatever happened in between. */
static int
expunge_lifting(
    struct removal *r, const struct uidset *ours, const struct uidset *foreign, struct error *e)
{
	struct uidset flagged = { 0 }, others = { 0 };
	struct error back = { 0 };
	enum deletion_step step;
	int rc;

	rc = lift(r, foreign, e);
	if (rc == 0)
		rc = imap_search_deleted(r->link->imap, &flagged, e);
	if (rc == 0 && deletion_expunge_step(ours, &flagged, DELETION_LEAVE, &step, &others) != 0)
		rc = error_set(e, ERR_NO_MEMORY, "no memory for a set of messages");
	if (rc == 0 && step == DELETION_STEP_EXPUNGE)
		rc = expunge(r, e);
	if (!mailbox_link_is_lost(r->link) && removal_restore_lifted(r, &back) != 0) {
		log_error(r->link->log, LOG_LEVEL_ERROR, r->link->session_id,
		    "\\Deleted flags of other clients are not restored yet", &back,
		    LOG_FIELDS(LOG_NUMBER("messages", uidset_size(&r->lifted))));
		if (rc == 0)
			rc = error_set(e, back.code, "%s", back.text);
	}
	uidset_clear(&flagged);
	uidset_clear(&others);
	return rc;
}

/* OURS are flagged: removes them by EXPUNGE as far as nobody else's messages would go too. */
static int
expunge_flagged(struct removal *r, const struct uidset *ours, struct error *e)
{
	enum deletion_foreign policy = r->link->upstream->without_uidplus;
	struct uidset flagged = { 0 }, foreign = { 0 };
	enum deletion_step step = DELETION_STEP_LEAVE;
	int rc;

	if ((rc = FAILPOINT_ERROR("search.before", e)) != 0 ||
	    (rc = imap_search_deleted(r->link->imap, &flagged, e)) != 0)
		goto out;
	if (deletion_expunge_step(ours, &flagged, policy, &step, &foreign) != 0) {
		rc = error_set(e, ERR_NO_MEMORY, "no memory for a set of messages");
		goto out;
	}
	if (step == DELETION_STEP_EXPUNGE)
		rc = expunge(r, e);
	else if (step == DELETION_STEP_LIFT)
		rc = expunge_lifting(r, ours, &foreign, e);
	r->left = step == DELETION_STEP_LEAVE;
	if (r->left)
		log_event(r->link->log, LOG_LEVEL_WARNING, r->link->session_id,
		    "messages left flagged: the server has no UIDPLUS and others are flagged too",
		    LOG_FIELDS(LOG_NUMBER("ours", uidset_size(ours)),
			LOG_NUMBER("others", uidset_size(&foreign))));
out:
	uidset_clear(&flagged);
	uidset_clear(&foreign);
	return rc;
}

static int
remove_messages(struct removal *r, const struct uidset *ours, struct error *e)
{
	const struct deletion_terms terms =
	    removal_terms(r->link->upstream, imap_capabilities(r->link->imap));
	int rc = 0;

	if (deletion_copies(&terms) && (rc = for_each_batch(r, ours, copy_batch, NULL, e)) != 0)
		return rc;
	switch (deletion_choose(&terms)) {
	case DELETION_UID_EXPUNGE:
		return for_each_batch(r, ours, uid_expunge_batch, NULL, e);
	case DELETION_MOVE:
		return for_each_batch(r, ours, move_batch, NULL, e);
	case DELETION_SET_MARK:
		return for_each_batch(r, ours, set_mark, NULL, e);
	case DELETION_EXPUNGE:
		rc = for_each_batch(r, ours, set_mark, NULL, e);
		return rc == 0 ? expunge_flagged(r, ours, e) : rc;
	case DELETION_NOTHING:
		break;
	}
	return 0;
}

/* Whatever the commands said: what counts is what the mailbox holds now. */
static int
remove_and_verify(
    struct removal *r, const struct uidset *ours, struct uidset *remaining, struct error *e)
{
	struct error unverified = { 0 };
	int rc;

	rc = remove_messages(r, ours, e);
	if (rc == ERR_CANCELLED || mailbox_link_is_lost(r->link))
		return rc != 0 ? rc : error_set(e, ERR_CLOSED, "the connection is lost");
	if (verify(r, ours, remaining, &unverified) != 0) {
		if (rc == 0)
			rc = error_set(e, unverified.code, "not verified: %s", unverified.text);
		return rc;
	}
	if (remaining->count == 0)
		return 0;
	if (rc == 0)
		return error_set(e, ERR_INCOMPLETE, "the server kept messages");
	e->code = ERR_INCOMPLETE;
	return ERR_INCOMPLETE;
}

/* The connection was lost on the way, and nobody knows how far the server came. A new one tells;
 * what is left is tried once more, by UID. */
static int
try_again(struct removal *r, const struct uidset *ours, struct uidset *remaining, struct error *e)
{
	struct uidset left = { 0 };
	int rc;

	r->reconnected = true;
	if ((rc = mailbox_link_restore(r->link, e)) != 0)
		goto out;
	if (!removal_possible(r->link->upstream, &r->link->mailbox)) {
		rc = error_set(e, ERR_READ_ONLY, "the mailbox is read-only now");
		goto out;
	}
	if ((rc = removal_restore_lifted(r, e)) != 0 || (rc = verify(r, ours, &left, e)) != 0)
		goto out;
	rc = left.count == 0 ? 0 : remove_and_verify(r, &left, remaining, e);
out:
	uidset_clear(&left);
	return rc;
}

int
removal_run(struct removal *r, const struct uidset *ours, struct uidset *remaining, struct error *e)
{
	int rc;

	rc = remove_and_verify(r, ours, remaining, e);
	if (rc == 0 || rc == ERR_CANCELLED || r->reconnected || !mailbox_link_is_lost(r->link))
		return rc;
	log_error(r->link->log, LOG_LEVEL_WARNING, r->link->session_id,
	    "the connection was lost during a deletion", e, NULL);
	uidset_clear(remaining);
	return try_again(r, ours, remaining, e);
}

/* ---- terms ---- */

struct deletion_terms
removal_terms(const struct upstream *upstream, unsigned capabilities)
{
	return (struct deletion_terms){
		.has_uidplus = (capabilities & IMAP_CAP_UIDPLUS) != 0,
		.has_move = (capabilities & IMAP_CAP_MOVE) != 0,
		.has_trash = upstream->trash_mailbox[0] != '\0',
		.policy = upstream->delete,
		.foreign = upstream->without_uidplus,
	};
}

void
removal_describe(const struct upstream *upstream, unsigned capabilities, char *how)
{
	const struct deletion_terms terms = removal_terms(upstream, capabilities);

	switch (deletion_choose(&terms)) {
	case DELETION_SET_MARK:
		snprintf(how, JOURNAL_HOW_MAX, "mark%s%s",
		    upstream->mark_keyword[0] != '\0' ? " " : "", upstream->mark_keyword);
		break;
	case DELETION_MOVE:
		snprintf(how, JOURNAL_HOW_MAX, "move");
		break;
	default:
		snprintf(how, JOURNAL_HOW_MAX, "expunge");
	}
}

const char *
removal_keyword(const char *how)
{
	const char *blank = strchr(how, ' ');

	return blank == NULL ? NULL : blank + 1;
}

bool
removal_possible(const struct upstream *upstream, const struct imap_mailbox *mailbox)
{
	switch (upstream->delete) {
	case DELETION_KEEP:
		return true;
	case DELETION_MARK:
		if (upstream->mark_keyword[0] != '\0')
			return mailbox->keywords_permanent;
		break;
	case DELETION_REMOVE:
	case DELETION_TRASH:
		break;
	}
	return mailbox->deleted_permanent;
}

void
removal_clear(struct removal *r)
{
	uidset_clear(&r->touched);
	uidset_clear(&r->copied);
	uidset_clear(&r->lifted);
}
