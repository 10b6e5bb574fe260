/* ledger_file.c - see ledger_file.h: the file, and reading it. Writing is in ledger_write.c. */
#include "gateway/ledger_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "gateway/ledger_internal.h"
#include "gateway/state_store.h"

static const char *const statement_texts[LEDGER_STATEMENTS] = {
	[LEDGER_BEGIN] = "BEGIN",
	[LEDGER_END] = "COMMIT",
	[LEDGER_FIND] =
	    ("SELECT id, version, shown, messages, digest, kind, last, shown_at FROM maildrop "
	     "LEFT JOIN named ON named.maildrop = id "
	     "WHERE user = ?1 AND mailbox = ?2 AND upstream = ?3 AND uidvalidity = ?4"),
	[LEDGER_BEFORE] =
	    ("SELECT id FROM maildrop WHERE user = ?1 AND mailbox = ?2 AND upstream = ?3 AND "
	     "uidvalidity <> ?4 AND messages > 0 ORDER BY shown_at DESC, id DESC LIMIT 1"),
	[LEDGER_OUTDATED] =
	    ("SELECT id FROM maildrop WHERE user = ?1 AND mailbox = ?2 AND upstream = ?3 AND "
	     "uidvalidity <> ?4 AND shown_at > 0 AND "
	     "NOT EXISTS (SELECT 1 FROM view WHERE view.maildrop = id) "
	     "ORDER BY messages > 0 DESC, shown_at DESC, id DESC LIMIT -1 OFFSET 2"),
	[LEDGER_EPOCHS] = "SELECT first, template FROM epoch WHERE maildrop = ?1 ORDER BY first",
	[LEDGER_UIDLS] = "SELECT uid, uidl, source FROM uidl WHERE maildrop = ?1 ORDER BY uid",
	[LEDGER_VIEW] = "SELECT maildrop FROM view WHERE account = ?1",
	[LEDGER_VIEW_ELSEWHERE] =
	    ("SELECT maildrop.id FROM view JOIN maildrop ON maildrop.id = view.maildrop "
	     "WHERE account = ?1 AND uidvalidity = 0"),
	[LEDGER_APPROVED] = "SELECT approved FROM guard WHERE account = ?1",
	[LEDGER_MAILDROP] = "SELECT uidvalidity FROM maildrop WHERE id = ?1",
	[LEDGER_SEEN] =
	    "SELECT place, list FROM seen WHERE place BETWEEN ?1 AND ?2 ORDER BY place",
	[LEDGER_NAMES] = "SELECT uid, digest FROM name WHERE maildrop = ?1 ORDER BY uid",
	[LEDGER_ADD_NAME] =
	    "INSERT OR REPLACE INTO name (maildrop, uid, digest) VALUES (?1, ?2, ?3)",
	[LEDGER_DROP_NAMES] = "DELETE FROM name WHERE maildrop = ?1 AND uid < ?2",
	[LEDGER_SET_NAMED] =
	    "INSERT OR REPLACE INTO named (maildrop, kind, last) VALUES (?1, ?2, ?3)",
	[LEDGER_ADD_MAILDROP] =
	    ("INSERT INTO maildrop (user, mailbox, upstream, uidvalidity) "
	     "VALUES (?1, ?2, ?3, ?4)"),
	[LEDGER_DROP_MAILDROP] = "DELETE FROM maildrop WHERE id = ?1",
	[LEDGER_DROP_EPOCHS] = "DELETE FROM epoch WHERE maildrop = ?1",
	[LEDGER_DROP_UIDLS] = "DELETE FROM uidl WHERE maildrop = ?1",
	[LEDGER_DROP_NAMED] = "DELETE FROM named WHERE maildrop = ?1",
	[LEDGER_ADD_EPOCH] =
	    "INSERT OR REPLACE INTO epoch (maildrop, first, template) VALUES (?1, ?2, ?3)",
	[LEDGER_ADD_UIDL] =
	    ("INSERT OR REPLACE INTO uidl (maildrop, uid, uidl, source) "
	     "VALUES (?1, ?2, ?3, ?4)"),
	[LEDGER_ADD_SEEN] =
	    ("INSERT INTO seen (place, list) VALUES (?1, ?2) ON CONFLICT (place) "
	     "DO UPDATE SET list = excluded.list WHERE list <> excluded.list"),
	[LEDGER_DROP_SEEN] = "DELETE FROM seen WHERE place BETWEEN ?1 AND ?2",
	[LEDGER_SHOW] =
	    ("UPDATE maildrop SET shown = max(shown, ?2), messages = ?3, digest = ?4, "
	     "shown_at = ?5 WHERE id = ?1"),
	[LEDGER_COUNT_VERSION] = "UPDATE maildrop SET version = version + 1 WHERE id = ?1",
	[LEDGER_ADD_VIEW] = "INSERT INTO view (account, maildrop) VALUES (?1, ?2)",
	[LEDGER_DROP_VIEW] = "DELETE FROM view WHERE account = ?1",
	[LEDGER_DROP_GUARD] = "DELETE FROM guard WHERE account = ?1",
	[LEDGER_STOP] =
	    ("INSERT INTO guard (user, mailbox, upstream, account, seen, missing, first, last, "
	     "logins, fresh, missing_uidls, fresh_uidls) "
	     "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, 1, ?8, ?9, ?10) ON CONFLICT (account) DO "
	     "UPDATE SET user = ?1, mailbox = ?2, upstream = ?3, seen = ?5, missing = ?6, last = ?7, "
	     "logins = logins + 1, fresh = ?8, missing_uidls = ?9, fresh_uidls = ?10"),
	[LEDGER_COUNT_STOP] =
	    ("INSERT INTO counter (name, count) VALUES ('logins stopped', 1) "
	     "ON CONFLICT (name) DO UPDATE SET count = count + 1"),
	[LEDGER_STOPS] =
	    "SELECT coalesce(max(count), 0) FROM counter WHERE name = 'logins stopped'",
	[LEDGER_FACT] = "SELECT value FROM account WHERE account = ?1 AND name = ?2",
	[LEDGER_SET_FACT] =
	    "INSERT OR REPLACE INTO account (account, name, value) VALUES (?1, ?2, ?3)",
	[LEDGER_DROP_FACT] = "DELETE FROM account WHERE account = ?1 AND name = ?2",
};

