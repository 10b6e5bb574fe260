/* ledger_write.c - see ledger_write.h. */
#include "gateway/ledger_write.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gateway/ledger_internal.h"

/* A row of uidl. */
struct fresh {
	uint32_t uid;
	uint8_t source;
	char uidl[UIDL_MAX + 1];
};

/* A row of seen. */
struct piece {
	uint32_t number;
	size_t at, len; /* in the octets */
};

struct write_part {
	char *upstream, *user, *mailbox;
	struct ledger_maildrop found; /* as it is to be */
	bool lists;	/* what was shown last has changed */
	char *template; /* NULL: no new one */
	uint32_t first;
	struct fresh *fresh;
	size_t fresh_count;
	struct piece *pieces;
	size_t piece_count;
	unsigned char *octets;
	int64_t oldest;		   /* names of messages below this UID go */
	struct ledger_names names; /* last is 0 where none are new */
};

struct ledger_writing {
	char *account;
	bool views;   /* the account sees other maildrops than last time, or the guard has stopped it since */
	bool durable; /* a later login could not do without */
	size_t count;
	struct write_part parts[];
};

/* ---- gathering ---- */

bool
ledger_must_show(const struct ledger_part *parts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (parts[i].found.id == 0 || uidl_book_has_new_template(parts[i].book) ||
		    uidl_book_new_count(parts[i].book) > 0)
			return true;
	return false;
}

/* Whether the account sees what it saw last, and the guard knows nothing else. An approval that nobody needed
 * must not wait for the next time that its mail comes from elsewhere. */
static bool
is_view(const struct ledger_part *parts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!parts[i].found.is_view || parts[i].found.view != count ||
		    parts[i].found.is_stopped)
			return false;
	return true;
}

/* Messages as they are to be listed. */
struct listed {
	const struct snapshot_message *messages;
	struct snapshot_message *owned; /* the same, or NULL */
	size_t count;
};

static int
list_messages(const struct ledger_part *part, bool without_marked, struct listed *out)
{
	*out = (struct listed){ .messages = part->messages, .count = part->count };
	if (!without_marked || part->count == 0)
		return 0;
	if ((out->owned = malloc(part->count * sizeof(*out->owned))) == NULL)
		return ERR_NO_MEMORY;
	out->count = 0;
	for (size_t i = 0; i < part->count; i++)
		if (!part->messages[i].deleted)
			out->owned[out->count++] = part->messages[i];
	out->messages = out->owned;
	return 0;
}

/* The pieces of all MESSAGES. Those that are as they were cost no write. */
static int
gather_pieces(struct write_part *w, const struct listed *listed)
{
	size_t pieces = 0, at = 0, len;

	for (size_t i = 0; i < listed->count; pieces++)
		i += seen_in_piece(listed->messages + i, listed->count - i);
	w->pieces = calloc(pieces + 1, sizeof(*w->pieces));
	w->octets = malloc(listed->count * SEEN_MESSAGE_MAX + 1);
	if (w->pieces == NULL || w->octets == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < listed->count; at += len) {
		struct piece *piece = &w->pieces[w->piece_count++];

		piece->number = seen_piece(listed->messages[i].uid);
		piece->at = at;
		i += seen_encode(
		    listed->messages + i, listed->count - i, w->octets + at, &len);
		piece->len = len;
	}
	return 0;
}

static int
gather_list(struct write_part *w, const struct listed *listed)
{
	uint64_t digest = seen_digest(listed->messages, listed->count);
	uint32_t last = listed->count > 0 ? listed->messages[listed->count - 1].uid : 0;

	if (w->found.id != 0 && w->found.messages == listed->count && w->found.digest == digest)
		return 0;
	w->lists = true;
	w->found.messages = listed->count;
	w->found.digest = digest;
	if (w->found.shown < last)
		w->found.shown = last;
	return gather_pieces(w, listed);
}

