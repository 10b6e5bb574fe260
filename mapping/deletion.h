/* deletion.h - how the marked messages of a session are removed at QUIT (RFC 1939 section 6,
 * UPDATE).
 *
 * The decisions only; gateway/commit.c carries them out. The law: only messages that this session
 * marked, never one that somebody else flagged, and the answer tells the truth. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/uidset.h"

/* What a command line of ours may hold: RFC 2683 section 3.2.1.5 asks for less than about 8,000
 * octets. The set itself gets what the rest of the command leaves. */
enum { DELETION_SET_OCTETS = 7800 };

enum deletion_foreign { /* without UIDPLUS, when other messages are flagged \Deleted too */
	DELETION_LEAVE, /* leave ours flagged; they stay hidden from POP3 */
	DELETION_LIFT,	/* take the flag off theirs, EXPUNGE, put it back */
};

enum deletion_policy {	 /* what DELE and QUIT come to */
	DELETION_REMOVE, /* the messages are expunged */
	DELETION_TRASH,	 /* they go to the trash mailbox */
	DELETION_MARK,	 /* they stay, marked, and later sessions do not show them */
	DELETION_KEEP,	 /* they stay as they are */
};

enum deletion_method {
	DELETION_UID_EXPUNGE, /* flag, UID EXPUNGE (RFC 4315) */
	DELETION_MOVE,	      /* UID MOVE to the trash mailbox (RFC 6851); nothing is flagged */
	DELETION_EXPUNGE, /* flag, look who else is flagged, EXPUNGE as deletion_expunge_step allows
			   */
	DELETION_SET_MARK, /* set the mark, nothing else */
	DELETION_NOTHING,
};

/* What is known about the server and wanted by the administrator. */
struct deletion_terms {
	bool has_uidplus; /* UIDPLUS or IMAP4rev2 */
	bool has_move;	  /* MOVE or IMAP4rev2 */
	bool has_trash;	  /* a trash mailbox is configured */
	enum deletion_policy policy;
	enum deletion_foreign foreign;
};

enum deletion_method deletion_choose(const struct deletion_terms *terms);

/* Whether the messages must be copied to the trash mailbox first, for want of MOVE. */
bool deletion_copies(const struct deletion_terms *terms);

/* The next step of DELETION_EXPUNGE, once our messages are flagged and FLAGGED is what UID SEARCH
 * DELETED found. */
enum deletion_step {
	DELETION_STEP_EXPUNGE, /* nobody else's message is flagged: EXPUNGE removes ours only */
	DELETION_STEP_LEAVE,   /* do not EXPUNGE; ours stay flagged and count as not removed */
	DELETION_STEP_LIFT,    /* unflag *FOREIGN first, and flag it again afterwards */
	DELETION_STEP_DONE,    /* none of ours is there any more */
};

/* OURS: what this session flagged. FOREIGN (empty before) gets the flagged messages that are not
 * ours. Returns 0 with *STEP set, or ERR_NO_MEMORY. */
int deletion_expunge_step(const struct uidset *ours, const struct uidset *flagged,
    enum deletion_foreign policy, enum deletion_step *step, struct uidset *foreign);

/* What the verification found. REMAINING: those of ours that are still in the mailbox. */
struct deletion_result {
	uint64_t marked;    /* messages that DELE marked */
	uint64_t remaining; /* of these, still there */
};
