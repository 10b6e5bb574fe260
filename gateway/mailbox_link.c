/* mailbox_link.c - see mailbox_link.h. */
#include "gateway/mailbox_link.h"

#include <string.h>

#include "base/failpoint.h"

static int
keep_credentials(struct mailbox_link *link, const struct credentials *c, struct error *e)
{
	int rc;

	if (!link->upstream->reconnect)
		return 0;
	rc = credentials_set_user(&link->credentials, c->user, strlen(c->user));
	if (rc == 0)
		rc = credentials_set_password(&link->credentials, c->password, c->password_len);
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
	if (upstream->send_id) {
		rc = imap_id(link->imap, "popgate", POPGATE_VERSION, NULL, 0, e);
		if (rc != 0 && imap_is_dead(link->imap))
			return rc;
	}
	return imap_login(link->imap, c, e);
}

int
mailbox_link_open(struct mailbox_link *link, const struct credentials *c, struct error *e)
{
	int rc;

	if ((rc = connect_and_login(link, c, e)) != 0)
		return rc;
	return keep_credentials(link, c, e);
}

int
mailbox_link_select(struct mailbox_link *link, struct error *e)
{
	int rc;

	if ((rc = imap_select(link->imap, link->upstream->mailbox, &link->mailbox, e)) != 0)
		error_prefix(e, "mailbox \"%s\"", link->upstream->mailbox);
	return rc;
}

bool
mailbox_link_is_lost(const struct mailbox_link *link)
{
	return link->imap == NULL || imap_is_dead(link->imap);
}

/* A new connection with the same mailbox behind it. */
static int
connect_again(struct mailbox_link *link, struct error *e)
{
	uint32_t uidvalidity = link->mailbox.uidvalidity;
	int rc;

	if (link->is_another)
		return error_set(e, ERR_CLOSED, "UIDVALIDITY has changed");
	if (link->credentials.password == NULL)
		return error_set(e, ERR_CLOSED, "the connection is lost, and reconnect = no");
	if ((rc = FAILPOINT_ERROR("reconnect.before", e)) != 0 ||
	    (rc = connect_and_login(link, &link->credentials, e)) != 0 ||
	    (rc = FAILPOINT_ERROR("reconnect.after_login", e)) != 0 ||
	    (rc = mailbox_link_select(link, e)) != 0 ||
	    (rc = FAILPOINT_ERROR("reconnect.after_select", e)) != 0)
		return rc;
	if (link->mailbox.uidvalidity == uidvalidity)
		return 0;
	/* No later attempt may take the new mailbox for the old one. */
	link->is_another = true;
	return error_set(e, ERR_CLOSED, "UIDVALIDITY has changed from %u to %u",
	    (unsigned) uidvalidity, (unsigned) link->mailbox.uidvalidity);
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

void
mailbox_link_close(struct mailbox_link *link)
{
	imap_logout(link->imap);
	link->imap = NULL;
	credentials_clear(&link->credentials);
}
