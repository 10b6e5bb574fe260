/* dispatch.c - see dispatch.h. */
#include "gateway/dispatch.h"

#include <stdio.h>
#include <string.h>

#include "gateway/client_address.h"
#include "gateway/relay.h"
#include "gateway/state_table.h"
#include "pop3front/sasl.h"

void
dispatch_begin(struct dispatch *d, struct stream *client, struct pop3_settings *settings)
{
	const struct config *config = d->maildrop.config;
	const struct upstream *u;

	d->client = client;
	d->maildrop.upstream = &config->upstreams[0];
	d->maildrop.mailboxes = &d->maildrop.upstream->mailboxes;
	d->maildrop.account = d->account;
	settings->keepalive_ms = d->maildrop.upstream->keepalive_ms;
	settings->mechanisms = 0;
	for (u = config->upstreams; u < config->upstreams + config->upstream_count; u++) {
		settings->mechanisms |= u->auth_mechanisms;
		if (u->master_separator[0] != '\0')
			settings->names.master_separator = u->master_separator[0];
	}
}

void
dispatch_end(struct dispatch *d)
{
	target_clear(&d->target);
}

static void
log_refusal(const struct dispatch *d, const struct credentials *c, const struct error *e)
{
	const struct maildrop_context *m = &d->maildrop;

	if (e->code == ERR_CANCELLED)
		return;
	log_error(m->log, e->code == ERR_TEMPORARY ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
	    m->session_id, "login refused", e,
	    LOG_FIELDS(LOG_TEXT("user", c->user), LOG_TEXT("master", c->master),
		LOG_TEXT("client", m->client_address), LOG_TEXT("upstream", m->upstream->name)));
}

static struct login_target
login_target_of(const struct dispatch *d)
{
	const struct upstream *upstream = d->maildrop.upstream;

	return (struct login_target){
		.upstream = upstream->name,
		.number = (unsigned) (upstream - d->maildrop.config->upstreams),
		.failures_per_minute = upstream->max_failed_logins,
	};
}

/* Which bits of enum sasl_bit stand for what C is. */
static unsigned
mechanisms_of(const struct credentials *c)
{
	switch (c->kind) {
	case CREDENTIALS_XOAUTH2:
		return SASL_XOAUTH2;
	case CREDENTIALS_OAUTHBEARER:
		return SASL_OAUTHBEARER;
	case CREDENTIALS_CERTIFICATE:
		return SASL_EXTERNAL;
	case CREDENTIALS_PASSWORD:
		break;
	}
	return SASL_PASSWORDS;
}

/* Whether the target's upstream allows what any upstream does. */
static int
check_way(const struct dispatch *d, const struct credentials *c, struct error *e)
{
	const struct upstream *upstream = d->target.upstream;

	if ((upstream->auth_mechanisms & mechanisms_of(c)) == 0)
		return error_set(e, ERR_PERMANENT,
		    "the auth_mechanisms of the user's upstream do not allow this login");
	if (c->master != NULL && upstream->master_separator[0] == '\0')
		return error_set(e, ERR_PERMANENT,
		    "the user's upstream has no master_separator");
	return 0;
}

/* Logs in at the target, by what it calls the user. */
static int
open_target(struct dispatch *d, const struct credentials *c, struct pop3_maildrop *out,
    struct error *e)
{
	struct credentials there = *c; /* owns nothing */
	int rc;

	d->maildrop.upstream = d->target.upstream;
	d->maildrop.mailboxes = &d->target.mailboxes;
	d->backend = d->target.upstream->protocol == UPSTREAM_POP3 ? &relay_backend
								   : &maildrop_backend;
	there.user = d->target.login;
	if ((rc = check_way(d, c, e)) != 0) {
		log_refusal(d, c, e);
		return rc;
	}
	if ((rc = d->backend->open(&d->maildrop, &there, out, e)) != 0)
		return rc;
	d->handle = out->handle;
	out->handle = d;
	return 0;
}

/* Whether the login policy lets C through to the target. A certificate was not guessed. */
static int
admit(struct dispatch *d, const struct credentials *c, struct error *e)
{
	const struct login_target target = login_target_of(d);
	int rc;

	if (c->kind == CREDENTIALS_CERTIFICATE)
		return 0;
	rc = gatekeeper_admit(d->gatekeeper, &d->visit, &d->maildrop.client->client, &target, c,
	    d->client, e);
	if (rc != 0)
		log_refusal(d, c, e);
	return rc;
}

