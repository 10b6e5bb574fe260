/* verifier.c - see verifier.h. */
#include "gateway/verifier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fiberio/fiber.h"
#include "gateway/destination.h"
#include "gateway/pop3_client.h"
#include "gateway/recall.h"

enum {
	SAMPLE_ALIKE = 128, /* messages whose headers are compared of those that have the same UIDL and */
	SAMPLE_OTHERS = 16, /* are as large as others; and of the rest */
};

struct run {
	const struct verifier *verifier;
	const struct listed_user *user;
	struct verify_result *result;
	struct migration_ends ends;
	struct pop3_client *old;
	struct destination new;
	struct pairing pairing;
	struct mailbox_link link; /* for recall; the connection is NEW's */
	struct recalled *recalled; /* of each mailbox: what a login would make of it */
	struct snapshot **snapshots;
	struct ledger_part *parts;
	struct named *before, *now; /* by name */
};

/* A UIDL as a number, and whose it is. */
struct named {
	uint64_t name;
	size_t at; /* in its side of the pairing */
	bool same; /* is on the other side too */
	size_t with; /* which message that is there */
};

/* ---- what there is ---- */

static int
step_way(struct run *r, struct error *e)
{
	int rc = migration_find(r->verifier->migration, r->user->name, &r->ends, e);

	if (rc == 0)
		r->pairing.max_messages = (size_t) r->ends.new.upstream->max_messages;
	return rc;
}

static int
take_last_login(struct run *r, struct error *e)
{
	struct ledger_seen_list seen = { 0 };
	int rc = ledger_last_seen(r->verifier->ledger, r->user->name, &seen, e);

	/* Numbers ascend here as UIDs do not, over several mailboxes. */
	for (size_t i = 0; i < seen.count && rc == 0; i++)
		if ((rc = pairing_add_old(&r->pairing, (uint32_t) i + 1, seen.items[i].uidl,
			 seen.items[i].size, NULL)) != 0)
			error_set(e, rc, "what was seen last: %s", error_name(rc));
	ledger_seen_clear(&seen);
	return rc;
}

static int
step_before(struct run *r, struct error *e)
{
	int rc;

	if (r->ends.old == NULL)
		return take_last_login(r, e);
	rc = migration_open_old(
	    r->ends.old, r->ends.old_login, r->user->old_password, &r->old, e);
	return rc != 0 ? rc : pairing_list_old(&r->pairing, r->old, e);
}

static int
step_new_login(struct run *r, struct error *e)
{
	return destination_open(&r->new, &r->ends.new, r->user->new_password, e);
}

static int
step_new_list(struct run *r, struct error *e)
{
	return destination_list(&r->new, &r->pairing, e);
}

/* What was listed of MAILBOX, as a login has it. */
static int
take_snapshot(struct run *r, size_t mailbox)
{
	const struct pairing *p = &r->pairing;
	struct snapshot **s = &r->snapshots[mailbox];
	int rc = snapshot_new(r->new.mailboxes[mailbox].uidvalidity, r->recalled[mailbox].book, 0, s);

	for (size_t i = p->starts[mailbox]; i < pairing_end(p, mailbox) && rc == 0; i++)
		rc = snapshot_add(*s, p->uids[i], p->new.messages[i].size, SIZE_MAX);
	return rc == 0 ? snapshot_seal(*s) : rc;
}

static int
recall_mailbox(struct run *r, const struct recall *recall, size_t mailbox, struct error *e)
{
	const struct pairing_source source = destination_source(&r->new);
	const struct destination_mailbox *m = &r->new.mailboxes[mailbox];
	struct recalled *recalled = &r->recalled[mailbox];
	int rc;

	recalled->key = destination_key(&r->new, mailbox);
	recalled->template = m->name.template;
	if ((rc = recall_begin(recalled, e)) != 0)
		return rc;
	if ((rc = take_snapshot(r, mailbox)) != 0)
		return error_set(e, rc, "listing: %s", error_name(rc));
	if (!m->is_absent) {
		r->link.mailbox.uidvalidity = m->uidvalidity;
		if ((rc = source.select(source.ctx, mailbox, &r->link.imap, e)) != 0 ||
		    (rc = recall_read(recall, recalled, e)) != 0 ||
		    (rc = recall_complete(recall, recalled, r->snapshots[mailbox], e)) != 0)
			return rc;
	}
	r->parts[mailbox] = recall_part(recalled, r->snapshots[mailbox], 0);
	return 0;
}

