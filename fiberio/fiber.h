/* fiber.h - stackful coroutines on a libuv loop.
 *
 * A fiber is code that reads top to bottom and may stop at any call whose header says "suspends";
 * meanwhile the loop serves other fibers. Everything runs on the loop's thread, one fiber at a
 * time, so between two suspending calls nothing changes under a fiber's feet. Stacks are 256 KiB of
 * reserved address space with a guard page below; only touched pages cost memory, and those under a
 * fiber that has slept for a while are given back.
 *
 * Suspending calls may be made on a fiber only. Cancellation is an error like others: after
 * fiber_cancel every suspending call of that fiber returns ERR_CANCELLED at once, so that it runs
 * through its own clean-up and ends before fiber_cancel returns. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

struct fiber_runtime; /* the fibers of one loop */
struct fiber;	      /* valid until its entry function returns */

#define FIBER_NO_DEADLINE UINT64_MAX

/* Makes the runtime of LOOP, which must outlive it. Returns 0 or ERR_NO_MEMORY. */
int fiber_runtime_new(uv_loop_t *loop, struct fiber_runtime **out);

/* Cancels what still runs and frees the runtime. Its handles are closed on the loop: run the loop
 * once more (until it has nothing left) before uv_loop_close. Not to be called on a fiber. */
void fiber_runtime_free(struct fiber_runtime *runtime);

/* How many fibers exist. */
size_t fiber_count(const struct fiber_runtime *runtime);

uv_loop_t *fiber_loop(struct fiber_runtime *runtime);

/* Starts ENTRY(ARG) on a new fiber in the next turn of the loop. *OUT (may be NULL) can be used
 * until ENTRY returns. A fiber cancelled before its start runs too, and sees ERR_CANCELLED at its
 * first suspending call; ARG is ENTRY's to clean up. Returns 0 or ERR_NO_MEMORY (also when no stack
 * can be mapped). */
int fiber_spawn(
    struct fiber_runtime *runtime, void (*entry)(void *arg), void *arg, struct fiber **out);

/* Ends FIBER: its pending and all later suspending calls return ERR_CANCELLED. It has unwound and
 * is freed when this returns, unless it is the running fiber or one that is cancelling the running
 * one: such a fiber is only marked. */
void fiber_cancel(struct fiber *fiber);

/* The running fiber, or NULL outside of any; its runtime; whether it was cancelled. */
struct fiber *fiber_self(void);
struct fiber_runtime *fiber_self_runtime(void);
bool fiber_cancelled(void);

/* Milliseconds of the loop's monotonic clock; deadlines are points on it. fiber_deadline gives the
 * point MS milliseconds from now. On a fiber only. */
uint64_t fiber_now(void);
uint64_t fiber_deadline(uint64_t ms);

/* Suspends for MS milliseconds. Returns 0 or ERR_CANCELLED. */
int fiber_sleep(uint64_t ms);

/* Suspends until fiber_wake(fiber_self()) is called or DEADLINE passes. Returns 0, ERR_TIMEOUT or
 * ERR_CANCELLED. */
int fiber_park(uint64_t deadline);

/* Lets a parked fiber go on in the next turn of the loop; no effect on one that is not parked. Not
 * from other threads. */
void fiber_wake(struct fiber *fiber);

/* Starts the threads of libuv's pool, which would else start at the first use, when it is too late to
 * fail: libuv calls abort(3) where a thread cannot be made. Once, at the program's start. Returns 0 or
 * ERR_NO_MEMORY. */
int fiber_start_threads(struct fiber_runtime *runtime);

/* Runs WORK(JOB) on libuv's thread pool; suspends until it is done. On 0 the job has run and is the
 * caller's again. On ERR_CANCELLED the job is still running or was never begun: it belongs to the
 * pool, which calls DISCARD(JOB) on the loop's thread when it is done with it. So JOB must not live
 * on the fiber's stack. ERR_NO_MEMORY: not begun, still the caller's. */
int fiber_offload(void (*work)(void *job), void (*discard)(void *job), void *job);

/* The same, but for no longer than until DEADLINE: then ERR_TIMEOUT, and JOB is the pool's as on
 * ERR_CANCELLED. */
int fiber_offload_by(
    void (*work)(void *job), void (*discard)(void *job), void *job, uint64_t deadline);