_Static_assert(LEDGER_STATEMENTS <= DATABASE_STATEMENTS_MAX, "too many statements");

/* ---- the file ---- */

int
ledger_file_new(const char *directory, struct ledger_file **out)
{
	struct ledger_file *file = calloc(1, sizeof(*file));

	if (file == NULL)
		return ERR_NO_MEMORY;
	if (random_fill(&file->key, sizeof(file->key)) != 0 ||
	    database_init(&file->db, &state_store_form, directory, statement_texts,
		LEDGER_STATEMENTS) != 0) {
		ledger_file_free(file);
		return ERR_NO_MEMORY;
	}
	*out = file;
	return 0;
}

void
ledger_file_free(struct ledger_file *file)
{
	if (file == NULL)
		return;
	database_clear(&file->db);
	free(file);
}

const char *
ledger_file_path(const struct ledger_file *file)
{
	return file->db.path;
}

int
ledger_file_check(struct ledger_file *file, uint64_t deadline, struct error *e)
{
	return database_check(&file->db, deadline, e);
}

int
ledger_file_database(
    struct ledger_file *file, uint64_t deadline, struct sqlite3 **db, struct error *e)
{
	int rc = database_enter(&file->db, deadline, e);

	if (rc == 0)
		rc = database_set_lazy(&file->db, false, e);
	*db = file->db.db;
	return rc;
}

/* ---- reading ---- */

int
ledger_nonsense(struct ledger_file *file, const char *what, struct error *e)
{
	return error_set(e, ERR_TEMPORARY, "%s: %s makes no sense; %s", file->db.path, what,
	    file->db.form->mend);
}

