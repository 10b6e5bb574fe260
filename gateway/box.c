/* box.c - see box.h. */
#include "gateway/box.h"

#include "base/failpoint.h"
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

/* What UIDLs are made by. The first mailbox has those that it would have alone. */
static int
find_uidls(struct box *box, struct error *e)
{
	const struct upstream *upstream = upstream_of(box);
	int rc;

	if (box->name.remembered == NULL &&
	    part_name_set(&box->name, upstream, box->mailbox, box->part) != 0)
		return error_set(e, ERR_NO_MEMORY, "no memory for a template of UIDLs");
	box->recalled.key =
	    (struct maildrop_key){ upstream->name, box->owner->ledger_user, box->name.remembered };
	box->recalled.template = box->name.template;
	if ((rc = recall_begin(&box->recalled, e)) != 0)
		return rc;
	box->listing.book = box->recalled.book;
	return 0;
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

/* The mailbox is selected. */
static int
put_right(struct box *box, struct error *e)
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
	return recall_read(&box->owner->recall, &box->recalled, e);
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
	if (rc != 0 && box->part > 0 && part_is_absent(link->imap, box->mailbox, rc))
		return leave_out(box, e);
	return rc == 0 ? put_right(box, e) : rc;
}

int
box_list(struct box *box, struct error *e)
{
	struct mailbox_link *link = box->owner->link;
	int rc;

	if (box->snapshot != NULL) /* left out */
		return 0;
	if ((rc = listing_run(&box->listing, &box->snapshot, &box->flagged_before, e)) != 0)
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
box_complete(struct box *box, struct error *e)
{
	return recall_complete(&box->owner->recall, &box->recalled, box->snapshot, e);
}

int
box_turn(const struct box *box, struct error *e)
{
	return mailbox_link_turn(
	    box->owner->link, box->mailbox, snapshot_uidvalidity(box->snapshot, 0), e);
}

int
box_recall(struct box *box, struct error *e)
{
	int rc;

	if (!box->recalled.is_read)
		return 0;
	if ((rc = box_turn(box, e)) != 0 || (rc = recall_begin(&box->recalled, e)) != 0 ||
	    (rc = recall_read(&box->owner->recall, &box->recalled, e)) != 0)
		return rc;
	return box_complete(box, e);
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
	part_name_clear(&box->name);
}

void
box_unlock(struct box *box)
{
	maildrop_lock_release(box->lock);
	box->lock = NULL;
}
