/* learning.c - see learning.h. */
#include "gateway/learning.h"

#include <stdlib.h>

#include "gateway/learner.h"

/* Whether the account has seen nothing yet by popgate, nor has anybody imported anything for it. */
static bool
is_new_account(const struct recalled *m)
{
	return m->found.id == 0 && m->found.before == 0 && m->found.view == 0;
}

static int
begin(struct learning *l, const struct box_owner *owner, struct error *e)
{
	const struct mailbox_link *link = owner->link;
	const struct lesson lesson = { .ledger = owner->recall.ledger,
		.old = link->upstream->learn_from,
		.account = owner->recall.account,
		.credentials = &link->credentials,
		.timeout_ms = link->upstream->learn_ms,
		.log = link->log,
		.session_id = link->session_id };
	int rc = learner_begin(&lesson, &l->learner);

	l->has_begun = true;
	return rc == 0 ? 0 : error_set(e, rc, "no memory to learn UIDLs");
}

int
learning_consider(struct learning *l, const struct box *box, struct error *e)
{
	if (box->owner->link->upstream->learn_from == NULL || !box->recalled.is_read ||
	    l->is_needless)
		return 0;
	if (!is_new_account(&box->recalled)) {
		learning_end(l);
		l->is_needless = true;
		return 0;
	}
	return l->learner != NULL ? 0 : begin(l, box->owner, e);
}

/* For the learner's eyes. */
static int
select_box(void *ctx, size_t mailbox, struct imap **out, struct error *e)
{
	const struct learning *l = ctx;
	const struct box *box = &l->boxes[mailbox];
	int rc = box_turn(box, e);

	*out = box->owner->link->imap;
	return rc;
}

static int
run(struct learning *l, const struct box *boxes, size_t count, struct error *e)
{
	const struct pairing_source source = { select_box, l };
	struct learner_mailbox *mailboxes = calloc(count, sizeof(*mailboxes));
	int rc;

	if (mailboxes == NULL)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < count; i++) {
		mailboxes[i].snapshot = boxes[i].snapshot;
		if (boxes[i].recalled.is_read)
			mailboxes[i].key = boxes[i].recalled.key;
	}
	l->boxes = boxes;
	rc = learner_finish(l->learner, mailboxes, count, &source, e);
	learning_end(l);
	free(mailboxes);
	return rc;
}

/* RC and E are what became of it; returns whether the login may go on. */
static int
judge(const struct box_owner *owner, int rc, const struct error *unlearned, struct error *e)
{
	const struct mailbox_link *link = owner->link;
	const struct upstream *upstream = link->upstream;

	if (rc == ERR_CANCELLED || (rc != 0 && upstream->learn_failure == LEARN_FAILURE_REFUSE)) {
		*e = *unlearned;
		error_prefix(e, "learning UIDLs of %s", upstream->learn_from->name);
		return rc == ERR_CANCELLED ? rc : (e->code = ERR_TEMPORARY);
	}
	if (rc != 0)
		log_error(link->log, LOG_LEVEL_WARNING, link->session_id,
		    "UIDLs of the old server could not be learned, and are lost", unlearned,
		    LOG_FIELDS(LOG_TEXT("user", owner->recall.account)));
	return 0;
}

int
learning_finish(struct learning *l, struct box *boxes, size_t count, struct error *e)
{
	struct error unlearned = { 0 };
	int rc = 0;

	if (!l->has_begun)
		return 0;
	if (l->learner != NULL) {
		rc = run(l, boxes, count, &unlearned);
		rc = judge(boxes[0].owner, rc, &unlearned, e);
	}
	/* The first stays selected. */
	for (size_t i = count; i-- > 0 && rc == 0;)
		rc = box_recall(&boxes[i], e);
	return rc;
}

void
learning_end(struct learning *l)
{
	learner_end(l->learner);
	l->learner = NULL;
}
