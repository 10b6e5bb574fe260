/* commit.c - see commit.h. */
#include "gateway/commit.h"

#include <stdio.h>
#include <time.h>

#include "base/failpoint.h"
#include "gateway/removal.h"

static uint32_t
uidvalidity_of(const struct commit *c)
{
	return snapshot_uidvalidity(c->snapshot, c->part);
}

/* Selects the mailbox, on a connection that works. */
static int
turn_to_mailbox(const struct commit *c, struct error *e)
{
	return mailbox_link_turn(c->link, c->maildrop.mailbox, uidvalidity_of(c), e);
}

/* \Seen is a courtesy: failing to set it must not cost the deletion. */
static void
mark_seen(const struct commit *c, const struct uidset *ours)
{
	static const struct uidset none = { 0 };
	struct mailbox_link *link = c->link;
	bool stays =
	    link->upstream->delete == DELETION_KEEP || link->upstream->delete == DELETION_MARK;
	struct uidset retrieved = { 0 }, seen = { 0 };
	struct error e = { 0 };
	size_t at = 0, count;
	int rc;

	if (link->upstream->mark_seen != MARK_SEEN_RETR)
		return;
	if ((rc = snapshot_retrieved_uids(c->snapshot, c->part, &retrieved)) == 0)
		rc = uidset_subtract(&retrieved, stays ? &none : ours, &seen);
	if (rc == 0 && seen.count > 0)
		rc = turn_to_mailbox(c, &e);
	for (; rc == 0 && link->mailbox.seen_permanent && at < seen.count; at += count) {
		count = uidset_batch(&seen, at, DELETION_SET_OCTETS);
		rc = imap_store(
		    link->imap, seen.ranges + at, count, IMAP_FLAGS_ADD, IMAP_FLAG_SEEN, &e);
	}
	if (rc != 0)
		log_error(link->log, LOG_LEVEL_WARNING, link->session_id,
		    "retrieved messages could not be marked \\Seen", &e, NULL);
	uidset_clear(&retrieved);
	uidset_clear(&seen);
}

/* A mailbox that lets us do it, behind a connection that works. */
static int
prepare(const struct commit *c, struct error *e)
{
	int rc;

	if ((rc = turn_to_mailbox(c, e)) != 0)
		return rc;
	if (!removal_possible(c->link->upstream, &c->link->mailbox))
		return error_set(e, ERR_READ_ONLY, "the mailbox is read-only now");
	return 0;
}

/* An entry for the journal. UIDs are those of the session's snapshot, and so is their UIDVALIDITY,
 * whatever a new connection has selected meanwhile. */
static struct journal_entry
make_entry(const struct commit *c, enum journal_task task, const char *how)
{
	struct journal_entry entry = {
		.uidvalidity = uidvalidity_of(c),
		.task = task,
		.begun = (int64_t) time(NULL),
		.flagged_before = *c->flagged_before,
	};

	snprintf(entry.how, sizeof(entry.how), "%s", how);
	return entry;
}

/* Before the server hears of OURS. */
static int
write_intent(const struct commit *c, const struct uidset *ours, const char *how, int64_t *id,
    struct error *e)
{
	struct journal_entry entry = make_entry(c, JOURNAL_REMOVE, how);
	int rc;

	entry.ours = *ours;
	if ((rc = FAILPOINT_ERROR("quit.before_intent", e)) != 0)
		return rc;
	if (c->journal != NULL &&
	    (rc = journal_begin(c->journal, &c->maildrop, &entry, id, e)) != 0) {
		error_prefix(e, "journal");
		return rc;
	}
	return FAILPOINT_ERROR("quit.after_intent", e);
}

static void
strike_out(const struct commit *c, int64_t id)
{
	struct error e = { 0 };
	int rc;

	if ((rc = FAILPOINT_ERROR("quit.before_done", &e)) == 0 && c->journal != NULL)
		rc = journal_end(c->journal, id, &e);
	if (rc == 0)
		rc = FAILPOINT_ERROR("quit.after_done", &e);
	/* The next session will look again, and find nothing to do. */
	if (rc != 0)
		log_error(c->link->log, LOG_LEVEL_WARNING, c->link->session_id,
		    "a finished deletion could not be struck out of the journal", &e, NULL);
}

/* The client will be told that its messages were not removed: from here on nobody may finish. False
 * where the journal could not be told. */
static bool
note_undo(const struct commit *c, struct removal *r)
{
	struct error e = { 0 };

	if (c->journal == NULL)
		return false;
	for (int attempt = 0; attempt < 2; attempt++) {
		if (journal_change(c->journal, r->entry, JOURNAL_UNDO, &r->lifted, &e) == 0) {
			r->task = JOURNAL_UNDO;
			return true;
		}
	}
	log_error(c->link->log, LOG_LEVEL_ERROR, c->link->session_id,
	    "the journal does not know that a deletion has failed", &e, NULL);
	return false;
}

