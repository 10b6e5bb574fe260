/* ledger_import.c - UIDLs that come from elsewhere (ledger.h). What a client has seen is never
 * changed: a message that was shown keeps its UIDL, whatever an import says. */
#include <stdlib.h>
#include <string.h>

#include "gateway/ledger_internal.h"
#include "mapping/uidl_set.h"

struct import {
	struct ledger_file *file;
	const struct maildrop_key *key;
	uint32_t uidvalidity;
	const struct ledger_row *rows;
	size_t count;
	enum ledger_source source;
	struct ledger_imported *out;
	struct ledger_maildrop found;
	struct uidl_book *book;
	struct uidl_set taken;
	uint32_t *uids; /* of the rows, ascending */
};

static int
compare_uids(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *) a, right = *(const uint32_t *) b;

	return (left > right) - (left < right);
}

/* The UIDLs of other messages: of those that were shown, and of earlier imports. */
static int
gather_taken(struct import *im, struct error *e)
{
	struct ledger_seen_list seen = { 0 };
	size_t most, entries = uidl_book_entry_count(im->book);
	int rc = 0;

	if (im->found.id != 0)
		rc = ledger_read_seen(im->file, im->found.id, &seen, e);
	most = seen.count + entries + im->count;
	if (rc == 0 && uidl_set_init(&im->taken, most, &im->file->key) != 0)
		rc = error_set(e, ERR_NO_MEMORY, "no memory for an import");
	for (size_t i = 0; i < seen.count && rc == 0; i++)
		uidl_set_add(&im->taken, seen.items[i].uidl);
	for (size_t i = 0; i < entries && rc == 0; i++) {
		struct uidl_entry entry = uidl_book_entry(im->book, i);

		if (bsearch(&entry.uid, im->uids, im->count, sizeof(*im->uids), compare_uids) ==
		    NULL)
			uidl_set_add(&im->taken, entry.uidl);
	}
	ledger_seen_clear(&seen);
	return rc;
}

static int
prepare(struct import *im, struct error *e)
{
	int rc;

	im->uids = malloc((im->count + 1) * sizeof(*im->uids));
	if (im->uids == NULL || uidl_book_new(&im->book) != 0)
		return error_set(e, ERR_NO_MEMORY, "no memory for an import");
	for (size_t i = 0; i < im->count; i++)
		im->uids[i] = im->rows[i].uid;
	qsort(im->uids, im->count, sizeof(*im->uids), compare_uids);
	if ((rc = ledger_find(im->file, im->key, im->uidvalidity, &im->found, e)) != 0 ||
	    (im->found.id != 0 &&
		(rc = ledger_read_book(im->file, im->found.id, im->book, e)) != 0))
		return rc;
	return gather_taken(im, e);
}

/* Whether message UID has UIDL already. */
static bool
is_same(const struct import *im, uint32_t uid, const char *uidl)
{
	char now[UIDL_MAX + 1];
	uint32_t first;

	if (uidl_book_find(im->book, uid) == NULL &&
	    (uid > im->found.shown || uidl_book_last(im->book, &first) == NULL))
		return false;
	uidl_book_format(im->book, im->uidvalidity, uid, now);
	return strcmp(now, uidl) == 0;
}

static int
import_row(struct import *im, const struct ledger_row *row, struct error *e)
{
	struct ledger_imported *out = im->out;

	if (row->uid == 0 || !uidl_is_valid(row->uidl, strlen(row->uidl))) {
		out->unfit++;
		return 0;
	}
	if (row->uid <= im->found.shown) {
		if (is_same(im, row->uid, row->uidl))
			out->same++;
		else
			out->shown++;
		return 0;
	}
	if (!uidl_set_add(&im->taken, row->uidl)) {
		out->taken++;
		return 0;
	}
	if (is_same(im, row->uid, row->uidl)) {
		out->same++;
		return 0;
	}
	out->written++;
	return ledger_add_uidl(im->file, im->found.id, row->uid, row->uidl, im->source, e);
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
import_all(struct import *im, struct error *e)
{
	int rc;

	if ((rc = prepare(im, e)) != 0)
		return rc;
	if (im->found.id == 0 && (rc = ledger_add_maildrop(im->file, im->key, im->uidvalidity,
				      &im->found.id, e)) != 0)
		return rc;
	for (size_t i = 0; i < im->count; i++)
		if ((rc = import_row(im, &im->rows[i], e)) != 0)
			return rc;
	return im->out->written > 0 ? count_version(im->file, im->found.id, e) : 0;
}

int
ledger_file_import(struct ledger_file *file, uint64_t deadline, const struct maildrop_key *key,
    uint32_t uidvalidity, const struct ledger_row *rows, size_t count, enum ledger_source source,
    struct ledger_imported *out, struct error *e)
{
	struct import im = { .file = file,
		.key = key,
		.uidvalidity = uidvalidity,
		.rows = rows,
		.count = count,
		.source = source,
		.out = out };
	int rc;

	*out = (struct ledger_imported){ 0 };
	if ((rc = ledger_begin_writing(file, deadline, false, e)) != 0)
		return rc;
	rc = ledger_end_writing(file, import_all(&im, e), e);
	uidl_book_free(im.book);
	uidl_set_clear(&im.taken);
	free(im.uids);
	return rc;
}

/* ---- what was seen elsewhere ---- */

static int
add_elsewhere(struct ledger_file *file, int64_t id, const struct ledger_seen *items, size_t count,
    struct error *e)
{
	struct snapshot_message *messages = calloc(count + 1, sizeof(*messages));
	unsigned char *octets = malloc(SEEN_MESSAGE_MAX << SEEN_PIECE_BITS);
	int rc = 0;

	if (messages == NULL || octets == NULL)
		rc = error_set(e, ERR_NO_MEMORY, "no memory for an import");
	for (size_t i = 0; i < count && rc == 0; i++) {
		messages[i].uid = items[i].uid;
		messages[i].size = items[i].size;
		rc = ledger_add_uidl(
		    file, id, items[i].uid, items[i].uidl, LEDGER_FROM_IMPORT, e);
	}
	for (size_t i = 0, len; i < count && rc == 0;) {
		uint32_t piece = seen_piece(messages[i].uid);

		i += seen_encode(messages + i, count - i, octets, &len);
		rc = ledger_add_piece(file, id, piece, octets, len, e);
	}
	if (rc == 0)
		rc = ledger_set_shown(file, id, messages[count - 1].uid, count,
		    seen_digest(messages, count), e);
	free(messages);
	free(octets);
	return rc;
}

static int
see_elsewhere(struct ledger_file *file, const char *account, const struct maildrop_key *key,
    const struct ledger_seen *items, size_t count, struct error *e)
{
	struct ledger_maildrop found;
	int rc;

	if ((rc = ledger_find(file, key, 0, &found, e)) != 0 ||
	    (rc = ledger_read_view(file, account, &found, e)) != 0)
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
