/* journal_place.h - where the journal's file lies, and that it is there. */
#pragma once
#include <stdint.h>

#include "base/error.h"

#define JOURNAL_NAME "journal.db"

/* Milliseconds of the system's monotonic clock. From any thread. */
uint64_t journal_clock(void);

/* Makes an empty journal.db of mode 0600 in DIRECTORY where none is. *PATH, to be freed, leads to
 * it without symbolic links. *LOCK is to be closed when the file was opened and set up: until then
 * other processes wait, up to DEADLINE on journal_clock. Returns 0, or ERR_TEMPORARY or
 * ERR_NO_MEMORY with a text; there is nothing to free or close then. */
int journal_place_prepare(
    const char *directory, uint64_t deadline, char **path, int *lock, struct error *e);
