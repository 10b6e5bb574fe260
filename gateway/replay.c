/* replay.c - see replay.h. */
#include "gateway/replay.h"

#include <time.h>

#include "base/failpoint.h"
#include "gateway/removal.h"

/* What a killed process had sent may still be on its way: the kernel goes on for as long as TCP
 * does not give up (tcp_retries2 in tcp(7): 15 minutes). */
enum { SETTLED_SECONDS = 15 * 60 };

struct replay {
	struct journal *journal;
	struct mailbox_link *link;
	const struct journal_entry *entry;
	struct removal removal;
	bool kept; /* the entry is for later sessions, too */
};

static void
log_replay(const struct replay *p, const char *message, uint64_t messages, uint64_t of)
{
	log_event(p->link->log, LOG_LEVEL_WARNING, p->link->session_id, message,
	    LOG_FIELDS(LOG_TEXT("upstream", p->link->upstream->name),
		LOG_NUMBER("messages", messages), LOG_NUMBER("of", of)));
}

/* Takes our flags back from FLAGGED. */
static int
take_back(struct replay *p, const struct uidset *flagged, struct error *e)
{
	int rc;

	if ((rc = removal_undo(&p->removal, flagged, e)) == 0)
		log_replay(p, "flags of a failed deletion were taken back", uidset_size(flagged),
		    uidset_size(&p->entry->ours));
	return rc;
}

/* Whether flags of the entry may still come. A clock that was set back makes no entry young for
 * ever. */
static bool
is_young(const struct journal_entry *entry)
{
	int64_t age = (int64_t) time(NULL) - entry->begun;

	return age > -SETTLED_SECONDS && age < SETTLED_SECONDS;
}

/* What came of an unanswered QUIT, of which FLAGGED were just removed. Messages that are there and
 * not flagged may be flagged yet, so the entry stays for a while. */
static int
conclude(struct replay *p, const struct uidset *flagged, struct error *e)
{
	struct uidset untouched = { 0 };
	int rc = 0;

	if (is_young(p->entry))
		rc = removal_look(&p->removal, &p->entry->ours, false, &untouched, e);
	p->kept = untouched.count > 0;
	uidset_clear(&untouched);
	if (rc == 0)
		log_replay(p,
		    flagged->count > 0 ? "an interrupted deletion was finished"
		    : p->kept ? "an interrupted deletion was dropped for now: nothing is flagged"
			      : "an interrupted deletion was dropped: nothing is flagged",
		    uidset_size(flagged), uidset_size(&p->entry->ours));
	return rc;
}

/* Removes FOUND, which are flagged: the client said QUIT and was never answered. What others had
 * flagged before is left alone: nobody knows whether we came to flag it, too. */
static int
finish(struct replay *p, const struct uidset *found, struct error *e)
{
	struct uidset flagged = { 0 }, remaining = { 0 };
	int rc = 0;

	if (uidset_subtract(found, &p->entry->flagged_before, &flagged) != 0)
		rc = error_set(e, ERR_NO_MEMORY, "no memory for a set of messages");
	else if (flagged.count > 0 && p->link->upstream->delete != DELETION_MARK)
		rc = removal_run(&p->removal, &flagged, &remaining, e);
	if (rc == 0)
		rc = conclude(p, &flagged, e);
	uidset_clear(&flagged);
	uidset_clear(&remaining);
	return rc;
}

/* Finishing failed while the connection works: as if the client had been told so. */
static int
give_up(struct replay *p, const struct uidset *flagged, struct error *e)
{
	log_error(p->link->log, LOG_LEVEL_WARNING, p->link->session_id,
	    p->removal.left
		? "an interrupted deletion cannot be finished; its flags stay"
		: "an interrupted deletion cannot be finished; its flags are taken back",
	    e, NULL);
	return p->removal.left ? 0 : removal_undo(&p->removal, flagged, e);
}

