/* match.c - see match.h. */
#include "mapping/match.h"

#include <stdlib.h>

#include "base/error.h"
#include "mapping/match_key.h"

enum round { /* whose headers are wanted */
	ROUND_PREFIX, /* of the prefix, a few; or all, where there is none */
	ROUND_X_UIDL, /* of the new side, for the UIDLs in them */
	ROUND_REST,
};

bool
match_wants(const struct match_side *side, size_t i)
{
	const struct match_message *m = &side->messages[i];

	return m->wanted && m->header == MATCH_HEADER_UNREAD;
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

	if (!match_is_read(old) || !match_is_read(new))
		return UNKNOWN;
	return fingerprint_agrees(&old->print, &new->print) ? AGREES : DIFFERS;
}

/* Whether the messages at position I may be the same as far as their names tell. */
static bool
may_be_same(const struct match *m, size_t i)
{
	const struct match_message *old = &m->old.messages[i], *new = &m->new.messages[i];

	return match_is_open(old) && match_is_open(new) &&
	       (!m->by_identity || old->identity == 0 || new->identity == 0);
}

/* Pairs from position FROM to TO, both of which agree, but for those in doubt. */
static void
pair_between(struct match *m, size_t from, size_t to)
{
	for (size_t i = from; i <= to; i++)
		if (may_be_same(m, i) &&
		    (judge_anchor(m, i) == AGREES ||
			(m->depth == MATCH_USUAL && !is_in_doubt(m, i) &&
			    judge_anchor(m, i) == UNKNOWN)))
			match_pair(m, i, i, MATCH_BY_ORDER);
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

/* How much of the prefix may stand without any look at headers: not its end, where that also fits a
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

/* The first COUNT places, where those that are SURE are enough to tell that it is the same listing. Its end is
 * left out: what has come last may have come in the place of another. */
static void
pair_sure(struct match *m, const bool *sure, size_t count)
{
	size_t all = 0, behind = 0;

	for (size_t i = 0; i < count; i++)
		all += sure[i];
	for (size_t i = m->prefix; i-- > 0;) {
		bool enough = i < count && all >= MATCH_UNSEEN && behind >= MATCH_UNSEEN_END;

		if (may_be_same(m, i)) {
			if (enough && !is_in_doubt(m, i))
				match_pair(m, i, i, MATCH_BY_ORDER);
			else
				m->old.messages[i].how = m->new.messages[i].how = MATCH_AMBIGUOUS;
		}
		behind += i < count && sure[i];
	}
}

static int
pair_prefix_unseen(struct match *m)
{
	size_t count = m->depth == MATCH_USUAL ? count_unshifted(m) : 0;
	bool *sure = calloc(m->prefix + 1, sizeof(*sure));
	int rc = sure != NULL ? match_find_sure(m, sure) : ERR_NO_MEMORY;

	if (rc == 0)
		pair_sure(m, sure, count);
	free(sure);
	return rc;
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
		if (match_is_open(&side->messages[i]))
			return true;
	return false;
}

/* The headers of all that is open. */
static void
want_open(const struct match_side *side)
{
	for (size_t i = 0; i < side->count; i++)
		side->messages[i].wanted = match_is_open(&side->messages[i]);
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
	int rc;

	if (old->count > MATCH_MESSAGES_MAX || new->count > MATCH_MESSAGES_MAX)
		return ERR_LIMIT;
	*m = (struct match){ .old = *old, .new = *new, .depth = depth };
	reset_side(old);
	reset_side(new);
	if ((rc = match_by_identity(m)) != 0)
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
	int rc;

	if ((rc = match_by_x_uidl(m)) != 0)
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
	else if ((rc = pair_prefix_unseen(m)) != 0)
		return rc;
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
	if (m->old.count != m->new.count || m->old.has_gaps || has_headers(&m->old))
		return;
	for (size_t i = 0; i < m->old.count; i++)
		if (m->old.messages[i].size != MATCH_NO_SIZE || !may_be_same(m, i) || is_seam(m, i))
			return;
	for (size_t i = 0; i < m->old.count; i++)
		match_pair(m, i, i, MATCH_BY_POSITION);
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
	int rc = match_by_headers(m);

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
