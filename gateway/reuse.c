/* reuse.c - see reuse.h. Each kept connection has a fiber that waits for the end of its time, and
 * for anything that the server may say. */
#include "gateway/reuse.h"

#include <stdlib.h>

struct reuse {
	struct fiber_runtime *fibers;
	void (*emptied)(void *ctx);
	void *ctx;
	const struct config *config; /* whose connections are kept; NULL: nobody's */
	size_t most;
	struct reuse_table table; /* those that can be taken */
	size_t count;		  /* fibers */
};

struct kept {
	struct reuse_slot slot;
	struct reuse *reuse;
	struct config *config; /* held: what IMAP was made from */
	struct imap *imap;     /* NULL: taken */
	struct fiber *fiber;
	uint64_t ms;
};

int
reuse_new(struct fiber_runtime *fibers, void (*emptied)(void *ctx), void *ctx, struct reuse **out)
{
	struct reuse *reuse = calloc(1, sizeof(*reuse));

	if (reuse == NULL)
		return ERR_NO_MEMORY;
	if (reuse_table_init(&reuse->table) != 0) {
		free(reuse);
		return ERR_NO_MEMORY;
	}
	reuse->fibers = fibers;
	reuse->emptied = emptied;
	reuse->ctx = ctx;
	*out = reuse;
	return 0;
}

void
reuse_free(struct reuse *reuse)
{
	if (reuse == NULL)
		return;
	reuse_table_clear(&reuse->table);
	free(reuse);
}

size_t
reuse_count(const struct reuse *reuse)
{
	return reuse->count;
}

int
reuse_key(const struct reuse *reuse, const struct upstream *upstream, const struct credentials *c,
    struct reuse_key *out)
{
	return reuse_key_make(&reuse->table, upstream, c, out);
}

/* ---- the end of a connection ---- */

static struct kept *
kept_of(struct reuse_slot *slot)
{
	return (struct kept *) ((char *) slot - offsetof(struct kept, slot));
}

static void
kept_free(struct kept *k)
{
	config_unref(k->config);
	free(k);
}

/* Nobody can take it any more; its fiber logs out in the next turn. */
static void
end(struct reuse *reuse, struct reuse_slot *slot)
{
	reuse_table_remove(&reuse->table, slot);
	imap_interrupt(kept_of(slot)->imap);
}

static void
end_oldest(struct reuse *reuse)
{
	end(reuse, TAILQ_FIRST(&reuse->table.by_age));
}

void
reuse_apply(struct reuse *reuse, const struct config *config, size_t most)
{
	bool changed = config != reuse->config;

	reuse->config = config;
	reuse->most = most;
	while (reuse->table.count > (changed ? 0 : most))
		end_oldest(reuse);
}

void
reuse_supersede(struct reuse *reuse, const struct reuse_key *key)
{
	struct reuse_slot *slot = reuse_table_find(&reuse->table, key);

	if (slot != NULL)
		end(reuse, slot);
}

/* ---- its life ---- */

/* The fiber of a kept connection. It is cancelled where somebody takes the connection, and at the
 * end of all fibers. */
static void
keep(void *arg)
{
	struct kept *k = arg;
	struct reuse *reuse = k->reuse;
	int rc = fiber_cancelled() ? ERR_CANCELLED : imap_listen(k->imap, fiber_deadline(k->ms));

	reuse_table_remove(&reuse->table, &k->slot);
	if (rc == ERR_TIMEOUT || rc == ERR_INTERRUPTED)
		imap_logout(k->imap);
	else
		imap_close(k->imap); /* the server has ended it, or broken the silence */
	kept_free(k);
	if (--reuse->count == 0)
		reuse->emptied(reuse->ctx);
}

/* Puts IMAP into the table, where there may have to be made room. Returns 0, and it is the table's;
 * or an error, and it is not. */
static int
enter(struct reuse *reuse, const struct reuse_key *key, struct kept *k)
{
	int rc;

	reuse_supersede(reuse, key);
	while (reuse->table.count >= reuse->most)
		end_oldest(reuse);
	if ((rc = reuse_table_add(&reuse->table, &k->slot, key)) != 0)
		return rc;
	if ((rc = fiber_spawn(reuse->fibers, keep, k, &k->fiber)) != 0)
		reuse_table_remove(&reuse->table, &k->slot);
	return rc;
}

void
reuse_keep(struct reuse *reuse, const struct reuse_key *key, struct config *config, uint64_t ms,
    struct imap *imap)
{
	struct kept *k = NULL;

	if (imap_unselect(imap, NULL) != 0 || reuse->config != config || reuse->most == 0 ||
	    (k = calloc(1, sizeof(*k))) == NULL) {
		imap_logout(imap);
		return;
	}
	*k = (struct kept){ .reuse = reuse, .config = config_ref(config), .imap = imap, .ms = ms };
	if (enter(reuse, key, k) == 0) {
		reuse->count++;
		return;
	}
	kept_free(k);
	imap_logout(imap);
}

struct imap *
reuse_take(struct reuse *reuse, const struct reuse_key *key)
{
	struct reuse_slot *slot = reuse_table_find(&reuse->table, key);
	struct kept *k;
	struct imap *imap;

	if (slot == NULL || !reuse_slot_is(slot, key))
		return NULL;
	reuse_table_remove(&reuse->table, slot);
	k = kept_of(slot);
	imap = k->imap;
	k->imap = NULL;
	fiber_cancel(k->fiber); /* K is gone */
	if (imap_is_at_rest(imap))
		return imap;
	imap_close(imap);
	return NULL;
}
