/* uidset_text.c - see uidset_text.h. */
#include "base/uidset_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"

/* A range and the comma after it: two numbers of 32 bits, a colon. */
enum { RANGE_OCTETS = 10 + 1 + 10 + 1 };

static size_t
put_range(char *out, const struct uid_range *range, const char *before)
{
	int size;

	if (range->first == range->last)
		size = snprintf(out, RANGE_OCTETS + 1, "%s%" PRIu32, before, range->first);
	else
		size = snprintf(out, RANGE_OCTETS + 1, "%s%" PRIu32 ":%" PRIu32, before,
		    range->first, range->last);
	return (size_t) size;
}

int
uidset_format(const struct uidset *set, char **out)
{
	size_t used = 0;
	char *text, *fitting;

	if (set->count >= SIZE_MAX / RANGE_OCTETS ||
	    (text = malloc(set->count * RANGE_OCTETS + 1)) == NULL)
		return ERR_NO_MEMORY;
	text[0] = '\0';
	for (size_t i = 0; i < set->count; i++)
		used += put_range(text + used, &set->ranges[i], i > 0 ? "," : "");
	fitting = realloc(text, used + 1);
	*out = fitting != NULL ? fitting : text;
	return 0;
}

static int
parse_uid(const char *text, size_t len, uint32_t *out)
{
	uint64_t number;

	if (len == 0 || text[0] == '0' || text_to_number(text, len, UINT32_MAX, &number) != 0)
		return ERR_INVALID;
	*out = (uint32_t) number;
	return 0;
}

static int
parse_range(const char *text, size_t len, struct uid_range *out)
{
	const char *colon = memchr(text, ':', len);
	size_t first_len = colon == NULL ? len : (size_t) (colon - text);

	if (parse_uid(text, first_len, &out->first) != 0)
		return ERR_INVALID;
	out->last = out->first;
	if (colon == NULL)
		return 0;
	if (parse_uid(colon + 1, len - first_len - 1, &out->last) != 0 || out->last <= out->first)
		return ERR_INVALID;
	return 0;
}

/* How many pieces the commas make of TEXT. */
static size_t
count_pieces(const char *text, size_t len)
{
	size_t pieces = 1;

	for (size_t i = 0; i < len; i++)
		pieces += text[i] == ',';
	return pieces;
}

int
uidset_parse(const char *text, size_t len, struct uidset *out)
{
	const char *end = text + len;
	struct uidset set = { 0 };

	if (len == 0)
		return 0;
	set.room = count_pieces(text, len);
	if ((set.ranges = calloc(set.room, sizeof(*set.ranges))) == NULL)
		return ERR_NO_MEMORY;
	for (;;) {
		const char *comma = memchr(text, ',', (size_t) (end - text));
		size_t piece = (size_t) ((comma == NULL ? end : comma) - text);
		struct uid_range *range = &set.ranges[set.count];

		/* One number at least must lie between two ranges. */
		if (parse_range(text, piece, range) != 0 ||
		    (set.count > 0 && range->first - 1 <= range[-1].last)) {
			uidset_clear(&set);
			return ERR_INVALID;
		}
		set.count++;
		if (comma == NULL)
			break;
		text = comma + 1;
	}
	*out = set;
	return 0;
}
