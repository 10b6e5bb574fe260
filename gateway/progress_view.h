/* progress_view.h - shows how far a command is, while it goes through many users: a bar at the bottom of a
 * terminal, else a line now and then. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "gateway/progress.h"

struct progress_view {
	FILE *to;
	bool is_terminal;
	struct progress so_far; /* the caller counts */
	uint64_t began, told_at; /* milliseconds of the monotonic clock */
};

/* TOTAL users will come, from now on. TO is the caller's, and outlives V. */
void progress_view_begin(struct progress_view *v, FILE *to, size_t total);

/* Shows how far it is. To be called some times a second. */
void progress_view_tick(struct progress_view *v);

/* Something else is about to be written where the bar is, or all is done. */
void progress_view_pause(struct progress_view *v);
