/* recall.c - see recall.h. */
#include "gateway/recall.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "gateway/naming.h"
#include "mapping/match.h"
#include "mapping/uidl_set.h"
#include "mapping/uidl_settle.h"

enum {
	COMMAND_OCTETS = 7000, /* of a set in one command */
	HEADERS_MAX = 1000,    /* that a login reads ahead of need, for fingerprints */
};

static const struct upstream *
upstream_of(const struct recall *r)
{
	return r->link->upstream;
}

static int
no_memory(struct error *e)
{
	return error_set(e, ERR_NO_MEMORY, "no memory for UIDLs");
}

static int
random_key(struct siphash_key *key)
{
	return random_fill(key, sizeof(*key)) == 0 ? 0 : ERR_NO_MEMORY;
}

/* ---- reading ---- */

int
recall_begin(struct recalled *m, struct error *e)
{
	if (m->book != NULL)
		uidl_book_clear(m->book);
	else if (uidl_book_new(&m->book) != 0)
		return no_memory(e);
	naming_clear(&m->names);
	m->found = (struct ledger_maildrop){ 0 };
	m->is_read = false;
	return 0;
}

/* Messages that nobody has been shown, of a mailbox that the ledger has as FOUND and BOOK, have their UIDLs by
 * T. Returns 0, ERR_INVALID or ERR_NO_MEMORY. */
static int
apply_template(struct uidl_book *book, const struct ledger_maildrop *found,
    const struct uidl_template *t)
{
	uint32_t last, first = 1;
	const struct uidl_template *rules = uidl_book_last(book, &last);

	if (rules != NULL) {
		if (strcmp(uidl_template_text(rules), uidl_template_text(t)) == 0 ||
		    found->shown == UINT32_MAX)
			return 0;
		first = found->shown + 1 > last ? found->shown + 1 : last;
	}
	return uidl_book_add_template(book, first, t);
}

int
recall_read(const struct recall *r, struct recalled *m, struct error *e)
{
	uint32_t uidvalidity = r->link->mailbox.uidvalidity;
	int rc = 0;

	if (r->ledger != NULL)
		rc = ledger_load(
		    r->ledger, &m->key, uidvalidity, r->account, m->book, &m->found, e);
	if (rc != 0)
		return rc;
	m->is_read = r->ledger != NULL;
	return apply_template(m->book, &m->found, m->template) == 0 ? 0 : no_memory(e);
}

/* ---- attributes ---- */

/* A message whose attribute is asked for. */
struct answer {
	uint32_t uid;
	char *uidl; /* that the attribute makes; NULL: it has not come */
};

/* Messages of one template, ascending: a server may answer in any order, and as often as it likes. */
struct asked {
	const struct uidl_template *template;
	struct answer *answers;
	size_t count;
};

static int
compare_answers(const void *a, const void *b)
{
	uint32_t left = ((const struct answer *) a)->uid, right = ((const struct answer *) b)->uid;

	return (left > right) - (left < right);
}

static int
take_attribute(void *ctx, uint32_t uid, const char *value, size_t len)
{
	const struct asked *a = ctx;
	const struct answer key = { .uid = uid };
	struct answer *answer =
	    bsearch(&key, a->answers, a->count, sizeof(key), compare_answers);
	char uidl[UIDL_MAX + 1];

	if (answer == NULL || answer->uidl != NULL ||
	    uidl_from_attribute(a->template, value, len, uidl) != 0)
		return 0;
	return (answer->uidl = strdup(uidl)) != NULL ? 0 : ERR_NO_MEMORY;
}

static enum imap_attribute
imap_attribute_of(const struct uidl_template *t)
{
	switch (uidl_template_attribute(t)) {
	case UIDL_OF_GMAIL_ID:
		return IMAP_ATTRIBUTE_GMAIL_ID;
	case UIDL_OF_EMAILID:
		return IMAP_ATTRIBUTE_EMAILID;
	case UIDL_OF_GUID:
		return IMAP_ATTRIBUTE_GUID;
	default:
		return IMAP_ATTRIBUTE_MESSAGE_ID;
	}
}

static int
fetch_attributes(
    struct imap *imap, struct asked *a, const struct uidset *uids, struct error *e)
{
	size_t count;
	int rc = 0;

	for (size_t i = 0; i < uids->count && rc == 0; i += count) {
		count = uidset_batch(uids, i, COMMAND_OCTETS);
		rc = imap_list_attribute(imap, uids->ranges + i, count,
		    imap_attribute_of(a->template), take_attribute, a, e);
	}
	return rc;
}

