/* maildrop.c - see maildrop.h. */
#include "gateway/maildrop.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/failpoint.h"
#include "gateway/admission.h"
#include "gateway/box.h"
#include "gateway/commit.h"
#include "gateway/gatekeeper.h"
#include "gateway/learning.h"
#include "gateway/mailbox_link.h"
#include "gateway/retrieval.h"
#include "gateway/spelling.h"

enum { AHEAD_MS = 10000 }; /* for how long messages wait that were fetched ahead */

struct maildrop {
	const struct maildrop_context *context;
	bool counted; /* in the census, as a session of its user */
	struct mailbox_link link;
	struct box_owner owner; /* of the boxes */
	struct box *boxes;	/* box N is part N of the snapshot */
	size_t box_count;
	struct learning learning;
	struct spelling *spelling; /* of names in the ledger; NULL: as they are said */
	bool committed; /* QUIT has done all that it was to do */
	struct snapshot *snapshot;
	struct retrieval retrieval;
	char name[]; /* of the user, as the server knows it */
};

/* Ends all but the connection. The locks go last. */
static void
maildrop_free(struct maildrop *m)
{
	retrieval_end(&m->retrieval);
	for (size_t i = 0; i < m->box_count; i++)
		box_close(&m->boxes[i], m->snapshot);
	snapshot_free(m->snapshot);
	for (size_t i = 0; i < m->box_count; i++)
		box_unlock(&m->boxes[i]);
	free(m->boxes);
	free(m->spelling);
	if (m->counted)
		census_leave_user(m->context->census, m->context->seat);
	free(m);
}

/* What the ledger is told of, where it is asked: parts of the snapshot. *COUNT is set; NULL without
 * memory. */
static struct ledger_part *
ledger_parts(const struct maildrop *m, size_t *count)
{
	struct ledger_part *parts = calloc(m->box_count, sizeof(*parts));

	*count = 0;
	for (size_t i = 0; i < m->box_count && parts != NULL; i++)
		if (m->boxes[i].recalled.is_read)
			parts[(*count)++] =
			    recall_part(&m->boxes[i].recalled, m->snapshot, i);
	return parts;
}

/* From here on clients may hold messages to be what they are called now. */
static int
remember(struct maildrop *m, struct error *e)
{
	struct ledger_part *parts;
	size_t count, at = 0;
	int rc;

	if ((parts = ledger_parts(m, &count)) == NULL)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	rc = recall_show(&m->owner.recall, parts, count, e);
	for (size_t i = 0; i < m->box_count && rc == 0; i++)
		if (m->boxes[i].recalled.is_read)
			m->boxes[i].recalled.found = parts[at++].found;
	free(parts);
	return rc;
}

/* What the session has removed its client has not lost. */
static void
remember_removed(struct maildrop *m)
{
	const struct maildrop_context *context = m->context;
	struct error e = { 0 };
	struct ledger_part *parts;
	bool removed = false;
	size_t count;

	for (size_t i = 0; i < m->box_count; i++)
		removed = removed || m->boxes[i].removed;
	if (!removed || snapshot_marked(m->snapshot) == 0 ||
	    (parts = ledger_parts(m, &count)) == NULL)
		return;
	if (count > 0 &&
	    ledger_removed(context->ledger, m->owner.recall.account, parts, count, &e) != 0)
		log_error(context->log, LOG_LEVEL_WARNING, context->session_id,
		    "what was shown last is not up to date in the state store", &e, NULL);
	free(parts);
}

static void
maildrop_close(void *handle)
{
	struct maildrop *m = handle;

	/* The connection goes first: once the lock is free, another session may open the mailbox at
	 * any moment. */
	if (m->committed)
		mailbox_link_leave(&m->link);
	else
		mailbox_link_close(&m->link);
	remember_removed(m);
	maildrop_free(m);
}

/* UIDLs have time where some may be learned yet. */
static int
open_box(struct maildrop *m, struct box *box, struct error *e)
{
	int rc;

	if ((rc = box_open(box, e)) != 0 || (rc = learning_consider(&m->learning, box, e)) != 0 ||
	    (rc = box_list(box, e)) != 0)
		return rc;
	return m->learning.learner != NULL ? 0 : box_complete(box, e);
}

/* Opens all mailboxes. The first comes last: it stays selected, and most is wanted of it. */
static int
open_boxes(struct maildrop *m, struct error *e)
{
	int rc = 0;

	for (size_t i = 0; i < m->box_count && rc == 0; i++)
		rc = box_begin(&m->boxes[i], e);
	for (size_t i = m->box_count; i-- > 0 && rc == 0;)
		rc = open_box(m, &m->boxes[i], e);
	return rc == 0 ? learning_finish(&m->learning, m->boxes, m->box_count, e) : rc;
}

/* A connection that an earlier session left may fail in whatever way, and is no reason for a
 * failure: then there is a new one. */
