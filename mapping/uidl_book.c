/* uidl_book.c - see uidl_book.h. */
#include "mapping/uidl_book.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/* A template and where it begins. */
struct rule {
	uint32_t first;
	const struct uidl_template *template;
	struct uidl_template *owned; /* the same, or NULL */
};

struct entry {
	uint32_t uid;
	uint32_t text; /* where in the texts it begins */
	uint8_t source;
	bool is_new;
	bool is_kept;
};

struct uidl_book {
	struct rule *rules; /* ascending */
	size_t rule_count;
	bool rule_is_new; /* the last one was added by uidl_book_add_template */
	struct entry *entries; /* ascending */
	size_t entry_count, entry_room;
	size_t new_count;
	char *texts; /* each with its NUL */
	size_t texts_len, texts_room;
	char **reserved;
	size_t reserved_count, reserved_room;
};

int
uidl_book_new(struct uidl_book **out)
{
	struct uidl_book *book = calloc(1, sizeof(*book));

	if (book == NULL)
		return ERR_NO_MEMORY;
	*out = book;
	return 0;
}

void
uidl_book_clear(struct uidl_book *book)
{
	for (size_t i = 0; i < book->rule_count; i++)
		uidl_template_free(book->rules[i].owned);
	for (size_t i = 0; i < book->reserved_count; i++)
		free(book->reserved[i]);
	free(book->reserved);
	free(book->rules);
	free(book->entries);
	free(book->texts);
	*book = (struct uidl_book){ 0 };
}

void
uidl_book_free(struct uidl_book *book)
{
	if (book == NULL)
		return;
	uidl_book_clear(book);
	free(book);
}

void
uidl_book_swap(struct uidl_book *a, struct uidl_book *b)
{
	struct uidl_book c = *a;

	*a = *b;
	*b = c;
}

/* ---- templates ---- */

static int
add_rule(struct uidl_book *book, const struct rule *rule)
{
	struct rule *last = NULL, *rules;

	if (book->rule_count > 0)
		last = &book->rules[book->rule_count - 1];
	if (last == NULL ? rule->first != 1 : rule->first < last->first)
		return ERR_INVALID;
	if (last != NULL && rule->first == last->first) {
		uidl_template_free(last->owned); /* nothing was made by it */
		*last = *rule;
		return 0;
	}
	rules = realloc(book->rules, (book->rule_count + 1) * sizeof(*rules));
	if (rules == NULL)
		return ERR_NO_MEMORY;
	book->rules = rules;
	rules[book->rule_count++] = *rule;
	return 0;
}

int
uidl_book_add_template(struct uidl_book *book, uint32_t first, const struct uidl_template *t)
{
	const struct rule rule = { .first = first, .template = t };
	int rc = add_rule(book, &rule);

	if (rc == 0)
		book->rule_is_new = true;
	return rc;
}

int
uidl_book_add_template_text(
    struct uidl_book *book, uint32_t first, const char *text, size_t len)
{
	struct rule rule = { .first = first };
	int rc;

	if ((rc = uidl_template_restore(text, len, &rule.owned)) != 0)
		return rc;
	rule.template = rule.owned;
	if ((rc = add_rule(book, &rule)) != 0)
		uidl_template_free(rule.owned);
	return rc;
}

const struct uidl_template *
uidl_book_last(const struct uidl_book *book, uint32_t *first)
{
	if (book->rule_count == 0)
		return NULL;
	*first = book->rules[book->rule_count - 1].first;
	return book->rules[book->rule_count - 1].template;
}

bool
uidl_book_has_new_template(const struct uidl_book *book)
{
	return book->rule_is_new;
}

bool
uidl_book_is_plain(const struct uidl_book *book)
{
	return book->rule_count == 1 && book->entry_count == 0 && book->reserved_count == 0 &&
	       uidl_template_attribute(book->rules[0].template) == UIDL_OF_NUMBERS;
}

/* There are few, and mostly one. */
const struct uidl_template *
uidl_book_template(const struct uidl_book *book, uint32_t uid)
{
	size_t i = book->rule_count - 1;

	while (i > 0 && book->rules[i].first > uid)
		i--;
	return book->rules[i].template;
}

/* ---- exceptions ---- */

