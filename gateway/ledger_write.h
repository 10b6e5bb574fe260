/* ledger_write.h - what the ledger is told of a login, gathered before it goes to another thread. */
#pragma once
#include "gateway/ledger_file.h"

struct ledger_writing; /* owns all that it needs */

/* Gathers what is new in PARTS (COUNT), which ACCOUNT is shown: *OUT, NULL where nothing is. WITHOUT_MARKED:
 * at the end of a session, and as if the marked messages were not there. To be freed with ledger_writing_free. Returns 0 or
 * ERR_NO_MEMORY. */
int ledger_writing_new(const char *account, const struct ledger_part *parts, size_t count,
    bool without_marked, struct ledger_writing **out);
void ledger_writing_free(struct ledger_writing *w); /* NULL is allowed */

/* Writes it. Blocks; otherwise as the functions of ledger_file.h. ERR_IN_USE: an import came in between. */
int ledger_file_write(
    struct ledger_file *file, uint64_t deadline, struct ledger_writing *w, struct error *e);

/* What PARTS (the same) find from now on. */
void ledger_writing_found(const struct ledger_writing *w, struct ledger_part *parts);
