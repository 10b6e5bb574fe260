/* pairing.h - one maildrop on two servers: both listings, and which message is which
 * (mapping/match.h).
 *
 * The old side is a POP3 server, or what somebody wrote down of one; the new side is the mailboxes of an
 * IMAP server that are shown as one maildrop. Nothing is changed on either. Memory is some two hundred
 * octets a message of each side. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "gateway/ledger.h"
#include "imapback/imap.h"
#include "mapping/match.h"

struct pop3_client;

/* { 0 } is one with nothing on either side. */
struct pairing {
	size_t max_messages; /* of a side; 0: any number. The caller's */
	struct match_side old, new;
	size_t old_room, new_room;
	uint32_t *numbers; /* of the old side's messages, ascending */
	size_t *uidl_at;   /* where in texts their UIDLs are */
	uint32_t *uids;	   /* of the new side's messages, ascending in each mailbox once listed */
	size_t *starts;	   /* of the new side's mailboxes: the first message of each */
	size_t mailboxes, mailbox_room;
	size_t selected; /* the mailbox that was dealt with last */
	char *texts;
	size_t texts_len, texts_room;
	struct match match;
	size_t headers; /* how many were read of both sides */
};

/* Frees what P has; it is empty then. */
void pairing_clear(struct pairing *p);

/* Adds a message to the old side: NUMBER ascends. SIZE may be MATCH_NO_SIZE, PRINT NULL. Returns 0,
 * ERR_INVALID, ERR_LIMIT or ERR_NO_MEMORY. Does not suspend. */
int pairing_add_old(struct pairing *p, uint32_t number, const char *uidl, uint64_t size,
    const struct fingerprint *print);

/* What is added to the new side from here on is of its next mailbox. Returns 0 or ERR_NO_MEMORY. Does not
 * suspend. */
int pairing_begin_mailbox(struct pairing *p);

/* Adds a message to the new side, of the mailbox that was begun last, in any order. Errors as
 * pairing_add_old. Does not suspend. */
int pairing_add_new(struct pairing *p, uint32_t uid, uint64_t size);

/* All messages of a POP3 server, by UIDL and LIST. Suspends. */
int pairing_list_old(struct pairing *p, struct pop3_client *old, struct error *e);

/* All messages of the selected mailbox, which is the next one of the new side. Suspends. */
int pairing_list_new(struct pairing *p, struct imap *new, struct error *e);

/* How the new side's headers are had. */
struct pairing_source {
	/* Selects MAILBOX (from 0) on the connection *OUT, and sees to it that UIDs are what they were. */
	int (*select)(void *ctx, size_t mailbox, struct imap **out, struct error *e);
	void *ctx;
};

/* Reads the headers that are wanted (match_wants). OLD may be NULL: its are not read. Suspends. */
int pairing_read(struct pairing *p, struct pop3_client *old, const struct pairing_source *new,
    struct error *e);

/* Matches; reads the headers that are wanted. OLD may be NULL: what it would say is added already.
 * Suspends. */
int pairing_run(struct pairing *p, struct pop3_client *old, const struct pairing_source *new,
    enum match_depth depth, struct error *e);

/* Where MAILBOX of the new side ends: it is the messages from starts[MAILBOX] to before that. */
size_t pairing_end(const struct pairing *p, size_t mailbox);

/* The mailbox of message I of the new side. */
size_t pairing_mailbox(const struct pairing *p, size_t i);

/* The UIDL of message I of the old side. */
const char *pairing_uidl(const struct pairing *p, size_t i);

/* Tells LEDGER the pairs. PARTS has for each mailbox its key and UIDVALIDITY; one whose key is { 0 } is left
 * out. Suspends. Errors as ledger_import. */
int pairing_store(const struct pairing *p, struct ledger *ledger, const struct ledger_rows *parts,
    enum ledger_source source, struct ledger_imported *out, struct error *e);

/* What the old side shows, as the ledger keeps what an account has seen: *ITEMS, one for each message,
 * to be freed; the UIDLs stay P's. Returns 0 or ERR_NO_MEMORY. */
int pairing_seen(const struct pairing *p, struct ledger_seen **items);
