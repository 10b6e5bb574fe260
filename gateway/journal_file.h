/* journal_file.h - the SQLite database behind the journal. Knows nothing of fibers.
 *
 * Functions block, from any thread but one at a time. The file is opened by whichever needs it;
 * after an error it is closed, so that the next use begins anew. A file that was moved away or
 * replaced is noticed. DEADLINE is a point on database_clock, by which they come back unless the
 * system holds them. Results: 0, ERR_TEMPORARY with a text that names the file and what to do,
 * ERR_NO_MEMORY. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "gateway/journal.h"

struct journal_file;

/* For journal.db in DIRECTORY. Touches nothing yet. Returns 0 or ERR_NO_MEMORY. */
int journal_file_new(const char *directory, struct journal_file **out);
void journal_file_free(struct journal_file *file);

/* Where it is expected, for messages. */
const char *journal_file_path(const struct journal_file *file);

/* Opens, looks, writes and closes. */
int journal_file_check(struct journal_file *file, uint64_t deadline, struct error *e);

/* The user's name in KEY is folded already; ENTRY's flagged_before is a part of its ours. */
int journal_file_insert(struct journal_file *file, uint64_t deadline, const struct maildrop_key *key,
    const struct journal_entry *entry, int64_t *id, struct error *e);
int journal_file_update(struct journal_file *file, uint64_t deadline, int64_t id,
    enum journal_task task, const struct uidset *lifted, struct error *e);
int journal_file_delete(struct journal_file *file, uint64_t deadline, int64_t id, struct error *e);

/* As journal_pending. *EMPTY: there is no entry at all, about nobody. */
int journal_file_select(struct journal_file *file, uint64_t deadline, const struct maildrop_key *key,
    struct journal_entry **entries, size_t *count, bool *empty, struct error *e);
