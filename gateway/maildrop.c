/* maildrop.c - see maildrop.h. */
#include "gateway/maildrop.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/commit.h"
#include "gateway/maildrop_lock.h"
#include "imapback/imap.h"

#ifndef POPGATE_VERSION
#define POPGATE_VERSION "0"
#endif

struct maildrop {
	const struct maildrop_context *context;
	char *user; /* counted in the census under this name; NULL: not counted */
	struct maildrop_lock *lock;
	struct imap *imap;
	struct imap_mailbox mailbox;
	struct snapshot *snapshot;
	struct uidset
	    flagged_before; /* messages shown although somebody had flagged them \Deleted */
};

/* Frees all but the connection. */
static void
maildrop_free(struct maildrop *m)
{
	snapshot_free(m->snapshot);
	uidset_clear(&m->flagged_before);
	maildrop_lock_release(m->lock);
	if (m->user != NULL)
		census_leave_user(m->context->census, m->context->upstream->name, m->user);
	free(m->user);
	free(m);
}

static void
maildrop_close(void *handle)
{
	struct maildrop *m = handle;

	/* The connection goes first: once the lock is free, another session may open the mailbox at
	 * any moment. */
	imap_logout(m->imap);
	maildrop_free(m);
}

/* Connects, introduces ourselves where that is wanted, logs in. */
static int
connect_and_login(struct maildrop *m, const struct credentials *c, struct error *e)
{
	const struct upstream *upstream = m->context->upstream;
	int rc;

	if ((rc = imap_open(&upstream->imap, &m->imap, e)) != 0)
		return rc;
	if (upstream->send_id) {
		rc = imap_id(m->imap, "popgate", POPGATE_VERSION, NULL, 0, e);
		if (rc != 0 && imap_is_dead(m->imap))
			return rc;
	}
	return imap_login(m->imap, c, e);
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
	if ((m->user = strdup(user)) == NULL)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	if ((rc = census_enter_user(context->census, context->upstream->name, user)) == 0)
		return 0;
	free(m->user);
	m->user = NULL;
	if (rc == ERR_LIMIT)
		return error_set(e, rc, "the user has max_sessions_per_user sessions already");
	return error_set(e, ERR_NO_MEMORY, "out of memory");
}

static int
add_listed(void *ctx, uint32_t uid, uint64_t size, bool deleted)
{
	struct maildrop *m = ctx;
	const struct upstream *upstream = m->context->upstream;
	int rc;

	if (deleted && upstream->deleted == DELETED_HIDE)
		return 0;
	if (deleted && (rc = uidset_add(&m->flagged_before, uid)) != 0)
		return rc;
	return snapshot_add(m->snapshot, uid, size, (size_t) upstream->max_messages);
}

/* Selects the mailbox and fixes what this session sees of it. */
static int
select_and_list(struct maildrop *m, struct error *e)
{
	const struct upstream *upstream = m->context->upstream;
	size_t expected;
	int rc;

	if ((rc = imap_select(m->imap, upstream->mailbox, &m->mailbox, e)) != 0)
		return error_prefix(e, "mailbox \"%s\"", upstream->mailbox);
	if (m->mailbox.exists > upstream->max_messages)
		return error_set(e, ERR_LIMIT, "%u messages are more than max_messages",
		    (unsigned) m->mailbox.exists);
	expected = m->mailbox.exists;
	if ((rc = snapshot_new(m->mailbox.uidvalidity, upstream->uidl, expected, &m->snapshot)) !=
	    0)
		return error_set(
		    e, ERR_NO_MEMORY, "no memory for a maildrop of %zu messages", expected);
	if ((rc = imap_list(m->imap, add_listed, m, e)) != 0)
		return error_prefix(e, "listing of \"%s\"", upstream->mailbox);
	if ((rc = snapshot_seal(m->snapshot)) != 0)
		return error_set(e, ERR_PROTOCOL, "the server gave the same UID to two messages");
	return 0;
}

static int
maildrop_open(void *ctx, const struct credentials *c, struct pop3_maildrop *out, struct error *e)
{
	const struct maildrop_context *context = ctx;
	const struct upstream *upstream = context->upstream;
	struct maildrop *m;
	int rc;

	if ((m = calloc(1, sizeof(*m))) == NULL)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	m->context = context;
	if ((rc = connect_and_login(m, c, e)) != 0)
		goto fail;
	if ((rc = enter_census(m, c->user, e)) != 0)
		goto fail;
	rc = maildrop_lock_take(
	    context->state_directory, upstream->name, c->user, upstream->mailbox, &m->lock, e);
	if (rc != 0)
		goto fail;
	if ((rc = select_and_list(m, e)) != 0)
		goto fail;
	out->handle = m;
	out->snapshot = m->snapshot;
	out->may_delete = !m->mailbox.read_only;
	return 0;
fail:
	log_error(context->log,
	    rc == ERR_AUTH || rc == ERR_IN_USE ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
	    context->session_id, "login failed", e,
	    LOG_FIELDS(LOG_TEXT("user", c->user), LOG_TEXT("client", context->client_address),
		LOG_TEXT("upstream", upstream->name)));
	imap_logout(m->imap);
	maildrop_free(m);
	return rc;
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
maildrop_retrieve(
    void *handle, const struct snapshot_message *message, struct octet_sink *sink, struct error *e)
{
	struct maildrop *m = handle;
	int rc;

	if ((rc = imap_fetch(m->imap, message->uid, sink, e)) != 0 && rc != ERR_CANCELLED)
		log_message_failure(m, message->uid, e);
	return rc;
}

static int
maildrop_retrieve_part(void *handle, const struct snapshot_message *message, uint64_t offset,
    uint32_t octets, struct octet_sink *sink, struct error *e)
{
	struct maildrop *m = handle;
	int rc;

	rc = imap_fetch_part(m->imap, message->uid, offset, octets, sink, e);
	if (rc != 0 && rc != ERR_CANCELLED)
		log_message_failure(m, message->uid, e);
	return rc;
}

static int
maildrop_keepalive(void *handle, struct error *e)
{
	struct maildrop *m = handle;

	return imap_noop(m->imap, e);
}

static int
maildrop_commit(void *handle, struct deletion_result *result, struct error *e)
{
	struct maildrop *m = handle;
	const struct commit commit = {
		.imap = m->imap,
		.upstream = m->context->upstream,
		.mailbox = &m->mailbox,
		.snapshot = m->snapshot,
		.flagged_before = &m->flagged_before,
		.log = m->context->log,
		.session_id = m->context->session_id,
	};

	return commit_run(&commit, result, e);
}

const struct pop3_backend maildrop_backend = {
	.open = maildrop_open,
	.retrieve = maildrop_retrieve,
	.retrieve_part = maildrop_retrieve_part,
	.keepalive = maildrop_keepalive,
	.commit = maildrop_commit,
	.close = maildrop_close,
};
