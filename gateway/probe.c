/* probe.c - see probe.h. */
#include "gateway/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fiberio/fiber.h"
#include "gateway/pop3_client.h"
#include "gateway/removal.h"

static int
on_message(void *ctx, uint32_t uid, uint64_t size, bool deleted)
{
	struct probe_result *r = ctx;

	(void) uid;
	r->messages++;
	r->octets += size;
	r->deleted += deleted;
	return 0;
}

/* What is known as soon as there is a connection. */
static void
note_connection(struct imap *imap, struct probe_result *r)
{
	snprintf(r->tls_version, sizeof(r->tls_version), "%s", imap_tls_version(imap));
	snprintf(r->tls_cipher, sizeof(r->tls_cipher), "%s", imap_tls_cipher(imap));
	r->capabilities_before = strdup(imap_capability_line(imap));
}

static void
note_login(struct imap *imap, struct probe_result *r)
{
	snprintf(r->mechanism, sizeof(r->mechanism), "%s", imap_mechanism(imap));
	r->capability_bits = imap_capabilities(imap);
	r->capabilities = strdup(imap_capability_line(imap));
}

/* What the steps share. */
struct probe {
	const struct target *target;
	const struct credentials *credentials;
	struct imap *imap; /* NULL before PROBE_CONNECT has succeeded */
	struct pop3_client *old; /* likewise, of an old server */
	struct probe_result *result;
};

static int
step_connect(struct probe *p, struct error *e)
{
	static const struct imap_id_field id[] = { { "name", "popgate" }, { "version", POPGATE_VERSION } };
	int rc;

	if ((rc = imap_open(&p->target->upstream->imap, &p->imap, e)) != 0) {
		p->imap = NULL;
		return rc;
	}
	note_connection(p->imap, p->result);
	return imap_id(p->imap, id, 2, p->result->server, sizeof(p->result->server), e);
}

static int
step_login(struct probe *p, struct error *e)
{
	int rc;

	if ((rc = imap_login(p->imap, p->credentials, e)) == 0)
		note_login(p->imap, p->result);
	return rc;
}

static int
step_select(struct probe *p, struct error *e)
{
	return imap_select(p->imap, p->target->mailboxes.items[0], &p->result->mailbox, e);
}

/* Nobody else would notice before the first QUIT. */
static int
look_for_trash(struct probe *p, struct error *e)
{
	const struct upstream *u = p->target->upstream;
	const struct deletion_terms terms = removal_terms(u, p->result->capability_bits);
	bool there;
	int rc;

	if (!deletion_copies(&terms) && deletion_choose(&terms) != DELETION_MOVE)
		return 0;
	if ((rc = imap_has_mailbox(p->imap, u->trash_mailbox, &there, e)) == 0)
		p->result->trash_missing = !there;
	return rc;
}

static int
step_list(struct probe *p, struct error *e)
{
	const struct text_list *mailboxes = &p->target->mailboxes;
	int rc;

	rc = imap_list(p->imap, on_message, p->result, e);
	for (size_t i = 1; i < mailboxes->count && rc == 0; i++)
		rc = imap_has_mailbox(p->imap, mailboxes->items[i], &p->result->there[i], e);
	return rc == 0 ? look_for_trash(p, e) : rc;
}

/* ---- an old server ---- */

static int
step_old_connect(struct probe *p, struct error *e)
{
	struct probe_result *r = p->result;
	int rc;

	if ((rc = pop3_client_open(&p->target->upstream->imap, &p->old, e)) != 0) {
		p->old = NULL;
		return rc;
	}
	snprintf(r->tls_version, sizeof(r->tls_version), "%s", pop3_client_tls_version(p->old));
	snprintf(r->tls_cipher, sizeof(r->tls_cipher), "%s", pop3_client_tls_cipher(p->old));
	r->pop3_capabilities = pop3_client_capabilities(p->old);
	return 0;
}

static int
step_old_login(struct probe *p, struct error *e)
{
	return pop3_client_login(p->old, p->credentials, e);
}

static int
step_nothing(struct probe *p, struct error *e)
{
	(void) p;
	(void) e;
	return 0;
}

static int
on_uidl(void *ctx, uint32_t number, const char *uidl)
{
	struct probe_result *r = ctx;

	(void) number;
	if (r->uidl[0] == '\0')
		snprintf(r->uidl, sizeof(r->uidl), "%s", uidl);
	return 0;
}

static int
step_old_list(struct probe *p, struct error *e)
{
	uint32_t messages = 0;
	int rc;

	if ((rc = pop3_client_stat(p->old, &messages, &p->result->octets, e)) != 0)
		return rc;
	p->result->messages = messages;
	rc = pop3_client_uidl(p->old, on_uidl, p->result, e);
	return rc == ERR_PERMANENT ? 0 : rc; /* without UIDL clients find their way too */
}

/* ---- the whole ---- */

typedef int step_fn(struct probe *p, struct error *e);

void
probe_run(const struct target *target, const struct credentials *c, struct probe_result *r)
{
	static step_fn *const imap_steps[] = {
		[PROBE_CONNECT] = step_connect,
		[PROBE_LOGIN] = step_login,
		[PROBE_SELECT] = step_select,
		[PROBE_LIST] = step_list,
	};
	static step_fn *const pop3_steps[] = {
		[PROBE_CONNECT] = step_old_connect,
		[PROBE_LOGIN] = step_old_login,
		[PROBE_SELECT] = step_nothing,
		[PROBE_LIST] = step_old_list,
	};
	step_fn *const *steps =
	    target->upstream->protocol == UPSTREAM_POP3 ? pop3_steps : imap_steps;
	struct probe p = { .target = target, .credentials = c, .result = r };
	uint64_t began;
	int rc = 0;

	memset(r, 0, sizeof(*r));
	while (r->reached < PROBE_DONE) {
		began = fiber_now();
		rc = steps[r->reached](&p, &r->error);
		r->took_ms[r->reached] = fiber_now() - began;
		if (rc != 0)
			break;
		r->reached++;
	}
	r->error.code = rc;
	imap_logout(p.imap);
	pop3_client_quit(p.old);
}

void
probe_clear(struct probe_result *r)
{
	free(r->capabilities_before);
	free(r->capabilities);
	memset(r, 0, sizeof(*r));
}
