/* pairing.c - see pairing.h. */
#include "gateway/pairing.h"

#include <stdlib.h>
#include <string.h>

#include "base/uidset.h"
#include "gateway/header_prints.h"
#include "gateway/pop3_client.h"

enum {
	OLD_BATCH = 1000,	 /* headers asked of a POP3 server at once */
	ROOM_FIRST = 256,
};

void
pairing_clear(struct pairing *p)
{
	free(p->old.messages);
	free(p->new.messages);
	free(p->numbers);
	free(p->uidl_at);
	free(p->uids);
	free(p->starts);
	free(p->texts);
	*p = (struct pairing){ .max_messages = p->max_messages };
}

/* ---- growing ---- */

/* Makes *ARRAY as large as ROOM items of SIZE. */
static int
grow(void *array, size_t room, size_t size)
{
	void **place = array, *more;

	if (room > SIZE_MAX / size || (more = realloc(*place, room * size)) == NULL)
		return ERR_NO_MEMORY;
	*place = more;
	return 0;
}

static size_t
more_room(size_t room)
{
	return room == 0 ? ROOM_FIRST : 2 * room;
}

static bool
is_full(const struct pairing *p, const struct match_side *side)
{
	return side->count == MATCH_MESSAGES_MAX ||
	       (p->max_messages != 0 && side->count == p->max_messages);
}

static int
keep_text(struct pairing *p, const char *text, size_t *at)
{
	size_t len = strlen(text) + 1, room = p->texts_room;

	while (p->texts_len + len > room)
		room = more_room(room);
	if (room != p->texts_room && grow(&p->texts, room, 1) != 0)
		return ERR_NO_MEMORY;
	p->texts_room = room;
	*at = p->texts_len;
	memcpy(p->texts + p->texts_len, text, len);
	p->texts_len += len;
	return 0;
}

int
pairing_add_old(struct pairing *p, uint32_t number, const char *uidl, uint64_t size,
    const struct fingerprint *print)
{
	struct match_message *m;

	if (is_full(p, &p->old))
		return ERR_LIMIT;
	if (p->old.count > 0 && number <= p->numbers[p->old.count - 1])
		return ERR_INVALID;
	if (p->old.count == p->old_room) {
		size_t room = more_room(p->old_room);

		if (grow(&p->old.messages, room, sizeof(*p->old.messages)) != 0 ||
		    grow(&p->numbers, room, sizeof(*p->numbers)) != 0 ||
		    grow(&p->uidl_at, room, sizeof(*p->uidl_at)) != 0)
			return ERR_NO_MEMORY;
		p->old_room = room;
	}
	if (keep_text(p, uidl, &p->uidl_at[p->old.count]) != 0)
		return ERR_NO_MEMORY;
	p->numbers[p->old.count] = number;
	p->old.has_gaps = p->old.has_gaps || number != p->old.count + 1;
	m = &p->old.messages[p->old.count++];
	*m = (struct match_message){ .size = size, .name = fingerprint_key(uidl, strlen(uidl)) };
	if (print != NULL) {
		m->print = *print;
		m->header = MATCH_HEADER_READ;
	}
	return 0;
}

int
pairing_begin_mailbox(struct pairing *p)
{
	if (p->mailboxes == p->mailbox_room) {
		size_t room = p->mailbox_room == 0 ? 4 : 2 * p->mailbox_room;

		if (grow(&p->starts, room, sizeof(*p->starts)) != 0)
			return ERR_NO_MEMORY;
		p->mailbox_room = room;
	}
	p->selected = p->mailboxes;
	p->starts[p->mailboxes++] = p->new.count;
	return 0;
}

