/* replay.h - what earlier sessions of a maildrop left unfinished (docs/behaviour.md, "How messages
 * are deleted").
 *
 * popgate may have died between the first flag of a QUIT and its answer, or lost the server when it
 * wanted to take flags back. The journal tells; the next session, which has the maildrop's lock,
 * finishes or takes back, by UID and only while UIDVALIDITY is what it was. */
#pragma once
#include "gateway/journal.h"
#include "gateway/mailbox_link.h"

/* Works off what JOURNAL (NULL: nothing to do) has about MAILDROP, whose mailbox LINK has selected.
 * Of an unanswered QUIT those messages are removed that still bear our flag; others are left alone.
 * A journal that cannot be read is logged and costs nobody the login. *CHANGED is set where the
 * mailbox was touched. Suspends. Returns 0, or an error where the connection was lost: what is
 * unfinished then stays in the journal. */
int replay_run(struct journal *journal, const struct maildrop_key *maildrop,
    struct mailbox_link *link, bool *changed, struct error *e);
