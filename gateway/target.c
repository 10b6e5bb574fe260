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

bool
target_is_trash(const struct upstream *upstream, const char *mailbox)
{
	const char *trash = upstream->trash_mailbox;

	if (strcmp(trash, mailbox) == 0)
		return true;
	/* RFC 3501 section 5.1: the one name that has no case. */
	return strcasecmp(trash, "INBOX") == 0 && strcasecmp(mailbox, "INBOX") == 0;
}

void
target_clear(struct target *t)
{
	free(t->login);
	text_list_clear(&t->mailboxes);
	memset(t, 0, sizeof(*t));
}
