/* importer.c - see importer.h. */
#include "gateway/importer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fiberio/fiber.h"
#include "gateway/destination.h"
#include "gateway/pop3_client.h"
#include "gateway/uidl_csv.h"

/* One user on the way. */
struct run {
	const struct importer *importer;
	const struct import_item *item;
	struct import_result *result;
	struct migration_ends ends;
	struct pop3_client *old;
	struct destination new;
	struct pairing pairing;
};

static int
step_way(struct run *r, struct error *e)
{
	int rc = migration_find(r->importer->migration, r->item->account, &r->ends, e);

	if (rc == 0 && r->ends.old == NULL && !r->importer->from_file)
		return error_set(e, ERR_PERMANENT, "%s names no old server", r->ends.new.upstream->name);
	if (rc == 0)
		r->pairing.max_messages = (size_t) r->ends.new.upstream->max_messages;
	return rc;
}

/* ---- the old side ---- */

static int
step_old_login(struct run *r, struct error *e)
{
	if (r->importer->from_file)
		return 0;
	return migration_open_old(
	    r->ends.old, r->ends.old_login, r->item->old_password, &r->old, e);
}

static int
add_row(struct pairing *p, const struct uidl_csv_row *row, struct error *e)
{
	struct fingerprint print = { 0 };
	uint32_t number = row->position != 0 ? row->position
		: p->old.count > 0	     ? p->numbers[p->old.count - 1] + 1
					     : 1;
	int rc;

	if (row->message_id[0] != '\0')
		print.message_id = fingerprint_key(row->message_id, strlen(row->message_id));
	rc = pairing_add_old(
	    p, number, row->uidl, row->size, row->message_id[0] != '\0' ? &print : NULL);
	return rc == 0 ? 0 : error_set(e, rc, "%s",
				 rc == ERR_INVALID ? "positions must ascend" : error_name(rc));
}

/* What a file says of the account. */
static int
list_csv(struct run *r, struct error *e)
{
	const struct import_item *item = r->item;
	const char *at = item->csv, *end = at + item->csv_len;
	unsigned number = item->csv_line;
	struct uidl_csv csv = { 0 };
	struct uidl_csv_row row;
	bool is_row;
	int rc;

	rc = uidl_csv_read(&csv, item->csv_columns, item->csv_columns_len, &row, &is_row, e);
	for (; at < end && rc == 0; number++) {
		const char *lf = memchr(at, '\n', (size_t) (end - at));
		size_t len = (size_t) ((lf != NULL ? lf : end) - at);

		rc = uidl_csv_read(&csv, at, len, &row, &is_row, e);
		if (rc == 0 && is_row)
			rc = add_row(&r->pairing, &row, e);
		if (rc != 0)
			return error_prefix(e, "line %u", number);
		at = lf != NULL ? lf + 1 : end;
	}
	return rc;
}

static int
step_old_list(struct run *r, struct error *e)
{
	return r->old == NULL ? list_csv(r, e) : pairing_list_old(&r->pairing, r->old, e);
}

/* ---- the new side ---- */

static int
step_new_login(struct run *r, struct error *e)
{
	return destination_open(&r->new, &r->ends.new, r->item->new_password, e);
}

static int
step_new_list(struct run *r, struct error *e)
{
	return destination_list(&r->new, &r->pairing, e);
}

static int
step_match(struct run *r, struct error *e)
{
	const struct pairing_source new = destination_source(&r->new);

	return pairing_run(&r->pairing, r->old, &new, r->importer->depth, e);
}

/* ---- the ledger ---- */

static int
store_rows(struct run *r, struct error *e)
{
	enum ledger_source source = r->importer->from_file ? LEDGER_FROM_FILE : LEDGER_FROM_IMPORT;
	size_t count = r->ends.new.mailboxes.count;
	struct ledger_rows *parts = calloc(count, sizeof(*parts));
	int rc;

	if (parts == NULL)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < count; i++) {
		parts[i].uidvalidity = r->new.mailboxes[i].uidvalidity;
		if (!r->new.mailboxes[i].is_absent)
			parts[i].key = destination_key(&r->new, i);
	}
	rc = pairing_store(
	    &r->pairing, r->importer->ledger, parts, source, &r->result->stored, e);
	free(parts);
	return rc;
}

