/* fuzz_journal.c - what a row of the journal means.
 *
 * The input is lines: four numbers, then three sets. Whatever they hold: no crash; a set has the
 * one text that it was made from; an entry is whole, or empty. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "base/uidset_text.h"
#include "gateway/journal_row.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
check(int ok)
{
	if (!ok)
		abort();
}

/* Up to the next line feed; *AT moves behind it. */
static struct journal_text
next_line(const char **at, const char *end)
{
	const char *begin = *at,
		   *feed = begin == end ? NULL : memchr(begin, '\n', (size_t) (end - begin));

	*at = feed == NULL ? end : feed + 1;
	return (struct journal_text){ begin, (size_t) ((feed == NULL ? end : feed) - begin) };
}

static int64_t
next_number(const char **at, const char *end)
{
	struct journal_text line = next_line(at, end);
	bool negative = line.len > 0 && line.text[0] == '-';
	uint64_t number;

	if (text_to_number(line.text + negative, line.len - negative, INT64_MAX, &number) != 0)
		return 1;
	return negative ? -(int64_t) number : (int64_t) number;
}

static void
check_set(const struct journal_text *text)
{
	struct uidset set = { 0 };
	char *again;
	int rc = uidset_parse(text->text, text->len, &set);

	check(rc == 0 || rc == ERR_INVALID);
	if (rc == 0) {
		check(uidset_format(&set, &again) == 0);
		check(strlen(again) == text->len && memcmp(again, text->text, text->len) == 0);
		free(again);
		for (size_t i = 0; i < set.count; i++)
			check(set.ranges[i].first >= 1 &&
			      set.ranges[i].first <= set.ranges[i].last &&
			      (i == 0 || set.ranges[i].first - 1 > set.ranges[i - 1].last));
	} else {
		check(set.ranges == NULL && set.count == 0);
	}
	uidset_clear(&set);
}

static void
check_entry(const struct journal_entry *entry, int rc, const struct error *e)
{
	struct uidset alien = { 0 };

	if (rc == 0) {
		check(entry->id > 0 && entry->uidvalidity > 0 && entry->begun >= 0);
		check(entry->task == JOURNAL_REMOVE || entry->task == JOURNAL_UNDO ||
		      entry->task == JOURNAL_LATE);
		check(
		    entry->how[0] != '\0' && memchr(entry->how, '\0', sizeof(entry->how)) != NULL);
		check(uidset_subtract(&entry->flagged_before, &entry->ours, &alien) == 0);
		check(alien.count == 0);
		uidset_clear(&alien);
		return;
	}
	check(rc == ERR_INVALID && e->code == rc && e->text[0] != '\0');
	check(entry->id == 0 && entry->ours.ranges == NULL &&
	      entry->flagged_before.ranges == NULL && entry->lifted.ranges == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *at = (const char *) data, *end = at + len;
	struct journal_entry entry = { 0 };
	struct journal_row row;
	struct error e = { 0 };

	row.id = next_number(&at, end);
	row.uidvalidity = next_number(&at, end);
	row.task = next_number(&at, end);
	row.begun = next_number(&at, end);
	row.how = next_line(&at, end);
	row.ours = next_line(&at, end);
	row.flagged_before = next_line(&at, end);
	row.lifted = next_line(&at, end);
	check_set(&row.ours);
	check_set(&row.flagged_before);
	check_set(&row.lifted);
	check_entry(&entry, journal_row_decode(&row, &entry, &e), &e);
	journal_entry_clear(&entry);
	return 0;
}
