/* match.c - see match.h. */
#include "mapping/match.h"

#include <stdlib.h>

#include "base/error.h"

enum round { /* whose headers are wanted */
	ROUND_PREFIX, /* of the prefix, a few; or all, where there is none */
	ROUND_X_UIDL, /* of the new side, for the UIDLs in them */
	ROUND_REST,
};

/* Whether a message is free to be paired. Ambiguous ones are: a later stage may know. */
static bool
is_open(const struct match_message *m)
{
	return m->how == MATCH_OPEN || m->how == MATCH_AMBIGUOUS;
}

static bool
is_read(const struct match_message *m)
{
	return m->header == MATCH_HEADER_READ;
}

bool
match_wants(const struct match_side *side, size_t i)
{
	const struct match_message *m = &side->messages[i];

	return m->wanted && m->header == MATCH_HEADER_UNREAD;
}

static void
pair(struct match *m, size_t old, size_t new, enum match_how how)
{
	struct match_message *left = &m->old.messages[old], *right = &m->new.messages[new];

	left->how = right->how = how;
	left->partner = (uint32_t) new;
	right->partner = (uint32_t) old;
}

/* ---- stages that go by a key ---- */

/* What two messages must have in common. An order of two numbers and the side makes groups. */
struct entry {
	uint64_t key[4];
	uint32_t at;
	bool is_new;
};

/* The key of M in a stage; false where it has none, and does not take part. */
typedef bool key_fn(const struct match_message *m, bool is_new, uint64_t key[4]);

enum group_rule {
	GROUP_EQUAL, /* as many on both sides: paired by order */
	GROUP_ONE,   /* one on each side, or nobody */
};

struct stage {
	enum match_how how;
	key_fn *key;
	enum group_rule rule;
	bool line_ends; /* sizes are part of no key, and must fit up to the count of line ends */
};

static int
compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	for (size_t i = 0; i < 4; i++)
		if (x->key[i] != y->key[i])
			return x->key[i] < y->key[i] ? -1 : 1;
	if (x->is_new != y->is_new)
		return x->is_new ? 1 : -1;
	return (x->at > y->at) - (x->at < y->at);
}

static bool
has_same_key(const struct entry *x, const struct entry *y)
{
	for (size_t i = 0; i < 4; i++)
		if (x->key[i] != y->key[i])
			return false;
	return true;
}

/* Whether the sizes can be of one message: a server may count each line's end as one octet or as
 * two, and no message has more line ends than other octets and line ends together. */
static bool
sizes_fit(const struct match_message *a, const struct match_message *b)
{
	uint64_t less = a->size < b->size ? a->size : b->size;
	uint64_t more = a->size < b->size ? b->size : a->size;

	if (less == MATCH_NO_SIZE || more == MATCH_NO_SIZE)
		return true;
	return more - less <= less;
}

static size_t
collect(const struct match_side *side, bool is_new, key_fn *key, struct entry *entries)
{
	size_t count = 0;

	for (size_t i = 0; i < side->count; i++) {
		struct entry *e = &entries[count];

		*e = (struct entry){ .at = (uint32_t) i, .is_new = is_new };
		if (is_open(&side->messages[i]) && key(&side->messages[i], is_new, e->key))
			count++;
	}
	return count;
}

/* Entries of one key, OLDS of the old side first, then NEWS of the new one. */
static void
judge_group(struct match *m, const struct stage *stage, const struct entry *group, size_t olds,
    size_t news)
{
	bool fits = olds == news && (stage->rule == GROUP_EQUAL || olds == 1);

	if (olds == 0 || news == 0)
		return;
	for (size_t i = 0; i < olds && fits && stage->line_ends; i++)
		fits = sizes_fit(
		    &m->old.messages[group[i].at], &m->new.messages[group[olds + i].at]);
	for (size_t i = 0; i < olds && fits; i++)
		pair(m, group[i].at, group[olds + i].at, stage->how);
	for (size_t i = 0; i < olds + news && !fits; i++) {
		const struct match_side *side = i < olds ? &m->old : &m->new;

		side->messages[group[i].at].how = MATCH_AMBIGUOUS;
	}
}

