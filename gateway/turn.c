/* turn.c - see turn.h. */
#include "gateway/turn.h"

#include <stddef.h>

#include "base/error.h"
#include "fiberio/fiber.h"

/* On the stack of a fiber that waits for its turn. */
struct turn_waiter {
	struct fiber *fiber;
	bool has_turn;
	struct turn_waiter *next;
};

void
turn_pass(struct turn *turn)
{
	struct turn_waiter *next = turn->waiting;

	if (next == NULL) {
		turn->taken = false;
		return;
	}
	turn->waiting = next->next;
	next->has_turn = true;
	fiber_wake(next->fiber);
}

int
turn_take(struct turn *turn, uint64_t deadline)
{
	struct turn_waiter me = { .fiber = fiber_self() };
	struct turn_waiter **link = &turn->waiting;
	int rc = 0;

	if (!turn->taken) {
		turn->taken = true;
		return 0;
	}
	while (*link != NULL)
		link = &(*link)->next;
	*link = &me;
	while (!me.has_turn && rc == 0)
		rc = fiber_park(deadline);
	if (me.has_turn) {
		if (rc != ERR_CANCELLED)
			return 0;
		turn_pass(turn);
		return rc;
	}
	for (link = &turn->waiting; *link != &me; link = &(*link)->next)
		;
	*link = me.next;
	return rc;
}