static int
no_memory(struct error *e)
{
	return error_set(e, ERR_NO_MEMORY, "no memory for the state store");
}

/* What a function that was given a row made of it. */
static int
judge_row(struct ledger_file *file, int rc, const char *what, struct error *e)
{
	if (rc == 0)
		return 0;
	return rc == ERR_NO_MEMORY ? no_memory(e) : ledger_nonsense(file, what, e);
}

void
ledger_bind_key(
    struct ledger_file *file, enum ledger_statement which, const struct maildrop_key *key,
    uint32_t uidvalidity)
{
	sqlite3_stmt *statement = file->db.statements[which];

	database_bind_text(statement, 1, key->user);
	database_bind_text(statement, 2, key->mailbox);
	database_bind_text(statement, 3, key->upstream);
	sqlite3_bind_int64(statement, 4, uidvalidity);
}

/* The next row of WHICH. *MORE: there is one. */
static int
step(struct ledger_file *file, enum ledger_statement which, bool *more, struct error *e)
{
	int code = sqlite3_step(file->db.statements[which]);

	*more = code == SQLITE_ROW;
	return code == SQLITE_ROW || code == SQLITE_DONE ? 0 : database_fail(&file->db, e);
}

/* A UID, or what else has 32 bits. */
static bool
column_u32(sqlite3_stmt *statement, int at, uint32_t *out)
{
	int64_t number = sqlite3_column_int64(statement, at);

	*out = (uint32_t) number;
	return number >= 0 && number <= UINT32_MAX;
}

int
ledger_find(struct ledger_file *file, const struct maildrop_key *key, uint32_t uidvalidity,
    struct ledger_maildrop *out, struct error *e)
{
	sqlite3_stmt *statement = file->db.statements[LEDGER_FIND];
	bool more;
	int rc;

	*out = (struct ledger_maildrop){ .uidvalidity = uidvalidity };
	ledger_bind_key(file, LEDGER_FIND, key, uidvalidity);
	if ((rc = step(file, LEDGER_FIND, &more, e)) == 0 && more) {
		out->id = sqlite3_column_int64(statement, 0);
		out->version = sqlite3_column_int64(statement, 1);
		out->messages = (uint64_t) sqlite3_column_int64(statement, 3);
		out->digest = (uint64_t) sqlite3_column_int64(statement, 4);
		out->naming = (unsigned) sqlite3_column_int(statement, 5);
		out->was_shown = sqlite3_column_int64(statement, 7) != 0;
		if (out->id < 1 || out->id > INT64_MAX / SEEN_PIECES ||
		    !column_u32(statement, 2, &out->shown) ||
		    !column_u32(statement, 6, &out->named))
			rc = ledger_nonsense(file, "a row of maildrop", e);
	}
	database_rest(&file->db, LEDGER_FIND);
	return rc;
}

static int
read_epochs(struct ledger_file *file, int64_t id, struct uidl_book *book, struct error *e)
{
	sqlite3_stmt *statement = file->db.statements[LEDGER_EPOCHS];
	uint32_t first;
	bool more;
	int rc;

	sqlite3_bind_int64(statement, 1, id);
	while ((rc = step(file, LEDGER_EPOCHS, &more, e)) == 0 && more) {
		const char *text = (const char *) sqlite3_column_text(statement, 1);
		size_t len = (size_t) sqlite3_column_bytes(statement, 1);

		rc = ERR_INVALID;
		if (text != NULL && column_u32(statement, 0, &first))
			rc = uidl_book_add_template_text(book, first, text, len);
		if ((rc = judge_row(file, rc, "a row of epoch", e)) != 0)
			break;
	}
	database_rest(&file->db, LEDGER_EPOCHS);
	return rc;
}

