/* journal.h - the durable journal of deletions.
 *
 * Before the first change of a QUIT it says what is to be removed; when the outcome is certain, the
 * entry goes. Whatever ended popgate in between, the next session of that maildrop finds the entry
 * and finishes or takes back. It is an SQLite database (WAL) in the state directory, "journal.db",
 * mode 0600, which processes may share.
 *
 * A journal that cannot be used (disk full, damaged, read-only, locked for long) makes its calls
 * fail with ERR_TEMPORARY and a text that names the file and what to do; each use tries again from
 * the beginning, so it works again as soon as the cause is gone.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/uidset.h"
#include "gateway/maildrop_key.h"

struct journal; /* one per process; used from one loop's thread */

enum journal_task {
	JOURNAL_REMOVE, /* the client's QUIT was not answered: finish */
	JOURNAL_UNDO,	/* it was answered by -ERR, or cannot be finished: take our flags back */
	JOURNAL_LATE,	/* is over; flags that come late are taken back, for a while */
};

enum { JOURNAL_HOW_MAX = 80 }; /* octets, with NUL */

struct journal_entry {
	int64_t id; /* never used twice, in whichever file */
	uint32_t uidvalidity;
	enum journal_task task;
	int64_t begun;		      /* seconds since the epoch */
	char how[JOURNAL_HOW_MAX];    /* what is done to the messages, see removal.h */
	struct uidset ours;	      /* messages that the QUIT was to remove */
	struct uidset flagged_before; /* of these, those that others had flagged \Deleted before */
	struct uidset lifted; /* messages of others whose \Deleted was taken off: to be put back */
};

/* How long a call waits in all for its turn and for other processes: milliseconds. */
enum { JOURNAL_PATIENCE_MS = 5000 };

/* Makes the journal of STATE_DIRECTORY; no file is touched before the first use. Returns 0 or
 * ERR_NO_MEMORY. */
int journal_open(const char *state_directory, struct journal **out);

/* Instead of JOURNAL_PATIENCE_MS. */
void journal_set_patience(struct journal *journal, unsigned milliseconds);

/* When no fiber is inside any more. Work of cancelled fibers may still be on the thread pool; it
 * ends as the loop runs on. JOURNAL may be NULL. */
void journal_close(struct journal *journal);

/* Blocks, for the start: sees whether the file can be made or opened, is intact, and can be
 * written. Returns 0, ERR_TEMPORARY or ERR_NO_MEMORY. */
int journal_check(struct journal *journal, struct error *e);

/* The following are for fibers and suspend. They return 0, ERR_TEMPORARY, ERR_NO_MEMORY, or
 * ERR_CANCELLED: then the work may have been done nevertheless. */

/* Adds ENTRY (whose id counts for nothing; of flagged_before only what is in ours) and tells its
 * *ID. It is on disk when 0 is returned. */
int journal_begin(struct journal *journal, const struct maildrop_key *key,
    const struct journal_entry *entry, int64_t *id, struct error *e);

/* Changes what entry ID says; on disk when 0 is returned. An entry that is not there (any more) is
 * an error. */
int journal_change(struct journal *journal, int64_t id, enum journal_task task,
    const struct uidset *lifted, struct error *e);

/* Removes entry ID, if it is there. After a loss of power it may be back. */
int journal_end(struct journal *journal, int64_t id, struct error *e);

/* *ENTRIES becomes a list of what there is about KEY, oldest first. Rows that make no sense are
 * left out, and ERR_TEMPORARY is returned with the others in the list. To be given to
 * journal_entries_free whatever was returned. */
int journal_pending(struct journal *journal, const struct maildrop_key *key,
    struct journal_entry **entries, size_t *count, struct error *e);

void journal_entries_free(struct journal_entry *entries, size_t count);
