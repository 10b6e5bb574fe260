/* destination.h - an account's mailboxes on the new server, for commands that act for many users: those that
 * a login shows as one maildrop, on one connection. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "gateway/pairing.h"
#include "gateway/part_name.h"
#include "gateway/target.h"

struct destination_mailbox {
	struct part_name name;
	uint32_t uidvalidity;
	bool is_absent; /* the server has none of that name; never the first */
};

struct destination { /* { 0 } is closed */
	const struct target *target;
	struct imap *imap;
	struct destination_mailbox *mailboxes; /* in the order of the target's */
	size_t selected;
};

/* Connects, logs in to TARGET, which must outlive D, by PASSWORD (migration_credentials), and selects the
 * first mailbox. To be closed in any case. Suspends. */
int destination_open(struct destination *d, const struct target *target, const char *password,
    struct error *e);
void destination_close(struct destination *d);

/* Lists all mailboxes as the new side of P. Suspends. */
int destination_list(struct destination *d, struct pairing *p, struct error *e);

/* What pairing_run reads headers from. */
struct pairing_source destination_source(struct destination *d);

/* What the ledger knows mailbox AT by; lasts as long as D is open. */
struct maildrop_key destination_key(const struct destination *d, size_t at);