static int
run_stage(struct match *m, const struct stage *stage)
{
	struct entry *entries = calloc(m->old.count + m->new.count + 1, sizeof(*entries));
	size_t count, end, olds;

	if (entries == NULL)
		return ERR_NO_MEMORY;
	count = collect(&m->old, false, stage->key, entries);
	count += collect(&m->new, true, stage->key, entries + count);
	qsort(entries, count, sizeof(*entries), compare_entries);
	for (size_t i = 0; i < count; i = end) {
		olds = 0;
		for (end = i; end < count && has_same_key(&entries[i], &entries[end]); end++)
			olds += !entries[end].is_new;
		judge_group(m, stage, entries + i, olds, end - i - olds);
	}
	free(entries);
	return 0;
}

static bool
key_identity(const struct match_message *m, bool is_new, uint64_t key[4])
{
	(void) is_new;
	key[0] = m->identity;
	return m->identity != 0;
}

static bool
key_x_uidl(const struct match_message *m, bool is_new, uint64_t key[4])
{
	key[0] = is_new ? m->print.x_uidl : m->name;
	return key[0] != 0 && (!is_new || is_read(m));
}

/* A header that says little counts only together with the size. */
static bool
key_headers(const struct match_message *m, bool is_new, uint64_t key[4])
{
	(void) is_new;
	key[0] = m->print.headers[0];
	key[1] = m->print.headers[1];
	key[2] = m->print.strong ? MATCH_NO_SIZE : m->size;
	return is_read(m) && (key[0] != 0 || key[1] != 0) &&
	       (m->print.strong || m->size != MATCH_NO_SIZE);
}

static bool
key_headers_and_size(const struct match_message *m, bool is_new, uint64_t key[4])
{
	bool has_key = key_headers(m, is_new, key);

	key[2] = m->size;
	return has_key && m->size != MATCH_NO_SIZE;
}

static bool
key_message_id(const struct match_message *m, bool is_new, uint64_t key[4])
{
	(void) is_new;
	key[0] = m->print.message_id;
	key[1] = m->print.date;
	return is_read(m) && key[0] != 0 && key[1] != 0;
}

static bool
key_message_id_and_size(const struct match_message *m, bool is_new, uint64_t key[4])
{
	bool has_key = key_message_id(m, is_new, key);

	key[2] = m->size;
	return has_key && m->size != MATCH_NO_SIZE;
}

/* For an old side that does not tell dates. */
static bool
key_message_id_alone(const struct match_message *m, bool is_new, uint64_t key[4])
{
	(void) is_new;
	key[0] = m->print.message_id;
	return is_read(m) && key[0] != 0;
}

/* ---- the prefix ---- */

static bool
has_size(const struct match_side *side, size_t i, uint64_t size)
{
	return i < side->count && side->messages[i].size == size;
}

/* Whether messages of its size are near: then size and order together do not tell it from them. */
static bool
is_in_doubt(const struct match *m, size_t i)
{
	uint64_t size = m->old.messages[i].size;

	for (size_t d = 1; d <= MATCH_NEIGHBOURS; d++)
		if (has_size(&m->old, i + d, size) || has_size(&m->new, i + d, size) ||
		    (i >= d && (has_size(&m->old, i - d, size) || has_size(&m->new, i - d, size))))
			return true;
	return false;
}

/* Whether another mailbox of the new side begins at I. */
static bool
is_seam(const struct match *m, size_t i)
{
	return i > 0 && i < m->new.count && m->new.messages[i].begins_mailbox;
}

static bool
is_anchor(const struct match *m, size_t i)
{
	return i == 0 || i + 1 == m->prefix || i % MATCH_STRIDE == 0 || is_seam(m, i) ||
	       is_seam(m, i + 1) ||
	       m->depth == MATCH_THOROUGH || is_in_doubt(m, i);
}

static size_t
find_prefix(const struct match *m)
{
	size_t i = 0;

	while (i < m->old.count && i < m->new.count && m->old.messages[i].size != MATCH_NO_SIZE &&
	    m->old.messages[i].size == m->new.messages[i].size)
		i++;
	return i;
}

enum verdict { UNKNOWN, AGREES, DIFFERS };

static enum verdict
judge_anchor(const struct match *m, size_t i)
{
	const struct match_message *old = &m->old.messages[i], *new = &m->new.messages[i];

	if (!is_read(old) || !is_read(new))
		return UNKNOWN;
	return fingerprint_agrees(&old->print, &new->print) ? AGREES : DIFFERS;
}

/* Whether the messages at position I may be the same as far as their names tell. */
static bool
may_be_same(const struct match *m, size_t i)
{
	const struct match_message *old = &m->old.messages[i], *new = &m->new.messages[i];

	return is_open(old) && is_open(new) &&
	       (!m->by_identity || old->identity == 0 || new->identity == 0);
}