static int
read_uidls(struct ledger_file *file, int64_t id, struct uidl_book *book, struct error *e)
{
	sqlite3_stmt *statement = file->db.statements[LEDGER_UIDLS];
	uint32_t uid;
	bool more;
	int rc;

	sqlite3_bind_int64(statement, 1, id);
	while ((rc = step(file, LEDGER_UIDLS, &more, e)) == 0 && more) {
		const char *text = (const char *) sqlite3_column_text(statement, 1);
		size_t len = (size_t) sqlite3_column_bytes(statement, 1);

		rc = ERR_INVALID;
		if (text != NULL && column_u32(statement, 0, &uid))
			rc = uidl_book_add(
			    book, uid, text, len, (uint8_t) sqlite3_column_int(statement, 2));
		if ((rc = judge_row(file, rc, "a row of uidl", e)) != 0)
			break;
	}
	database_rest(&file->db, LEDGER_UIDLS);
	return rc;
}

int
ledger_read_book(struct ledger_file *file, int64_t id, struct uidl_book *book, struct error *e)
{
	int rc = read_epochs(file, id, book, e);

	return rc != 0 ? rc : read_uidls(file, id, book, e);
}

/* A maildrop that nobody saw may be one that has got a new UIDVALIDITY, whether or not UIDLs were imported
 * for it since. */
static int
read_before(struct ledger_file *file, const struct maildrop_key *key, struct ledger_maildrop *out,
    struct error *e)
{
	bool more;
	int rc;

	ledger_bind_key(file, LEDGER_BEFORE, key, out->uidvalidity);
	if ((rc = step(file, LEDGER_BEFORE, &more, e)) == 0 && more)
		out->before = sqlite3_column_int64(file->db.statements[LEDGER_BEFORE], 0);
	database_rest(&file->db, LEDGER_BEFORE);
	return rc;
}

/* What ACCOUNT saw last, beside OUT. */
int
ledger_read_view(struct ledger_file *file, const char *account, struct ledger_maildrop *out,
    struct error *e)
{
	sqlite3_stmt *view = file->db.statements[LEDGER_VIEW];
	sqlite3_stmt *approved = file->db.statements[LEDGER_APPROVED];
	bool more;
	int rc;

	database_bind_text(view, 1, account);
	while ((rc = step(file, LEDGER_VIEW, &more, e)) == 0 && more) {
		out->view++;
		if (out->id != 0 && sqlite3_column_int64(view, 0) == out->id)
			out->is_view = true;
	}
	database_rest(&file->db, LEDGER_VIEW);
	/* Even where this one was seen last: others may have gone that were seen with it. */
	if (rc != 0 || out->view == 0)
		return rc;
	database_bind_text(approved, 1, account);
	if ((rc = step(file, LEDGER_APPROVED, &more, e)) == 0 && more) {
		out->is_stopped = true;
		out->approved = sqlite3_column_int64(approved, 0) != 0;
	}
	database_rest(&file->db, LEDGER_APPROVED);
	return rc;
}

static int
read_all(struct ledger_file *file, const struct maildrop_key *key, uint32_t uidvalidity,
    const char *account, struct uidl_book *book, struct ledger_maildrop *out, struct error *e)
{
	int rc;

	if ((rc = ledger_find(file, key, uidvalidity, out, e)) != 0)
		return rc;
	if (out->id != 0)
		rc = ledger_read_book(file, out->id, book, e);
	if (rc == 0 && !out->was_shown)
		rc = read_before(file, key, out, e);
	return rc != 0 ? rc : ledger_read_view(file, account, out, e);
}

/* Begins what sees one state of the file, and ends it. */
static int
begin_reading(struct ledger_file *file, uint64_t deadline, struct error *e)
{
	bool more;
	int rc;

	if ((rc = database_enter(&file->db, deadline, e)) != 0)
		return rc;
	rc = step(file, LEDGER_BEGIN, &more, e);
	database_rest(&file->db, LEDGER_BEGIN);
	return rc;
}

static int
end_reading(struct ledger_file *file, int rc, struct error *e)
{
	bool more;

	if (rc == 0) {
		rc = step(file, LEDGER_END, &more, e);
		database_rest(&file->db, LEDGER_END);
	}
	if (rc != 0)
		database_rollback(&file->db);
	return rc;
}

