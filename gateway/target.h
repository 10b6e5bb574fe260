/* target.h - where an account's mail is: the outcome of routing. */
#pragma once
#include <stdbool.h>

#include "gateway/upstream.h"

struct target {
	const struct upstream *upstream;
	char *login;   /* what the user is called there */
	struct text_list mailboxes; /* that are shown; UTF-8 */
};

/* A target with copies of LOGIN and MAILBOXES; to be cleared in any case. Returns 0 or
 * ERR_NO_MEMORY. */
int target_set(struct target *t, const struct upstream *upstream, const char *login,
    const struct text_list *mailboxes);

/* Whether MAILBOX is where deletions at UPSTREAM may go. */
bool target_is_trash(const struct upstream *upstream, const char *mailbox);

/* Frees what T owns; it is empty afterwards. */
void target_clear(struct target *t);
