/* database_place.h - where a database lies, and that it is there. */
#pragma once
#include <stdint.h>

#include "base/error.h"

/* Milliseconds of the system's monotonic clock. From any thread. */
uint64_t database_clock(void);

/* Makes an empty file NAME of mode 0600 in DIRECTORY where none is. *PATH, to be freed, leads to
 * it without symbolic links. *LOCK is to be closed when the file was opened and set up: until then
 * other processes wait, up to DEADLINE on database_clock. Returns 0, or ERR_TEMPORARY or
 * ERR_NO_MEMORY with a text; there is nothing to free or close then. */
int database_place_prepare(const char *directory, const char *name, uint64_t deadline, char **path,
    int *lock, struct error *e);
