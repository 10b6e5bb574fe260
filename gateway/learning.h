/* learning.h - when a login learns of the old server: at an account's first, before it is shown a UIDL
 * (learner.h). */
#pragma once
#include "gateway/box.h"

struct learner;

struct learning { /* { 0 } is one that has not begun */
	struct learner *learner; /* NULL: nothing is being learned */
	bool has_begun;		 /* and UIDLs were left for learning_finish */
	bool is_needless;	 /* the account is not new, or there is nothing at the old server */
	const struct box *boxes;
};

/* BOX, one of a maildrop's, is opened: if it is new to the ledger, as all before it, and the upstream has
 * somebody to learn of, that begins now; else nothing is learned. Returns 0 or ERR_NO_MEMORY. Does not suspend. */
int learning_consider(struct learning *l, const struct box *box, struct error *e);

/* What is being learned, if anything, is told to the ledger and to BOXES (COUNT), which are listed, and then
 * complete. What becomes of the login where it cannot be learned is the upstream's setting. Suspends. */
int learning_finish(struct learning *l, struct box *boxes, size_t count, struct error *e);

/* Stops what is under way. */
void learning_end(struct learning *l);
