/* turn.h - fibers that take turns at something, in the order in which they came. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct turn_waiter;

struct turn { /* { 0 } is nobody's */
	bool taken;
	struct turn_waiter *waiting;
};

/* Suspends until it is the running fiber's turn. 0: it is, and ends by turn_pass, which anybody on the
 * loop may call. ERR_TIMEOUT at DEADLINE, or ERR_CANCELLED: it is not. */
int turn_take(struct turn *turn, uint64_t deadline);

/* The turn is the next one's. Does not suspend. */
void turn_pass(struct turn *turn);