int
pairing_add_new(struct pairing *p, uint32_t uid, uint64_t size)
{
	bool is_first = p->new.count == p->starts[p->mailboxes - 1];

	if (is_full(p, &p->new))
		return ERR_LIMIT;
	if (p->new.count == p->new_room) {
		size_t room = more_room(p->new_room);

		if (grow(&p->new.messages, room, sizeof(*p->new.messages)) != 0 ||
		    grow(&p->uids, room, sizeof(*p->uids)) != 0)
			return ERR_NO_MEMORY;
		p->new_room = room;
	}
	p->uids[p->new.count] = uid;
	p->new.messages[p->new.count++] =
	    (struct match_message){ .size = size, .begins_mailbox = is_first };
	return 0;
}

/* ---- listing ---- */

static int
on_uidl(void *ctx, uint32_t number, const char *uidl)
{
	return pairing_add_old(ctx, number, uidl, MATCH_NO_SIZE, NULL);
}

static int
compare_numbers(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *) a, right = *(const uint32_t *) b;

	return (left > right) - (left < right);
}

/* The index of NUMBER among COUNT NUMBERS, ascending; COUNT where it is not there. */
static size_t
find(const uint32_t *numbers, size_t count, uint32_t number)
{
	const uint32_t *found;

	if (count == 0)
		return count;
	found = bsearch(&number, numbers, count, sizeof(*numbers), compare_numbers);
	return found == NULL ? count : (size_t) (found - numbers);
}

/* Why a listing was called off. */
static int
explain(int rc, const char *what, struct error *e)
{
	return rc == ERR_LIMIT ? error_set(e, rc, "%s: more messages than max_messages", what)
			       : error_prefix(e, "%s", what);
}

static int
on_size(void *ctx, uint32_t number, uint64_t size)
{
	struct pairing *p = ctx;
	size_t i = find(p->numbers, p->old.count, number);

	if (i < p->old.count)
		p->old.messages[i].size = size;
	return 0;
}

int
pairing_list_old(struct pairing *p, struct pop3_client *old, struct error *e)
{
	int rc;

	if ((rc = pop3_client_uidl(old, on_uidl, p, e)) != 0 ||
	    (rc = pop3_client_list(old, on_size, p, e)) != 0)
		return explain(rc, "listing of the old maildrop", e);
	return 0;
}

static int
on_listed(void *ctx, uint32_t uid, uint64_t size, bool deleted)
{
	(void) deleted;
	return pairing_add_new(ctx, uid, size);
}

/* A message with its UID, for sorting. */
struct listed {
	uint32_t uid;
	uint64_t size;
};

static int
compare_listed(const void *a, const void *b)
{
	return compare_numbers(&((const struct listed *) a)->uid, &((const struct listed *) b)->uid);
}

size_t
pairing_end(const struct pairing *p, size_t mailbox)
{
	return mailbox + 1 < p->mailboxes ? p->starts[mailbox + 1] : p->new.count;
}

/* A server may list in any order: the last mailbox. */
static int
sort_new(struct pairing *p)
{
	size_t start = p->starts[p->mailboxes - 1], count = p->new.count - start, i = 1;
	struct match_message *messages = p->new.messages + start;
	uint32_t *uids = p->uids + start;
	struct listed *listed;

	while (i < count && uids[i - 1] < uids[i])
		i++;
	if (i >= count)
		return 0;
	if ((listed = calloc(count, sizeof(*listed))) == NULL)
		return ERR_NO_MEMORY;
	for (i = 0; i < count; i++)
		listed[i] = (struct listed){ uids[i], messages[i].size };
	qsort(listed, count, sizeof(*listed), compare_listed);
	for (i = 0; i < count; i++) {
		uids[i] = listed[i].uid;
		messages[i].size = listed[i].size;
	}
	free(listed);
	for (i = 1; i < count; i++)
		if (uids[i - 1] == uids[i])
			return ERR_PROTOCOL;
	return 0;
}

int
pairing_list_new(struct pairing *p, struct imap *new, struct error *e)
{
	int rc;

	if (pairing_begin_mailbox(p) != 0)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	if ((rc = imap_list(new, on_listed, p, e)) != 0)
		return explain(rc, "listing of the mailbox", e);
	rc = sort_new(p);
	return rc == 0 ? 0 : error_set(e, rc, "listing of the mailbox: %s", error_name(rc));
}

