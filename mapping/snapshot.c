/* snapshot.c - see snapshot.h. */
#include "mapping/snapshot.h"

#include <stdlib.h>

#include "base/error.h"

struct part {
	const struct uidl_book *uidls;
	uint32_t uidvalidity;
	bool unmarkable;
};

struct snapshot {
	struct part *parts; /* &FIRST, where there is no other */
	size_t part_count;
	struct part first;
	struct snapshot_message *messages; /* messages[0] has number 1 */
	size_t count;
	size_t room;
	bool ascending; /* as added so far */
	size_t marked;
	uint64_t octets;
	uint64_t marked_octets;
};

int
snapshot_new(
    uint32_t uidvalidity, const struct uidl_book *uidls, size_t expected, struct snapshot **out)
{
	struct snapshot *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return ERR_NO_MEMORY;
	s->first = (struct part){ .uidls = uidls, .uidvalidity = uidvalidity };
	s->parts = &s->first;
	s->part_count = 1;
	s->ascending = true;
	if (expected > 0) {
		/* A hint that came from the network: when it cannot be met, growing step by step
		 * may still do. */
		s->messages = calloc(expected, sizeof(*s->messages));
		s->room = s->messages == NULL ? 0 : expected;
	}
	*out = s;
	return 0;
}

void
snapshot_free(struct snapshot *s)
{
	if (s == NULL)
		return;
	if (s->parts != &s->first)
		free(s->parts);
	free(s->messages);
	free(s);
}

/* Room for ROOM messages in all. */
static int
make_room(struct snapshot *s, size_t room)
{
	struct snapshot_message *messages;

	if (room <= s->room)
		return 0;
	if ((messages = realloc(s->messages, room * sizeof(*messages))) == NULL)
		return ERR_NO_MEMORY;
	s->messages = messages;
	s->room = room;
	return 0;
}

int
snapshot_add(struct snapshot *s, uint32_t uid, uint64_t size, size_t max_messages)
{
	int rc;

	if (uid == 0)
		return ERR_INVALID;
	if (s->count >= max_messages)
		return ERR_LIMIT;
	if (s->count == s->room && (rc = make_room(s, s->room == 0 ? 16 : s->room * 2)) != 0)
		return rc;
	if (s->count > 0 && s->messages[s->count - 1].uid >= uid)
		s->ascending = false;
	if (size > INT64_MAX - s->octets)
		return ERR_PROTOCOL;
	s->messages[s->count++] = (struct snapshot_message){ .uid = uid, .size = size };
	s->octets += size;
	return 0;
}

int
snapshot_set_exact(struct snapshot *s, size_t number, uint64_t octets)
{
	struct snapshot_message *m = &s->messages[number - 1];

	if (octets > INT64_MAX - (s->octets - m->size))
		return ERR_PROTOCOL;
	s->octets += octets - m->size;
	m->size = octets;
	m->exact = true;
	return 0;
}

static int
compare_uids(const void *a, const void *b)
{
	uint32_t x = ((const struct snapshot_message *) a)->uid;
	uint32_t y = ((const struct snapshot_message *) b)->uid;

	return (x > y) - (x < y);
}

int
snapshot_seal(struct snapshot *s)
{
	if (s->ascending)
		return 0;
	qsort(s->messages, s->count, sizeof(*s->messages), compare_uids);
	for (size_t i = 1; i < s->count; i++)
		if (s->messages[i].uid == s->messages[i - 1].uid)
			return ERR_PROTOCOL;
	s->ascending = true;
	return 0;
}

void
snapshot_forbid_marks(struct snapshot *s)
{
	for (size_t i = 0; i < s->part_count; i++)
		s->parts[i].unmarkable = true;
}

static int
add_part(struct snapshot *s, const struct part *part)
{
	struct part *parts = s->parts == &s->first ? NULL : s->parts;

	if (s->part_count == SNAPSHOT_PARTS_MAX)
		return ERR_LIMIT;
	if ((parts = realloc(parts, (s->part_count + 1) * sizeof(*parts))) == NULL)
		return ERR_NO_MEMORY;
	if (s->parts == &s->first)
		parts[0] = s->first;
	s->parts = parts;
	parts[s->part_count++] = *part;
	return 0;
}