/* The UIDLs as the next login would have them. */
static int
step_ledger(struct run *r, struct error *e)
{
	const struct recall recall = { .link = &r->link, .ledger = r->verifier->ledger,
		.account = r->user->name, .is_trial = true };
	size_t count = r->pairing.mailboxes;
	int rc = 0;

	r->link.upstream = r->ends.new.upstream;
	r->recalled = calloc(count, sizeof(*r->recalled));
	r->snapshots = calloc(count, sizeof(struct snapshot *));
	r->parts = calloc(count, sizeof(*r->parts));
	if (r->recalled == NULL || r->snapshots == NULL || r->parts == NULL)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = recall_mailbox(r, &recall, i, e);
	return rc == 0 ? recall_settle(r->parts, count, e) : rc;
}

static void
forget_recalled(struct run *r)
{
	for (size_t i = 0; i < r->pairing.mailboxes && r->recalled != NULL; i++)
		recall_end(&r->recalled[i]);
	for (size_t i = 0; i < r->pairing.mailboxes && r->snapshots != NULL; i++)
		snapshot_free(r->snapshots[i]);
	free(r->recalled);
	free(r->snapshots);
	free(r->parts);
}

/* ---- the comparison ---- */

static int
compare_named(const void *a, const void *b)
{
	const struct named *x = a, *y = b;

	if (x->name != y->name)
		return x->name < y->name ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

static int
compare_places(const void *a, const void *b)
{
	const struct named *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

static void
uidl_now(const struct run *r, size_t at, char buf[UIDL_MAX + 1])
{
	size_t mailbox = pairing_mailbox(&r->pairing, at);

	uidl_book_format(r->recalled[mailbox].book, r->new.mailboxes[mailbox].uidvalidity,
	    r->pairing.uids[at], buf);
}

static int
name_all(struct run *r)
{
	const struct pairing *p = &r->pairing;
	char uidl[UIDL_MAX + 1];

	r->before = calloc(p->old.count + 1, sizeof(*r->before));
	r->now = calloc(p->new.count + 1, sizeof(*r->now));
	if (r->before == NULL || r->now == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < p->old.count; i++)
		r->before[i] = (struct named){ p->old.messages[i].name, i, false, 0 };
	for (size_t i = 0; i < p->new.count; i++) {
		uidl_now(r, i, uidl);
		r->now[i] = (struct named){ fingerprint_key(uidl, strlen(uidl)), i, false, 0 };
	}
	qsort(r->before, p->old.count, sizeof(*r->before), compare_named);
	qsort(r->now, p->new.count, sizeof(*r->now), compare_named);
	return 0;
}

/* Which are on both sides; how many. */
static size_t
meet(struct run *r)
{
	const struct pairing *p = &r->pairing;
	size_t same = 0;

	for (size_t i = 0, j = 0; i < p->old.count && j < p->new.count;) {
		if (r->before[i].name == r->now[j].name) {
			r->before[i].with = r->now[j].at;
			r->before[i++].same = r->now[j++].same = true;
			same++;
		} else if (r->before[i].name < r->now[j].name) {
			i++;
		} else {
			j++;
		}
	}
	return same;
}

static void
note(const struct run *r, struct verify_detail *details, size_t count, size_t old, size_t new)
{
	struct verify_detail *d;

	if (count >= VERIFY_DETAILS)
		return;
	d = &details[count];
	snprintf(d->before, sizeof(d->before), "%s", pairing_uidl(&r->pairing, old));
	if (new == MATCH_NONE)
		return;
	d->uid = r->pairing.uids[new];
	if (r->pairing.mailboxes > 1)
		snprintf(d->mailbox, sizeof(d->mailbox), "%s",
		    r->ends.new.mailboxes.items[pairing_mailbox(&r->pairing, new)]);
	uidl_now(r, new, d->now);
}

/* What the message has grown by that has the same UIDL now. */
static uint64_t
growth(const struct run *r, const struct named *n)
{
	return r->pairing.new.messages[n->with].size - r->pairing.old.messages[n->at].size;
}

/* Whether a UIDL may name another message now than it did: where both servers count from 1, say, and the
 * copy has another order. Servers count sizes in different ways, and programs that copy add a header, but
 * the same one to all. */
static bool
is_doubtful(const struct run *r)
{
	const struct named *first = NULL;

	if (r->ends.old == NULL)
		return false;
	for (size_t i = 0; i < r->pairing.old.count; i++) {
		const struct named *n = &r->before[i];

		if (n->same && first == NULL)
			first = n;
		else if (n->same && growth(r, n) != growth(r, first))
			return true;
	}
	return false;
}

/* ---- samples: messages of one size, in another order ---- */

static int
compare_sizes(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

	return (x > y) - (x < y);
}

/* Whether another of SIZES (COUNT, ascending), of which SIZE is one, is the same. */
static bool
has_company(const uint64_t *sizes, size_t count, uint64_t size)
{
	const uint64_t *at = bsearch(&size, sizes, count, sizeof(*sizes), compare_sizes);

	return at != NULL && ((at > sizes && at[-1] == size) ||
				 (at + 1 < sizes + count && at[1] == size));
}

/* Wants the headers of up to MOST messages that have the same UIDL: of those in COMPANY of others as large, or of
 * the others. They are sorted by digests, so that whoever comes first is as good as drawn by lot. */
static void
want_some(struct run *r, const uint64_t *sizes, bool company, size_t most)
{
	struct pairing *p = &r->pairing;

	for (size_t i = 0; i < p->old.count && most > 0; i++) {
		const struct named *n = &r->before[i];
		struct match_message *old = &p->old.messages[n->at];

		if (!n->same || has_company(sizes, p->old.count, old->size) != company)
			continue;
		old->wanted = p->new.messages[n->with].wanted = true;
		most--;
	}
}

/* Reads the headers of a sample on both sides. */
static int
read_sample(struct run *r, struct error *e)
{
	const struct pairing_source new = destination_source(&r->new);
	struct pairing *p = &r->pairing;
	uint64_t *sizes = calloc(p->old.count + 1, sizeof(*sizes));

	if (sizes == NULL)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < p->old.count; i++)
		sizes[i] = p->old.messages[i].size;
	qsort(sizes, p->old.count, sizeof(*sizes), compare_sizes);
	want_some(r, sizes, true, SAMPLE_ALIKE);
	want_some(r, sizes, false, SAMPLE_OTHERS);
	free(sizes);
	return pairing_read(p, r->old, &new, e);
}

enum verdict { UNKNOWN, AGREES, DIFFERS };

/* What the headers say of N, which is on both sides: whether it is the same message. */
static enum verdict
judge(const struct run *r, const struct named *n)
{
	const struct match_message *old = &r->pairing.old.messages[n->at];
	const struct match_message *new = &r->pairing.new.messages[n->with];

	if (old->header != MATCH_HEADER_READ || new->header != MATCH_HEADER_READ)
		return UNKNOWN;
	return fingerprint_agrees(&old->print, &new->print) ? AGREES : DIFFERS;
}

static bool
is_sample_other(const struct run *r)
{
	for (size_t i = 0; i < r->pairing.old.count; i++)
		if (r->before[i].same && judge(r, &r->before[i]) == DIFFERS)
			return true;
	return false;
}

/* ---- who is who ---- */

/* Whether the UIDL of N, which is on both sides, names another message now, PARTNER being the one that
 * it named. Those of one size may be identical, if no header tells. */
static bool
names_another(const struct run *r, const struct named *n, uint32_t partner)
{
	enum verdict v = judge(r, n);

	if (partner == n->with || v == AGREES)
		return false;
	return v == DIFFERS || (partner != MATCH_NONE && growth(r, n) != 0);
}

/* Matched again from the beginning where anything is in doubt, as both listings are needed for order and sizes to
 * mean something; by all headers where some have shown that order and sizes do not. */
static int
match(struct run *r, struct error *e)
{
	const struct verify_result *result = r->result;
	const struct pairing_source new = destination_source(&r->new);
	struct pairing *p = &r->pairing;
	int rc = r->old != NULL ? read_sample(r, e) : 0;

	if (rc != 0)
		return rc;
	if (is_sample_other(r))
		return pairing_run(p, r->old, &new, MATCH_THOROUGH, e);
	if ((result->same < p->old.count && result->same < p->new.count) || is_doubtful(r))
		return pairing_run(p, r->old, &new, MATCH_USUAL, e);
	for (size_t i = 0; i < p->old.count; i++)
		p->old.messages[i].partner = MATCH_NONE;
	return 0;
}

/* The message that N named is nowhere. If its UIDL is, that is of one which is no other's. */
static void
count_missing(struct run *r, const struct named *n)
{
	struct verify_result *result = r->result;

	note(r, result->losses, result->missing++, n->at, MATCH_NONE);
	if (n->same && r->pairing.new.messages[n->with].partner == MATCH_NONE)
		result->fresh++;
}

/* Of those that are not the same: which are there under another UIDL, and which were not there. */
static int
tell_apart(struct run *r, struct error *e)
{
	struct verify_result *result = r->result;
	struct pairing *p = &r->pairing;
	int rc = match(r, e);

	qsort(r->before, p->old.count, sizeof(*r->before), compare_places);
	qsort(r->now, p->new.count, sizeof(*r->now), compare_places);
	result->fresh = result->now - result->same;
	for (size_t i = 0; i < p->old.count && rc == 0; i++) {
		const struct named *n = &r->before[i];
		uint32_t partner = p->old.messages[n->at].partner;

		if (n->same && !names_another(r, n, partner))
			continue;
		result->same -= n->same;
		if (partner != MATCH_NONE) {
			/* It may bear what another message was called, and be counted with that. */
			result->fresh -= !r->now[partner].same;
			note(r, result->changes, result->changed++, n->at, partner);
		} else {
			count_missing(r, n);
		}
	}
	return rc;
}

static int
step_compare(struct run *r, struct error *e)
{
	struct verify_result *result = r->result;

	if (name_all(r) != 0)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	result->before = r->pairing.old.count;
	result->now = r->pairing.new.count;
	result->same = meet(r);
	return tell_apart(r, e);
}

/* ---- the whole ---- */

static int (*const steps[])(struct run *, struct error *) = {
	[VERIFY_WAY] = step_way,
	[VERIFY_BEFORE] = step_before,
	[VERIFY_NEW_LOGIN] = step_new_login,
	[VERIFY_NEW_LIST] = step_new_list,
	[VERIFY_LEDGER] = step_ledger,
	[VERIFY_COMPARE] = step_compare,
};

void
verifier_run(
    const struct verifier *v, const struct listed_user *user, struct verify_result *result)
{
	struct run r = { .verifier = v, .user = user, .result = result };
	uint64_t began = fiber_now();
	int rc = 0;

	memset(result, 0, sizeof(*result));
	while (rc == 0 && result->reached < VERIFY_DONE)
		if ((rc = steps[result->reached](&r, &result->error)) == 0)
			result->reached++;
	result->error.code = rc;
	pop3_client_quit(r.old);
	forget_recalled(&r);
	destination_close(&r.new);
	pairing_clear(&r.pairing);
	migration_ends_clear(&r.ends);
	free(r.before);
	free(r.now);
	result->took_ms = fiber_now() - began;
}

bool
verify_is_safe(const struct verify_result *r)
{
	return r->reached == VERIFY_DONE && r->changed == 0 && r->missing == 0;
}

const char *
verify_step_name(enum verify_step step)
{
	static const char *const names[] = {
		[VERIFY_WAY] = "the way of the user",
		[VERIFY_BEFORE] = "what was seen before",
		[VERIFY_NEW_LOGIN] = "the login at the new server",
		[VERIFY_NEW_LIST] = "the new listing",
		[VERIFY_LEDGER] = "the UIDLs of a login",
		[VERIFY_COMPARE] = "comparing headers",
		[VERIFY_DONE] = "done",
	};

	return names[step];
}
