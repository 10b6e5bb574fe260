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
	struct uidl_book *book;
	uint32_t uidvalidity;
	uint32_t shown;
	uint8_t source;
	struct uidl_set set;
	unsigned char *ranks; /* of the messages */
};

/* Messages come in ascending order, as exceptions do: *AT goes along. */
static enum rank
rank_of(const struct settle *s, uint32_t uid, size_t *at)
{
	bool has_entry = false, is_new = false;

	for (; *at < uidl_book_entry_count(s->book); (*at)++) {
		struct uidl_entry entry = uidl_book_entry(s->book, *at);

		if (entry.uid < uid)
			continue;
		has_entry = entry.uid == uid;
		is_new = has_entry && entry.is_new;
		break;
	}
	if (uid <= s->shown && !is_new)
		return SHOWN;
	return has_entry && !is_new ? GIVEN : FRESH;
}

/* Another UIDL for message UID, which has UIDL so far. */
static void
alter(const struct settle *s, uint32_t uid, unsigned attempt, char uidl[UIDL_MAX + 1])
{
	char name[UIDL_MAX + 32], hex[DIGEST_HEX + 1];
	int len = snprintf(name, sizeof(name), "%s.%u", uidl, (unsigned) uid);

	if (attempt == 0 && len <= UIDL_MAX) {
		memcpy(uidl, name, (size_t) len + 1);
		return;
	}
	len = snprintf(name, sizeof(name), "%u.%u.%u", (unsigned) s->uidvalidity, (unsigned) uid,
	    attempt);
	digest_hex(name, (size_t) len, hex);
	hex[40] = '\0';
	memcpy(uidl, hex, strlen(hex) + 1);
}

static int
settle_message(struct settle *s, uint32_t uid, enum rank rank)
{
	char uidl[UIDL_MAX + 1];

	uidl_book_format(s->book, s->uidvalidity, uid, uidl);
	if (uidl_set_add(&s->set, uidl) || rank == SHOWN)
		return 0;
	for (unsigned attempt = 0; attempt < ATTEMPTS; attempt++) {
		alter(s, uid, attempt, uidl);
		if (uidl_set_add(&s->set, uidl))
			return uidl_book_assign(s->book, uid, uidl, strlen(uidl), s->source);
	}
	return ERR_NO_MEMORY; /* a digest that is taken again and again: memory is broken */
}

int
uidl_settle(struct uidl_book *book, uint32_t uidvalidity,
    const struct snapshot_message *messages, size_t count, uint32_t shown, uint8_t source,
    const struct siphash_key *key)
{
	struct settle s = {
		.book = book, .uidvalidity = uidvalidity, .shown = shown, .source = source
	};
	size_t at = 0;
	int rc;

	if (uidl_book_is_plain(book) || count == 0 ||
	    (messages[count - 1].uid <= shown && uidl_book_new_count(book) == 0))
		return 0;
	if ((s.ranks = malloc(count)) == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++)
		s.ranks[i] = (unsigned char) rank_of(&s, messages[i].uid, &at);
	rc = uidl_set_init(&s.set, count, key);
	for (int rank = SHOWN; rank < RANKS && rc == 0; rank++)
		for (size_t i = 0; i < count && rc == 0; i++)
			if (s.ranks[i] == rank)
				rc = settle_message(&s, messages[i].uid, (enum rank) rank);
	uidl_set_clear(&s.set);
	free(s.ranks);
	return rc;
}
