/* context.c - see context.h. */
#undef _FORTIFY_SOURCE /* which takes a jump to another stack for one to a frame that is gone */
#include "fiberio/context.h"

#include <ucontext.h>

static void
prepare(struct context *to, ucontext_t *place)
{
	getcontext(place);
	place->uc_stack.ss_sp = to->stack;
	place->uc_stack.ss_size = to->stack_size;
	place->uc_link = NULL;
	makecontext(place, to->entry, 0);
	to->entry = NULL;
}

#ifdef HAVE_ASAN

void
context_switch(struct context *from, struct context *to)
{
	if (to->entry != NULL)
		prepare(to, &to->place);
	swapcontext(&from->place, &to->place);
}

#else

static void
begin(struct context *to)
{
	ucontext_t place;

	prepare(to, &place);
	setcontext(&place);
}

void
context_switch(struct context *from, struct context *to)
{
	if (_setjmp(from->place) != 0)
		return;
	if (to->entry != NULL)
		begin(to);
	else
		_longjmp(to->place, 1);
}

#endif
