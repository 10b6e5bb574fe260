/* journal_row.c - see journal_row.h. */
#include "gateway/journal_row.h"

#include <stdbool.h>
#include <string.h>

#include "base/uidset_text.h"

void
journal_entry_clear(struct journal_entry *entry)
{
	uidset_clear(&entry->ours);
	uidset_clear(&entry->flagged_before);
	uidset_clear(&entry->lifted);
	*entry = (struct journal_entry){ 0 };
}

static int
decode_numbers(const struct journal_row *row, struct journal_entry *out, struct error *e)
{
	if (row->id <= 0)
		return error_set(e, ERR_INVALID, "its number is not positive");
	if (row->uidvalidity < 1 || row->uidvalidity > UINT32_MAX)
		return error_set(e, ERR_INVALID, "its UIDVALIDITY is none");
	if (row->task != JOURNAL_REMOVE && row->task != JOURNAL_UNDO && row->task != JOURNAL_LATE)
		return error_set(e, ERR_INVALID, "its task is unknown");
	if (row->begun < 0)
		return error_set(e, ERR_INVALID, "its time is negative");
	out->id = row->id;
	out->uidvalidity = (uint32_t) row->uidvalidity;
	out->task = (enum journal_task) row->task;
	out->begun = row->begun;
	return 0;
}

static int
decode_how(const struct journal_row *row, struct journal_entry *out, struct error *e)
{
	const struct journal_text *how = &row->how;

	if (how->len == 0 || how->len >= sizeof(out->how) ||
	    memchr(how->text, '\0', how->len) != NULL)
		return error_set(e, ERR_INVALID, "how its messages go is unknown");
	memcpy(out->how, how->text, how->len);
	out->how[how->len] = '\0';
	return 0;
}

static int
decode_set(const struct journal_text *text, struct uidset *out, const char *name, struct error *e)
{
	int rc = uidset_parse(text->text, text->len, out);

	if (rc == ERR_NO_MEMORY)
		return error_set(e, rc, "no memory for a set of messages");
	return rc == 0 ? 0 : error_set(e, rc, "\"%s\" is no set of messages", name);
}

static int
decode_sets(const struct journal_row *row, struct journal_entry *out, struct error *e)
{
	struct uidset alien = { 0 };
	int rc;

	if ((rc = decode_set(&row->ours, &out->ours, "ours", e)) != 0 ||
	    (rc = decode_set(&row->flagged_before, &out->flagged_before, "flagged_before", e)) !=
		0 ||
	    (rc = decode_set(&row->lifted, &out->lifted, "lifted", e)) != 0)
		return rc;
	if (uidset_subtract(&out->flagged_before, &out->ours, &alien) != 0)
		rc = error_set(e, ERR_NO_MEMORY, "no memory for a set of messages");
	else if (alien.count > 0)
		rc = error_set(e, ERR_INVALID, "\"flagged_before\" is not a part of \"ours\"");
	uidset_clear(&alien);
	return rc;
}

int
journal_row_decode(const struct journal_row *row, struct journal_entry *out, struct error *e)
{
	int rc;

	if ((rc = decode_numbers(row, out, e)) != 0 || (rc = decode_how(row, out, e)) != 0 ||
	    (rc = decode_sets(row, out, e)) != 0)
		journal_entry_clear(out);
	return rc;
}