static int
gather_uidls(struct write_part *w, const struct uidl_book *book)
{
	if (uidl_book_new_count(book) == 0)
		return 0;
	w->fresh = calloc(uidl_book_new_count(book), sizeof(*w->fresh));
	if (w->fresh == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < uidl_book_entry_count(book); i++) {
		struct uidl_entry entry = uidl_book_entry(book, i);
		struct fresh *fresh = &w->fresh[w->fresh_count];

		if (!entry.is_new)
			continue;
		fresh->uid = entry.uid;
		fresh->source = entry.source;
		memcpy(fresh->uidl, entry.uidl, strlen(entry.uidl) + 1);
		w->fresh_count++;
	}
	return 0;
}

static int
gather_names(struct write_part *w, const struct ledger_part *part)
{
	const struct ledger_names *names = part->names;

	if (names == NULL || names->last == 0 || part->count == 0 ||
	    (names->last == w->found.named && names->kind == w->found.naming))
		return 0;
	w->names = *names;
	w->names.items = malloc((names->count + 1) * sizeof(*names->items));
	if (w->names.items == NULL)
		return ERR_NO_MEMORY;
	if (names->count > 0)
		memcpy(w->names.items, names->items, names->count * sizeof(*names->items));
	/* Two kinds side by side would make two messages of one. */
	w->oldest = names->kind == w->found.naming ? part->messages[0].uid : INT64_MAX;
	w->found.naming = names->kind;
	w->found.named = names->last;
	return 0;
}

/* What the login has found out. */
static int
gather_news(struct write_part *w, const struct ledger_part *part)
{
	int rc;

	if (uidl_book_has_new_template(part->book)) {
		w->template = strdup(uidl_template_text(uidl_book_last(part->book, &w->first)));
		if (w->template == NULL)
			return ERR_NO_MEMORY;
	}
	rc = gather_uidls(w, part->book);
	return rc != 0 ? rc : gather_names(w, part);
}

/* WITHOUT_MARKED: at the session's end, so that what is new is written since its beginning. */
static int
gather_part(struct write_part *w, const struct ledger_part *part, bool without_marked)
{
	struct listed listed;
	int rc;

	w->found = part->found;
	w->upstream = strdup(part->key.upstream);
	w->user = strdup(part->key.user);
	w->mailbox = strdup(part->key.mailbox);
	if (w->upstream == NULL || w->user == NULL || w->mailbox == NULL)
		return ERR_NO_MEMORY;
	if (!without_marked && (rc = gather_news(w, part)) != 0)
		return rc;
	if ((rc = list_messages(part, without_marked, &listed)) == 0)
		rc = gather_list(w, &listed);
	free(listed.owned);
	return rc;
}

static bool
is_nothing(const struct ledger_writing *w)
{
	bool nothing = !w->views && !w->durable;

	for (size_t i = 0; i < w->count; i++)
		nothing = nothing && !w->parts[i].lists && w->parts[i].names.last == 0;
	return nothing;
}

int
ledger_writing_new(const char *account, const struct ledger_part *parts, size_t count,
    bool without_marked, struct ledger_writing **out)
{
	struct ledger_writing *w = calloc(1, sizeof(*w) + count * sizeof(w->parts[0]));
	int rc = 0;

	*out = NULL;
	if (w == NULL)
		return ERR_NO_MEMORY;
	w->count = count;
	w->durable = !without_marked && ledger_must_show(parts, count);
	w->views = !is_view(parts, count);
	if ((w->account = strdup(account)) == NULL)
		rc = ERR_NO_MEMORY;
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = gather_part(&w->parts[i], &parts[i], without_marked);
	if (rc != 0 || is_nothing(w)) {
		ledger_writing_free(w);
		return rc;
	}
	*out = w;
	return 0;
}

void
ledger_writing_free(struct ledger_writing *w)
{
	if (w == NULL)
		return;
	for (size_t i = 0; i < w->count; i++) {
		struct write_part *part = &w->parts[i];

		free(part->upstream);
		free(part->user);
		free(part->mailbox);
		free(part->template);
		free(part->fresh);
		free(part->pieces);
		free(part->octets);
		free(part->names.items);
	}
	free(w->account);
	free(w);
}

