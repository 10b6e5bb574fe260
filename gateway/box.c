/* box.c - see box.h. */
#include "gateway/box.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/failpoint.h"
#include "gateway/learner.h"
#include "gateway/removal.h"
#include "gateway/replay.h"

static const struct upstream *
upstream_of(const struct box *box)
{
	return box->owner->link->upstream;
}

struct maildrop_key
box_key(const struct box *box)
{
	return (struct maildrop_key){ upstream_of(box)->name, box->owner->user, box->mailbox };
}

int
box_lock(struct box *box, struct error *e)
{
	struct maildrop_key key = box_key(box);
	int rc;

	if ((rc = FAILPOINT_ERROR("lock.take", e)) != 0)
		return rc;
	rc = maildrop_lock_take(box->owner->state_directory, key.upstream, key.user, key.mailbox,
	    &box->lock, e);
	return rc == 0 ? FAILPOINT_ERROR("maildrop.after_lock", e) : rc;
}

/* A further mailbox has other UIDLs than when it is shown alone, or first: the ledger must not take one
 * for the other. No mailbox of a configuration has a control character in its name. */
static int
name_further(struct box *box)
{
	size_t size = strlen(box->mailbox) + sizeof("\001");

	if ((box->remembered = malloc(size)) == NULL)
		return ERR_NO_MEMORY;
	snprintf(box->remembered, size, "%s\001", box->mailbox);
	return uidl_template_mark(upstream_of(box)->uidl, box->mailbox, &box->uidls);
}

/* What UIDLs are made by. The first mailbox has those that it would have alone. */
static int
find_uidls(struct box *box, struct error *e)
{
	const char *mailbox;
	int rc;

	if (box->part > 0 && box->remembered == NULL && name_further(box) != 0)
		return error_set(e, ERR_NO_MEMORY, "no memory for a template of UIDLs");
	mailbox = box->remembered != NULL ? box->remembered : box->mailbox;
	box->recalled.key =
	    (struct maildrop_key){ upstream_of(box)->name, box->owner->user, mailbox };
	box->recalled.template = box->uidls != NULL ? box->uidls : upstream_of(box)->uidl;
	if ((rc = recall_begin(&box->recalled, e)) != 0)
		return rc;
	box->listing.book = box->recalled.book;
	return 0;
}

/* What CODE, of a SELECT that failed, says about the mailbox. One that cannot be had for now must
 * not look empty, or clients forget what they have. */
static bool
is_not_there(const struct box *box, int code)
{
	struct mailbox_link *link = box->owner->link;
	bool there = true;

	if (mailbox_link_is_lost(link))
		return false;
	if (code == ERR_TEMPORARY)
		(void) imap_has_mailbox(link->imap, box->mailbox, &there, NULL);
	return code == ERR_PERMANENT || !there;
}

/* Shows no message of a mailbox that is not there. */
static int
leave_out(struct box *box, struct error *e)
{
	struct mailbox_link *link = box->owner->link;

	log_error(link->log, LOG_LEVEL_INFO, link->session_id,
	    "a mailbox that is not there is left out", e,
	    LOG_FIELDS(LOG_TEXT("mailbox", box->mailbox), LOG_TEXT("user", box->owner->user),
		LOG_TEXT("upstream", link->upstream->name)));
	if (snapshot_new(0, box->listing.book, 0, &box->snapshot) != 0)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	return 0;
}

/* Whether the account has seen nothing yet by popgate, nor has anybody imported anything for it. */
static bool
is_new_account(const struct recalled *m)
{
	return m->is_read && m->found.id == 0 && m->found.before == 0 && m->found.view == 0;
}