/* Returns 0 when the entry is settled. */
static int
work_off(struct replay *p, struct error *e)
{
	const struct journal_entry *entry = p->entry;
	struct uidset flagged = { 0 };
	int rc;

	if ((rc = removal_look(&p->removal, &entry->ours, true, &flagged, e)) != 0)
		goto out;
	if (entry->task == JOURNAL_UNDO) {
		rc = take_back(p, &flagged, e);
		goto out;
	}
	rc = finish(p, &flagged, e);
	if (rc != 0 && rc != ERR_CANCELLED && !mailbox_link_is_lost(p->link))
		rc = give_up(p, &flagged, e);
out:
	uidset_clear(&flagged);
	return rc;
}

/* Flags of others come first, whatever may be done about ours. */
static int
restore_lifted(struct replay *p, struct error *e)
{
	if (uidset_add_set(&p->removal.lifted, &p->entry->lifted) != 0)
		return error_set(e, ERR_NO_MEMORY, "no memory for a set of messages");
	return removal_restore_lifted(&p->removal, e);
}

/* One entry. What the server refuses for good is not tried at every login. */
static int
replay_entry(struct replay *p, bool *changed, struct error *e)
{
	int rc = 0;

	if (p->entry->uidvalidity != p->link->mailbox.uidvalidity) {
		log_replay(p, "an interrupted deletion was dropped: UIDVALIDITY has changed", 0,
		    uidset_size(&p->entry->ours));
	} else if ((rc = restore_lifted(p, e)) != 0) {
		*changed = true;
	} else if (!removal_possible(p->link->upstream, &p->link->mailbox) ||
		   p->link->upstream->delete == DELETION_KEEP) {
		log_replay(p, "an interrupted deletion was dropped: nothing may be deleted here", 0,
		    uidset_size(&p->entry->ours));
	} else {
		*changed = true;
		rc = work_off(p, e);
	}
	if (rc == ERR_CANCELLED || rc == ERR_NO_MEMORY || mailbox_link_is_lost(p->link))
		return rc;
	if (rc != 0)
		log_error(p->link->log, LOG_LEVEL_ERROR, p->link->session_id,
		    rc == ERR_PERMANENT
			? "an interrupted deletion was given up; messages may be left flagged"
			: "an interrupted deletion is left to a later session",
		    e, NULL);
	if (rc == 0 && p->kept)
		return 0;
	return rc == 0 || rc == ERR_PERMANENT ? journal_end(p->journal, p->entry->id, e) : 0;
}

static void
log_trouble(const struct mailbox_link *link, const struct error *e)
{
	log_error(link->log, LOG_LEVEL_ERROR, link->session_id,
	    "the journal of deletions cannot be read as a whole: what is unfinished stays", e,
	    NULL);
}

int
replay_run(struct journal *journal, const struct journal_key *maildrop, struct mailbox_link *link,
    bool *changed, struct error *e)
{
	struct journal_entry *entries = NULL;
	size_t count = 0;
	int rc;

	*changed = false;
	if (journal == NULL)
		return 0;
	if ((rc = journal_pending(journal, maildrop, &entries, &count, e)) == ERR_TEMPORARY) {
		log_trouble(link, e);
		rc = 0; /* what could be read counts */
	}
	for (size_t i = 0; i < count && rc == 0; i++) {
		struct replay p = {
			.journal = journal,
			.link = link,
			.entry = &entries[i],
			.removal = { .link = link,
			    .flagged_before = &entries[i].flagged_before,
			    .journal = journal,
			    .entry = entries[i].id,
			    .task = entries[i].task },
		};

		if ((rc = FAILPOINT_ERROR("replay.before", e)) == 0)
			rc = replay_entry(&p, changed, e);
		removal_clear(&p.removal);
		if (rc == 0)
			rc = FAILPOINT_ERROR("replay.after", e);
		/* Only the journal itself, then: the entry is seen again next time. */
		if (rc == ERR_TEMPORARY && !mailbox_link_is_lost(link)) {
			log_trouble(link, e);
			rc = 0;
		}
	}
	journal_entries_free(entries, count);
	return rc;
}
