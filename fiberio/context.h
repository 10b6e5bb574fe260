/* context.h - a place in the program, on a stack of its own, that can be left and returned to. Not
 * for other layers.
 *
 * swapcontext(3) asks the kernel for the signal mask at each switch, which all fibers share. So it
 * is used for the way onto a new stack alone, and setjmp(3) from then on. */
#pragma once
#include <stddef.h>

#include "fiberio/tools.h"

#ifdef HAVE_ASAN
#include <ucontext.h>
#else
#include <setjmp.h>
#endif

/* Zeroed, it is one that can be left only. */
struct context {
	void (*entry)(void); /* where it begins, if it has not yet; must not return */
	void *stack;
	size_t stack_size;
#ifdef HAVE_ASAN /* which takes a longjmp for the end of the frames between */
	ucontext_t place;
#else
	jmp_buf place;
#endif
};

/* Leaves the running context, which is kept in *FROM, for *TO. */
void context_switch(struct context *from, struct context *to);
