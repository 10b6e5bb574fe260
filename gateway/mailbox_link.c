/* mailbox_link.c - see mailbox_link.h. */
#include "gateway/mailbox_link.h"

#include <string.h>

#include "base/failpoint.h"
#include "gateway/admission.h"
#include "gateway/introduction.h"

/* Our own copy of what C comes to. */
static int
keep_credentials(struct mailbox_link *link, const struct credentials *c, struct error *e)
{
	struct credentials shown; /* owns nothing */
	int rc;

	if ((rc = admission_credentials(link->upstream, c, &shown, e)) != 0)
		return rc;
	rc = credentials_copy(&link->credentials, &shown);
	return rc == 0 ? 0 : error_set(e, rc, "the credentials cannot be kept");
}

static int
connect_and_login(struct mailbox_link *link, const struct credentials *c, struct error *e)
{
	const struct upstream *upstream = link->upstream;
	int rc;

	if ((rc = imap_open(&upstream->imap, &link->imap, e)) != 0) {
		link->imap = NULL;
		return rc;
	}
	if ((rc = introduce(link->imap, upstream, link->client, link->session_id, e)) != 0)
		return rc;
	return imap_login(link->imap, c, e);
}

int
mailbox_link_open(struct mailbox_link *link, const struct credentials *c, struct error *e)
{
	int rc;

	if ((rc = keep_credentials(link, c, e)) != 0)
		return rc;
	if (link->reuse == NULL || link->upstream->reuse_ms == 0)
		return mailbox_link_open_anew(link, c, e);
	link->has_key =
	    reuse_key(link->reuse, link->upstream, &link->credentials, &link->key) == 0;
	if (link->has_key)
		link->imap = reuse_take(link->reuse, &link->key);
	if (link->imap == NULL || imap_settle(link->imap, NULL) != 0)
		return mailbox_link_open_anew(link, c, e);
	link->was_kept = true;
	log_event(link->log, LOG_LEVEL_DEBUG, link->session_id,
	    "goes on with the connection of an earlier session",
	    LOG_FIELDS(LOG_TEXT("upstream", link->upstream->name)));
	return 0;
}

int
mailbox_link_open_anew(struct mailbox_link *link, const struct credentials *c, struct error *e)
{
	int rc;

	imap_logout(link->imap);
	link->imap = NULL;
	link->is_selected = false;
	link->was_kept = false;
	if ((rc = connect_and_login(link, &link->credentials, e)) == 0) {
		if (link->has_key)
			reuse_supersede(link->reuse, &link->key);
		return 0;
	}
	return admission_refused(c, rc, e);
}

int
mailbox_link_select(struct mailbox_link *link, const char *name, struct error *e)
{
	int rc;

	link->mailbox_name = name;
	rc = imap_select(link->imap, name, &link->mailbox, e);
	link->is_selected = rc == 0;
	return rc == 0 ? 0 : error_prefix(e, "mailbox \"%s\"", name);
}

bool
mailbox_link_is_lost(const struct mailbox_link *link)
{
	return link->imap == NULL || imap_is_dead(link->imap);
}

/* Selects again; what is there is believed only when it is the same mailbox still (RFC 3501 section
 * 2.3.1.1). */
static int
select_again(struct mailbox_link *link, struct error *e)
{
	struct imap_mailbox mailbox = { 0 };
	int rc;

	link->is_selected = false;
	if ((rc = imap_select(link->imap, link->mailbox_name, &mailbox, e)) != 0)
		return error_prefix(e, "mailbox \"%s\"", link->mailbox_name);
	if (mailbox.uidvalidity != link->mailbox.uidvalidity) {
		link->hopeless = "UIDVALIDITY has changed";
		return error_set(e, ERR_CLOSED, "UIDVALIDITY has changed from %u to %u",
		    (unsigned) link->mailbox.uidvalidity, (unsigned) mailbox.uidvalidity);
	}
	link->mailbox = mailbox;
	link->is_selected = true;
	return 0;
}

/* A new connection with the same mailbox behind it. */
static int
connect_again(struct mailbox_link *link, struct error *e)
{
	int rc;

	if (link->hopeless != NULL)
		return error_set(e, ERR_CLOSED, "%s", link->hopeless);
	if (link->credentials.password == NULL)
		return error_set(e, ERR_CLOSED, "the connection is lost, and reconnect = no");
	if ((rc = FAILPOINT_ERROR("reconnect.before", e)) != 0)
		return rc;
	rc = connect_and_login(link, &link->credentials, e);
	/* Each further try would count against the user at servers that lock accounts. */
	if (rc == ERR_AUTH || rc == ERR_AUTH_DENIED || rc == ERR_AUTH_EXPIRED)
		link->hopeless = "the server rejects the credentials by now";
	if (rc != 0 || (rc = FAILPOINT_ERROR("reconnect.after_login", e)) != 0)
		return rc;
	rc = select_again(link, e);
	return rc == 0 ? FAILPOINT_ERROR("reconnect.after_select", e) : rc;
}

int
mailbox_link_restore(struct mailbox_link *link, struct error *e)
{
	int rc;

	if (!mailbox_link_is_lost(link))
		return 0;
	imap_close(link->imap);
	link->imap = NULL;
	if ((rc = connect_again(link, e)) == 0) {
		log_event(link->log, LOG_LEVEL_INFO, link->session_id,
		    "the lost connection to the mail server was made anew",
		    LOG_FIELDS(LOG_TEXT("upstream", link->upstream->name)));
		return 0;
	}
	imap_close(link->imap);
	link->imap = NULL;
	error_prefix(e, "reconnect");
	if (rc != ERR_CANCELLED && rc != ERR_NO_MEMORY)
		rc = ERR_CLOSED;
	e->code = rc;
	return rc;
}

int
mailbox_link_turn(
    struct mailbox_link *link, const char *name, uint32_t uidvalidity, struct error *e)
{
	bool is_there = link->is_selected && strcmp(link->mailbox_name, name) == 0;
	int rc;

	link->mailbox_name = name;
	link->mailbox.uidvalidity = uidvalidity;
	if (is_there || mailbox_link_is_lost(link))
		return mailbox_link_restore(link, e);
	if ((rc = FAILPOINT_ERROR("turn.before", e)) == 0 && (rc = select_again(link, e)) == 0)
		return FAILPOINT_ERROR("turn.after", e);
	if (mailbox_link_is_lost(link) && rc != ERR_CANCELLED && rc != ERR_NO_MEMORY)
		return mailbox_link_restore(link, e);
	return rc;
}

void
mailbox_link_opened(struct mailbox_link *link)
{
	if (!link->upstream->reconnect)
		credentials_forget_password(&link->credentials);
}

void
mailbox_link_leave(struct mailbox_link *link)
{
	struct imap *imap = link->imap;

	if (link->has_key && link->hopeless == NULL && !mailbox_link_is_lost(link)) {
		link->imap = NULL;
		reuse_keep(
		    link->reuse, &link->key, link->config, link->upstream->reuse_ms, imap);
	}
	mailbox_link_close(link);
}

void
mailbox_link_close(struct mailbox_link *link)
{
	imap_logout(link->imap);
	link->imap = NULL;
	credentials_clear(&link->credentials);
}
