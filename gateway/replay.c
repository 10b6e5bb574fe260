/* replay.c - see replay.h. */
#include "gateway/replay.h"

#include <string.h>
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
log_replay(const struct replay *p, const char *message, uint64_t messages)
{
	log_event(p->link->log, LOG_LEVEL_WARNING, p->link->session_id, message,
	    LOG_FIELDS(LOG_TEXT("upstream", p->link->upstream->name),
		LOG_NUMBER("messages", messages), LOG_NUMBER("of", uidset_size(&p->entry->ours))));
}

/* A clock that was set back makes no entry young for ever. */
static bool
is_young(const struct journal_entry *entry)
{
	int64_t age = (int64_t) time(NULL) - entry->begun;

	return age > -SETTLED_SECONDS && age < SETTLED_SECONDS;
}

static int
change_task(struct replay *p, enum journal_task task, struct error *e)
{
	int rc = journal_change(p->journal, p->entry->id, task, &p->removal.lifted, e);

	if (rc == 0)
		p->removal.task = task;
	return rc;
}

/* Takes back the flags that there are of ours. */
static int
take_back(struct replay *p, const struct uidset *flagged, struct error *e)
{
	int rc;

	if ((rc = removal_undo(&p->removal, flagged, e)) != 0)
		return rc;
	p->kept = p->entry->task == JOURNAL_LATE;
	if (flagged->count > 0 || !p->kept)
		log_replay(p, "flags of a failed deletion were taken back", uidset_size(flagged));
	return 0;
}

/* What came of an unanswered QUIT, of which FLAGGED were just removed. Messages that are there and
 * not flagged may be flagged yet; the entry stays for a while to take that back. */
