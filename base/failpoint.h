/* failpoint.h - places where tests make the program die, stop, wait or fail.
 *
 * Only builds with POPGATE_FAILPOINTS have them; elsewhere FAILPOINT is the constant 0. What shall
 * happen stands in the environment: POPGATE_FAILPOINTS="store.after=kill;retr.chunk=delay:200@3".
 * Actions are kill (SIGKILL), stop (SIGSTOP; goes on at SIGCONT), error and delay:MILLISECONDS,
 * which holds the whole thread. "@3" means the third time that the place is reached, and without it
 * the first. "list" prints all names and ends the program. POPGATE_FAILPOINT_LOG names a file that
 * gets a line for each that was met. */
#pragma once
#include "base/error.h"

#ifdef POPGATE_FAILPOINTS
/* Does what the environment wants at NAME, one of the table in failpoint.c. Returns 0, or
 * ERR_TEMPORARY where the step shall fail. From any thread. */
int failpoint_reached(const char *name);
#define FAILPOINT(name) failpoint_reached(name)
/* The same for steps that tell why they failed, in the struct error E. */
#define FAILPOINT_ERROR(name, e) failpoint_error(name, e)
int failpoint_error(const char *name, struct error *e);

/* Reads the environment; ends the program with a message where that makes no sense. Once, before
 * anything else. */
void failpoint_setup(void);
#else
#define FAILPOINT(name) 0
#define FAILPOINT_ERROR(name, e) 0
#define failpoint_setup() ((void) 0)
#endif
