/* privacy.h - the memory of a process that handles passwords is nobody else's. */
#pragma once

/* No core file is written of this process, and no other process of the same user may look into it
 * or trace it (PR_SET_DUMPABLE in prctl(2)). To be called first of all; a new program (execve) begins
 * without. Does nothing in builds for tests, which want to be looked into. */
void privacy_begin(void);
