/* ledger_import.c - UIDLs that come from elsewhere (ledger.h). What a client has seen is never
 * changed: a message that was shown keeps its UIDL, whatever an import says. */
#include <stdlib.h>
#include <string.h>

#include "gateway/ledger_internal.h"
#include "mapping/uidl_set.h"

/* One maildrop of an import. */
struct import_part {
	const struct ledger_rows *given;
	struct ledger_maildrop found;
	struct uidl_book *book;
	uint32_t *uids; /* of the rows, ascending */
};

struct import {
	struct ledger_file *file;
	enum ledger_source source;
	struct ledger_imported *out;
	struct uidl_set taken; /* by messages of any of the maildrops */
	struct import_part *parts;
	size_t count;
};

static int
compare_uids(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *) a, right = *(const uint32_t *) b;

	return (left > right) - (left < right);
}

static int
no_memory(struct error *e)
{
	return error_set(e, ERR_NO_MEMORY, "no memory for an import");
}

/* Whether UID is among the rows of PART. */
static bool
is_given(const struct import_part *part, uint32_t uid)
{
	return bsearch(&uid, part->uids, part->given->count, sizeof(uid), compare_uids) != NULL;
}

/* The UIDLs of other messages of PART: of those that were shown (SEEN), and of earlier imports. */
static void
note_taken(
    struct import *im, const struct import_part *part, const struct ledger_seen_list *seen)
{
	for (size_t i = 0; i < seen->count; i++)
		uidl_set_add(&im->taken, seen->items[i].uidl);
	for (size_t i = 0; i < uidl_book_entry_count(part->book); i++) {
		struct uidl_entry entry = uidl_book_entry(part->book, i);

		if (!is_given(part, entry.uid))
			uidl_set_add(&im->taken, entry.uidl);
	}
}

static int
gather_taken(struct import *im, struct error *e)
{
	struct ledger_seen_list *seen = calloc(im->count, sizeof(*seen));
	size_t most = 0;
	int rc = seen == NULL ? no_memory(e) : 0;

	for (size_t i = 0; i < im->count && rc == 0; i++) {
		const struct import_part *part = &im->parts[i];

		if (part->found.id != 0)
			rc = ledger_read_seen(im->file, part->found.id, &seen[i], e);
		most += seen[i].count + uidl_book_entry_count(part->book) + part->given->count;
	}
	if (rc == 0 && uidl_set_init(&im->taken, most, &im->file->key) != 0)
		rc = no_memory(e);
	for (size_t i = 0; i < im->count && rc == 0; i++)
		note_taken(im, &im->parts[i], &seen[i]);
	for (size_t i = 0; i < im->count && seen != NULL; i++)
		ledger_seen_clear(&seen[i]);
	free(seen);
	return rc;
}

static int
prepare_part(struct import *im, struct import_part *part, struct error *e)
{
	const struct ledger_rows *given = part->given;
	int rc;

	part->uids = malloc((given->count + 1) * sizeof(*part->uids));
	if (part->uids == NULL || uidl_book_new(&part->book) != 0)
		return no_memory(e);
	for (size_t i = 0; i < given->count; i++)
		part->uids[i] = given->rows[i].uid;
	qsort(part->uids, given->count, sizeof(*part->uids), compare_uids);
	if ((rc = ledger_find(im->file, &given->key, given->uidvalidity, &part->found, e)) != 0 ||
	    part->found.id == 0)
		return rc;
	return ledger_read_book(im->file, part->found.id, part->book, e);
}

/* Whether message UID has UIDL already. */
static bool
is_same(const struct import_part *part, uint32_t uid, const char *uidl)
{
	char now[UIDL_MAX + 1];
	uint32_t first;

	if (uidl_book_find(part->book, uid) == NULL &&
	    (uid > part->found.shown || uidl_book_last(part->book, &first) == NULL))
		return false;
	uidl_book_format(part->book, part->given->uidvalidity, uid, now);
	return strcmp(now, uidl) == 0;
}

/* *WRITTEN: the row is new. */
static int
import_row(struct import *im, const struct import_part *part, const struct ledger_row *row,
    bool *written, struct error *e)
{
	struct ledger_imported *out = im->out;
	bool same;

	*written = false;
	if (row->uid == 0 || !uidl_is_valid(row->uidl, strlen(row->uidl))) {
		out->unfit++;
		return 0;
	}
	same = is_same(part, row->uid, row->uidl);
	if (row->uid <= part->found.shown) {
		out->same += same;
		out->shown += !same;
		return 0;
	}
	if (!uidl_set_add(&im->taken, row->uidl)) {
		out->taken++;
		return 0;
	}
	out->same += same;
	out->written += !same;
	*written = !same;
	return same ? 0
		    : ledger_add_uidl(
			  im->file, part->found.id, row->uid, row->uidl, im->source, e);
}

static int
count_version(struct ledger_file *file, int64_t id, struct error *e)
{
	int rc;

	sqlite3_bind_int64(file->db.statements[LEDGER_COUNT_VERSION], 1, id);
	rc = database_change(&file->db, LEDGER_COUNT_VERSION, e);
	database_rest(&file->db, LEDGER_COUNT_VERSION);
	return rc;
}

static int
import_part(struct import *im, struct import_part *part, struct error *e)
{
	const struct ledger_rows *given = part->given;
	bool changed = false, written;
	int rc;

	if (part->found.id == 0 && (rc = ledger_add_maildrop(im->file, &given->key,
					given->uidvalidity, &part->found.id, e)) != 0)
		return rc;
	for (size_t i = 0; i < given->count; i++) {
		if ((rc = import_row(im, part, &given->rows[i], &written, e)) != 0)
			return rc;
		changed = changed || written;
	}
	return changed ? count_version(im->file, part->found.id, e) : 0;
}