static int
fill(struct maildrop *m, const struct credentials *c, struct error *e)
{
	struct error left = { 0 };
	int rc;

	if (!m->link.was_kept)
		return open_boxes(m, e);
	rc = open_boxes(m, &left);
	if (rc == 0 || rc == ERR_CANCELLED || rc == ERR_LIMIT || rc == ERR_NO_MEMORY) {
		*e = left;
		return rc;
	}
	for (size_t i = 0; i < m->box_count; i++)
		box_forget(&m->boxes[i]);
	if ((rc = mailbox_link_open_anew(&m->link, c, e)) != 0)
		return rc;
	return open_boxes(m, e);
}

/* Puts what the mailboxes hold together to one snapshot. */
static int
join(struct maildrop *m, struct error *e)
{
	size_t max_messages = (size_t) m->context->upstream->max_messages;
	int rc = 0;

	for (size_t i = 0; i < m->box_count && rc == 0; i++) {
		struct snapshot *part = m->boxes[i].snapshot;

		m->boxes[i].snapshot = NULL;
		if (i == 0)
			m->snapshot = part;
		else
			rc = snapshot_append(m->snapshot, part, max_messages);
	}
	if (rc == ERR_LIMIT)
		return error_set(e, rc, "the mailboxes have more than max_messages in all");
	return rc == 0 ? 0 : error_set(e, rc, "the mailboxes cannot be put together");
}

static int
take_locks(struct maildrop *m, struct error *e)
{
	int rc = 0;

	for (size_t i = 0; i < m->box_count && rc == 0; i++)
		rc = box_lock(&m->boxes[i], e);
	return rc;
}

/* A maildrop for USER, with nothing behind it yet; NULL without memory. */
static struct maildrop *
maildrop_new(const struct maildrop_context *context, const char *user)
{
	const struct text_list *mailboxes = context->mailboxes;
	size_t size = strlen(user) + 1;
	struct maildrop *m;

	if ((m = calloc(1, sizeof(*m) + size)) == NULL)
		return NULL;
	if ((m->boxes = calloc(mailboxes->count, sizeof(*m->boxes))) == NULL) {
		free(m);
		return NULL;
	}
	m->context = context;
	m->link.upstream = context->upstream;
	m->link.config = context->config;
	m->link.reuse = context->reuse;
	m->link.log = context->log;
	m->link.session_id = context->session_id;
	m->link.client = context->client;
	memcpy(m->name, user, size);
	m->owner = (struct box_owner){ .link = &m->link,
		.user = m->name,
		.ledger_user = m->name,
		.state_directory = context->state_directory,
		.journal = context->journal,
		.recall = { .link = &m->link,
		    .ledger = context->upstream->uidl_ledger ? context->ledger : NULL,
		    .account = context->account,
		    .client_address = context->client_address } };
	for (size_t i = 0; i < mailboxes->count; i++)
		m->boxes[i] = (struct box){
			.owner = &m->owner, .mailbox = mailboxes->items[i], .part = i
		};
	m->box_count = mailboxes->count;
	m->learning.is_needless = context->is_folder;
	return m;
}

/* Finds out what the ledger calls the account. */
static int
spell(struct maildrop *m, struct error *e)
{
	struct recall *recall = &m->owner.recall;
	int rc;

	if (recall->ledger == NULL)
		return 0;
	rc = spelling_find(recall->ledger, recall->account, m->name, m->link.upstream->name,
	    &m->spelling, e);
	if (rc == 0 && m->spelling != NULL) {
		recall->account = m->spelling->account;
		m->owner.ledger_user = m->spelling->user;
	}
	return rc;
}

static int
maildrop_open(void *ctx, const struct credentials *c, struct pop3_maildrop *out, struct error *e)
{
	const struct maildrop_context *context = ctx;
	struct maildrop *m;
	int rc;

	if ((m = maildrop_new(context, c->user)) == NULL)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	if ((rc = mailbox_link_open(&m->link, c, e)) != 0)
		goto fail;
	/* Listing may take long, and others wait. But of a kept connection nothing is known yet. */
	if (context->visit != NULL && !m->link.was_kept)
		gatekeeper_tell(context->visit, 0);
	if ((rc = FAILPOINT_ERROR("maildrop.after_login", e)) != 0 ||
	    (rc = admission_enter_census(context, c->user, &m->counted, e)) != 0 ||
	    (rc = take_locks(m, e)) != 0 || (rc = spell(m, e)) != 0 ||
	    (rc = fill(m, c, e)) != 0 || (rc = join(m, e)) != 0 ||
	    (rc = remember(m, e)) != 0)
		goto fail;
	mailbox_link_opened(&m->link);
	admission_log_master(context, c);
	m->retrieval.link = &m->link;
	m->retrieval.snapshot = m->snapshot;
	m->retrieval.mailboxes = context->mailboxes->items;
	m->retrieval.pool = context->pool;
	out->handle = m;
	out->snapshot = m->snapshot;
	return 0;
fail:
	admission_log_failure(context, c, rc, e);
	learning_end(&m->learning); /* it may be at work on the connection */
	mailbox_link_close(&m->link);
	maildrop_free(m);
	return rc;
}

static void
maildrop_refused(void *ctx, const char *user, const struct error *e)
{
	const struct maildrop_context *context = ctx;

	log_error(context->log, LOG_LEVEL_INFO, context->session_id, "login failed", e,
	    LOG_FIELDS(LOG_TEXT("user", user), LOG_TEXT("client", context->client_address)));
}