/* At a user's first login, UIDLs of the old server; what is then in the ledger is read anew. */
static int
learn(struct box *box, struct error *e)
{
	const struct recall *recall = &box->owner->recall;
	struct mailbox_link *link = box->owner->link;
	const struct upstream *upstream = link->upstream;
	struct error unlearned = { 0 };
	const struct learner learner = { .ledger = recall->ledger,
		.old = upstream->learn_from,
		.account = recall->account,
		.credentials = &link->credentials,
		.key = box->recalled.key,
		.uidvalidity = link->mailbox.uidvalidity,
		.snapshot = box->snapshot,
		.imap = link->imap,
		.timeout_ms = upstream->learn_ms,
		.log = link->log,
		.session_id = link->session_id };
	int rc;

	if (upstream->learn_from == NULL || box->part > 0 || !is_new_account(&box->recalled))
		return 0;
	rc = learner_run(&learner, &unlearned);
	if (rc == ERR_CANCELLED || (rc != 0 && upstream->learn_failure == LEARN_FAILURE_REFUSE)) {
		*e = unlearned;
		error_prefix(e, "learning UIDLs of %s", upstream->learn_from->name);
		return rc == ERR_CANCELLED ? rc : (e->code = ERR_TEMPORARY);
	}
	if (rc != 0)
		log_error(link->log, LOG_LEVEL_WARNING, link->session_id,
		    "UIDLs of the old server could not be learned, and are lost", &unlearned,
		    LOG_FIELDS(LOG_TEXT("user", recall->account)));
	/* What ended the learner may have ended the connection. */
	if ((rc = mailbox_link_restore(link, e)) != 0 || (rc = recall_begin(&box->recalled, e)) != 0)
		return rc;
	return recall_read(recall, &box->recalled, e);
}

/* The mailbox is selected. */
static int
put_right_and_list(struct box *box, struct error *e)
{
	struct mailbox_link *link = box->owner->link;
	struct maildrop_key key = box_key(box);
	bool changed;
	int rc;

	if ((rc = FAILPOINT_ERROR("maildrop.after_select", e)) != 0 ||
	    (rc = replay_run(box->owner->journal, &key, link, &changed, e)) != 0)
		return rc;
	if (changed && (rc = mailbox_link_select(link, box->mailbox, e)) != 0)
		return rc;
	/* The server's answer is on its way meanwhile. */
	if ((rc = recall_read(&box->owner->recall, &box->recalled, e)) != 0 ||
	    (rc = listing_run(&box->listing, &box->snapshot, &box->flagged_before, e)) != 0 ||
	    (rc = learn(box, e)) != 0 ||
	    (rc = recall_complete(&box->owner->recall, &box->recalled, box->snapshot, e)) != 0)
		return rc;
	if (!removal_possible(link->upstream, &link->mailbox))
		snapshot_forbid_marks(box->snapshot);
	sizing_begin(&box->sizing, &box->listing);
	if (link->upstream->size_mode == SIZES_EXACT &&
	    (rc = sizing_measure(&box->sizing, box->snapshot, e)) != 0)
		return error_prefix(e, "counting octets");
	return FAILPOINT_ERROR("maildrop.after_list", e);
}

int
box_begin(struct box *box, struct error *e)
{
	int rc;

	box->listing = (struct listing){
		.link = box->owner->link,
		.state_directory = box->owner->state_directory,
		.user = box->owner->user,
		.mailbox = box->mailbox,
	};
	if ((rc = find_uidls(box, e)) != 0)
		return rc;
	if ((rc = listing_begin(&box->listing)) != 0)
		return error_set(e, rc, "cancelled");
	return 0;
}

int
box_open(struct box *box, struct error *e)
{
	struct mailbox_link *link = box->owner->link;
	int rc;

	listing_foresee(&box->listing);
	rc = mailbox_link_select(link, box->mailbox, e);
	if (rc != 0 && box->part > 0 && is_not_there(box, rc))
		return leave_out(box, e);
	return rc == 0 ? put_right_and_list(box, e) : rc;
}

void
box_forget(struct box *box)
{
	sizing_end(&box->sizing, NULL);
	listing_clear(&box->listing);
	uidset_clear(&box->flagged_before);
	snapshot_free(box->snapshot);
	box->snapshot = NULL;
}

void
box_close(struct box *box, const struct snapshot *snapshot)
{
	struct uidset gone = { 0 };

	if (snapshot != NULL && box->removed &&
	    snapshot_marked_uids(snapshot, box->part, &gone) != 0)
		uidset_clear(&gone);
	sizing_end(&box->sizing, &gone);
	uidset_clear(&gone);
	box_forget(box);
	recall_end(&box->recalled);
	uidl_template_free(box->uidls);
	box->uidls = NULL;
	free(box->remembered);
	box->remembered = NULL;
}

void
box_unlock(struct box *box)
{
	maildrop_lock_release(box->lock);
	box->lock = NULL;
}
