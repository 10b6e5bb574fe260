/* uidl_settle.c - see uidl_settle.h. */
#include "mapping/uidl_settle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/error.h"
#include "mapping/uidl_set.h"

/* Who may keep a UIDL that several have: the lower rank, then the lower UID. */
enum rank { SHOWN, GIVEN /* by an import, say */, FRESH, RANKS };

enum { ATTEMPTS = 8 };

struct settle {
	uint8_t source;
	struct uidl_set set;
	struct uidl_set gone; /* what messages had by exceptions that are not there any more */
};

/* Of PART; messages come in ascending order, as exceptions do: *AT goes along. */
static enum rank
rank_of(const struct uidl_part *part, uint32_t uid, size_t *at)
{
	bool has_entry = false, is_new = false, is_kept = false;

	for (; *at < uidl_book_entry_count(part->book); (*at)++) {
		struct uidl_entry entry = uidl_book_entry(part->book, *at);

		if (entry.uid < uid)
			continue;
		has_entry = entry.uid == uid;
		is_new = has_entry && entry.is_new;
		is_kept = has_entry && entry.is_kept;
		break;
	}
	if (is_kept || (uid <= part->shown && !is_new))
		return SHOWN;
	return has_entry && !is_new ? GIVEN : FRESH;
}

/* Another UIDL for message UID of PART, instead of WANTED. */
static void
alter(const struct uidl_part *part, uint32_t uid, unsigned attempt, const char *wanted,
    char uidl[UIDL_MAX + 1])
{
	char name[UIDL_MAX + 48], hex[DIGEST_HEX + 1];
	int len = snprintf(name, sizeof(name), "%s.%u", wanted, (unsigned) uid);

	if (attempt == 0 && len <= UIDL_MAX) {
		memcpy(uidl, name, (size_t) len + 1);
		return;
	}
	len = snprintf(name, sizeof(name), "%u.%u.%u.%s", (unsigned) part->uidvalidity,
	    (unsigned) uid, attempt, wanted);
	digest_hex(name, (size_t) len, hex);
	hex[40] = '\0';
	memcpy(uidl, hex, strlen(hex) + 1);
}

/* Whether message UID of PART may have WANTED, which nobody else may then. Clients that saw a message which is
 * gone would take a new one of its UIDL for it. But one that says itself what it is may have come back. */
static bool
take(struct settle *s, const struct uidl_part *part, uint32_t uid, enum rank rank,
    const char *wanted)
{
	if (rank == FRESH && uidl_set_contains(&s->gone, wanted) &&
	    uidl_book_find(part->book, uid) == NULL)
		return false;
	return uidl_set_add(&s->set, wanted);
}

static int
settle_message(struct settle *s, const struct uidl_part *part, uint32_t uid, enum rank rank)
{
	char wanted[UIDL_MAX + 1], uidl[UIDL_MAX + 1];

	uidl_book_format(part->book, part->uidvalidity, uid, wanted);
	if (take(s, part, uid, rank, wanted) || rank == SHOWN)
		return 0;
	for (unsigned attempt = 0; attempt < ATTEMPTS; attempt++) {
		alter(part, uid, attempt, wanted, uidl);
		if (take(s, part, uid, rank, uidl))
			return uidl_book_assign(part->book, uid, uidl, strlen(uidl), s->source);
	}
	return ERR_NO_MEMORY; /* a digest that is taken again and again: memory is broken */
}

/* The ranks of all messages are found before any of them is altered. */
static void
find_ranks(const struct uidl_part *parts, size_t count, unsigned char *ranks)
{
	for (size_t i = 0; i < count; i++) {
		size_t at = 0;

		for (size_t j = 0; j < parts[i].count; j++)
			*ranks++ = (unsigned char) rank_of(&parts[i], parts[i].messages[j].uid, &at);
	}
}

static int
settle_rank(struct settle *s, const struct uidl_part *parts, size_t count,
    const unsigned char *ranks, enum rank rank)
{
	int rc = 0;

	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < parts[i].count && rc == 0; j++)
			if (*ranks++ == rank)
				rc = settle_message(s, &parts[i], parts[i].messages[j].uid, rank);
	return rc;
}

/* UIDLs that no message of the maildrop may get have a place of their own among those that are taken. */
static void
take_reserved(struct settle *s, const struct uidl_part *parts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < uidl_book_reserved_count(parts[i].book); j++)
			uidl_set_add(&s->set, uidl_book_reserved(parts[i].book, j));
}

/* Both messages and exceptions ascend. */
static void
note_gone(struct settle *s, const struct uidl_part *part)
{
	for (size_t i = 0, j = 0; i < uidl_book_entry_count(part->book); i++) {
		struct uidl_entry entry = uidl_book_entry(part->book, i);

		while (j < part->count && part->messages[j].uid < entry.uid)
			j++;
		if (j == part->count || part->messages[j].uid != entry.uid)
			uidl_set_add(&s->gone, entry.uidl);
	}
}

/* What of PARTS is taken before any message is asked what it wants. */
static int
begin(struct settle *s, const struct uidl_part *parts, size_t count, const struct siphash_key *key)
{
	size_t messages = 0, reserved = 0, entries = 0;

	for (size_t i = 0; i < count; i++) {
		messages += parts[i].count;
		reserved += uidl_book_reserved_count(parts[i].book);
		entries += uidl_book_entry_count(parts[i].book);
	}
	if (uidl_set_init(&s->set, messages + reserved, key) != 0 ||
	    uidl_set_init(&s->gone, entries, key) != 0)
		return ERR_NO_MEMORY;
	take_reserved(s, parts, count);
	for (size_t i = 0; i < count; i++)
		note_gone(s, &parts[i]);
	return 0;
}

/* Whether PART has messages that nobody was shown as they are now. */
static bool
has_news(const struct uidl_part *part)
{
	return part->count > 0 && (part->messages[part->count - 1].uid > part->shown ||
				      uidl_book_new_count(part->book) > 0);
}

int
uidl_settle(const struct uidl_part *parts, size_t count, uint8_t source,
    const struct siphash_key *key)
{
	struct settle s = { .source = source };
	bool news = false;
	unsigned char *ranks;
	size_t messages = 0;
	int rc;

	for (size_t i = 0; i < count; i++) {
		news = news || has_news(&parts[i]);
		messages += parts[i].count;
	}
	if (!news)
		return 0;
	if ((ranks = malloc(messages)) == NULL)
		return ERR_NO_MEMORY;
	find_ranks(parts, count, ranks);
	rc = begin(&s, parts, count, key);
	for (int rank = SHOWN; rank < RANKS && rc == 0; rank++)
		rc = settle_rank(&s, parts, count, ranks, (enum rank) rank);
	uidl_set_clear(&s.set);
	uidl_set_clear(&s.gone);
	free(ranks);
	return rc;
}
