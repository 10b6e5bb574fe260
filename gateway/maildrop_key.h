/* maildrop_key.h - which maildrop, for what remembers things about it. */
#pragma once

/* Names count as they are: a lock may be held too often, but what was meant for one user's mailbox must
 * never be done to another's. */
struct maildrop_key {
	const char *upstream;
	const char *user;
	const char *mailbox;
};
