/* stack.h - the stacks that fibers run on: mapped, guarded, used again. Not for other layers. */
#pragma once
#include <stddef.h>

enum { STACK_OCTETS = 256 * 1024 };

struct stack_cache;

int stack_cache_new(struct stack_cache **out);
void stack_cache_free(struct stack_cache *cache);

/* The lowest usable octet of a stack of STACK_OCTETS with an inaccessible page below, or NULL. */
void *stack_take(struct stack_cache *cache);

/* Takes STACK back, for the next fiber or for the kernel. */
void stack_give(struct stack_cache *cache, void *stack);

/* Gives the pages of STACK that lie below TOP back to the kernel; what they hold is lost. */
void stack_trim(void *stack, const void *top);
