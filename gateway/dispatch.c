/* dispatch.c - see dispatch.h. */
#include "gateway/dispatch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fiberio/stream.h"
#include "gateway/auth_http.h"
#include "gateway/client_address.h"
#include "gateway/relay.h"
#include "gateway/state_table.h"
#include "gateway/way.h"
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
	credentials_clear(&d->instead);
	free(d->elsewhere);
}

static void
log_refusal_as(const struct dispatch *d, enum log_level level, const struct credentials *c,
    const struct error *e)
{
	const struct maildrop_context *m = &d->maildrop;

	if (e->code == ERR_CANCELLED)
		return;
	log_error(m->log, level, m->session_id, "login refused", e,
	    LOG_FIELDS(LOG_TEXT("user", c->user), LOG_TEXT("master", c->master),
		LOG_TEXT("client", m->client_address), LOG_TEXT("upstream", m->upstream->name)));
}

static void
log_refusal(const struct dispatch *d, const struct credentials *c, const struct error *e)
{
	log_refusal_as(d, e->code == ERR_TEMPORARY ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, c, e);
}

/* UPSTREAM for the login policy, under the NAME by which the way's logins are known: their order may
 * change, and they are the same logins still. */
static struct login_target
server_target(const struct dispatch *d, const struct upstream *upstream, const char *name)
{
	if (d->elsewhere != NULL && upstream == &d->elsewhere->upstream)
		upstream = d->elsewhere->base;
	return (struct login_target){
		.upstream = name,
		.number = (unsigned) (upstream - d->maildrop.config->upstreams),
		.failures_per_minute = upstream->max_failed_logins,
		.budget = LOGIN_AT_SERVER,
	};
}

/* The service of W's route, which may reject as many logins as the first server. */
static struct login_target
service_target(const struct dispatch *d, const struct way *w)
{
	return (struct login_target){
		.upstream = w->route->label,
		.number = (unsigned) (w->route - d->maildrop.config->routes),
		.failures_per_minute = w->upstreams[0]->max_failed_logins,
		.budget = LOGIN_AT_SERVICE,
	};
}

