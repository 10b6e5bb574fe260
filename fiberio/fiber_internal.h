/* fiber_internal.h - how the waits of this folder suspend and resume fibers. Not for other layers.
 */
#pragma once
#include "fiberio/fiber.h"

struct poller;

/* What watches the sockets of the runtime's streams. */
struct poller *fiber_poller(struct fiber_runtime *runtime);

/* Suspends the running fiber until fiber_resume is called on it, DEADLINE passes, or it is
 * cancelled. Returns what fiber_resume was given, ERR_TIMEOUT or ERR_CANCELLED. A cancelled fiber
 * does not suspend at all. Whoever wanted to resume the fiber must be told, by the caller and
 * before it returns, that nobody waits any more. */
int fiber_suspend(uint64_t deadline);

/* Lets FIBER, suspended in fiber_suspend, go on with RESULT. Runs it at once, until it suspends
 * again or ends. From the loop's callbacks or from another fiber. */
void fiber_resume(struct fiber *fiber, int result);

/* The same in the next turn of the loop, unless something else resumes FIBER first. */
void fiber_resume_later(struct fiber *fiber, int result);

/* Called by operations that did not have to suspend: lets the loop have a turn every so often, so
 * that a peer who is always ready cannot keep everybody else waiting. Returns 0 or ERR_CANCELLED.
 */
int fiber_breathe(void);