/* Pairs from position FROM to TO, both of which agree, but for those in doubt. */
static void
pair_between(struct match *m, size_t from, size_t to)
{
	for (size_t i = from; i <= to; i++)
		if (may_be_same(m, i) &&
		    (judge_anchor(m, i) == AGREES ||
			(m->depth == MATCH_USUAL && !is_in_doubt(m, i))))
			pair(m, i, i, MATCH_BY_ORDER);
}

/* What is between two places of a mailbox that agree is in order, as nothing but a message that came and
 * another of the same size that went could hide between them. */
static void
pair_prefix(struct match *m)
{
	size_t last = MATCH_NONE;

	for (size_t i = 0; i < m->prefix; i++) {
		enum verdict v = is_anchor(m, i) ? judge_anchor(m, i) : UNKNOWN;

		if (is_seam(m, i))
			last = MATCH_NONE;
		if (v == AGREES)
			pair_between(m, last != MATCH_NONE ? last : i, i);
		if (v != UNKNOWN)
			last = v == AGREES ? i : MATCH_NONE;
	}
}

/* How much of the prefix stands without any look at headers: not its end, where that also fits a
 * listing out of which D messages have gone; nor what is behind the first mailbox. */
static size_t
count_unshifted(const struct match *m)
{
	size_t least = m->prefix;

	for (size_t i = 1; i < least; i++)
		if (is_seam(m, i))
			least = i;
	for (size_t d = 1; d <= MATCH_STRIDE && least > 0; d++) {
		size_t i = m->prefix;

		while (i > 0 && (has_size(&m->old, i - 1 + d, m->new.messages[i - 1].size) ||
				    has_size(&m->new, i - 1 + d, m->old.messages[i - 1].size)))
			i--;
		least = i < least ? i : least;
	}
	return least;
}

static void
pair_prefix_unseen(struct match *m)
{
	size_t count = count_unshifted(m);

	for (size_t i = 0; i < m->prefix; i++) {
		struct match_message *old = &m->old.messages[i], *new = &m->new.messages[i];

		if (!may_be_same(m, i))
			continue;
		if (i < count && !is_in_doubt(m, i))
			pair(m, i, i, MATCH_BY_ORDER);
		else
			old->how = new->how = MATCH_AMBIGUOUS;
	}
}

/* ---- the whole ---- */

static void
reset_side(const struct match_side *side)
{
	for (size_t i = 0; i < side->count; i++) {
		struct match_message *m = &side->messages[i];

		m->how = MATCH_OPEN;
		m->partner = MATCH_NONE;
		m->wanted = false;
	}
}

static bool
has_open(const struct match_side *side)
{
	for (size_t i = 0; i < side->count; i++)
		if (is_open(&side->messages[i]))
			return true;
	return false;
}

/* The headers of all that is open. */
static void
want_open(const struct match_side *side)
{
	for (size_t i = 0; i < side->count; i++)
		side->messages[i].wanted = is_open(&side->messages[i]);
}

/* The same of both sides, where there is something to be paired. */
static void
want_rest(struct match *m)
{
	if (has_open(&m->old) && has_open(&m->new)) {
		want_open(&m->old);
		want_open(&m->new);
	}
}

static bool
has_headers(const struct match_side *side)
{
	for (size_t i = 0; i < side->count; i++)
		if (side->messages[i].header != MATCH_HEADER_UNAVAILABLE)
			return true;
	return false;
}

int
match_begin(struct match *m, const struct match_side *old, const struct match_side *new,
    enum match_depth depth)
{
	static const struct stage identity = { MATCH_BY_IDENTITY, key_identity, GROUP_EQUAL, false };
	int rc;

	if (old->count > MATCH_MESSAGES_MAX || new->count > MATCH_MESSAGES_MAX)
		return ERR_LIMIT;
	*m = (struct match){ .old = *old, .new = *new, .depth = depth };
	reset_side(old);
	reset_side(new);
	if ((rc = run_stage(m, &identity)) != 0)
		return rc;
	for (size_t i = 0; i < old->count && !m->by_identity; i++)
		m->by_identity = old->messages[i].how == MATCH_BY_IDENTITY;
	m->prefix = find_prefix(m);
	for (size_t i = 0; i < m->prefix; i++)
		if (is_anchor(m, i))
			old->messages[i].wanted = new->messages[i].wanted = true;
	if (m->prefix == 0)
		want_rest(m);
	m->round = ROUND_PREFIX;
	return 0;
}