static int
import_all(struct import *im, struct error *e)
{
	int rc = 0;

	for (size_t i = 0; i < im->count && rc == 0; i++)
		rc = prepare_part(im, &im->parts[i], e);
	if (rc == 0)
		rc = gather_taken(im, e);
	for (size_t i = 0; i < im->count && rc == 0; i++)
		rc = import_part(im, &im->parts[i], e);
	return rc;
}

int
ledger_file_import(struct ledger_file *file, uint64_t deadline, const struct ledger_rows *parts,
    size_t count, enum ledger_source source, struct ledger_imported *out, struct error *e)
{
	struct import im = { .file = file, .source = source, .out = out, .count = count };
	int rc;

	*out = (struct ledger_imported){ 0 };
	if ((im.parts = calloc(count, sizeof(*im.parts))) == NULL)
		return no_memory(e);
	for (size_t i = 0; i < count; i++)
		im.parts[i].given = &parts[i];
	if ((rc = ledger_begin_writing(file, deadline, false, e)) == 0)
		rc = ledger_end_writing(file, import_all(&im, e), e);
	for (size_t i = 0; i < count; i++) {
		uidl_book_free(im.parts[i].book);
		free(im.parts[i].uids);
	}
	uidl_set_clear(&im.taken);
	free(im.parts);
	return rc;
}

/* ---- what was seen elsewhere ---- */

/* Whether the ledger can have ITEM, and read it again. What is no UIDL would be a row that makes no sense,
 * and end all logins. */
static bool
is_fit(const struct ledger_seen *item)
{
	return uidl_is_valid(item->uidl, strlen(item->uidl)) && item->size <= INT64_MAX;
}

static int
add_elsewhere(struct ledger_file *file, int64_t id, const struct ledger_seen *items, size_t count,
    struct error *e)
{
	size_t fit = 0;
	struct snapshot_message *messages = calloc(count + 1, sizeof(*messages));
	unsigned char *octets = malloc(SEEN_MESSAGE_MAX << SEEN_PIECE_BITS);
	int rc = 0;

	if (messages == NULL || octets == NULL)
		rc = no_memory(e);
	for (size_t i = 0; i < count && rc == 0; i++) {
		if (!is_fit(&items[i]))
			continue;
		messages[fit].uid = items[i].uid;
		messages[fit++].size = items[i].size;
		rc = ledger_add_uidl(
		    file, id, items[i].uid, items[i].uidl, LEDGER_FROM_IMPORT, e);
	}
	for (size_t i = 0, len; i < fit && rc == 0;) {
		uint32_t piece = seen_piece(messages[i].uid);

		i += seen_encode(messages + i, fit - i, octets, &len);
		rc = ledger_add_piece(file, id, piece, octets, len, e);
	}
	if (rc == 0 && fit > 0)
		rc = ledger_set_shown(
		    file, id, messages[fit - 1].uid, fit, seen_digest(messages, fit), e);
	free(messages);
	free(octets);
	return rc;
}

/* What ACCOUNT saw elsewhere before goes, so that FOUND says nothing of it. What popgate itself has shown since
 * stays. No mailbox has a UIDVALIDITY of 0. */
static int
forget_elsewhere(struct ledger_file *file, const char *account, struct ledger_maildrop *found,
    struct error *e)
{
	sqlite3_stmt *statement = file->db.statements[LEDGER_VIEW_ELSEWHERE];
	int64_t id = 0;
	int code, rc = 0;

	if (found->view != 1)
		return 0;
	database_bind_text(statement, 1, account);
	if ((code = sqlite3_step(statement)) == SQLITE_ROW)
		id = sqlite3_column_int64(statement, 0);
	if (code != SQLITE_ROW && code != SQLITE_DONE)
		rc = database_fail(&file->db, e);
	database_rest(&file->db, LEDGER_VIEW_ELSEWHERE);
	if (rc != 0 || id == 0)
		return rc;
	database_bind_text(file->db.statements[LEDGER_DROP_VIEW], 1, account);
	if ((rc = ledger_change(file, LEDGER_DROP_VIEW, e)) != 0 ||
	    (rc = ledger_drop_maildrop(file, id, e)) != 0)
		return rc;
	found->view = 0;
	if (found->id == id)
		found->id = 0;
	return 0;
}

static int
see_elsewhere(struct ledger_file *file, const char *account, const struct maildrop_key *key,
    const struct ledger_seen *items, size_t count, struct error *e)
{
	struct ledger_maildrop found;
	int rc;

	if ((rc = ledger_find(file, key, 0, &found, e)) != 0 ||
	    (rc = ledger_read_view(file, account, &found, e)) != 0 ||
	    (rc = forget_elsewhere(file, account, &found, e)) != 0)
		return rc;
	if (found.id != 0 || found.view != 0 || count == 0)
		return 0;
	if ((rc = ledger_add_maildrop(file, key, 0, &found.id, e)) != 0 ||
	    (rc = add_elsewhere(file, found.id, items, count, e)) != 0)
		return rc;
	return ledger_add_view(file, account, found.id, e);
}

int
ledger_file_saw_elsewhere(struct ledger_file *file, uint64_t deadline, const char *account,
    const struct maildrop_key *key, const struct ledger_seen *items, size_t count, struct error *e)
{
	int rc;

	if ((rc = ledger_begin_writing(file, deadline, false, e)) != 0)
		return rc;
	return ledger_end_writing(file, see_elsewhere(file, account, key, items, count, e), e);
}