/* Whether message UID has no UIDL yet. */
static bool
is_open(const struct uidl_book *book, uint32_t uid)
{
	return uidl_template_attribute(uidl_book_template(book, uid)) != UIDL_OF_NUMBERS &&
	       uidl_book_find(book, uid) == NULL;
}

/* A message without the attribute, or one that went meanwhile, gets what else is stable; and is not asked
 * about again. */
static int
assign_all(const struct asked *a, struct uidl_book *book, uint32_t uidvalidity)
{
	char uidl[UIDL_MAX + 1];
	int rc = 0;

	for (size_t i = 0; i < a->count && rc == 0; i++) {
		const struct answer *answer = &a->answers[i];

		if (answer->uidl == NULL)
			uidl_format(a->template, uidvalidity, answer->uid, uidl);
		else
			memcpy(uidl, answer->uidl, strlen(answer->uidl) + 1);
		rc = uidl_book_assign(
		    book, answer->uid, uidl, strlen(uidl), LEDGER_FROM_ATTRIBUTE);
	}
	return rc;
}

/* Messages of SNAPSHOT from number FIRST on that are open and have its template. */
static int
list_open(const struct recalled *m, const struct snapshot *snapshot, size_t first, struct asked *a,
    struct uidset *uids)
{
	size_t last = snapshot_count(snapshot);
	int rc = 0;

	a->template = uidl_book_template(m->book, snapshot_at(snapshot, first)->uid);
	if ((a->answers = calloc(last - first + 1, sizeof(*a->answers))) == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = first; i <= last && rc == 0; i++) {
		uint32_t uid = snapshot_at(snapshot, i)->uid;

		if (!is_open(m->book, uid) || uidl_book_template(m->book, uid) != a->template)
			continue;
		a->answers[a->count++].uid = uid;
		rc = uidset_add(uids, uid);
	}
	return rc;
}

static int
ask_for_template(const struct recall *r, struct recalled *m, const struct snapshot *snapshot,
    size_t first, struct error *e)
{
	struct uidset uids = { 0 };
	struct asked a = { 0 };
	int rc;

	if (list_open(m, snapshot, first, &a, &uids) != 0)
		rc = no_memory(e);
	else if ((rc = fetch_attributes(r->link->imap, &a, &uids, e)) == 0 &&
		 assign_all(&a, m->book, m->found.uidvalidity) != 0)
		rc = no_memory(e);
	for (size_t i = 0; i < a.count; i++)
		free(a.answers[i].uidl);
	free(a.answers);
	uidset_clear(&uids);
	return rc;
}

static int
ask_for_attributes(const struct recall *r, struct recalled *m, const struct snapshot *snapshot,
    struct error *e)
{
	int rc = 0;

	for (size_t i = 1; i <= snapshot_count(snapshot) && rc == 0; i++)
		if (is_open(m->book, snapshot_at(snapshot, i)->uid))
			rc = ask_for_template(r, m, snapshot, i, e);
	return rc;
}

/* ---- after a change of UIDVALIDITY ---- */

/* Whether the mailbox was shown before, under another UIDVALIDITY, and its messages are to be matched.
 * Where UIDLs are of an attribute they come out the same by themselves. */
static bool
is_renumbered(const struct recalled *m)
{
	return m->found.before != 0 &&
	       uidl_template_attribute(m->template) == UIDL_OF_NUMBERS;
}

/* Finds out the names that the ledger has not. They are for later, mostly, and then no login fails for
 * them; but now or never is when a mailbox was renumbered. */
static int
find_names(const struct recall *r, struct recalled *m, const struct snapshot *snapshot,
    struct error *e)
{
	enum naming_kind kind = naming_kind_for(upstream_of(r), r->link->imap);
	uint32_t known = m->found.naming == kind ? m->found.named : 0;
	bool ahead = !is_renumbered(m);
	struct error unnamed = { 0 };
	int rc;

	if (uidl_template_attribute(m->template) != UIDL_OF_NUMBERS || (ahead && r->is_trial))
		return 0;
	rc = naming_run(r->link->imap, kind, snapshot, known,
	    ahead && kind == NAMING_FINGERPRINT ? HEADERS_MAX : SIZE_MAX, &m->names, &unnamed);
	if (rc == 0)
		return 0;
	naming_clear(&m->names);
	if (!ahead || (rc != ERR_PERMANENT && rc != ERR_TEMPORARY) || imap_is_dead(r->link->imap)) {
		*e = unnamed;
		return rc;
	}
	log_error(r->link->log, LOG_LEVEL_WARNING, r->link->session_id,
	    "what names messages is not known (remember_identity)", &unnamed,
	    LOG_FIELDS(LOG_TEXT("user", r->account), LOG_TEXT("mailbox", m->key.mailbox)));
	return 0;
}

