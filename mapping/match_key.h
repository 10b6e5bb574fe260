/* match_key.h - messages that have something in common that others do not (for match.c alone): whatever
 * their places, these are pairs. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "mapping/match.h"

/* Whether a message is free to be paired. Ambiguous ones are: a later stage may know. */
bool match_is_open(const struct match_message *m);

/* Whether its header was read. */
bool match_is_read(const struct match_message *m);

void match_pair(struct match *m, size_t old, size_t new, enum match_how how);

/* Pair what is open by identity; by X-UIDL; by headers, Message-ID and Date. What fits several is
 * ambiguous then. Return 0 or ERR_NO_MEMORY. */
int match_by_identity(struct match *m);
int match_by_x_uidl(struct match *m);
int match_by_headers(struct match *m);

/* SURE, all false before, becomes true for those places of the prefix whose messages are known by identity, or
 * are of a size that no other open message has, anywhere. Returns 0 or ERR_NO_MEMORY. */
int match_find_sure(const struct match *m, bool *sure);
