/* journal_row.h - what a row of the journal's table means, if anything.
 *
 * The file may be damaged or made by somebody else: nothing in it is believed unseen. Pure. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "gateway/journal.h"

struct journal_text {
	const char *text; /* need not end in a NUL; may be NULL where LEN is 0 */
	size_t len;
};

struct journal_row {
	int64_t id;
	int64_t uidvalidity;
	int64_t task;
	int64_t begun;
	struct journal_text how;
	struct journal_text ours; /* these three as in base/uidset_text.h */
	struct journal_text flagged_before;
	struct journal_text lifted;
};

/* *OUT (empty before) becomes what ROW says. Returns 0, ERR_NO_MEMORY, or ERR_INVALID with a text
 * that says which part makes no sense; *OUT is empty then. */
int journal_row_decode(const struct journal_row *row, struct journal_entry *out, struct error *e);

/* Frees the sets of ENTRY and empties it. */
void journal_entry_clear(struct journal_entry *entry);