static int
conclude(struct replay *p, const struct uidset *flagged, struct error *e)
{
	struct uidset untouched = { 0 };
	int rc = 0;

	if (is_young(p->entry) &&
	    (rc = removal_look(&p->removal, &p->entry->ours, false, &untouched, e)) == 0 &&
	    untouched.count > 0) {
		rc = change_task(p, JOURNAL_LATE, e);
		p->kept = true;
	}
	uidset_clear(&untouched);
	log_replay(p,
	    flagged->count > 0 ? "an interrupted deletion was finished"
	    : p->kept	       ? "an interrupted deletion was dropped for now: nothing is flagged"
			       : "an interrupted deletion was dropped: nothing is flagged",
	    uidset_size(flagged));
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

/* Removes FOUND, which are flagged: the client said QUIT and was never answered. What others had
 * flagged before is left alone: nobody knows whether we came to flag it, too. There is one attempt:
 * a server that breaks over it must not break every later login. */
static int
finish(struct replay *p, const struct uidset *found, struct error *e)
{
	struct uidset flagged = { 0 }, remaining = { 0 };
	int rc;

	if ((rc = change_task(p, JOURNAL_UNDO, e)) != 0)
		return rc;
	if (uidset_subtract(found, &p->entry->flagged_before, &flagged) != 0)
		rc = error_set(e, ERR_NO_MEMORY, "no memory for a set of messages");
	else if (flagged.count > 0)
		rc = removal_run(&p->removal, &flagged, &remaining, e);
	if (rc == 0)
		rc = conclude(p, &flagged, e);
	else if (rc != ERR_CANCELLED && !mailbox_link_is_lost(p->link))
		rc = give_up(p, &flagged, e);
	uidset_clear(&flagged);
	uidset_clear(&remaining);
	return rc;
}

/* Whether an unanswered QUIT may still be carried out: by the policy of its time, if that is
 * today's. */
static bool
may_finish(const struct replay *p)
{
	const struct upstream *upstream = p->link->upstream;

	return p->entry->task == JOURNAL_REMOVE && strcmp(p->entry->how, "expunge") == 0 &&
	       (upstream->delete == DELETION_REMOVE || upstream->delete == DELETION_TRASH) &&
	       removal_possible(upstream, &p->link->mailbox);
}

/* Whether the entry is about a mark that was to stay, and still is. */
static bool
is_marked_for_good(const struct replay *p)
{
	char how[JOURNAL_HOW_MAX];

	removal_describe(p->link->upstream, imap_capabilities(p->link->imap), how);
	return p->entry->task == JOURNAL_REMOVE && strncmp(how, "mark", 4) == 0 &&
	       strcmp(p->entry->how, how) == 0;
}

/* Flags of others come first, whatever may be done about ours. */
static int
restore_lifted(struct replay *p, struct error *e)
{
	if (uidset_add_set(&p->removal.lifted, &p->entry->lifted) != 0)
		return error_set(e, ERR_NO_MEMORY, "no memory for a set of messages");
	return removal_restore_lifted(&p->removal, e);
}

/* Returns 0 when the entry is settled, or kept. */
static int
work_off(struct replay *p, struct error *e)
{
	const struct journal_entry *entry = p->entry;
	struct uidset flagged = { 0 };
	int rc;

	p->removal.keyword = removal_keyword(entry->how);
	if ((rc = restore_lifted(p, e)) != 0)
		return rc;
	if (strcmp(entry->how, "move") == 0 || is_marked_for_good(p)) {
		log_replay(p, "an interrupted deletion was dropped: nothing is left to do", 0);
		return 0;
	}
	if ((rc = removal_look(&p->removal, &entry->ours, true, &flagged, e)) == 0)
		rc = may_finish(p) ? finish(p, &flagged, e) : take_back(p, &flagged, e);
	uidset_clear(&flagged);
	return rc;
}

/* One entry. What the server refuses for good is not tried at every login. */
static int
replay_entry(struct replay *p, bool *changed, struct error *e)
{
	int rc = 0;

	if (p->entry->uidvalidity != p->link->mailbox.uidvalidity) {
		log_replay(p, "an interrupted deletion was dropped: UIDVALIDITY has changed", 0);
	} else if (p->link->mailbox.read_only) {
		log_replay(p, "an interrupted deletion waits: the mailbox is read-only", 0);
		return 0;
	} else if (p->entry->task != JOURNAL_LATE || is_young(p->entry)) {
		*changed = true;
		rc = work_off(p, e);
	}
	if (rc == ERR_CANCELLED || rc == ERR_NO_MEMORY || mailbox_link_is_lost(p->link))
		return rc;
	if (rc == ERR_PERMANENT && p->removal.lifted.count == 0)
		log_error(p->link->log, LOG_LEVEL_ERROR, p->link->session_id,
		    "an interrupted deletion was given up; messages may be left flagged", e, NULL);
	else if (rc != 0)
		log_error(p->link->log, LOG_LEVEL_ERROR, p->link->session_id,
		    "an interrupted deletion is left to a later session", e, NULL);
	if (p->kept || (rc != 0 && (rc != ERR_PERMANENT || p->removal.lifted.count > 0)))
		return 0;
	return journal_end(p->journal, p->entry->id, e);
}

/* The server broke the connection over what was unfinished. The maildrop can be opened all the
 * same. */
static int
open_anyway(struct mailbox_link *link, struct error *e)
{
	log_error(link->log, LOG_LEVEL_ERROR, link->session_id,
	    "the connection was lost over an interrupted deletion, which is left to a later "
	    "session",
	    e, NULL);
	return mailbox_link_restore(link, e);
}

static void
log_trouble(const struct mailbox_link *link, const struct error *e)
{
	log_error(link->log, LOG_LEVEL_ERROR, link->session_id,
	    "the journal of deletions cannot be read as a whole: what is unfinished stays", e,
	    NULL);
}

int
replay_run(struct journal *journal, const struct maildrop_key *maildrop, struct mailbox_link *link,
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
	if (rc != 0 && rc != ERR_CANCELLED && rc != ERR_NO_MEMORY && mailbox_link_is_lost(link))
		rc = open_anyway(link, e);
	return rc;
}