/* What the account's clients have seen so far: the first login is held against it. */
static int
store_seen(struct run *r, struct error *e)
{
	const char *where = r->importer->from_file ? "file" : r->ends.old->name;
	const struct maildrop_key key = { where, r->item->account, "INBOX" };
	struct ledger_seen *items;
	int rc;

	if (pairing_seen(&r->pairing, &items) != 0)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	rc = ledger_saw_elsewhere(
	    r->importer->ledger, r->item->account, &key, items, r->pairing.old.count, e);
	free(items);
	return rc;
}

static int
step_store(struct run *r, struct error *e)
{
	char now[32];
	int rc;

	snprintf(now, sizeof(now), "%lld", (long long) time(NULL));
	if ((rc = store_rows(r, e)) != 0 || (rc = store_seen(r, e)) != 0)
		return rc;
	return ledger_account_set(
	    r->importer->ledger, r->item->account, IMPORT_DONE_NAME, now, e);
}

/* ---- the whole ---- */

static int (*const steps[])(struct run *, struct error *) = {
	[IMPORT_WAY] = step_way,
	[IMPORT_OLD_LOGIN] = step_old_login,
	[IMPORT_OLD_LIST] = step_old_list,
	[IMPORT_NEW_LOGIN] = step_new_login,
	[IMPORT_NEW_LIST] = step_new_list,
	[IMPORT_MATCH] = step_match,
	[IMPORT_STORE] = step_store,
};

bool
importer_passes(
    const struct importer *importer, const struct import_item *item, struct import_result *result)
{
	char *value = NULL;
	int rc;

	*result = (struct import_result){ .reached = IMPORT_STORE };
	if (importer->repeat == IMPORT_AGAIN)
		return false;
	rc = ledger_account_get(
	    importer->ledger, item->account, IMPORT_DONE_NAME, &value, &result->error);
	result->error.code = rc;
	result->skipped = rc == 0 && value != NULL;
	if (result->skipped)
		result->reached = IMPORT_DONE;
	free(value);
	return rc != 0 || result->skipped;
}

static void
count(const struct run *r)
{
	const struct match *m = &r->pairing.match;
	struct import_result *result = r->result;

	result->old_count = r->pairing.old.count;
	result->new_count = r->pairing.new.count;
	result->headers = r->pairing.headers;
	if (result->reached <= IMPORT_MATCH)
		return;
	result->matched = m->paired;
	result->new_left = m->new_left;
	memcpy(result->by, m->by, sizeof(result->by));
}

void
importer_run(
    const struct importer *importer, const struct import_item *item, struct import_result *result)
{
	struct run r = { .importer = importer, .item = item, .result = result };
	uint64_t began = fiber_now();
	int rc = 0;

	*result = (struct import_result){ 0 };
	while (rc == 0 && result->reached < IMPORT_DONE) {
		if ((rc = steps[result->reached](&r, &result->error)) == 0)
			result->reached++;
	}
	result->error.code = rc;
	count(&r);
	pop3_client_quit(r.old);
	destination_close(&r.new);
	pairing_clear(&r.pairing);
	migration_ends_clear(&r.ends);
	result->took_ms = fiber_now() - began;
}

const char *
import_step_name(enum import_step step)
{
	static const char *const names[] = {
		[IMPORT_WAY] = "the way of the user",
		[IMPORT_OLD_LOGIN] = "the login at the old server",
		[IMPORT_OLD_LIST] = "the old listing",
		[IMPORT_NEW_LOGIN] = "the login at the new server",
		[IMPORT_NEW_LIST] = "the new listing",
		[IMPORT_MATCH] = "comparing headers",
		[IMPORT_STORE] = "the ledger",
		[IMPORT_DONE] = "done",
	};

	return names[step];
}
