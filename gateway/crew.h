/* crew.h - many jobs, a few at a time: for commands that go through all users. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct crew {
	size_t jobs;	 /* in all, numbered from 0 */
	unsigned hands;	 /* how many run at the same time */
	unsigned per_minute; /* at most so many begin in a minute, evenly; 0: any number */
	/* Whether job AT has nothing to be done, so that it costs none of the rate, and WORK is not called;
	 * NULL: none is so. On a fiber; may suspend. */
	bool (*pass)(void *ctx, size_t at);
	/* Does job AT, on a fiber; may suspend. */
	void (*work)(void *ctx, size_t at);
	/* Called some times a second while jobs run; NULL: not wanted. Does not suspend. */
	void (*tick)(void *ctx);
	/* Called when SIGINT or SIGTERM has called off what has not begun. Does not suspend. */
	void (*called_off)(void *ctx);
	void *ctx;
};

/* Does all jobs of C on a loop of its own and returns when they are done: 0, or ERR_NO_MEMORY when not
 * all could be begun. On the first SIGINT or SIGTERM, those that have begun are done and no more; *LEFT
 * is how many have not. The second one ends the process. Blocks; not to be called on a fiber. */
int crew_run(const struct crew *c, size_t *left);
