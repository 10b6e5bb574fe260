/* commit.c - see commit.h. */
#include "gateway/commit.h"

/* One command over a part of a set: a flag change, an expunge, a move, a search. */
typedef int batch_fn(
    const struct commit *c, const struct uidset *batch, void *arg, struct error *e);

/* Calls STEP for SET in pieces that keep a command line short; ends at the first failure. */
static int
for_each_batch(
    const struct commit *c, const struct uidset *set, batch_fn *step, void *arg, struct error *e)
{
	size_t at = 0;
	int rc;

	while (at < set->count) {
		size_t count = uidset_batch(set, at, DELETION_SET_OCTETS);
		const struct uidset batch = { set->ranges + at, count, count };

		if ((rc = step(c, &batch, arg, e)) != 0)
			return rc;
		at += count;
	}
	return 0;
}

struct flag_change {
	enum imap_flag_change change;
	unsigned flags;
};

static int
store_batch(const struct commit *c, const struct uidset *batch, void *arg, struct error *e)
{
	const struct flag_change *change = arg;

	return imap_store(c->imap, batch->ranges, batch->count, change->change, change->flags, e);
}

static int
store_all(const struct commit *c, const struct uidset *set, enum imap_flag_change change,
    unsigned flags, struct error *e)
{
	struct flag_change arg = { change, flags };

	return for_each_batch(c, set, store_batch, &arg, e);
}

static int
search_batch(const struct commit *c, const struct uidset *batch, void *found, struct error *e)
{
	return imap_search_uids(c->imap, batch->ranges, batch->count, found, e);
}

/* Takes back the \Deleted that we set on OURS, but for messages that had it before. Best effort:
 * what fails is logged, and the error that led here stays the one that counts. */
static void
take_flags_back(const struct commit *c, const struct uidset *ours)
{
	struct uidset set = { 0 };
	struct error e = { 0 };
	int rc;

	if (imap_is_dead(c->imap))
		return;
	if ((rc = uidset_subtract(ours, c->flagged_before, &set)) == 0)
		rc = store_all(c, &set, IMAP_FLAGS_REMOVE, IMAP_FLAG_DELETED, &e);
	if (rc != 0)
		log_error(c->log, LOG_LEVEL_WARNING, c->session_id,
		    "messages could not be unflagged after a failed deletion", &e, NULL);
	uidset_clear(&set);
}

/* With UIDPLUS: flag and remove one batch. When it fails the messages of this batch are as they
 * were, as far as the server lets us; earlier batches are gone, later ones untouched. */
static int
uid_expunge_batch(const struct commit *c, const struct uidset *batch, void *arg, struct error *e)
{
	int rc;

	(void) arg;
	rc = imap_store(c->imap, batch->ranges, batch->count, IMAP_FLAGS_ADD, IMAP_FLAG_DELETED, e);
	if (rc == 0)
		rc = imap_uid_expunge(c->imap, batch->ranges, batch->count, e);
	if (rc != 0)
		take_flags_back(c, batch);
	return rc;
}

static int
move_batch(const struct commit *c, const struct uidset *batch, void *arg, struct error *e)
{
	(void) arg;
	return imap_move(c->imap, batch->ranges, batch->count, c->upstream->trash_mailbox, e);
}

/* Others have flagged FOREIGN: takes their flags off, makes sure that only OURS are flagged then,
 * expunges, and puts the flags back whatever happened in between. */
static int
expunge_lifting(const struct commit *c, const struct uidset *ours, const struct uidset *foreign,
    struct error *e)
{
	struct uidset flagged = { 0 }, others = { 0 };
	struct error back = { 0 };
	enum deletion_step step;
	int rc;

	rc = store_all(c, foreign, IMAP_FLAGS_REMOVE, IMAP_FLAG_DELETED, e);
	if (rc == 0)
		rc = imap_search_deleted(c->imap, &flagged, e);
	if (rc == 0)
		rc = deletion_expunge_step(ours, &flagged, DELETION_LEAVE, &step, &others);
	if (rc == 0 && step == DELETION_STEP_EXPUNGE)
		rc = imap_expunge(c->imap, e);
	if (store_all(c, foreign, IMAP_FLAGS_ADD, IMAP_FLAG_DELETED, &back) != 0) {
		log_error(c->log, LOG_LEVEL_ERROR, c->session_id,
		    "\\Deleted flags of other clients could not be restored", &back,
		    LOG_FIELDS(LOG_NUMBER("messages", uidset_size(foreign))));
		if (rc == 0)
			rc = error_set(e, back.code, "%s", back.text);
	}
	uidset_clear(&flagged);
	uidset_clear(&others);
	return rc;
}

/* OURS are flagged: removes them by EXPUNGE as far as nobody else's messages would go too. */
static int
expunge_flagged(const struct commit *c, const struct uidset *ours, struct error *e)
{
	struct uidset flagged = { 0 }, foreign = { 0 };
	enum deletion_step step = DELETION_STEP_LEAVE;
	int rc;

	if ((rc = imap_search_deleted(c->imap, &flagged, e)) != 0)
		goto out;
	rc = deletion_expunge_step(ours, &flagged, c->upstream->without_uidplus, &step, &foreign);
	if (rc != 0)
		goto out;
	if (step == DELETION_STEP_EXPUNGE)
		rc = imap_expunge(c->imap, e);
	else if (step == DELETION_STEP_LIFT)
		rc = expunge_lifting(c, ours, &foreign, e);
	else if (step == DELETION_STEP_LEAVE)
		log_event(c->log, LOG_LEVEL_WARNING, c->session_id,
		    "messages left flagged: the server has no UIDPLUS and others are flagged too",
		    LOG_FIELDS(LOG_NUMBER("ours", uidset_size(ours)),
			LOG_NUMBER("others", uidset_size(&foreign))));
out:
	uidset_clear(&flagged);
	uidset_clear(&foreign);
	return rc;
}

