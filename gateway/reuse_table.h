/* reuse_table.h - which kept connection is whose: the part of reuse.h that is pure.
 *
 * Users and their credentials are known by keyed hashes only (HMAC-SHA-256 with a key that is drawn
 * for each table and never leaves it): neither names nor passwords are kept, and where in the table
 * a user lands is nobody's choice. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(slot) ((slot)->stored = 0)
#include <uthash.h>

#include "base/credentials.h"

enum { REUSE_HASH = 32 };

struct reuse_key {
	unsigned char user[REUSE_HASH];	       /* where and who */
	unsigned char credentials[REUSE_HASH]; /* and by which password */
};

/* Part of whatever is kept; in one table at most. */
struct reuse_slot {
	UT_hash_handle hh;
	TAILQ_ENTRY(reuse_slot) entry;
	struct reuse_key key;
	int stored; /* 0: the table had no memory for it */
	bool in_table;
};

TAILQ_HEAD(reuse_slots, reuse_slot);

struct reuse_table {
	unsigned char secret[REUSE_HASH];
	struct reuse_slot *by_user;
	struct reuse_slots by_age; /* the oldest first */
	size_t count;
};

/* Makes an empty table. Returns 0, or ERR_NO_MEMORY where no secret can be had. */
int reuse_table_init(struct reuse_table *table);

/* Forgets the secret. All slots must be out. */
void reuse_table_clear(struct reuse_table *table);

/* What C at the server PLACE (compared by its address, which must stay a thing's for as long as a
 * slot speaks of it) hashes to. Returns 0 or ERR_NO_MEMORY. */
int reuse_key_make(const struct reuse_table *table, const void *place, const struct credentials *c,
    struct reuse_key *out);

/* The slot of KEY's user, with whatever credentials; NULL for none. */
struct reuse_slot *reuse_table_find(const struct reuse_table *table, const struct reuse_key *key);

/* Whether SLOT is for the credentials of KEY. Takes as long whatever the difference is. */
bool reuse_slot_is(const struct reuse_slot *slot, const struct reuse_key *key);

/* Adds SLOT under KEY, whose user must have none. Returns 0 or ERR_NO_MEMORY. */
int reuse_table_add(
    struct reuse_table *table, struct reuse_slot *slot, const struct reuse_key *key);

/* Takes SLOT out, if it is in. */
void reuse_table_remove(struct reuse_table *table, struct reuse_slot *slot);