/* A message with SIZE octets. Headers are not compared: those of messages that are gone cannot be had. */
static struct match_message
match_message(uint64_t size, uint64_t name)
{
	return (struct match_message){
		.size = size, .identity = name, .header = MATCH_HEADER_UNAVAILABLE
	};
}

static int
run_match(struct match *match, const struct match_side *old, const struct match_side *new)
{
	bool done = false;
	int rc;

	rc = match_begin(match, old, new, MATCH_USUAL);
	while (rc == 0 && !done)
		rc = match_step(match, &done);
	return rc;
}

/* The UIDLs that an import has given to messages of SNAPSHOT, and that are theirs still. */
static int
gather_given(const struct uidl_book *book, const struct snapshot *snapshot, struct uidl_set *out)
{
	struct siphash_key key;
	int rc = random_key(&key);

	if (rc != 0 || (rc = uidl_set_init(out, uidl_book_entry_count(book), &key)) != 0)
		return rc;
	for (size_t i = 1; i <= snapshot_count(snapshot); i++) {
		const char *given = uidl_book_find(book, snapshot_at(snapshot, i)->uid);

		if (given != NULL)
			uidl_set_add(out, given);
	}
	return 0;
}

/* What was shown and is not here now, or cannot be told from another: a client has it, and would take a new
 * message of that UIDL for one that it has read. But an import may know which message it is. */
static int
reserve_rest(const struct ledger_seen_list *seen, const struct match_side *old,
    const struct snapshot *snapshot, struct uidl_book *book)
{
	struct uidl_set given = { 0 };
	int rc = gather_given(book, snapshot, &given);

	for (size_t i = 0; i < old->count && rc == 0; i++)
		if (old->messages[i].partner == MATCH_NONE &&
		    !uidl_set_contains(&given, seen->items[i].uidl))
			rc = uidl_book_reserve(book, seen->items[i].uidl);
	uidl_set_clear(&given);
	return rc;
}

/* Messages of SNAPSHOT that can only be some of SEEN have their UIDLs, and no others have one of SEEN. */
static int
take_matches(const struct ledger_seen_list *seen, struct recalled *m,
    const struct snapshot *snapshot, struct match *match)
{
	size_t count = snapshot_count(snapshot);
	struct match_message *messages = calloc(seen->count + count, sizeof(*messages));
	struct match_side old = { .messages = messages, .count = seen->count };
	struct match_side new = { .count = count };
	int rc;

	if (messages == NULL)
		return ERR_NO_MEMORY;
	new.messages = messages + seen->count;
	for (size_t i = 0; i < seen->count; i++)
		old.messages[i] = match_message(seen->items[i].size, seen->items[i].name);
	for (size_t i = 0; i < count; i++)
		new.messages[i] = match_message(snapshot_at(snapshot, i + 1)->size,
		    i < m->names.count ? m->names.items[i].digest : 0);
	rc = run_match(match, &old, &new);
	for (size_t i = 0; i < count && rc == 0; i++) {
		const char *uidl;

		if (new.messages[i].partner == MATCH_NONE)
			continue;
		uidl = seen->items[new.messages[i].partner].uidl;
		rc = uidl_book_keep(m->book, snapshot_at(snapshot, i + 1)->uid, uidl,
		    strlen(uidl), LEDGER_FROM_MATCH);
	}
	if (rc == 0)
		rc = reserve_rest(seen, &old, snapshot, m->book);
	free(messages);
	return rc;
}

/* By their names, or by order and size, the messages may be known. */
static int
match_again(const struct recall *r, struct recalled *m, const struct snapshot *snapshot,
    struct error *e)
{
	struct ledger_seen_list seen;
	struct match match = { 0 };
	int rc;

	if (!is_renumbered(m))
		return 0;
	rc = ledger_seen_of(r->ledger, m->found.before, &seen, e);
	if (rc == 0 && seen.count > 0 && take_matches(&seen, m, snapshot, &match) != 0)
		rc = no_memory(e);
	if (rc == 0)
		log_event(r->link->log, LOG_LEVEL_WARNING, r->link->session_id,
		    "UIDVALIDITY has changed: messages were matched with those before",
		    LOG_FIELDS(LOG_TEXT("user", r->account), LOG_TEXT("mailbox", m->key.mailbox),
			LOG_NUMBER("before", seen.count),
			LOG_NUMBER("now", snapshot_count(snapshot)),
			LOG_NUMBER("matched", match.paired),
			LOG_NUMBER("by_identity", match.by[MATCH_BY_IDENTITY])));
	ledger_seen_clear(&seen);
	return rc;
}

