/* target.c - see target.h. */
#include "gateway/target.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

int
target_set(struct target *t, const struct upstream *upstream, const char *login,
    const char *mailbox)
{
	target_clear(t);
	t->upstream = upstream;
	t->login = strdup(login);
	t->mailbox = strdup(mailbox);
	return t->login != NULL && t->mailbox != NULL ? 0 : ERR_NO_MEMORY;
}

void
target_clear(struct target *t)
{
	free(t->login);
	free(t->mailbox);
	memset(t, 0, sizeof(*t));
}
