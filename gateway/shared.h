/* shared.h - memory that the processes of one popgate share, with a lock that outlives its holders.
 *
 * A memfd, handed on as a descriptor. What lies in it is the user's matter; it is to hold no
 * pointers, and must be in a state from which REPAIR can put it right at any instant, for a process
 * may be killed anywhere. Does not suspend; a lock is held for a moment. */
#pragma once
#include <stddef.h>

#include "base/error.h"

struct shared;

/* Puts the memory right after somebody died while holding the lock. NULL where it is never locked. */
typedef void shared_repair_fn(void *memory);

/* New memory of SIZE octets, zeroed; it takes room only where it is touched. NAME is what /proc
 * shows. Returns 0 or ERR_NO_MEMORY. */
int shared_new(const char *name, size_t size, shared_repair_fn *repair, struct shared **out);

/* The memory behind FD, which shared_new made in another process, and which now belongs to *OUT,
 * also when this fails. Returns 0, ERR_INVALID (SIZE is not the size of that), or ERR_NO_MEMORY. */
int shared_attach(int fd, size_t size, shared_repair_fn *repair, struct shared **out);

/* Lets go of it; the others still have it. NULL is allowed. */
void shared_free(struct shared *shared);

void *shared_memory(const struct shared *shared);

/* To be handed to other processes; stays with SHARED. */
int shared_descriptor(const struct shared *shared);

/* Nobody else is between these two at the same time. */
void shared_lock(struct shared *shared);
void shared_unlock(struct shared *shared);
