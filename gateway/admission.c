/* admission.c - see admission.h. */
#include "gateway/admission.h"

#include <string.h>

#include "gateway/census.h"

int
admission_credentials(const struct upstream *upstream, const struct credentials *c,
    struct credentials *out, struct error *e)
{
	const struct credentials *master = &upstream->master;

	*out = *c;
	if (c->kind != CREDENTIALS_CERTIFICATE)
		return 0;
	if (master->password == NULL)
		return error_set(e, ERR_PERMANENT, "there is no master_user");
	*out = *master;
	out->user = c->user;
	out->master = master->user;
	return 0;
}

int
admission_refused(const struct credentials *c, int code, struct error *e)
{
	if (c->kind == CREDENTIALS_CERTIFICATE && (code == ERR_AUTH || code == ERR_AUTH_EXPIRED))
		code = e->code = ERR_PERMANENT;
	return code;
}

int
admission_enter_census(const struct maildrop_context *context, const char *user, bool *counted,
    struct error *e)
{
	int rc;

	if (context->census == NULL)
		return 0;
	rc = census_enter_user(context->census, context->seat, context->upstream->name, user);
	if (rc == 0) {
		*counted = true;
		return 0;
	}
	if (rc == ERR_LIMIT)
		return error_set(e, rc, "the user has max_sessions_per_user sessions already");
	return error_set(e, ERR_NO_MEMORY, "out of memory");
}

/* What the server calls the user of C, for the log: where it is not the account's name. */
static const char *
login_of(const struct maildrop_context *context, const struct credentials *c)
{
	return strcmp(context->account, c->user) != 0 ? c->user : NULL;
}

void
admission_log_master(const struct maildrop_context *context, const struct credentials *c)
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

void
admission_log_failure(const struct maildrop_context *context, const struct credentials *c, int code,
    const struct error *e)
{
	log_error(context->log,
	    code == ERR_AUTH || code == ERR_IN_USE ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
	    context->session_id, "login failed", e,
	    LOG_FIELDS(LOG_TEXT("user", context->account), LOG_TEXT("login", login_of(context, c)),
		LOG_TEXT("master", c->master), LOG_TEXT("client", context->client_address),
		LOG_TEXT("upstream", context->upstream->name)));
}
