/* part_name.c - see part_name.h. */
#include "gateway/part_name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

int
part_name_set(
    struct part_name *n, const struct upstream *upstream, const char *mailbox, size_t part)
{
	size_t size = strlen(mailbox) + sizeof("\001");

	part_name_clear(n);
	n->template = upstream->uidl;
	if ((n->remembered = malloc(size)) == NULL)
		return ERR_NO_MEMORY;
	/* No mailbox of a configuration has a control character in its name. */
	snprintf(n->remembered, size, "%s%s", mailbox, part > 0 ? "\001" : "");
	if (part == 0)
		return 0;
	if (uidl_template_mark(upstream->uidl, mailbox, &n->marked) != 0) {
		n->marked = NULL;
		return ERR_NO_MEMORY;
	}
	n->template = n->marked;
	return 0;
}

void
part_name_clear(struct part_name *n)
{
	free(n->remembered);
	uidl_template_free(n->marked);
	*n = (struct part_name){ 0 };
}

bool
part_is_absent(struct imap *imap, const char *mailbox, int code)
{
	bool there = true;

	if (imap == NULL || imap_is_dead(imap))
		return false;
	if (code == ERR_TEMPORARY)
		(void) imap_has_mailbox(imap, mailbox, &there, NULL);
	return code == ERR_PERMANENT || !there;
}
