/* kept.c - a connection that is kept without a use: it leaves its mailbox, and from then on an honest
 * server has nothing to say. */
#include "imapback/imap_internal.h"

static int
has_spoken(struct imap *imap, struct error *e)
{
	if (!imap_has_unread(imap))
		return 0;
	return error_set(e, ERR_PROTOCOL, "the server says what nobody asked for");
}

/* Never CLOSE, which removes what is flagged \Deleted (RFC 3501 section 6.4.2). */
int
imap_unselect(struct imap *imap, struct error *e)
{
	int rc;

	if (imap->dead || imap_drop_foreseen(imap) != 0 || imap_batch_close(imap, NULL) != 0)
		return imap_dead_error(imap, e);
	imap_forget_foreseen(imap);
	if ((rc = has_spoken(imap, e)) != 0)
		return rc;
	imap->session->imap_state = MAILIMAP_STATE_AUTHENTICATED;
	if ((imap->capabilities & IMAP_CAP_UNSELECT) == 0)
		return 0;
	imap_foresee(imap, "UNSELECT");
	return imap_send_foreseen(imap) == 0 ? 0 : imap_dead_error(imap, e);
}

int
imap_settle(struct imap *imap, struct error *e)
{
	if (imap->dead || imap_drop_foreseen(imap) != 0)
		return imap_dead_error(imap, e);
	return has_spoken(imap, e);
}

int
imap_listen(struct imap *imap, uint64_t deadline)
{
	int rc;

	while (!imap->dead && imap->in_at == imap->in_end) {
		if ((rc = stream_await_input(imap->stream, deadline)) != 0)
			return rc;
		if (!imap->foreseen_sent)
			return 0;
		imap_drop_foreseen(imap);
	}
	return 0;
}

void
imap_interrupt(struct imap *imap)
{
	stream_interrupt(imap->stream);
}

bool
imap_is_at_rest(struct imap *imap)
{
	return !imap->dead && (imap->foreseen_sent || !imap_has_unread(imap));
}
