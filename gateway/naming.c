/* naming.c - see naming.h. */
#include "gateway/naming.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/header_prints.h"

enum {
	COMMAND_OCTETS = 7000, /* of a set in one command */
	VALUE_MAX = 512,       /* octets of a name that count */
};

struct naming {
	struct ledger_names *names;
	enum naming_kind kind;
	const struct snapshot *snapshot;
	size_t first; /* the number of the message of names->items[0] */
};

enum naming_kind
naming_kind_for(const struct upstream *upstream, const struct imap *imap)
{
	if (upstream->naming == NAMING_EMAILID &&
	    (imap_capabilities(imap) & IMAP_CAP_OBJECTID) == 0)
		return NAMING_NONE;
	return upstream->naming;
}

/* Names of different kinds are never the same. */
static uint64_t
digest(enum naming_kind kind, const char *value, size_t len)
{
	char text[VALUE_MAX + 8];
	int prefix = snprintf(text, sizeof(text), "%u ", (unsigned) kind);

	if (len > VALUE_MAX)
		len = VALUE_MAX;
	memcpy(text + prefix, value, len);
	return fingerprint_key(text, (size_t) prefix + len);
}

static int
compare_uids(const void *a, const void *b)
{
	const struct ledger_name *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

/* The one for UID; NULL: nobody asked for that. */
static struct ledger_name *
find(const struct naming *n, uint32_t uid)
{
	const struct ledger_name key = { .uid = uid };

	return bsearch(&key, n->names->items, n->names->count, sizeof(key), compare_uids);
}

static int
take_attribute(void *ctx, uint32_t uid, const char *value, size_t len)
{
	const struct naming *n = ctx;
	struct ledger_name *name = find(n, uid);

	if (name != NULL && len > 0)
		name->digest = digest(n->kind, value, len);
	return 0;
}

/* A header that says little counts only together with the size, as for matching (mapping/match.h). */
static int
take_print(void *ctx, uint32_t uid, const struct fingerprint *print)
{
	const struct naming *n = ctx;
	struct ledger_name *name = find(n, uid);
	uint64_t size = 0;
	char text[64];
	int len;

	if (name == NULL || (print->headers[0] == 0 && print->headers[1] == 0))
		return 0;
	if (!print->strong)
		size = snapshot_at(n->snapshot, n->first + (size_t) (name - n->names->items))->size;
	len = snprintf(text, sizeof(text), "%" PRIx64 " %" PRIx64 " %" PRIu64, print->headers[0],
	    print->headers[1], size);
	name->digest = digest(n->kind, text, (size_t) len);
	return 0;
}

static int
ask(struct imap *imap, struct naming *n, const struct uidset *uids, struct error *e)
{
	enum imap_attribute attribute =
	    n->kind == NAMING_EMAILID ? IMAP_ATTRIBUTE_EMAILID : IMAP_ATTRIBUTE_GUID;
	size_t count;
	int rc = 0;

	if (n->kind == NAMING_FINGERPRINT)
		return header_prints_read(imap, uids, take_print, n, e);
	for (size_t i = 0; i < uids->count && rc == 0; i += count) {
		count = uidset_batch(uids, i, COMMAND_OCTETS);
		rc = imap_list_attribute(
		    imap, uids->ranges + i, count, attribute, take_attribute, n, e);
	}
	return rc;
}

/* The messages to ask for: from number n->first on, COUNT of them. */
static int
list(struct naming *n, size_t count, struct uidset *uids)
{
	struct ledger_names *names = n->names;
	int rc = 0;

	if ((names->items = calloc(count, sizeof(*names->items))) == NULL)
		return ERR_NO_MEMORY;
	for (names->count = 0; names->count < count && rc == 0; names->count++) {
		uint32_t uid = snapshot_at(n->snapshot, n->first + names->count)->uid;

		names->items[names->count].uid = uid;
		rc = uidset_add(uids, uid);
	}
	return rc;
}

int
naming_run(struct imap *imap, enum naming_kind kind, const struct snapshot *snapshot,
    uint32_t after, size_t most, struct ledger_names *out, struct error *e)
{
	struct naming n = { .names = out, .kind = kind, .snapshot = snapshot };
	size_t total = snapshot_count(snapshot), count = 0;
	struct uidset uids = { 0 };
	int rc;

	if (kind == NAMING_NONE)
		return 0;
	while (count < total && snapshot_at(snapshot, total - count)->uid > after)
		count++;
	if (count == 0)
		return 0;
	n.first = total - count + 1;
	count = count < most ? count : most;
	if (list(&n, count, &uids) != 0)
		rc = error_set(e, ERR_NO_MEMORY, "no memory for names of messages");
	else
		rc = ask(imap, &n, &uids, e);
	out->kind = kind;
	out->last = rc == 0 ? out->items[count - 1].uid : 0;
	uidset_clear(&uids);
	return rc;
}

void
naming_clear(struct ledger_names *names)
{
	free(names->items);
	*names = (struct ledger_names){ 0 };
}
