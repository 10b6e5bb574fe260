/* stack.c - see stack.h. */
#include "fiberio/stack.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "fiberio/tools.h"

/* Sessions come and go; mapping a stack costs two system calls and the faults of its first pages.
 */
enum { CACHED_STACKS = 64 };

struct stack_cache {
	size_t count;
	void *stacks[CACHED_STACKS];
	size_t page;
};

int
stack_cache_new(struct stack_cache **out)
{
	struct stack_cache *cache = calloc(1, sizeof(*cache));

	if (cache == NULL)
		return ERR_NO_MEMORY;
	cache->page = (size_t) sysconf(_SC_PAGESIZE);
	*out = cache;
	return 0;
}

static void
unmap(struct stack_cache *cache, void *stack)
{
	munmap((char *) stack - cache->page, STACK_OCTETS + cache->page);
}

void
stack_cache_free(struct stack_cache *cache)
{
	while (cache->count > 0)
		unmap(cache, cache->stacks[--cache->count]);
	free(cache);
}

void *
stack_take(struct stack_cache *cache)
{
	char *base;

	if (cache->count > 0)
		return cache->stacks[--cache->count];
	/* NORESERVE: thousands of stacks are address space first; only touched pages are memory. */
	base = mmap(NULL, STACK_OCTETS + cache->page, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (base == MAP_FAILED)
		return NULL;
	if (mprotect(base, cache->page, PROT_NONE) != 0) {
		munmap(base, STACK_OCTETS + cache->page);
		return NULL;
	}
	return base + cache->page;
}

void
stack_give(struct stack_cache *cache, void *stack)
{
	/* The last frames of a fiber never return, so their marks would meet the next one. */
	__asan_unpoison_memory_region(stack, STACK_OCTETS);
	if (cache->count == CACHED_STACKS) {
		unmap(cache, stack);
		return;
	}
	/* Nothing of one session stays behind for the next: passwords have been on this stack. */
	madvise(stack, STACK_OCTETS, MADV_DONTNEED);
	cache->stacks[cache->count++] = stack;
}

void
stack_trim(void *stack, const void *top)
{
	size_t page = (size_t) sysconf(_SC_PAGESIZE);
	size_t unused = ((size_t) ((const char *) top - (char *) stack)) / page * page;

	if (unused > 0)
		madvise(stack, unused, MADV_DONTNEED);
}
