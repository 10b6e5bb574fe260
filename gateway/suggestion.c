/* suggestion.c - nearest names by edit distance: one edit inserts, removes or changes a letter or
 * swaps two neighbours. */
#include "gateway/suggestion.h"

#include <string.h>

enum { NAME_MAX_OCTETS = 48, EDITS_MAX = 3 };

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Three rows of the table of distances between all beginnings of A and of B: the row that is made
 * and the two before. */
static size_t
edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t rows[3][NAME_MAX_OCTETS + 1];
	size_t *before = rows[0], *last = rows[1], *row = rows[2], *spare;

	for (size_t j = 0; j <= b_len; j++)
		last[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			row[j] = least(last[j], row[j - 1]) + 1;
			row[j] = least(row[j], last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
		}
		spare = before;
		before = last;
		last = row;
		row = spare;
	}
	return last[b_len];
}

void
suggestion_begin(struct suggestion *s, const char *word, size_t len)
{
	s->word = word;
	s->len = len;
	s->best = NULL;
	s->distance = least(EDITS_MAX, (len + 2) / 3) + 1;
}

void
suggestion_offer(struct suggestion *s, const char *name)
{
	size_t distance, name_len = strlen(name);

	if (s->len == 0 || s->len > NAME_MAX_OCTETS || name_len > NAME_MAX_OCTETS)
		return;
	distance = edit_distance(s->word, s->len, name, name_len);
	if (distance < s->distance && distance < name_len) {
		s->best = name;
		s->distance = distance;
	}
}

const char *
suggestion_best(const struct suggestion *s)
{
	return s->best;
}
