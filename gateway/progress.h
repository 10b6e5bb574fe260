/* progress.h - how far a command is that goes through many users. Pure. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct progress {
	size_t done, total; /* users */
	size_t passed;	    /* of those done: took no time, and say nothing of how long the rest takes */
	uint64_t elapsed_ms;
};

enum { PROGRESS_MAX = 120 }; /* octets of either form, with the final NUL */

/* Writes a bar of at most WIDTH columns: "[####......] 40% 400/1000, 52/min, 11:32 left". */
void progress_bar(const struct progress *p, size_t width, char buf[PROGRESS_MAX]);

/* Writes the same in words, for a log. */
void progress_line(const struct progress *p, char buf[PROGRESS_MAX]);