int
recall_complete(const struct recall *r, struct recalled *m, const struct snapshot *snapshot,
    struct error *e)
{
	int rc;

	if (snapshot_count(snapshot) == 0 || !m->is_read)
		return 0;
	if ((rc = find_names(r, m, snapshot, e)) != 0 ||
	    (rc = match_again(r, m, snapshot, e)) != 0 ||
	    (rc = ask_for_attributes(r, m, snapshot, e)) != 0)
		return error_prefix(e, "UIDLs");
	return 0;
}

/* ---- the guard ---- */

/* What an account would see, and what it saw. */
struct comparison {
	struct uidl_set now;
	struct ledger_seen_list seen;
	uint64_t missing;
};

static void
format_uidl(const struct ledger_part *part, size_t message, char uidl[UIDL_MAX + 1])
{
	uidl_book_format(
	    part->book, part->found.uidvalidity, part->messages[message].uid, uidl);
}

static int
gather_now(struct comparison *c, const struct ledger_part *parts, size_t count)
{
	char uidl[UIDL_MAX + 1];
	struct siphash_key key;
	size_t messages = 0;

	for (size_t i = 0; i < count; i++)
		messages += parts[i].count;
	if (random_key(&key) != 0 || uidl_set_init(&c->now, messages, &key) != 0)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < parts[i].count; j++) {
			format_uidl(&parts[i], j, uidl);
			uidl_set_add(&c->now, uidl);
		}
	return 0;
}

static int
compare(const struct recall *r, const struct ledger_part *parts, size_t count,
    struct comparison *c, struct error *e)
{
	int rc;

	if ((rc = ledger_last_seen(r->ledger, r->account, &c->seen, e)) != 0)
		return rc;
	if (gather_now(c, parts, count) != 0)
		return no_memory(e);
	for (size_t i = 0; i < c->seen.count; i++)
		c->missing += !uidl_set_contains(&c->now, c->seen.items[i].uidl);
	return 0;
}

/* What is missing, and what is there instead. */
static int
tell_difference(const struct comparison *c, const struct ledger_part *parts, size_t count,
    struct ledger_difference *out)
{
	char uidl[UIDL_MAX + 1];
	struct uidl_set before;
	int rc = uidl_set_init(&before, c->seen.count, &c->now.key);

	out->seen = c->seen.count;
	for (size_t i = 0; i < c->seen.count && rc == 0; i++) {
		uidl_set_add(&before, c->seen.items[i].uidl);
		if (!uidl_set_contains(&c->now, c->seen.items[i].uidl))
			uidl_sample_add(&out->missing, c->seen.items[i].uidl);
	}
	for (size_t i = 0; i < count && rc == 0; i++)
		for (size_t j = 0; j < parts[i].count; j++) {
			format_uidl(&parts[i], j, uidl);
			if (!uidl_set_contains(&before, uidl))
				uidl_sample_add(&out->fresh, uidl);
		}
	uidl_set_clear(&before);
	return rc;
}

static bool
is_over_limit(const struct recall *r, const struct comparison *c)
{
	const struct upstream *upstream = upstream_of(r);

	return c->seen.count >= upstream->guard_minimum &&
	       c->missing * 100 > (uint64_t) upstream->guard_limit * c->seen.count;
}

/* Loud, in the ledger and in the log: somebody has to look. */
static void
report_stop(const struct recall *r, const struct maildrop_key *key, const struct ledger_difference *d)
{
	struct error unwritten = { 0 };
	uint64_t so_far = 0;
	int rc = ledger_stopped(r->ledger, r->account, key, d, &so_far, &unwritten);

	log_event(r->link->log, LOG_LEVEL_ERROR, r->link->session_id,
	    "login stopped: the client would download its mail again; see popgate guard",
	    LOG_FIELDS(LOG_TEXT("user", r->account), LOG_TEXT("client", r->client_address),
		LOG_TEXT("upstream", key->upstream), LOG_NUMBER("seen", d->seen),
		LOG_NUMBER("missing", d->missing.count), LOG_NUMBER("new", d->fresh.count),
		LOG_NUMBER(rc == 0 ? "stopped_so_far" : NULL, so_far)));
	if (rc != 0)
		log_error(r->link->log, LOG_LEVEL_WARNING, r->link->session_id,
		    "popgate guard will not list that login", &unwritten, NULL);
}

