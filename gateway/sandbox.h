/* sandbox.h - what a worker can still reach once it serves strangers: the files of its
 * configuration, the ports of its servers, and the system calls that serving takes.
 *
 * Against the day on which somebody makes a worker run code of theirs: that code finds no other
 * program to start, no file of others to read, no other port to call. Files and ports are the
 * kernel's Landlock (landlock(7)), system calls are seccomp(2)'s. Neither can be undone, so a
 * configuration that needs more is for a new process. Pure but for the two functions that close. */
#pragma once
#include <stdbool.h>

#include "base/error.h"
#include "gateway/config.h"

/* Sanitizers and coverage counters need files and calls that are nobody's business else. */
#ifdef POPGATE_INSTRUMENTED
#define SANDBOX_FITS_BUILD 0
#else
#define SANDBOX_FITS_BUILD 1
#endif

struct sandbox;

/* What CONFIG, which came from CONFIG_FILE, takes. Returns 0 with *OUT to be freed by sandbox_free,
 * or ERR_NO_MEMORY. */
int sandbox_plan(const struct config *config, const char *config_file, struct sandbox **out);
void sandbox_free(struct sandbox *sandbox); /* NULL is allowed */

/* Whether all that WANTED takes is open in GRANTED. */
bool sandbox_covers(const struct sandbox *granted, const struct sandbox *wanted);

/* How far the kernel went along. */
enum sandbox_reach {
	SANDBOX_NOTHING, /* it has no Landlock, or it is switched off */
	SANDBOX_FILES,	 /* files, but no ports (before Linux 6.7) */
	SANDBOX_FILES_AND_PORTS,
};

/* Closes all files and ports but those of SANDBOX to this thread and those that it will start: to be
 * called while there are no others. Returns 0 with *REACH set, or ERR_PERMANENT with E, when nothing
 * is to be relied on. Does not suspend. */
int sandbox_close_files(
    const struct sandbox *sandbox, enum sandbox_reach *reach, struct error *e);

/* Leaves all threads of this process only the system calls that a worker needs; others fail with
 * ENOSYS, those that only an intruder would try end the process. Returns 0, or ERR_PERMANENT with E.
 * Does not suspend. */
int sandbox_close_calls(struct error *e);