/* Without UIDPLUS: flag all, then EXPUNGE where that is safe. */
static int
remove_by_expunge(const struct commit *c, const struct uidset *ours, struct error *e)
{
	int rc;

	rc = store_all(c, ours, IMAP_FLAGS_ADD, IMAP_FLAG_DELETED, e);
	if (rc == 0)
		rc = expunge_flagged(c, ours, e);
	if (rc != 0)
		take_flags_back(c, ours);
	return rc;
}

static int
remove_messages(
    const struct commit *c, const struct uidset *ours, enum deletion_method method, struct error *e)
{
	switch (method) {
	case DELETION_UID_EXPUNGE:
		return for_each_batch(c, ours, uid_expunge_batch, NULL, e);
	case DELETION_MOVE:
		return for_each_batch(c, ours, move_batch, NULL, e);
	case DELETION_EXPUNGE:
		break;
	}
	return remove_by_expunge(c, ours, e);
}

/* Asks the server which of OURS are still there; they go into REMAINING (empty before). */
static int
verify(const struct commit *c, const struct uidset *ours, struct uidset *remaining, struct error *e)
{
	struct uidset found = { 0 };
	int rc;

	if ((rc = for_each_batch(c, ours, search_batch, &found, e)) == 0)
		rc = uidset_intersect(&found, ours, remaining);
	uidset_clear(&found);
	return rc;
}

/* Removes OURS and finds out what came of it. Whatever the commands said: what counts is what the
 * mailbox holds now. */
static int
remove_and_verify(const struct commit *c, const struct uidset *ours, struct deletion_result *result,
    struct error *e)
{
	unsigned capabilities = imap_capabilities(c->imap);
	const struct deletion_terms terms = {
		.has_uidplus = (capabilities & IMAP_CAP_UIDPLUS) != 0,
		.has_move = (capabilities & IMAP_CAP_MOVE) != 0,
		.has_trash = c->upstream->trash_mailbox[0] != '\0',
		.foreign = c->upstream->without_uidplus,
	};
	enum deletion_method method = deletion_choose(&terms);
	struct uidset remaining = { 0 };
	struct error unverified = { 0 };
	int rc;

	rc = remove_messages(c, ours, method, e);
	if (rc == ERR_CANCELLED)
		return rc;
	if (verify(c, ours, &remaining, &unverified) != 0) {
		if (rc == 0)
			rc = error_set(e, unverified.code, "not verified: %s", unverified.text);
		goto out;
	}
	result->remaining = uidset_size(&remaining);
	if (result->remaining == 0) {
		rc = 0;
		goto out;
	}
	/* The server took the expunge and kept messages: left flagged, they would be hidden without
	 * being gone. */
	if (rc == 0 && method == DELETION_UID_EXPUNGE)
		take_flags_back(c, &remaining);
	if (rc == 0)
		error_set(e, ERR_INCOMPLETE, "the server kept messages");
	else
		e->code = ERR_INCOMPLETE;
	rc = ERR_INCOMPLETE;
out:
	uidset_clear(&remaining);
	return rc;
}

/* \Seen is a courtesy: failing to set it must not cost the deletion. */
static void
mark_seen(const struct commit *c, const struct uidset *ours)
{
	struct uidset retrieved = { 0 }, seen = { 0 };
	struct error e = { 0 };
	int rc;

	if (c->upstream->mark_seen != MARK_SEEN_RETR || !c->mailbox->seen_permanent)
		return;
	if ((rc = snapshot_retrieved_uids(c->snapshot, &retrieved)) == 0 &&
	    (rc = uidset_subtract(&retrieved, ours, &seen)) == 0)
		rc = store_all(c, &seen, IMAP_FLAGS_ADD, IMAP_FLAG_SEEN, &e);
	if (rc != 0)
		log_error(c->log, LOG_LEVEL_WARNING, c->session_id,
		    "retrieved messages could not be marked \\Seen", &e, NULL);
	uidset_clear(&retrieved);
	uidset_clear(&seen);
}

int
commit_run(const struct commit *c, struct deletion_result *result, struct error *e)
{
	struct uidset ours = { 0 };
	int rc;

	result->marked = result->remaining = snapshot_marked(c->snapshot);
	if ((rc = snapshot_marked_uids(c->snapshot, &ours)) != 0) {
		rc = error_set(e, rc, "no memory for the set of marked messages");
		goto out;
	}
	mark_seen(c, &ours);
	if (ours.count > 0)
		rc = remove_and_verify(c, &ours, result, e);
	if (rc != 0 && rc != ERR_CANCELLED)
		log_error(c->log, LOG_LEVEL_WARNING, c->session_id, "deletion failed", e,
		    LOG_FIELDS(LOG_NUMBER("marked", result->marked),
			LOG_NUMBER("remaining", result->remaining)));
out:
	uidset_clear(&ours);
	return rc;
}