void
ledger_writing_found(const struct ledger_writing *w, struct ledger_part *parts)
{
	for (size_t i = 0; i < w->count; i++) {
		parts[i].found = w->parts[i].found;
		parts[i].found.was_shown = true;
		parts[i].found.is_view = true;
		parts[i].found.is_stopped = parts[i].found.approved = false;
		parts[i].found.view = (uint32_t) w->count;
	}
}

/* ---- writing: on another thread ---- */

int
ledger_change(struct ledger_file *file, enum ledger_statement which, struct error *e)
{
	int rc = database_change(&file->db, which, e);

	database_rest(&file->db, which);
	return rc;
}

int
ledger_add_maildrop(struct ledger_file *file, const struct maildrop_key *key,
    uint32_t uidvalidity, int64_t *id, struct error *e)
{
	int rc;

	ledger_bind_key(file, LEDGER_ADD_MAILDROP, key, uidvalidity);
	if ((rc = ledger_change(file, LEDGER_ADD_MAILDROP, e)) == 0)
		*id = sqlite3_last_insert_rowid(file->db.db);
	return rc;
}

int
ledger_add_uidl(struct ledger_file *file, int64_t id, uint32_t uid, const char *uidl,
    enum ledger_source source, struct error *e)
{
	sqlite3_stmt *statement = file->db.statements[LEDGER_ADD_UIDL];

	sqlite3_bind_int64(statement, 1, id);
	sqlite3_bind_int64(statement, 2, uid);
	database_bind_text(statement, 3, uidl);
	sqlite3_bind_int(statement, 4, source);
	return ledger_change(file, LEDGER_ADD_UIDL, e);
}

static int
add_epoch(struct ledger_file *file, const struct write_part *w, struct error *e)
{
	sqlite3_stmt *statement = file->db.statements[LEDGER_ADD_EPOCH];

	if (w->template == NULL)
		return 0;
	sqlite3_bind_int64(statement, 1, w->found.id);
	sqlite3_bind_int64(statement, 2, w->first);
	database_bind_text(statement, 3, w->template);
	return ledger_change(file, LEDGER_ADD_EPOCH, e);
}

static int
drop_pieces(struct ledger_file *file, int64_t id, int64_t first, int64_t last, struct error *e)
{
	sqlite3_stmt *statement = file->db.statements[LEDGER_DROP_SEEN];

	if (first > last)
		return 0;
	sqlite3_bind_int64(statement, 1, ledger_place(id, 0) + first);
	sqlite3_bind_int64(statement, 2, ledger_place(id, 0) + last);
	return ledger_change(file, LEDGER_DROP_SEEN, e);
}

int
ledger_add_piece(struct ledger_file *file, int64_t id, uint32_t piece,
    const unsigned char *octets, size_t len, struct error *e)
{
	sqlite3_stmt *statement = file->db.statements[LEDGER_ADD_SEEN];

	sqlite3_bind_int64(statement, 1, ledger_place(id, piece));
	sqlite3_bind_blob64(statement, 2, octets, len, SQLITE_STATIC);
	return ledger_change(file, LEDGER_ADD_SEEN, e);
}

int
ledger_set_shown(struct ledger_file *file, int64_t id, uint32_t shown, uint64_t messages,
    uint64_t digest, struct error *e)
{
	sqlite3_stmt *statement = file->db.statements[LEDGER_SHOW];

	sqlite3_bind_int64(statement, 1, id);
	sqlite3_bind_int64(statement, 2, shown);
	sqlite3_bind_int64(statement, 3, (int64_t) messages);
	sqlite3_bind_int64(statement, 4, (int64_t) digest);
	sqlite3_bind_int64(statement, 5, (int64_t) time(NULL));
	return ledger_change(file, LEDGER_SHOW, e);
}