static int
stop(const struct recall *r, const struct ledger_part *parts, size_t count,
    const struct comparison *c, struct error *e)
{
	struct ledger_difference *difference = calloc(1, sizeof(*difference));

	if (difference == NULL || tell_difference(c, parts, count, difference) != 0) {
		free(difference);
		return no_memory(e);
	}
	report_stop(r, &parts[0].key, difference);
	free(difference);
	return error_set(e, ERR_TEMPORARY,
	    "the guard: %llu of the %zu messages that the client saw last would be missing",
	    (unsigned long long) c->missing, c->seen.count);
}

/* Under the same UIDVALIDITY a UID that is gone was deleted, and UIDLs do not change. So only what comes
 * from elsewhere is looked at: another server, user or mailbox, or a mailbox made anew. */
static bool
is_elsewhere(const struct ledger_part *parts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (parts[i].found.view != 0 &&
		    (!parts[i].found.is_view || parts[i].found.view != count))
			return true;
	return false;
}

static int
guard(const struct recall *r, const struct ledger_part *parts, size_t count, struct error *e)
{
	struct comparison c = { 0 };
	int rc;

	if (!is_elsewhere(parts, count) || parts[0].found.approved)
		return 0;
	rc = compare(r, parts, count, &c, e);
	if (rc == 0 && is_over_limit(r, &c))
		rc = stop(r, parts, count, &c, e);
	uidl_set_clear(&c.now);
	ledger_seen_clear(&c.seen);
	return rc;
}

/* ---- remembering ---- */

struct ledger_part
recall_part(const struct recalled *m, const struct snapshot *snapshot, size_t number)
{
	struct ledger_part part = {
		.key = m->key, .found = m->found, .book = m->book, .names = &m->names
	};
	size_t count = snapshot_count(snapshot), first = 1;

	while (first <= count && snapshot_at(snapshot, first)->part < number)
		first++;
	if (first <= count)
		part.messages = snapshot_at(snapshot, first);
	while (first + part.count <= count &&
	       snapshot_at(snapshot, first + part.count)->part == number)
		part.count++;
	return part;
}

/* Whether numbers alone make all UIDLs, so that they differ by themselves. */
static bool
are_plain(const struct ledger_part *parts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!uidl_book_is_plain(parts[i].book))
			return false;
	return true;
}

int
recall_settle(const struct ledger_part *parts, size_t count, struct error *e)
{
	struct uidl_part *settled;
	struct siphash_key key;
	int rc;

	if (are_plain(parts, count))
		return 0;
	settled = calloc(count, sizeof(*settled));
	rc = settled != NULL ? 0 : ERR_NO_MEMORY;
	for (size_t i = 0; i < count && rc == 0; i++)
		settled[i] = (struct uidl_part){ parts[i].book, parts[i].found.uidvalidity,
			parts[i].messages, parts[i].count, parts[i].found.shown };
	if (rc == 0 && (rc = random_key(&key)) == 0)
		rc = uidl_settle(settled, count, LEDGER_FROM_ATTRIBUTE, &key);
	free(settled);
	return rc == 0 ? 0 : no_memory(e);
}

int
recall_show(const struct recall *r, struct ledger_part *parts, size_t count, struct error *e)
{
	struct error unwritten = { 0 };
	int rc;

	if (count == 0)
		return 0;
	if ((rc = recall_settle(parts, count, e)) != 0 || (rc = guard(r, parts, count, e)) != 0)
		return rc;
	rc = ledger_show(r->ledger, r->account, parts, count, &unwritten);
	if (rc == ERR_TEMPORARY && !ledger_must_show(parts, count)) {
		log_error(r->link->log, LOG_LEVEL_WARNING, r->link->session_id,
		    "what was shown last is not up to date in the state store", &unwritten,
		    LOG_FIELDS(LOG_TEXT("user", r->account)));
		return 0;
	}
	if (rc != 0)
		*e = unwritten;
	return rc == ERR_IN_USE ? error_set(e, ERR_TEMPORARY, "%s", unwritten.text) : rc;
}

void
recall_end(struct recalled *m)
{
	uidl_book_free(m->book);
	naming_clear(&m->names);
	m->book = NULL;
	m->is_read = false;
}