int
ledger_file_load(struct ledger_file *file, uint64_t deadline, const struct maildrop_key *key,
    uint32_t uidvalidity, const char *account, struct uidl_book *book, struct ledger_maildrop *out,
    struct error *e)
{
	int rc;

	if ((rc = begin_reading(file, deadline, e)) != 0)
		return rc;
	return end_reading(file, read_all(file, key, uidvalidity, account, book, out, e), e);
}

/* ---- what was shown last ---- */

int64_t
ledger_place(int64_t id, uint32_t piece)
{
	return id * SEEN_PIECES + piece;
}

int
ledger_seen_add(struct ledger_seen_list *list, uint32_t uid, uint64_t size, const char *uidl)
{
	char *text = strdup(uidl);

	if (text != NULL && list->count == list->room) {
		size_t room = list->room == 0 ? 64 : 2 * list->room;
		struct ledger_seen *items = realloc(list->items, room * sizeof(*items));

		if (items == NULL) {
			free(text);
			return ERR_NO_MEMORY;
		}
		list->items = items;
		list->room = room;
	}
	if (text == NULL)
		return ERR_NO_MEMORY;
	list->items[list->count++] = (struct ledger_seen){ .uid = uid, .size = size, .uidl = text };
	return 0;
}

void
ledger_seen_clear(struct ledger_seen_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i].uidl);
	free(list->items);
	*list = (struct ledger_seen_list){ 0 };
}

/* The messages of a row of seen. */
static int
append_piece(sqlite3_stmt *statement, const struct uidl_book *book, uint32_t uidvalidity,
    struct ledger_seen_list *list)
{
	uint32_t piece = (uint32_t) (sqlite3_column_int64(statement, 0) & (SEEN_PIECES - 1)), uid;
	const unsigned char *octets = sqlite3_column_blob(statement, 1);
	char uidl[UIDL_MAX + 1];
	struct seen_reader reader;
	uint64_t size;
	int rc;

	seen_reader_init(&reader, piece, octets, (size_t) sqlite3_column_bytes(statement, 1));
	while ((rc = seen_next(&reader, &uid, &size)) == 0) {
		uint32_t first;

		if (uidl_book_last(book, &first) == NULL && uidl_book_find(book, uid) == NULL)
			return ERR_INVALID;
		uidl_book_format(book, uidvalidity, uid, uidl);
		if ((rc = ledger_seen_add(list, uid, size, uidl)) != 0)
			return rc;
	}
	return rc == ERR_GONE ? 0 : rc;
}

static int
append_pieces(struct ledger_file *file, int64_t id, const struct uidl_book *book,
    uint32_t uidvalidity, struct ledger_seen_list *list, struct error *e)
{
	sqlite3_stmt *statement = file->db.statements[LEDGER_SEEN];
	bool more;
	int rc;

	sqlite3_bind_int64(statement, 1, ledger_place(id, 0));
	sqlite3_bind_int64(statement, 2, ledger_place(id, SEEN_PIECES - 1));
	while ((rc = step(file, LEDGER_SEEN, &more, e)) == 0 && more)
		if ((rc = judge_row(file, append_piece(statement, book, uidvalidity, list),
			 "a row of seen", e)) != 0)
			break;
	database_rest(&file->db, LEDGER_SEEN);
	return rc;
}

int
ledger_read_seen(
    struct ledger_file *file, int64_t id, struct ledger_seen_list *list, struct error *e)
{
	sqlite3_stmt *statement = file->db.statements[LEDGER_MAILDROP];
	struct uidl_book *book = NULL;
	uint32_t uidvalidity = 0;
	bool more;
	int rc;

	sqlite3_bind_int64(statement, 1, id);
	if ((rc = step(file, LEDGER_MAILDROP, &more, e)) == 0 && more &&
	    !column_u32(statement, 0, &uidvalidity))
		rc = ledger_nonsense(file, "a row of maildrop", e);
	database_rest(&file->db, LEDGER_MAILDROP);
	if (rc != 0)
		return rc;
	if (uidl_book_new(&book) != 0)
		return no_memory(e);
	if ((rc = ledger_read_book(file, id, book, e)) == 0)
		rc = append_pieces(file, id, book, uidvalidity, list, e);
	uidl_book_free(book);
	return rc;
}

