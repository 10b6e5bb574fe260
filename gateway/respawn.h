/* respawn.h - when a worker that has ended is started again. Pure.
 *
 * At once after the first end; if it ends again and again, once a second: whatever makes it fail,
 * nobody spins. */
#pragma once
#include <stdint.h>

/* One place for a worker; { 0 } is one that never had any. */
struct respawn {
	uint64_t started_ms; /* the last start */
	unsigned early_ends; /* since one lasted */
};

/* A worker was started at NOW_MS. */
void respawn_started(struct respawn *respawn, uint64_t now_ms);

/* It ended at NOW_MS. Returns for how many milliseconds to wait before the next start. */
uint64_t respawn_ended(struct respawn *respawn, uint64_t now_ms);