/* Where a login on the way W is tried, as far as that is known before the state store is read. */
static struct login_target
first_target(const struct dispatch *d, const struct way *w)
{
	if (w->upstreams[0]->old != NULL || (w->route->auth_http == NULL && w->count > 1))
		return (struct login_target){
			.upstream = w->route->label,
			.budget = LOGIN_NOWHERE_YET,
		};
	return w->route->auth_http != NULL ? service_target(d, w)
					   : server_target(d, w->upstreams[0], w->route->label);
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

/* What C becomes where the service has said which password the server is told; owns nothing. */
static struct credentials
credentials_there(const struct dispatch *d, const struct credentials *c)
{
	struct credentials there = *c;

	there.user = d->target.login;
	if (d->instead.password != NULL) {
		there.password = d->instead.password;
		there.password_len = d->instead.password_len;
	}
	return there;
}

/* Logs in at the target, by what it calls the user. */
static int
open_target(struct dispatch *d, const struct credentials *c, struct pop3_maildrop *out,
    struct error *e)
{
	const struct credentials there = credentials_there(d, c);
	int rc;

	d->maildrop.upstream = d->target.upstream;
	d->maildrop.mailboxes = &d->target.mailboxes;
	d->backend = d->target.upstream->protocol == UPSTREAM_POP3 ? &relay_backend
								   : &maildrop_backend;
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

/* Whether the login policy lets C through on the way W. A certificate was not guessed. Nothing is read
 * from the state store before: whom the policy turns away costs no disk, and need not wait for one. */
static int
admit(struct dispatch *d, const struct way *w, const struct credentials *c, struct error *e)
{
	const struct login_target target = first_target(d, w);
	int rc;

	if (c->kind == CREDENTIALS_CERTIFICATE)
		return 0;
	rc = gatekeeper_admit(d->gatekeeper, &d->visit, &d->maildrop.client->client, &target, c,
	    d->client, e);
	if (rc != 0)
		log_refusal(d, c, e);
	return rc;
}

/* While mailboxes move, the user's state says whether the new server or its old one is asked, whichever folder
 * he names; the old one knows him by the name that the client says. */
static int
follow_state(struct dispatch *d, struct way *w, struct error *e)
{
	const struct maildrop_context *m = &d->maildrop;
	const struct upstream *old = w->upstreams[0]->old;
	enum state_scope source;
	enum user_state state;
	int rc;

	if (old == NULL)
		return 0;
	if ((rc = state_find(d->preference.ledger, w->name.user, &state, &source, e)) != 0)
		return rc;
	log_event(m->log, LOG_LEVEL_DEBUG, m->session_id, "state looked up",
	    LOG_FIELDS(LOG_TEXT("user", w->name.user), LOG_TEXT("state", user_state_name(state)),
		LOG_TEXT("by", state_scope_name(source))));
	if (state != USER_STATE_OLD)
		return 0;
	w->upstreams[0] = old;
	w->count = 1;
	memcpy(w->login, d->account, sizeof(w->login));
	return 0;
}

/* Whether UPSTREAM may be asked; STEP says whether another one has rejected C before. */
static int
approach(struct dispatch *d, const struct upstream *upstream, const struct credentials *c,
    int (*step)(struct gate_visit *, const struct login_target *, struct stream *, struct error *),
    struct error *e)
{
	const struct login_target target = server_target(d, upstream, upstream->name);
	int rc;

	if (c->kind == CREDENTIALS_CERTIFICATE)
		return 0;
	if ((rc = step(&d->visit, &target, d->client, e)) != 0)
		log_refusal(d, c, e);
	return rc;
}

/* Sets the target to UPSTREAM on the way W. */
static int
aim(struct dispatch *d, const struct way *w, const struct upstream *upstream,
    const struct credentials *c, struct error *e)
{
	int rc = way_aim(w, upstream, &d->target, e);

	d->maildrop.is_folder = w->name.folder[0] != '\0';
	if (rc == ERR_PERMANENT)
		log_refusal(d, c, e);
	return rc;
}

/* Tells the policy what became of C at its last upstream, RC; REJECTED: one before has rejected it. Who
 * guesses is not to profit from it that another server is down. But a password that the service has
 * chosen is nobody's guess: the client's own is good, and the client must not hear otherwise. */
static int
conclude(struct dispatch *d, const struct credentials *c, int rc, bool rejected, struct error *e)
{
	if (rc == 0 || d->instead.password == NULL) {
		gatekeeper_tell(&d->visit, rc != 0 && rejected ? ERR_AUTH : rc);
		return rc;
	}
	if (rc == ERR_AUTH || rc == ERR_AUTH_EXPIRED) {
		rejected = true;
		error_prefix(e, "the server rejects the Auth-Pass of auth_http");
		e->code = rc = ERR_TEMPORARY;
		log_refusal(d, c, e);
	}
	if (rejected)
		gatekeeper_excuse(&d->visit);
	else
		gatekeeper_tell(&d->visit, rc);
	return rc;
}

/* Tries C at the upstreams of W, until one does not reject it. One that cannot be reached, say, may be
 * the right one, so that there is no reason to show the password to another. */
static int
try_each(struct dispatch *d, struct way *w, const struct credentials *c,
    struct pop3_maildrop *out, struct error *e)
{
	bool rejected = false;
	int rc = ERR_AUTH;

	for (size_t i = 0; i < w->count && rc == ERR_AUTH; i++) {
		rejected = i > 0;
		rc = approach(d, w->upstreams[i], c, rejected ? gatekeeper_move : gatekeeper_aim, e);
		if (rc != 0)
			break;
		if ((rc = aim(d, w, w->upstreams[i], c, e)) == 0)
			rc = open_target(d, c, out, e);
	}
	if (rc == 0 && w->route->auth_http == NULL)
		preference_note(&d->preference, d->account, w, d->target.upstream);
	return conclude(d, c, rc, rejected, e);
}

/* REPLY's password belongs to its name. Where a token, a certificate, or a master's password opens the
 * mailbox it has no place. */
static void
take_password(struct dispatch *d, const struct way *w, const struct credentials *c,
    struct auth_reply *reply)
{
	if (!w->route->auth_pass || c->kind != CREDENTIALS_PASSWORD || c->master != NULL)
		return;
	d->instead = reply->login;
	reply->login = (struct credentials){ 0 };
}

/* Elsewhere the server has the name of the upstream that it stands for. */
static void
log_choice(const struct dispatch *d, const struct way *w, const struct auth_reply *reply)
{
	const struct maildrop_context *m = &d->maildrop;

	if (w->upstreams[0] == &d->elsewhere->upstream)
		log_event(m->log, LOG_LEVEL_DEBUG, m->session_id, "auth_http chose a server",
		    LOG_FIELDS(LOG_TEXT("user", d->account), LOG_TEXT("server", reply->server),
			LOG_TEXT("upstream", d->elsewhere->upstream.name)));
}

/* Asks the service of W's route, and goes where it says. */
static int
ask_service(struct dispatch *d, struct way *w, const struct credentials *c, struct error *e)
{
	const struct auth_question question = {
		.credentials = c,
		/* What we want of the server, not what the client speaks. */
		.protocol = w->upstreams[0]->protocol == UPSTREAM_POP3 ? "pop3" : "imap",
		.client = d->maildrop.client_address,
		.attempt = ++d->attempts,
		.tls_version = stream_tls_version(d->client),
		.tls_cipher = stream_tls_cipher(d->client),
	};
	const struct login_target service = service_target(d, w);
	struct auth_reply reply = { 0 };
	int rc = 0;

	if (c->kind != CREDENTIALS_CERTIFICATE)
		rc = gatekeeper_aim(&d->visit, &service, d->client, e);
	if (rc == 0)
		rc = auth_http_ask(d->auth_http, w->route, &question, &reply, e);
	if (rc == 0 && d->elsewhere == NULL &&
	    (d->elsewhere = calloc(1, sizeof(*d->elsewhere))) == NULL)
		rc = error_set(e, ERR_NO_MEMORY, "out of memory");
	if (rc == 0 && (rc = way_follow_reply(w, &reply, d->elsewhere, e)) == 0) {
		log_choice(d, w, &reply);
		take_password(d, w, c, &reply);
	}
	auth_reply_clear(&reply);
	return rc;
}

/* A login as USER looks like one with a wrong password, and counts as one of the address. */
static void
refuse(struct dispatch *d, const char *user)
{
	const struct upstream *upstream = &d->maildrop.config->upstreams[0];
	const struct login_target target = server_target(d, upstream, upstream->name);

	gatekeeper_refuse(
	    d->gatekeeper, &d->visit, &d->maildrop.client->client, &target, user);
}

/* There is no way for C, because of E. Who has none is not to be told from who does not know the
 * password. */
static int
refuse_stranded(struct dispatch *d, const struct credentials *c, struct error *e)
{
	if (e->code == ERR_GONE) {
		refuse(d, c->user);
		e->code = ERR_AUTH;
	}
	log_refusal(d, c, e);
	return e->code;
}

/* What the state store and the service say of the way W of C, which was let in. */
static int
settle_way(struct dispatch *d, struct way *w, const struct credentials *c, struct error *e)
{
	const struct upstream *first;
	int rc;

	if (w->route->auth_http == NULL)
		preference_apply(&d->preference, d->account, w);
	first = w->upstreams[0];
	rc = follow_state(d, w, e);
	d->maildrop.upstream = w->upstreams[0];
	/* The service knows the new servers only. */
	if (rc == 0 && w->route->auth_http != NULL && w->upstreams[0] == first)
		rc = ask_service(d, w, c, e);
	if (rc == 0)
		return 0;
	gatekeeper_tell(&d->visit, rc);
	/* No login can put right what is not configured. */
	if (rc == ERR_PERMANENT)
		log_refusal_as(d, LOG_LEVEL_WARNING, c, e);
	else
		log_refusal(d, c, e);
	return rc;
}

static int
dispatch_open(
    void *ctx, const struct credentials *c, struct pop3_maildrop *out, struct error *e)
{
	struct dispatch *d = ctx;
	struct way way;
	int rc;

	memset(&d->visit, 0, sizeof(d->visit));
	snprintf(d->account, sizeof(d->account), "%s", c->user);
	if (way_find(d->maildrop.config, c->user, &way, e) != 0)
		return refuse_stranded(d, c, e);
	d->maildrop.upstream = way.upstreams[0];
	if ((rc = admit(d, &way, c, e)) != 0 || (rc = settle_way(d, &way, c, e)) != 0)
		return rc;
	rc = try_each(d, &way, c, out, e);
	credentials_clear(&d->instead);
	return rc;
}

static void
dispatch_refused(void *ctx, const char *user, const struct error *e)
{
	struct dispatch *d = ctx;

	maildrop_backend.refused(&d->maildrop, user, e);
	refuse(d, user);
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
