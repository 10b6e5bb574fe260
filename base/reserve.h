/* reserve.h - memory for those who cannot do without.
 *
 * Some functions of the libraries below us end the process when they get no memory, or lose what
 * they have. Before one of them is called, memory is asked for here, where saying no is no harm. */
#pragma once
#include <stddef.h>

enum {
	RESERVE_OCTETS = 98304
}; /* less than what malloc gives back to the system when it is freed */

/* Sees that the next allocations of this thread, OCTETS in all, will not fail; at least
 * RESERVE_OCTETS. Holds until something else is allocated, so for what follows without a wait.
 * Returns 0 or ERR_NO_MEMORY. */
int memory_reserve(size_t octets);