/* The place of the first exception whose UID is not below UID. */
static size_t
find_place(const struct uidl_book *book, uint32_t uid)
{
	size_t low = 0, high = book->entry_count;

	if (high > 0 && book->entries[high - 1].uid < uid)
		return high;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (book->entries[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int
make_room(struct uidl_book *book, size_t len)
{
	if (book->entry_count == book->entry_room) {
		size_t room = book->entry_room == 0 ? 16 : 2 * book->entry_room;
		struct entry *entries = realloc(book->entries, room * sizeof(*entries));

		if (entries == NULL)
			return ERR_NO_MEMORY;
		book->entries = entries;
		book->entry_room = room;
	}
	if (book->texts_room - book->texts_len <= len) {
		size_t room = 2 * book->texts_room + 16 * (UIDL_MAX + 1);
		char *texts = room <= UINT32_MAX ? realloc(book->texts, room) : NULL;

		if (texts == NULL)
			return ERR_NO_MEMORY;
		book->texts = texts;
		book->texts_room = room;
	}
	return 0;
}

/* Whether the exception at place AT is that of UID. */
static bool
is_at(const struct uidl_book *book, size_t at, uint32_t uid)
{
	return at < book->entry_count && book->entries[at].uid == uid;
}

/* Writes ENTRY with its text UIDL (LEN octets) to place AT. */
static int
put_entry(struct uidl_book *book, size_t at, struct entry entry, const char *uidl, size_t len)
{
	int rc;

	if (entry.uid == 0 || !uidl_is_valid(uidl, len))
		return ERR_INVALID;
	if ((rc = make_room(book, len)) != 0)
		return rc;
	if (!is_at(book, at, entry.uid)) {
		memmove(&book->entries[at + 1], &book->entries[at],
		    (book->entry_count - at) * sizeof(book->entries[0]));
		book->entry_count++;
	}
	entry.text = (uint32_t) book->texts_len;
	book->entries[at] = entry;
	memcpy(book->texts + book->texts_len, uidl, len);
	book->texts[book->texts_len + len] = '\0';
	book->texts_len += len + 1;
	return 0;
}

int
uidl_book_add(struct uidl_book *book, uint32_t uid, const char *uidl, size_t len, uint8_t source)
{
	const struct entry entry = { .uid = uid, .source = source };
	size_t at = find_place(book, uid);

	return is_at(book, at, uid) ? ERR_INVALID : put_entry(book, at, entry, uidl, len);
}

/* Puts ENTRY, which is new to the ledger, in place of what its message has. */
static int
replace(struct uidl_book *book, struct entry entry, const char *uidl, size_t len)
{
	size_t at = find_place(book, entry.uid);
	bool was_new = is_at(book, at, entry.uid) && book->entries[at].is_new;
	int rc;

	entry.is_new = true;
	if ((rc = put_entry(book, at, entry, uidl, len)) == 0 && !was_new)
		book->new_count++;
	return rc;
}

int
uidl_book_assign(
    struct uidl_book *book, uint32_t uid, const char *uidl, size_t len, uint8_t source)
{
	return replace(book, (struct entry){ .uid = uid, .source = source }, uidl, len);
}

int
uidl_book_keep(
    struct uidl_book *book, uint32_t uid, const char *uidl, size_t len, uint8_t source)
{
	return replace(
	    book, (struct entry){ .uid = uid, .source = source, .is_kept = true }, uidl, len);
}

const char *
uidl_book_find(const struct uidl_book *book, uint32_t uid)
{
	size_t at = find_place(book, uid);

	if (at == book->entry_count || book->entries[at].uid != uid)
		return NULL;
	return book->texts + book->entries[at].text;
}

size_t
uidl_book_entry_count(const struct uidl_book *book)
{
	return book->entry_count;
}

struct uidl_entry
uidl_book_entry(const struct uidl_book *book, size_t index)
{
	const struct entry *entry = &book->entries[index];

	return (struct uidl_entry){
		.uid = entry->uid,
		.source = entry->source,
		.is_new = entry->is_new,
		.is_kept = entry->is_kept,
		.uidl = book->texts + entry->text,
	};
}

size_t
uidl_book_new_count(const struct uidl_book *book)
{
	return book->new_count;
}

/* ---- UIDLs of no message ---- */

int
uidl_book_reserve(struct uidl_book *book, const char *uidl)
{
	if (book->reserved_count == book->reserved_room) {
		size_t room = book->reserved_room == 0 ? 16 : 2 * book->reserved_room;
		char **more = realloc(book->reserved, room * sizeof(*more));

		if (more == NULL)
			return ERR_NO_MEMORY;
		book->reserved = more;
		book->reserved_room = room;
	}
	if ((book->reserved[book->reserved_count] = strdup(uidl)) == NULL)
		return ERR_NO_MEMORY;
	book->reserved_count++;
	return 0;
}

size_t
uidl_book_reserved_count(const struct uidl_book *book)
{
	return book->reserved_count;
}

const char *
uidl_book_reserved(const struct uidl_book *book, size_t index)
{
	return book->reserved[index];
}

void
uidl_book_format(
    const struct uidl_book *book, uint32_t uidvalidity, uint32_t uid, char buf[UIDL_MAX + 1])
{
	const char *exception = uidl_book_find(book, uid);

	if (exception != NULL)
		memcpy(buf, exception, strlen(exception) + 1);
	else
		uidl_format(uidl_book_template(book, uid), uidvalidity, uid, buf);
}
