/* target.c - see target.h. */
#include "gateway/target.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

int
target_set(struct target *t, const struct upstream *upstream, const char *login,
    const struct text_list *mailboxes)
{
	target_clear(t);
	t->upstream = upstream;
	t->login = strdup(login);
	return t->login != NULL ? text_list_copy(mailboxes, &t->mailboxes) : ERR_NO_MEMORY;
}

void
target_clear(struct target *t)
{
	free(t->login);
	text_list_clear(&t->mailboxes);
	memset(t, 0, sizeof(*t));
}
