/* rehearsal.h - whether a configuration can be served by, tried by a process of its own that ends then.
 *
 * The supervisor serves nobody: what is loaded for the trial alone, keys, passwords, the system's authorities and
 * OpenSSL itself, would be with it for as long as it runs, more than all that it needs. */
#pragma once
#include <stddef.h>

#include "gateway/config_report.h"

/* Loads TEXT (LEN octets) as config_load_text does, and says in REPORT (empty before) the same. Waits for it. To
 * be called while there is one thread. Returns 0, ERR_INVALID where there are faults, or ERR_NO_MEMORY. */
int rehearse(const char *path, const char *text, size_t len, struct config_report *report);
