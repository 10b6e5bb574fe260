/* maildrop.c - see maildrop.h. */
#include "gateway/maildrop.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/failpoint.h"
#include "gateway/commit.h"
#include "gateway/gatekeeper.h"
#include "gateway/listing.h"
#include "gateway/mailbox_link.h"
#include "gateway/maildrop_lock.h"
#include "gateway/removal.h"
#include "gateway/replay.h"
#include "gateway/retrieval.h"
#include "gateway/sizing.h"

enum { AHEAD_MS = 10000 }; /* for how long messages wait that were fetched ahead */

struct maildrop {
	const struct maildrop_context *context;
	bool counted; /* in the census, as a session of its user */
	struct maildrop_lock *lock;
	struct mailbox_link link;
	bool committed; /* QUIT has done all that it was to do */
	struct listing listing;
	struct sizing sizing;
	struct snapshot *snapshot;
	bool removed; /* the marked messages are gone from the mailbox */
	struct retrieval retrieval;
	struct uidset
	    flagged_before; /* messages shown although somebody had flagged them \Deleted */
	char name[];	    /* of the user, as the server knows it */
};

/* Frees all but the connection. */
static void
maildrop_free(struct maildrop *m)
{
	retrieval_end(&m->retrieval);
	listing_clear(&m->listing);
	snapshot_free(m->snapshot);
	uidset_clear(&m->flagged_before);
	maildrop_lock_release(m->lock);
	if (m->counted)
		census_leave_user(m->context->census, m->context->seat);
	free(m);
}

/* What the session found out goes into the kept listing, while the lock is held. */
static void
keep_findings(struct maildrop *m)
{
	struct uidset gone = { 0 };

	if (!m->removed || snapshot_marked_uids(m->snapshot, &gone) == 0)
		sizing_end(&m->sizing, &gone);
	else
		sizing_end(&m->sizing, NULL);
	uidset_clear(&gone);
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
	keep_findings(m);
	maildrop_free(m);
}

static struct journal_key
journal_key(const struct maildrop *m)
{
	const struct maildrop_context *context = m->context;

	return (struct journal_key){ context->upstream->name, m->name, context->mailbox };
}

/* Counts the session against its user's share. Only after the login: who cannot log in must not use
 * up anybody's. */
static int
enter_census(struct maildrop *m, const char *user, struct error *e)
{
	const struct maildrop_context *context = m->context;
	int rc;

	if (context->census == NULL)
		return 0;
	rc = census_enter_user(context->census, context->seat, context->upstream->name, user);
	if (rc == 0) {
		m->counted = true;
		return 0;
	}
	if (rc == ERR_LIMIT)
		return error_set(e, rc, "the user has max_sessions_per_user sessions already");
	return error_set(e, ERR_NO_MEMORY, "out of memory");
}

/* Selects the mailbox, puts right what an earlier session left, lists. */
static int
select_and_list(struct maildrop *m, struct error *e)
{
	struct journal_key key = journal_key(m);
	bool changed;
	int rc;

	m->listing = (struct listing){
		.link = &m->link,
		.state_directory = m->context->state_directory,
		.user = m->name,
	};
	if ((rc = listing_begin(&m->listing)) != 0)
		return error_set(e, rc, "cancelled");
	if ((rc = mailbox_link_select(&m->link, e)) != 0 ||
	    (rc = FAILPOINT_ERROR("maildrop.after_select", e)) != 0 ||
	    (rc = replay_run(m->context->journal, &key, &m->link, &changed, e)) != 0)
		return rc;
	if (changed && (rc = mailbox_link_select(&m->link, e)) != 0)
		return rc;
	if ((rc = listing_run(&m->listing, &m->snapshot, &m->flagged_before, e)) != 0)
		return rc;
	sizing_begin(&m->sizing, &m->listing);
	if (m->context->upstream->size_mode == SIZES_EXACT &&
	    (rc = sizing_measure(&m->sizing, m->snapshot, e)) != 0)
		return error_prefix(e, "counting octets");
	return FAILPOINT_ERROR("maildrop.after_list", e);
}

/* A connection that an earlier session left may fail in whatever way, and is no reason for a failure:
 * then there is a new one. */