/* What was shown last: the pieces, and nothing between them. */
static int
write_list(struct ledger_file *file, const struct write_part *w, struct error *e)
{
	int64_t next = 0;
	int rc = 0;

	if (!w->lists)
		return 0;
	for (size_t i = 0; i < w->piece_count && rc == 0; i++) {
		const struct piece *piece = &w->pieces[i];

		rc = drop_pieces(file, w->found.id, next, (int64_t) piece->number - 1, e);
		if (rc == 0)
			rc = ledger_add_piece(file, w->found.id, piece->number,
			    w->octets + piece->at, piece->len, e);
		next = (int64_t) piece->number + 1;
	}
	if (rc != 0 || (rc = drop_pieces(file, w->found.id, next, SEEN_PIECES - 1, e)) != 0)
		return rc;
	return ledger_set_shown(
	    file, w->found.id, w->found.shown, w->found.messages, w->found.digest, e);
}

/* New names; those of messages that are long gone go, and those of another kind. */
static int
write_names(struct ledger_file *file, const struct write_part *w, struct error *e)
{
	sqlite3_stmt *add = file->db.statements[LEDGER_ADD_NAME];
	sqlite3_stmt *drop = file->db.statements[LEDGER_DROP_NAMES];
	sqlite3_stmt *set = file->db.statements[LEDGER_SET_NAMED];
	int rc = 0;

	if (w->names.last == 0)
		return 0;
	sqlite3_bind_int64(drop, 1, w->found.id);
	sqlite3_bind_int64(drop, 2, w->oldest);
	if ((rc = ledger_change(file, LEDGER_DROP_NAMES, e)) != 0)
		return rc;
	for (size_t i = 0; i < w->names.count && rc == 0; i++) {
		if (w->names.items[i].digest == 0)
			continue;
		sqlite3_bind_int64(add, 1, w->found.id);
		sqlite3_bind_int64(add, 2, w->names.items[i].uid);
		sqlite3_bind_int64(add, 3, (int64_t) w->names.items[i].digest);
		rc = ledger_change(file, LEDGER_ADD_NAME, e);
	}
	if (rc != 0)
		return rc;
	sqlite3_bind_int64(set, 1, w->found.id);
	sqlite3_bind_int(set, 2, (int) w->names.kind);
	sqlite3_bind_int64(set, 3, w->names.last);
	return ledger_change(file, LEDGER_SET_NAMED, e);
}

/* The maildrop as it was when the session read it, or a new one. */
static int
meet_maildrop(struct ledger_file *file, struct write_part *w, struct error *e)
{
	const struct maildrop_key key = { w->upstream, w->user, w->mailbox };
	struct ledger_maildrop now;
	int rc;

	if ((rc = ledger_find(file, &key, w->found.uidvalidity, &now, e)) != 0)
		return rc;
	if (now.id != w->found.id || now.version != w->found.version)
		return error_set(e, ERR_IN_USE, "UIDLs are being imported");
	if (now.id != 0)
		return 0;
	return ledger_add_maildrop(file, &key, w->found.uidvalidity, &w->found.id, e);
}

static int
write_part(struct ledger_file *file, struct write_part *w, struct error *e)
{
	int rc;

	if ((rc = meet_maildrop(file, w, e)) != 0 || (rc = add_epoch(file, w, e)) != 0)
		return rc;
	for (size_t i = 0; i < w->fresh_count; i++)
		if ((rc = ledger_add_uidl(file, w->found.id, w->fresh[i].uid, w->fresh[i].uidl,
			 w->fresh[i].source, e)) != 0)
			return rc;
	rc = write_names(file, w, e);
	return rc != 0 ? rc : write_list(file, w, e);
}

int
ledger_add_view(struct ledger_file *file, const char *account, int64_t id, struct error *e)
{
	sqlite3_stmt *statement = file->db.statements[LEDGER_ADD_VIEW];

	database_bind_text(statement, 1, account);
	sqlite3_bind_int64(statement, 2, id);
	return ledger_change(file, LEDGER_ADD_VIEW, e);
}

/* Runs WHICH, which is about ACCOUNT alone. */
static int
run_about(struct ledger_file *file, enum ledger_statement which, const char *account,
    struct error *e)
{
	database_bind_text(file->db.statements[which], 1, account);
	return ledger_change(file, which, e);
}