/* BEGUN is less than the entry says, and is what the next session shall take back. */
static void
leave_for_later(
    const struct commit *c, const struct removal *r, const struct uidset *begun, const char *how)
{
	struct journal_entry entry = make_entry(c, JOURNAL_UNDO, how);
	struct error e = { 0 };
	int64_t id;

	entry.ours = *begun;
	entry.lifted = r->lifted;
	if (journal_begin(c->journal, &c->maildrop, &entry, &id, &e) == 0)
		strike_out(c, r->entry);
}

/* Takes our marks off BEGUN, or leaves that to the next session. */
static void
take_back(const struct commit *c, struct removal *r, const struct uidset *begun, const char *how)
{
	bool noted = note_undo(c, r);
	struct error e = { 0 };
	int rc;

	if (mailbox_link_is_lost(c->link))
		rc = error_set(&e, ERR_CLOSED, "the connection is lost");
	else
		rc = removal_undo(r, begun, &e);
	if (rc == ERR_CANCELLED)
		return;
	if (rc == 0 && r->lifted.count == 0) {
		strike_out(c, r->entry);
		return;
	}
	log_error(c->link->log, noted ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR, c->link->session_id,
	    noted ? "flags of a failed deletion are left for the next session to take back"
		  : "flags of a failed deletion are left behind",
	    &e, LOG_FIELDS(LOG_NUMBER("messages", uidset_size(begun))));
	if (noted)
		leave_for_later(c, r, begun, how);
}

/* The removal ended with RC. What was begun and did not come to its end is taken back as far as
 * possible. */
static void
settle(const struct commit *c, struct removal *r, int rc, const struct uidset *remaining,
    const char *how)
{
	struct uidset begun = { 0 };

	/* Nobody got an answer, and no call here would succeed: the next session finishes. */
	if (rc == ERR_CANCELLED)
		return;
	/* Without memory for less, all that was touched. */
	if (rc != 0 && !r->left &&
	    (rc != ERR_INCOMPLETE || uidset_intersect(&r->touched, remaining, &begun) != 0)) {
		uidset_clear(&begun);
		begun = r->touched;
		r->touched = (struct uidset){ 0 };
	}
	if (begun.count > 0 || r->lifted.count > 0)
		take_back(c, r, &begun, how);
	else
		strike_out(c, r->entry);
	uidset_clear(&begun);
}

static int
remove_marked(const struct commit *c, const struct uidset *ours, struct deletion_result *result,
    struct error *e)
{
	struct removal r = {
		.link = c->link,
		.flagged_before = c->flagged_before,
		.journal = c->journal,
		.task = JOURNAL_REMOVE,
	};
	struct uidset remaining = { 0 };
	char how[JOURNAL_HOW_MAX];
	int rc;

	if ((rc = prepare(c, e)) != 0)
		return rc;
	removal_describe(c->link->upstream, imap_capabilities(c->link->imap), how);
	r.keyword = removal_keyword(how);
	if ((rc = write_intent(c, ours, how, &r.entry, e)) != 0)
		return rc;
	rc = removal_run(&r, ours, &remaining, e);
	if (rc == 0 || rc == ERR_INCOMPLETE)
		result->remaining = uidset_size(&remaining);
	settle(c, &r, rc, &remaining, how);
	uidset_clear(&remaining);
	removal_clear(&r);
	return rc;
}

int
commit_run(const struct commit *c, struct deletion_result *result, struct error *e)
{
	struct uidset ours = { 0 };
	int rc;

	*result = (struct deletion_result){ 0 };
	if ((rc = snapshot_marked_uids(c->snapshot, c->part, &ours)) != 0) {
		rc = error_set(e, rc, "no memory for the set of marked messages");
		goto out;
	}
	result->marked = result->remaining = uidset_size(&ours);
	mark_seen(c, &ours);
	if (c->link->upstream->delete == DELETION_KEEP)
		result->remaining = 0;
	else if (ours.count > 0)
		rc = remove_marked(c, &ours, result, e);
	if (rc != 0 && rc != ERR_CANCELLED)
		log_error(c->link->log, LOG_LEVEL_WARNING, c->link->session_id, "deletion failed",
		    e,
		    LOG_FIELDS(LOG_TEXT("mailbox", c->maildrop.mailbox),
			LOG_NUMBER("marked", result->marked),
			LOG_NUMBER("remaining", result->remaining)));
out:
	uidset_clear(&ours);
	return rc;
}