/* ---- headers of the old side ---- */

struct old_headers {
	struct pairing *pairing;
	struct fingerprint_reader reader;
	uint32_t number; /* whose header is read; 0: none */
};

static int
on_octets(void *ctx, uint32_t number, const char *octets, size_t len)
{
	struct old_headers *h = ctx;

	if (h->number != number)
		fingerprint_begin(&h->reader);
	h->number = number;
	fingerprint_feed(&h->reader, octets, len);
	return 0;
}

static int
on_end(void *ctx, uint32_t number, int code)
{
	struct old_headers *h = ctx;
	struct pairing *p = h->pairing;
	size_t i = find(p->numbers, p->old.count, number);

	if (i == p->old.count)
		return ERR_PROTOCOL;
	p->old.messages[i].header = code == 0 ? MATCH_HEADER_READ : MATCH_HEADER_UNAVAILABLE;
	if (code != 0)
		return 0;
	if (h->number != number) /* it has none */
		fingerprint_begin(&h->reader);
	fingerprint_end(&h->reader, &p->old.messages[i].print);
	h->number = 0;
	p->headers++;
	return 0;
}

/* A server without TOP is no failure: what can be said without headers will be. */
static int
ask_old(struct pairing *p, struct pop3_client *old, const uint32_t *numbers, size_t count,
    struct error *e)
{
	static const struct pop3_header_reader reader = { on_octets, on_end };
	struct old_headers h = { .pairing = p };
	int rc;

	if ((rc = pop3_client_headers(old, numbers, count, &reader, &h, e)) == 0)
		return 0;
	if (pop3_client_is_dead(old))
		return error_prefix(e, "headers of the old maildrop");
	for (size_t i = 0; i < p->old.count; i++)
		if (p->old.messages[i].header == MATCH_HEADER_UNREAD)
			p->old.messages[i].header = MATCH_HEADER_UNAVAILABLE;
	return 0;
}

static int
read_old(struct pairing *p, struct pop3_client *old, struct error *e)
{
	uint32_t numbers[OLD_BATCH];
	size_t count = 0;
	int rc = 0;

	for (size_t i = 0; i < p->old.count && rc == 0; i++) {
		if (match_wants(&p->old, i))
			numbers[count++] = p->numbers[i];
		if (count == OLD_BATCH || (i + 1 == p->old.count && count > 0)) {
			rc = ask_old(p, old, numbers, count, e);
			count = 0;
		}
	}
	return rc;
}

/* ---- headers of the new side ---- */

/* Of the mailbox that is selected. */
static int
on_print(void *ctx, uint32_t uid, const struct fingerprint *print)
{
	struct pairing *p = ctx;
	size_t start = p->starts[p->selected], count = pairing_end(p, p->selected) - start;
	size_t i = find(p->uids + start, count, uid);

	if (i == count || !match_wants(&p->new, start + i))
		return 0;
	p->new.messages[start + i].print = *print;
	p->new.messages[start + i].header = MATCH_HEADER_READ;
	p->headers++;
	return 0;
}

static int
read_mailbox(struct pairing *p, const struct pairing_source *new, size_t mailbox, struct error *e)
{
	struct uidset set = { 0 };
	struct imap *imap;
	int rc = 0;

	for (size_t i = p->starts[mailbox]; i < pairing_end(p, mailbox) && rc == 0; i++)
		if (match_wants(&p->new, i) && uidset_add(&set, p->uids[i]) != 0)
			rc = error_set(e, ERR_NO_MEMORY, "no memory for a set of messages");
	if (rc == 0 && set.count > 0 && (rc = new->select(new->ctx, mailbox, &imap, e)) == 0) {
		p->selected = mailbox;
		rc = header_prints_read(imap, &set, on_print, p, e);
	}
	uidset_clear(&set);
	return rc;
}