/* Whom the guard had stopped is through now. */
static int
write_view(struct ledger_file *file, const struct ledger_writing *w, struct error *e)
{
	int rc;

	if (!w->views)
		return 0;
	if ((rc = run_about(file, LEDGER_DROP_VIEW, w->account, e)) != 0 ||
	    (rc = run_about(file, LEDGER_DROP_GUARD, w->account, e)) != 0)
		return rc;
	for (size_t i = 0; i < w->count && rc == 0; i++)
		rc = ledger_add_view(file, w->account, w->parts[i].found.id, e);
	return rc;
}

/* ---- maildrops that are of no use any more ---- */

/* At most so many go at once; more are there only where an earlier version has left them. */
enum { OUTDATED_MAX = 32 };

static int
find_outdated(struct ledger_file *file, const struct write_part *w, int64_t ids[OUTDATED_MAX],
    size_t *count, struct error *e)
{
	const struct maildrop_key key = { w->upstream, w->user, w->mailbox };
	sqlite3_stmt *statement = file->db.statements[LEDGER_OUTDATED];
	int code = SQLITE_DONE, rc = 0;

	*count = 0;
	ledger_bind_key(file, LEDGER_OUTDATED, &key, w->found.uidvalidity);
	while (*count < OUTDATED_MAX && (code = sqlite3_step(statement)) == SQLITE_ROW)
		ids[(*count)++] = sqlite3_column_int64(statement, 0);
	if (code != SQLITE_ROW && code != SQLITE_DONE)
		rc = database_fail(&file->db, e);
	database_rest(&file->db, LEDGER_OUTDATED);
	return rc;
}

int
ledger_drop_maildrop(struct ledger_file *file, int64_t id, struct error *e)
{
	static const enum ledger_statement all[] = { LEDGER_DROP_NAMES, LEDGER_DROP_NAMED,
		LEDGER_DROP_UIDLS, LEDGER_DROP_EPOCHS, LEDGER_DROP_MAILDROP };
	int rc = drop_pieces(file, id, 0, SEEN_PIECES - 1, e);

	sqlite3_bind_int64(file->db.statements[LEDGER_DROP_NAMES], 2, INT64_MAX);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && rc == 0; i++) {
		sqlite3_bind_int64(file->db.statements[all[i]], 1, id);
		rc = ledger_change(file, all[i], e);
	}
	return rc;
}

/* Once messages are shown under a new UIDVALIDITY, the two maildrops before it are kept: the one that they
 * were matched with, and one more, for a server that goes back to it. A server that has another
 * UIDVALIDITY each time must not fill the disk. What any account saw last stays for the guard. */
static int
drop_outdated(struct ledger_file *file, const struct write_part *w, struct error *e)
{
	int64_t ids[OUTDATED_MAX];
	size_t count;
	int rc;

	if (w->found.was_shown || !w->lists)
		return 0;
	rc = find_outdated(file, w, ids, &count, e);
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = ledger_drop_maildrop(file, ids[i], e);
	return rc;
}

int
ledger_end_writing(struct ledger_file *file, int rc, struct error *e)
{
	if (rc == 0)
		rc = database_commit(&file->db, e);
	if (rc != 0)
		database_rollback(&file->db);
	return rc;
}

int
ledger_begin_writing(struct ledger_file *file, uint64_t deadline, bool lazy, struct error *e)
{
	int rc;

	if ((rc = database_enter(&file->db, deadline, e)) != 0 ||
	    (rc = database_set_lazy(&file->db, lazy, e)) != 0)
		return rc;
	return database_begin(&file->db, e);
}

int
ledger_file_write(
    struct ledger_file *file, uint64_t deadline, struct ledger_writing *w, struct error *e)
{
	int rc;

	if ((rc = ledger_begin_writing(file, deadline, !w->durable, e)) != 0)
		return rc;
	for (size_t i = 0; i < w->count && rc == 0; i++)
		rc = write_part(file, &w->parts[i], e);
	if (rc == 0)
		rc = write_view(file, w, e);
	for (size_t i = 0; i < w->count && rc == 0; i++)
		rc = drop_outdated(file, &w->parts[i], e);
	return ledger_end_writing(file, rc, e);
}
