/* probe.c - what a login to the IMAP server shows, step by step. */
#include "gateway/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
on_message(void *ctx, uint32_t uid, uint64_t size, bool deleted)
{
	struct probe_result *r = ctx;

	(void)uid;
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

/* The steps on an open connection. */
static int
look_around(
    struct imap *imap, const struct upstream *u, const struct credentials *c, struct probe_result *r)
{
	int rc;

	r->reached = PROBE_LOGIN;
	rc = imap_id(imap, "popgate", POPGATE_VERSION, r->server, sizeof(r->server), &r->error);
	if (rc != 0 || (rc = imap_login(imap, c, &r->error)) != 0)
		return rc;
	note_login(imap, r);
	r->reached = PROBE_SELECT;
	if ((rc = imap_select(imap, u->mailbox, &r->mailbox, &r->error)) != 0)
		return rc;
	r->reached = PROBE_LIST;
	if ((rc = imap_list(imap, on_message, r, &r->error)) != 0)
		return rc;
	r->reached = PROBE_DONE;
	return 0;
}

void
probe_run(const struct upstream *upstream, const struct credentials *c, struct probe_result *r)
{
	struct imap *imap;
	int rc;

	memset(r, 0, sizeof(*r));
	if ((rc = imap_open(&upstream->imap, &imap, &r->error)) == 0) {
		note_connection(imap, r);
		rc = look_around(imap, upstream, c, r);
		imap_logout(imap);
	}
	r->error.code = (enum error_code)rc;
}

void
probe_clear(struct probe_result *r)
{
	free(r->capabilities_before);
	free(r->capabilities);
	memset(r, 0, sizeof(*r));
}
