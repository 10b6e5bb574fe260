/* removal.h - making marked messages go, and finding out whether they went (docs/behaviour.md,
 * "How messages are deleted").
 *
 * The decisions are mapping/deletion.h's; here they are carried out, by UID and in commands of
 * bounded length, on a connection that may be lost at any step. What was begun is kept in struct
 * removal, so that it can be taken back or, after a crash, be seen by the next session. */
#pragma once
#include "base/uidset.h"
#include "gateway/journal.h"
#include "gateway/mailbox_link.h"
#include "mapping/deletion.h"

/* What is done to messages that a client deleted, in words that the journal keeps: "expunge"
 * (flagged \Deleted and removed), "move" (nothing is flagged), "mark" (flagged \Deleted) or "mark
 * KEYWORD". Writes at most JOURNAL_HOW_MAX octets. */
void removal_describe(const struct upstream *upstream, unsigned capabilities, char *how);

/* The keyword that a description names; NULL: \Deleted. */
const char *removal_keyword(const char *how);

struct removal {
	struct mailbox_link *link;
	const char *keyword;		     /* our mark; NULL: \Deleted */
	const struct uidset *flagged_before; /* flagged by others before the session, and shown */
	struct journal *journal;	     /* NULL: none is kept */
	int64_t entry;			     /* of the journal */
	enum journal_task task;		     /* what that entry says */

	/* What has happened so far. */
	struct uidset touched; /* our mark was asked for */
	struct uidset copied;  /* are in the trash mailbox */
	struct uidset lifted;  /* messages of others whose \Deleted has to be put back */
	bool left;	  /* ours stay flagged: others are flagged too, and the policy is leave */
	bool reconnected; /* once is enough */
};

/* What UPSTREAM wants of a server with CAPABILITIES (bits of enum imap_capability). */
struct deletion_terms removal_terms(const struct upstream *upstream, unsigned capabilities);

/* Whether the mailbox that SELECT told of lets the upstream's policy be carried out. */
bool removal_possible(const struct upstream *upstream, const struct imap_mailbox *mailbox);

/* Removes OURS, or marks them where that is the policy, and asks the server which of them are still
 * there; they go into REMAINING (empty before). A connection that is lost meanwhile is made anew
 * once. Suspends. Returns 0 when none remains; ERR_INCOMPLETE with REMAINING filled; or another
 * error where nothing certain is known. */
int removal_run(
    struct removal *r, const struct uidset *ours, struct uidset *remaining, struct error *e);

/* Takes our mark off the messages of SET, but for those that others had flagged before, and puts
 * back what was lifted. Suspends. Returns 0 only when all of that succeeded. */
int removal_undo(struct removal *r, const struct uidset *set, struct error *e);

/* Puts back the flags of others that were lifted. Suspends. */
int removal_restore_lifted(struct removal *r, struct error *e);

/* Adds to FOUND which of SET are still there and bear our mark (WITH) or do not. Suspends. */
int removal_look(
    struct removal *r, const struct uidset *set, bool with, struct uidset *found, struct error *e);

/* Frees the sets of R. */
void removal_clear(struct removal *r);