/* Beginning with the mailbox that is likely to be selected. */
static int
read_new(struct pairing *p, const struct pairing_source *new, struct error *e)
{
	size_t first = p->selected;
	int rc = 0;

	for (size_t i = 0; i < p->mailboxes && rc == 0; i++)
		rc = read_mailbox(p, new, (first + i) % p->mailboxes, e);
	return rc == 0 ? 0 : error_prefix(e, "headers of the mailbox");
}

/* ---- the whole ---- */

int
pairing_read(struct pairing *p, struct pop3_client *old, const struct pairing_source *new,
    struct error *e)
{
	int rc = old != NULL ? read_old(p, old, e) : 0;

	return rc == 0 ? read_new(p, new, e) : rc;
}

int
pairing_run(struct pairing *p, struct pop3_client *old, const struct pairing_source *new,
    enum match_depth depth, struct error *e)
{
	bool done = false;
	int rc;

	for (size_t i = 0; i < p->old.count && old == NULL; i++)
		if (p->old.messages[i].header == MATCH_HEADER_UNREAD)
			p->old.messages[i].header = MATCH_HEADER_UNAVAILABLE;
	rc = match_begin(&p->match, &p->old, &p->new, depth);
	while (rc == 0 && !done) {
		if ((rc = pairing_read(p, old, new, e)) != 0)
			return rc;
		rc = match_step(&p->match, &done);
	}
	return rc == 0 ? 0 : error_set(e, rc, "matching: %s", error_name(rc));
}

size_t
pairing_mailbox(const struct pairing *p, size_t i)
{
	size_t mailbox = p->mailboxes - 1;

	while (p->starts[mailbox] > i)
		mailbox--;
	return mailbox;
}

const char *
pairing_uidl(const struct pairing *p, size_t i)
{
	return p->texts + p->uidl_at[i];
}

/* The pairs of MAILBOX, ascending by UID: ROWS, of which there is room for all. Returns how many. */
static size_t
fill_rows(const struct pairing *p, size_t mailbox, struct ledger_row *rows)
{
	size_t count = 0;

	for (size_t i = p->starts[mailbox]; i < pairing_end(p, mailbox); i++) {
		uint32_t partner = p->new.messages[i].partner;

		if (partner != MATCH_NONE)
			rows[count++] =
			    (struct ledger_row){ p->uids[i], pairing_uidl(p, partner) };
	}
	return count;
}

int
pairing_store(const struct pairing *p, struct ledger *ledger, const struct ledger_rows *parts,
    enum ledger_source source, struct ledger_imported *out, struct error *e)
{
	struct ledger_row *rows = calloc(p->match.paired + 1, sizeof(*rows));
	struct ledger_rows *filled = calloc(p->mailboxes, sizeof(*filled));
	size_t count = 0, used = 0;
	int rc;

	for (size_t i = 0; i < p->mailboxes && rows != NULL && filled != NULL; i++) {
		if (parts[i].key.mailbox == NULL)
			continue;
		filled[count] = parts[i];
		filled[count].rows = rows + used;
		filled[count].count = fill_rows(p, i, rows + used);
		used += filled[count++].count;
	}
	if (rows == NULL || filled == NULL)
		rc = error_set(e, ERR_NO_MEMORY, "out of memory");
	else
		rc = ledger_import(ledger, filled, count, source, out, e);
	free(rows);
	free(filled);
	return rc;
}

int
pairing_seen(const struct pairing *p, struct ledger_seen **items)
{
	if ((*items = calloc(p->old.count + 1, sizeof(**items))) == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < p->old.count; i++) {
		uint64_t size = p->old.messages[i].size;

		(*items)[i] = (struct ledger_seen){ .uid = p->numbers[i],
			.size = size == MATCH_NO_SIZE ? 0 : size,
			.uidl = p->texts + p->uidl_at[i] };
	}
	return 0;
}
