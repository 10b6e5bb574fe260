/* reserve.c - see reserve.h. malloc serves small blocks from a large one that was just freed. */
#include "base/reserve.h"

#include <stdlib.h>

#include "base/error.h"

#if defined(__SANITIZE_ADDRESS__)
#define FREED_IS_KEPT 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FREED_IS_KEPT 1
#endif
#endif

int
memory_reserve(size_t octets)
{
	void *block;

#ifdef FREED_IS_KEPT
	/* AddressSanitizer puts freed blocks aside: nothing is gained, and there is less room for
	 * others. */
	if (octets <= RESERVE_OCTETS)
		return 0;
#endif
	if ((block = malloc(octets < RESERVE_OCTETS ? RESERVE_OCTETS : octets)) == NULL)
		return ERR_NO_MEMORY;
	/* Else the compiler sees that nobody uses the block, and leaves both calls out. */
	__asm__ volatile("" : : "r"(block) : "memory");
	free(block);
	return 0;
}