static int
fill(struct maildrop *m, const struct credentials *c, struct error *e)
{
	struct error left = { 0 };
	int rc;

	if (!m->link.was_kept)
		return select_and_list(m, e);
	rc = select_and_list(m, &left);
	if (rc == 0 || rc == ERR_CANCELLED || rc == ERR_LIMIT || rc == ERR_NO_MEMORY) {
		*e = left;
		return rc;
	}
	sizing_end(&m->sizing, NULL);
	listing_clear(&m->listing);
	if ((rc = mailbox_link_open_anew(&m->link, c, e)) != 0)
		return rc;
	return select_and_list(m, e);
}

static int
take_lock(struct maildrop *m, struct error *e)
{
	const struct maildrop_context *context = m->context;
	int rc;

	if ((rc = FAILPOINT_ERROR("lock.take", e)) != 0)
		return rc;
	rc = maildrop_lock_take(context->state_directory, context->upstream->name, m->name,
	    context->mailbox, &m->lock, e);
	return rc == 0 ? FAILPOINT_ERROR("maildrop.after_lock", e) : rc;
}

/* A maildrop for USER, with nothing behind it yet; NULL without memory. */
static struct maildrop *
maildrop_new(const struct maildrop_context *context, const char *user)
{
	size_t size = strlen(user) + 1;
	struct maildrop *m;

	if ((m = calloc(1, sizeof(*m) + size)) == NULL)
		return NULL;
	m->context = context;
	m->link.upstream = context->upstream;
	m->link.mailbox_name = context->mailbox;
	m->link.config = context->config;
	m->link.reuse = context->reuse;
	m->link.log = context->log;
	m->link.session_id = context->session_id;
	m->link.client = context->client;
	memcpy(m->name, user, size);
	return m;
}

/* What the server calls the user of C, for the log: where it is not the account's name. */
static const char *
login_of(const struct maildrop_context *context, const struct credentials *c)
{
	return strcmp(context->account, c->user) != 0 ? c->user : NULL;
}

/* The user does not say who was at the mailbox. */
static void
log_master(const struct maildrop_context *context, const struct credentials *c)
{
	bool certificate = c->kind == CREDENTIALS_CERTIFICATE;

	if (c->master == NULL && !certificate)
		return;
	log_event(context->log, LOG_LEVEL_INFO, context->session_id, "logged in for another user",
	    LOG_FIELDS(LOG_TEXT("user", context->account), LOG_TEXT("login", login_of(context, c)),
		LOG_TEXT("master", certificate ? context->upstream->master.user : c->master),
		LOG_TEXT("by", certificate ? "client certificate" : "password"),
		LOG_TEXT("client", context->client_address),
		LOG_TEXT("upstream", context->upstream->name)));
}

static int
maildrop_open(void *ctx, const struct credentials *c, struct pop3_maildrop *out, struct error *e)
{
	const struct maildrop_context *context = ctx;
	const struct upstream *upstream = context->upstream;
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
	    (rc = enter_census(m, c->user, e)) != 0 || (rc = take_lock(m, e)) != 0 ||
	    (rc = fill(m, c, e)) != 0)
		goto fail;
	mailbox_link_opened(&m->link);
	log_master(context, c);
	m->retrieval.link = &m->link;
	m->retrieval.snapshot = m->snapshot;
	m->retrieval.pool = context->pool;
	out->handle = m;
	out->snapshot = m->snapshot;
	out->may_delete = removal_possible(upstream, &m->link.mailbox);
	return 0;
fail:
	log_error(context->log,
	    rc == ERR_AUTH || rc == ERR_IN_USE ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
	    context->session_id, "login failed", e,
	    LOG_FIELDS(LOG_TEXT("user", context->account), LOG_TEXT("login", login_of(context, c)),
		LOG_TEXT("master", c->master), LOG_TEXT("client", context->client_address),
		LOG_TEXT("upstream", upstream->name)));
	mailbox_link_close(&m->link);
	sizing_end(&m->sizing, NULL);
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
	struct sized_sink sized;
	int rc;

	rc = retrieve(m, &wanted, sizing_watch(&m->sizing, &sized, sink), e);
	sizing_note(&m->sizing, message, &sized, rc);
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

static int
maildrop_commit(void *handle, struct deletion_result *result, struct error *e)
{
	struct maildrop *m = handle;
	int rc;
	const struct commit commit = {
		.link = &m->link,
		.journal = m->context->journal,
		.maildrop = journal_key(m),
		.snapshot = m->snapshot,
		.flagged_before = &m->flagged_before,
	};

	rc = commit_run(&commit, result, e);
	m->committed = rc == 0;
	m->removed = rc == 0 && (m->context->upstream->delete == DELETION_REMOVE ||
				    m->context->upstream->delete == DELETION_TRASH);
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