/* While mailboxes move, the account's state says whether UPSTREAM or its old server is asked. */
static int
follow_state(struct dispatch *d, const struct upstream **upstream, const struct credentials *c,
    struct error *e)
{
	const struct maildrop_context *m = &d->maildrop;
	enum state_scope source;
	enum user_state state;
	int rc;

	if ((*upstream)->old == NULL)
		return 0;
	if ((rc = state_find(m->ledger, d->account, &state, &source, e)) != 0) {
		log_refusal(d, c, e);
		return rc;
	}
	log_event(m->log, LOG_LEVEL_DEBUG, m->session_id, "state looked up",
	    LOG_FIELDS(LOG_TEXT("user", d->account), LOG_TEXT("state", user_state_name(state)),
		LOG_TEXT("by", state_scope_name(source))));
	if (state == USER_STATE_OLD)
		*upstream = (*upstream)->old;
	return 0;
}

static int
dispatch_open(
    void *ctx, const struct credentials *c, struct pop3_maildrop *out, struct error *e)
{
	struct dispatch *d = ctx;
	const struct upstream *upstream = &d->maildrop.config->upstreams[0];
	int rc;

	memset(&d->visit, 0, sizeof(d->visit));
	snprintf(d->account, sizeof(d->account), "%s", c->user);
	d->maildrop.upstream = upstream;
	if ((rc = follow_state(d, &upstream, c, e)) != 0)
		return rc;
	if ((rc = target_set(&d->target, upstream, c->user, &upstream->mailboxes)) != 0)
		return error_set(e, rc, "out of memory");
	d->maildrop.upstream = d->target.upstream;
	if ((rc = admit(d, c, e)) != 0)
		return rc;
	rc = open_target(d, c, out, e);
	gatekeeper_tell(&d->visit, rc);
	return rc;
}

/* It looks like a wrong password, and counts as one of the address. */
static void
dispatch_refused(void *ctx, const char *user, const struct error *e)
{
	struct dispatch *d = ctx;
	const struct login_target target = login_target_of(d);

	maildrop_backend.refused(&d->maildrop, user, e);
	gatekeeper_refuse(
	    d->gatekeeper, &d->visit, &d->maildrop.client->client, &target, user);
}

static int
dispatch_hold_back(void *ctx, int code)
{
	const struct dispatch *d = ctx;

	(void) code;
	return gatekeeper_hold_back(&d->visit);
}

/* ---- the open maildrop, whatever it is ---- */

static int
dispatch_retrieve(
    void *handle, const struct snapshot_message *m, struct octet_sink *sink, struct error *e)
{
	const struct dispatch *d = handle;

	return d->backend->retrieve(d->handle, m, sink, e);
}

static int
dispatch_retrieve_part(void *handle, const struct snapshot_message *m, uint64_t offset,
    uint32_t octets, struct octet_sink *sink, struct error *e)
{
	const struct dispatch *d = handle;

	return d->backend->retrieve_part(d->handle, m, offset, octets, sink, e);
}

static uint64_t
dispatch_patience(void *handle)
{
	const struct dispatch *d = handle;

	return d->backend->patience(d->handle);
}

static int
dispatch_keepalive(void *handle, struct error *e)
{
	const struct dispatch *d = handle;

	return d->backend->keepalive(d->handle, e);
}

static int
dispatch_commit(void *handle, struct deletion_result *result, struct error *e)
{
	const struct dispatch *d = handle;

	return d->backend->commit(d->handle, result, e);
}

static enum pop3_end
dispatch_pass_on(void *handle, struct pop3_passage *p, struct error *e)
{
	const struct dispatch *d = handle;

	return d->backend->pass_on(d->handle, p, e);
}

static void
dispatch_close(void *handle)
{
	const struct dispatch *d = handle;

	d->backend->close(d->handle);
}

const struct pop3_backend dispatch_backend = {
	.open = dispatch_open,
	.refused = dispatch_refused,
	.hold_back = dispatch_hold_back,
	.retrieve = dispatch_retrieve,
	.retrieve_part = dispatch_retrieve_part,
	.patience = dispatch_patience,
	.keepalive = dispatch_keepalive,
	.commit = dispatch_commit,
	.pass_on = dispatch_pass_on,
	.close = dispatch_close,
};
