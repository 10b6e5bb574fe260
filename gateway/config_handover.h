/* config_handover.h - the text of a configuration, handed from process to process.
 *
 * All workers are to serve the same configuration, also those that are started long after the file
 * was changed. So the text is read once and kept in memory that nobody can change any more. */
#pragma once
#include <stddef.h>

#include "gateway/config.h"

/* Puts TEXT into sealed memory; *FD is the caller's. Returns 0 or ERR_NO_MEMORY. */
int config_seal(const char *text, size_t len, int *fd);

/* As config_load, for the text that config_seal has put behind FD; PATH is where it came from. */
int config_load_sealed(const char *path, int fd, struct config **out, struct config_report *report);
