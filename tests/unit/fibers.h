/* fibers.h - a loop and a runtime for every test that needs fibers, and a look at what is left when
 * it ends. */
#pragma once
#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "fiberio/fiber.h"
#include "unit.h"

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef RUNNING_ON_VALGRIND
#define RUNNING_ON_VALGRIND 0
#endif

static uv_loop_t loop;
static struct fiber_runtime *runtime;
static unsigned descriptors;

static inline unsigned
open_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned count = 0;

	if (directory == NULL)
		return 0;
	while (readdir(directory) != NULL)
		count++;
	closedir(directory);
	return count;
}

static inline void
begin(void)
{
	/* libuv's first loop opens descriptors that stay. */
	CU_ASSERT_EQUAL_FATAL(uv_loop_init(&loop), 0);
	CU_ASSERT_EQUAL_FATAL(uv_loop_close(&loop), 0);
	descriptors = open_descriptors();
	CU_ASSERT_EQUAL_FATAL(uv_loop_init(&loop), 0);
	CU_ASSERT_EQUAL_FATAL(fiber_runtime_new(&loop, &runtime), 0);
	alarm(300); /* a test that hangs fails */
}

/* Everything must be gone: a handle left open makes uv_loop_close fail. */
static inline void
end(void)
{
	fiber_runtime_free(runtime);
	uv_run(&loop, UV_RUN_DEFAULT);
	CU_ASSERT_EQUAL(uv_loop_close(&loop), 0);
	CU_ASSERT_EQUAL(open_descriptors(), descriptors);
	alarm(0);
}

static inline struct fiber *
spawn(void (*entry)(void *arg), void *arg)
{
	struct fiber *fiber = NULL;

	CU_ASSERT_EQUAL_FATAL(fiber_spawn(runtime, entry, arg, &fiber), 0);
	return fiber;
}

/* Until no fiber is left. */
static inline void
run_all(void)
{
	while (fiber_count(runtime) > 0)
		uv_run(&loop, UV_RUN_ONCE);
}

/* Some turns: enough for a fiber to start and to come to a wait that nothing ends. */
static inline void
run_a_little(void)
{
	for (int i = 0; i < 20; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
}
