/* crew.h - many jobs, a few at a time: for commands that go through all users. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct crew {
	size_t jobs;	 /* in all, numbered from 0 */
	unsigned hands;	 /* how many run at the same time */
	unsigned per_minute; /* at most so many begin in a minute, evenly; 0: any number */
	/* Does job AT, on a fiber; may suspend. */
	void (*work)(void *ctx, size_t at);
	/* Called some times a second while jobs run; NULL: not wanted. Does not suspend. */
	void (*tick)(void *ctx);
	void *ctx;
};

/* Does all jobs of C on a loop of its own and returns when they are done: 0, or ERR_NO_MEMORY when not
 * all could be begun. Blocks; not to be called on a fiber. */
int crew_run(const struct crew *c);
