/* mailbox_link.h - the IMAP connection behind a maildrop: logged in, the mailbox selected, and made
 * anew where it was lost (docs/behaviour.md, rule 34).
 *
 * A POP3 session may be silent for longer than an IMAP server keeps a connection, and its snapshot
 * goes by UIDs, which mean the same on any connection as long as UIDVALIDITY is the same. So a lost
 * connection costs nothing until something is wanted of the server, and then at most one new one.
 */
#pragma once
#include "base/credentials.h"
#include "gateway/log.h"
#include "gateway/reuse.h"
#include "gateway/upstream.h"
#include "imapback/imap.h"

struct client_address;

struct mailbox_link {
	const struct upstream *upstream;
	struct config *config; /* that upstream is of; needed where reuse is not NULL */
	struct reuse *reuse;   /* NULL: connections end with their session */
	struct log *log; /* NULL: nothing is logged */
	const char *session_id;
	const struct client_address *client; /* NULL: the server is not told */
	struct imap *imap;	     /* NULL: lost */
	const char *mailbox_name;    /* of the one that is selected, or is to be; UTF-8 */
	struct imap_mailbox mailbox; /* as the last SELECT told */
	bool is_selected;	     /* on the connection that there is */
	const char *hopeless;	     /* why no new connection is worth trying; NULL: one may be */
	struct credentials credentials; /* our own copy, where the upstream wants reconnects */
	struct reuse_key key;		/* what the connection may be kept under */
	bool has_key;
	bool was_kept; /* the connection is an earlier session's */
};

/* Takes over the connection that an earlier session left, or connects, introduces ourselves where
 * that is wanted, and logs in. LINK is zeroed but for upstream, config, reuse, log, session_id and
 * client, which must outlive it. C is copied. Suspends. Errors as imap_open and imap_login; the link
 * is to be closed all the same. */
int mailbox_link_open(struct mailbox_link *link, const struct credentials *c, struct error *e);

/* As mailbox_link_open by a new connection in any case, in place of the one that there is. */
int mailbox_link_open_anew(
    struct mailbox_link *link, const struct credentials *c, struct error *e);

/* Selects the mailbox NAME, which must outlive the link, for the first time or anew. Suspends. */
int mailbox_link_select(struct mailbox_link *link, const char *name, struct error *e);

/* Whether the connection is known to be lost. Does not suspend. */
bool mailbox_link_is_lost(const struct mailbox_link *link);

/* Nothing where the connection is not known to be lost; else connects, logs in and selects again.
 * 0: the mailbox is selected, and UIDs mean what they meant. ERR_CLOSED: it cannot be had again, or
 * UIDVALIDITY has changed; ERR_CANCELLED; ERR_NO_MEMORY. Suspends. E must not be NULL. */
int mailbox_link_restore(struct mailbox_link *link, struct error *e);

/* As mailbox_link_restore, for the mailbox NAME, which had UIDVALIDITY when it was selected first:
 * where another one is selected, it takes that one's place. Also ERR_PERMANENT and ERR_TEMPORARY:
 * it cannot be selected, and the connection lives on. */
int mailbox_link_turn(
    struct mailbox_link *link, const char *name, uint32_t uidvalidity, struct error *e);

/* The maildrop is open: forgets the password where the upstream does not want reconnects. Until
 * then a lost connection is made anew in any case. */
void mailbox_link_opened(struct mailbox_link *link);

/* As mailbox_link_close, behind a session that ended as it should: the connection is left for the
 * user's next one where the upstream wants that. */
void mailbox_link_leave(struct mailbox_link *link);

/* Logs out where that is possible, closes, cleanses the password. Suspends for a moment. */
void mailbox_link_close(struct mailbox_link *link);