/* The names of those messages of maildrop ID that are in LIST, which is of it alone. */
static int
read_names(struct ledger_file *file, int64_t id, struct ledger_seen_list *list, struct error *e)
{
	sqlite3_stmt *statement = file->db.statements[LEDGER_NAMES];
	uint32_t uid;
	size_t at = 0;
	bool more;
	int rc;

	sqlite3_bind_int64(statement, 1, id);
	while ((rc = step(file, LEDGER_NAMES, &more, e)) == 0 && more) {
		if (!column_u32(statement, 0, &uid)) {
			rc = ledger_nonsense(file, "a row of name", e);
			break;
		}
		while (at < list->count && list->items[at].uid < uid)
			at++;
		if (at < list->count && list->items[at].uid == uid)
			list->items[at].name = (uint64_t) sqlite3_column_int64(statement, 1);
	}
	database_rest(&file->db, LEDGER_NAMES);
	return rc;
}

int
ledger_file_seen_of(struct ledger_file *file, uint64_t deadline, int64_t id,
    struct ledger_seen_list *out, struct error *e)
{
	int rc;

	if ((rc = begin_reading(file, deadline, e)) != 0)
		return rc;
	if ((rc = ledger_read_seen(file, id, out, e)) == 0)
		rc = read_names(file, id, out, e);
	return end_reading(file, rc, e);
}

static int
read_last_seen(struct ledger_file *file, const char *account, struct ledger_seen_list *out,
    struct error *e)
{
	sqlite3_stmt *view = file->db.statements[LEDGER_VIEW];
	bool more;
	int rc;

	database_bind_text(view, 1, account);
	while ((rc = step(file, LEDGER_VIEW, &more, e)) == 0 && more)
		if ((rc = ledger_read_seen(file, sqlite3_column_int64(view, 0), out, e)) != 0)
			break;
	database_rest(&file->db, LEDGER_VIEW);
	return rc;
}

int
ledger_file_last_seen(struct ledger_file *file, uint64_t deadline, const char *account,
    struct ledger_seen_list *out, struct error *e)
{
	int rc;

	if ((rc = begin_reading(file, deadline, e)) != 0)
		return rc;
	return end_reading(file, read_last_seen(file, account, out, e), e);
}

/* ---- facts about accounts ---- */

int
ledger_file_account_get(struct ledger_file *file, uint64_t deadline, const char *account,
    const char *name, char **value, struct error *e)
{
	sqlite3_stmt *statement;
	bool more;
	int rc;

	*value = NULL;
	if ((rc = database_enter(&file->db, deadline, e)) != 0)
		return rc;
	statement = file->db.statements[LEDGER_FACT];
	database_bind_text(statement, 1, account);
	database_bind_text(statement, 2, name);
	if ((rc = step(file, LEDGER_FACT, &more, e)) == 0 && more) {
		const char *text = (const char *) sqlite3_column_text(statement, 0);

		if (text == NULL || (*value = strdup(text)) == NULL)
			rc = no_memory(e);
	}
	database_rest(&file->db, LEDGER_FACT);
	return rc;
}

int
ledger_file_account_set(struct ledger_file *file, uint64_t deadline, const char *account,
    const char *name, const char *value, struct error *e)
{
	enum ledger_statement which = value != NULL ? LEDGER_SET_FACT : LEDGER_DROP_FACT;
	sqlite3_stmt *statement;
	int rc;

	if ((rc = database_enter(&file->db, deadline, e)) != 0 ||
	    (rc = database_set_lazy(&file->db, false, e)) != 0)
		return rc;
	statement = file->db.statements[which];
	database_bind_text(statement, 1, account);
	database_bind_text(statement, 2, name);
	if (value != NULL)
		database_bind_text(statement, 3, value);
	rc = database_change(&file->db, which, e);
	database_rest(&file->db, which);
	return rc;
}