int
snapshot_append(struct snapshot *s, struct snapshot *more, size_t max_messages)
{
	uint8_t part = (uint8_t) s->part_count;
	int rc;

	if (s->count > max_messages || more->count > max_messages - s->count)
		rc = ERR_LIMIT;
	else if (more->octets > INT64_MAX - s->octets)
		rc = ERR_PROTOCOL;
	else if ((rc = make_room(s, s->count + more->count)) == 0)
		rc = add_part(s, &more->first);
	for (size_t i = 0; rc == 0 && i < more->count; i++) {
		s->messages[s->count] = more->messages[i];
		s->messages[s->count++].part = part;
	}
	if (rc == 0)
		s->octets += more->octets;
	snapshot_free(more);
	return rc;
}

uint32_t
snapshot_uidvalidity(const struct snapshot *s, size_t part)
{
	return s->parts[part].uidvalidity;
}

size_t
snapshot_count(const struct snapshot *s)
{
	return s->count;
}

size_t
snapshot_left(const struct snapshot *s)
{
	return s->count - s->marked;
}

uint64_t
snapshot_left_octets(const struct snapshot *s)
{
	return s->octets - s->marked_octets;
}

size_t
snapshot_marked(const struct snapshot *s)
{
	return s->marked;
}

int
snapshot_lookup(const struct snapshot *s, uint64_t number, const struct snapshot_message **out)
{
	const struct snapshot_message *m;

	if (number == 0 || number > s->count)
		return ERR_INVALID;
	m = &s->messages[number - 1];
	if (m->deleted)
		return ERR_GONE;
	*out = m;
	return 0;
}

const struct snapshot_message *
snapshot_at(const struct snapshot *s, size_t number)
{
	return &s->messages[number - 1];
}

size_t
snapshot_number(const struct snapshot *s, const struct snapshot_message *m)
{
	return (size_t) (m - s->messages) + 1;
}

void
snapshot_uidl(const struct snapshot *s, size_t number, char buf[UIDL_MAX + 1])
{
	const struct snapshot_message *m = snapshot_at(s, number);
	const struct part *part = &s->parts[m->part];

	uidl_book_format(part->uidls, part->uidvalidity, m->uid, buf);
}

int
snapshot_mark(struct snapshot *s, uint64_t number)
{
	const struct snapshot_message *m;
	int rc;

	if ((rc = snapshot_lookup(s, number, &m)) != 0)
		return rc;
	if (s->parts[m->part].unmarkable)
		return ERR_READ_ONLY;
	if (m->broken)
		return ERR_PERMANENT;
	s->messages[number - 1].deleted = true;
	s->marked++;
	s->marked_octets += m->size;
	return 0;
}

void
snapshot_unmark_all(struct snapshot *s)
{
	if (s->marked == 0)
		return;
	for (size_t i = 0; i < s->count; i++)
		s->messages[i].deleted = false;
	s->marked = 0;
	s->marked_octets = 0;
}

void
snapshot_set_retrieved(struct snapshot *s, size_t number)
{
	s->messages[number - 1].retrieved = true;
}

void
snapshot_set_broken(struct snapshot *s, size_t number)
{
	s->messages[number - 1].broken = true;
}

int
snapshot_marked_uids(const struct snapshot *s, size_t part, struct uidset *set)
{
	int rc = 0;

	for (size_t i = 0; i < s->count && rc == 0; i++)
		if (s->messages[i].deleted && s->messages[i].part == part)
			rc = uidset_add(set, s->messages[i].uid);
	return rc;
}

int
snapshot_retrieved_uids(const struct snapshot *s, size_t part, struct uidset *set)
{
	int rc = 0;

	for (size_t i = 0; i < s->count && rc == 0; i++)
		if (s->messages[i].retrieved && s->messages[i].part == part)
			rc = uidset_add(set, s->messages[i].uid);
	return rc;
}
