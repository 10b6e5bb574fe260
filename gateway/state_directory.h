/* state_directory.h - the folder of what outlives a session: maildrop locks, the journal of
 * deletions, kept listings. */
#pragma once
#include "base/error.h"

/* Makes PATH and PATH/locks where they are missing, with mode 0700, and sees that files can be made
 * there. Returns 0, or ERR_PERMANENT with a text that names the folder, or ERR_NO_MEMORY. */
int state_directory_prepare(const char *path, struct error *e);