/* A failure of a message is worth a line of its own: the summary at the end of the session keeps
 * only the last one. */
static void
log_message_failure(const struct maildrop *m, uint32_t uid, const struct error *e)
{
	log_error(m->context->log, LOG_LEVEL_WARNING, m->context->session_id,
	    "message not delivered", e,
	    LOG_FIELDS(LOG_NUMBER("uid", uid), LOG_TEXT("upstream", m->context->upstream->name)));
}

static int
retrieve(struct maildrop *m, const struct wanted *w, struct octet_sink *sink, struct error *e)
{
	int rc = retrieval_run(&m->retrieval, w, sink, e);

	if (rc != 0 && rc != ERR_CANCELLED)
		log_message_failure(m, w->message->uid, e);
	return rc;
}

static int
maildrop_retrieve(
    void *handle, const struct snapshot_message *message, struct octet_sink *sink, struct error *e)
{
	const struct wanted wanted = { .message = message };
	struct maildrop *m = handle;
	struct sizing *sizing = &m->boxes[message->part].sizing;
	struct sized_sink sized;
	int rc;

	rc = retrieve(m, &wanted, sizing_watch(sizing, &sized, sink), e);
	sizing_note(sizing, message, &sized, rc);
	return rc;
}

static int
maildrop_retrieve_part(void *handle, const struct snapshot_message *message, uint64_t offset,
    uint32_t octets, struct octet_sink *sink, struct error *e)
{
	const struct wanted wanted = { message, true, offset, octets };

	return retrieve(handle, &wanted, sink, e);
}

/* What was asked for ahead waits in the socket, and a server does not wait for ever to get rid of
 * it. */
static uint64_t
maildrop_patience(void *handle)
{
	const struct maildrop *m = handle;
	uint64_t ms = m->context->upstream->keepalive_ms;

	return retrieval_is_ahead(&m->retrieval) && ms > AHEAD_MS ? AHEAD_MS : ms;
}

/* A server that has given us up is no harm before something is wanted of it. */
static int
maildrop_keepalive(void *handle, struct error *e)
{
	struct maildrop *m = handle;
	int rc;

	if (mailbox_link_is_lost(&m->link))
		return 0;
	if (retrieval_is_ahead(&m->retrieval))
		rc = retrieval_forget(&m->retrieval, e);
	else
		rc = imap_noop(m->link.imap, e);
	if (rc == ERR_CANCELLED ||
	    (mailbox_link_is_lost(&m->link) && !m->context->upstream->reconnect))
		return rc;
	if (!mailbox_link_is_lost(&m->link))
		return 0; /* it may say NO as long as it is there */
	log_error(m->context->log, LOG_LEVEL_INFO, m->context->session_id,
	    "the connection to the mail server is lost", e, NULL);
	return 0;
}

/* The box whose mailbox is selected. */
static size_t
selected_box(const struct maildrop *m)
{
	for (size_t i = 1; i < m->box_count; i++)
		if (strcmp(m->boxes[i].mailbox, m->link.mailbox_name) == 0)
			return i;
	return 0;
}

static int
commit_box(struct maildrop *m, struct box *box, struct deletion_result *result, struct error *e)
{
	const struct upstream *upstream = m->context->upstream;
	const struct commit commit = {
		.link = &m->link,
		.journal = m->context->journal,
		.maildrop = box_key(box),
		.snapshot = m->snapshot,
		.part = box->part,
		.flagged_before = &box->flagged_before,
	};
	int rc;

	rc = commit_run(&commit, result, e);
	box->removed = rc == 0 && (upstream->delete == DELETION_REMOVE ||
				      upstream->delete == DELETION_TRASH);
	return rc;
}

/* Mailbox by mailbox, beginning with the one that is selected. That one of them fails is no reason
 * to leave messages in the others; that the server is lost is. */
static int
maildrop_commit(void *handle, struct deletion_result *result, struct error *e)
{
	struct maildrop *m = handle;
	size_t first = selected_box(m);
	int rc = 0;

	result->marked = result->remaining = snapshot_marked(m->snapshot);
	for (size_t i = 0; i < m->box_count; i++) {
		struct box *box = &m->boxes[(first + i) % m->box_count];
		struct deletion_result part;
		struct error failure = { 0 };
		int code = commit_box(m, box, &part, &failure);

		result->remaining -= part.marked - part.remaining;
		if (code != 0 && rc == 0) {
			rc = code;
			*e = failure;
		}
		if (code != 0 && (code == ERR_CANCELLED || mailbox_link_is_lost(&m->link)))
			break;
	}
	m->committed = rc == 0;
	return rc;
}

const struct pop3_backend maildrop_backend = {
	.open = maildrop_open,
	.refused = maildrop_refused,
	.retrieve = maildrop_retrieve,
	.retrieve_part = maildrop_retrieve_part,
	.patience = maildrop_patience,
	.keepalive = maildrop_keepalive,
	.commit = maildrop_commit,
	.close = maildrop_close,
};