/* Whether a header of the new side bears a UIDL of the old one. */
static int
look_for_x_uidl(struct match *m)
{
	static const struct stage x_uidl = { MATCH_BY_X_UIDL, key_x_uidl, GROUP_ONE, true };
	int rc;

	if ((rc = run_stage(m, &x_uidl)) != 0)
		return rc;
	for (size_t i = 0; i < m->new.count && !m->by_x_uidl; i++)
		m->by_x_uidl = m->new.messages[i].how == MATCH_BY_X_UIDL;
	return 0;
}

/* The headers of the prefix are read. */
static int
step_prefix(struct match *m)
{
	int rc;

	if ((rc = look_for_x_uidl(m)) != 0)
		return rc;
	/* Then the others will bear theirs too, and the old side need not be asked. */
	if (m->by_x_uidl) {
		want_open(&m->new);
		m->round = ROUND_X_UIDL;
		return 0;
	}
	if (has_headers(&m->old) && has_headers(&m->new))
		pair_prefix(m);
	else
		pair_prefix_unseen(m);
	if (has_headers(&m->old)) /* or there is nothing to compare them with */
		want_rest(m);
	m->round = ROUND_REST;
	return 0;
}

static int
step_x_uidl(struct match *m)
{
	int rc;

	if ((rc = look_for_x_uidl(m)) != 0)
		return rc;
	want_rest(m);
	m->round = ROUND_REST;
	return 0;
}

/* Positions are all that the old side told. */
static void
pair_positions(struct match *m)
{
	if (m->old.count != m->new.count || has_headers(&m->old))
		return;
	for (size_t i = 0; i < m->old.count; i++)
		if (m->old.messages[i].size != MATCH_NO_SIZE || !may_be_same(m, i) || is_seam(m, i))
			return;
	for (size_t i = 0; i < m->old.count; i++)
		pair(m, i, i, MATCH_BY_POSITION);
}

static void
count(struct match *m)
{
	m->paired = m->new_left = 0;
	for (size_t i = 0; i < MATCH_HOWS; i++)
		m->by[i] = 0;
	for (size_t i = 0; i < m->old.count; i++) {
		m->by[m->old.messages[i].how]++;
		m->paired += m->old.messages[i].partner != MATCH_NONE;
	}
	for (size_t i = 0; i < m->new.count; i++)
		m->new_left += m->new.messages[i].partner == MATCH_NONE;
}

static int
step_rest(struct match *m)
{
	static const struct stage stages[] = {
		{ MATCH_BY_HEADERS, key_headers, GROUP_EQUAL, false },
		{ MATCH_BY_HEADERS, key_headers_and_size, GROUP_EQUAL, false },
		{ MATCH_BY_MESSAGE_ID, key_message_id_and_size, GROUP_EQUAL, false },
		{ MATCH_BY_MESSAGE_ID, key_message_id, GROUP_ONE, true },
		{ MATCH_BY_MESSAGE_ID, key_message_id_alone, GROUP_ONE, true },
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]) && rc == 0; i++)
		rc = run_stage(m, &stages[i]);
	if (rc != 0)
		return rc;
	pair_positions(m);
	count(m);
	return 0;
}

/* What was wanted and has not come will not come. */
static void
give_up_unread(const struct match_side *side)
{
	for (size_t i = 0; i < side->count; i++) {
		if (match_wants(side, i))
			side->messages[i].header = MATCH_HEADER_UNAVAILABLE;
		side->messages[i].wanted = false;
	}
}

int
match_step(struct match *m, bool *done)
{
	give_up_unread(&m->old);
	give_up_unread(&m->new);
	*done = m->round == ROUND_REST;
	if (m->round == ROUND_PREFIX)
		return step_prefix(m);
	if (m->round == ROUND_X_UIDL)
		return step_x_uidl(m);
	return step_rest(m);
}

const char *
match_how_name(enum match_how how)
{
	static const char *const names[MATCH_HOWS] = {
		[MATCH_OPEN] = "unmatched",
		[MATCH_AMBIGUOUS] = "ambiguous",
		[MATCH_BY_IDENTITY] = "identity",
		[MATCH_BY_X_UIDL] = "x-uidl",
		[MATCH_BY_ORDER] = "order",
		[MATCH_BY_HEADERS] = "headers",
		[MATCH_BY_MESSAGE_ID] = "message-id",
		[MATCH_BY_POSITION] = "position",
	};

	return names[how];
}
