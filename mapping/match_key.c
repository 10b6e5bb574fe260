/* match_key.c - see match_key.h. */
#include "mapping/match_key.h"

#include <stdlib.h>

#include "base/error.h"

bool
match_is_open(const struct match_message *m)
{
	return m->how == MATCH_OPEN || m->how == MATCH_AMBIGUOUS;
}

bool
match_is_read(const struct match_message *m)
{
	return m->header == MATCH_HEADER_READ;
}

void
match_pair(struct match *m, size_t old, size_t new, enum match_how how)
{
	struct match_message *left = &m->old.messages[old], *right = &m->new.messages[new];

	left->how = right->how = how;
	left->partner = (uint32_t) new;
	right->partner = (uint32_t) old;
}

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
	bool dates;	/* nor are dates, which must not be two */
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

/* Devices and programs give one Message-ID to all that they send. */
static bool
dates_fit(const struct match_message *a, const struct match_message *b)
{
	return a->print.date == 0 || b->print.date == 0 || a->print.date == b->print.date;
}

static size_t
collect(const struct match_side *side, bool is_new, key_fn *key, struct entry *entries)
{
	size_t count = 0;

	for (size_t i = 0; i < side->count; i++) {
		struct entry *e = &entries[count];

		*e = (struct entry){ .at = (uint32_t) i, .is_new = is_new };
		if (match_is_open(&side->messages[i]) && key(&side->messages[i], is_new, e->key))
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
	for (size_t i = 0; i < olds && fits; i++) {
		const struct match_message *left = &m->old.messages[group[i].at];
		const struct match_message *right = &m->new.messages[group[olds + i].at];

		fits = (!stage->line_ends || sizes_fit(left, right)) &&
		       (!stage->dates || dates_fit(left, right));
	}
	for (size_t i = 0; i < olds && fits; i++)
		match_pair(m, group[i].at, group[olds + i].at, stage->how);
	for (size_t i = 0; i < olds + news && !fits; i++) {
		const struct match_side *side = i < olds ? &m->old : &m->new;

		side->messages[group[i].at].how = MATCH_AMBIGUOUS;
	}
}

/* All that are open and have a KEY: *ENTRIES (*COUNT), to be freed. */
static int
sort_by_key(const struct match *m, key_fn *key, struct entry **entries, size_t *count)
{
	if ((*entries = calloc(m->old.count + m->new.count + 1, sizeof(**entries))) == NULL)
		return ERR_NO_MEMORY;
	*count = collect(&m->old, false, key, *entries);
	*count += collect(&m->new, true, key, *entries + *count);
	qsort(*entries, *count, sizeof(**entries), compare_entries);
	return 0;
}

static int
run_stage(struct match *m, const struct stage *stage)
{
	struct entry *entries;
	size_t count, end, olds;

	if (sort_by_key(m, stage->key, &entries, &count) != 0)
		return ERR_NO_MEMORY;
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
	return key[0] != 0 && (!is_new || match_is_read(m));
}

/* A header that says little counts only together with the size. */
static bool
key_headers(const struct match_message *m, bool is_new, uint64_t key[4])
{
	(void) is_new;
	key[0] = m->print.headers[0];
	key[1] = m->print.headers[1];
	key[2] = m->print.strong ? MATCH_NO_SIZE : m->size;
	return match_is_read(m) && (key[0] != 0 || key[1] != 0) &&
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
	return match_is_read(m) && key[0] != 0 && key[1] != 0;
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
	return match_is_read(m) && key[0] != 0;
}

static bool
key_size(const struct match_message *m, bool is_new, uint64_t key[4])
{
	(void) is_new;
	key[0] = m->size;
	return m->size != MATCH_NO_SIZE;
}

/* ---- what match.c goes by ---- */

int
match_by_identity(struct match *m)
{
	static const struct stage stage = { MATCH_BY_IDENTITY, key_identity, GROUP_EQUAL, false,
		false };

	return run_stage(m, &stage);
}

int
match_by_x_uidl(struct match *m)
{
	static const struct stage stage = { MATCH_BY_X_UIDL, key_x_uidl, GROUP_ONE, true, false };

	return run_stage(m, &stage);
}

int
match_by_headers(struct match *m)
{
	static const struct stage stages[] = {
		{ MATCH_BY_HEADERS, key_headers, GROUP_EQUAL, false, false },
		{ MATCH_BY_HEADERS, key_headers_and_size, GROUP_EQUAL, false, false },
		{ MATCH_BY_MESSAGE_ID, key_message_id_and_size, GROUP_EQUAL, false, false },
		{ MATCH_BY_MESSAGE_ID, key_message_id, GROUP_ONE, true, false },
		{ MATCH_BY_MESSAGE_ID, key_message_id_alone, GROUP_ONE, true, true },
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]) && rc == 0; i++)
		rc = run_stage(m, &stages[i]);
	return rc;
}

int
match_find_sure(const struct match *m, bool *sure)
{
	struct entry *entries;
	size_t count, end;

	if (sort_by_key(m, key_size, &entries, &count) != 0)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i = end) {
		for (end = i + 1; end < count && has_same_key(&entries[i], &entries[end]);)
			end++;
		if (end - i == 2 && entries[i].at == entries[i + 1].at && entries[i].at < m->prefix)
			sure[entries[i].at] = true;
	}
	for (size_t i = 0; i < m->prefix; i++)
		if (m->old.messages[i].partner == i)
			sure[i] = true;
	free(entries);
	return 0;
}
