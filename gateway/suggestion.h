/* suggestion.h - what somebody who mistyped a name probably meant. Pure. */
#pragma once
#include <stddef.h>

struct suggestion {
	const char *word; /* what was typed; not owned */
	size_t len;
	const char *best; /* the nearest name so far that is near enough, or NULL */
	size_t distance;  /* of BEST, in edits */
};

/* Begins the search for names like WORD (LEN octets; must outlive S). */
void suggestion_begin(struct suggestion *s, const char *word, size_t len);

/* Offers a known NAME (kept, not copied). Of two equally near ones the first wins. */
void suggestion_offer(struct suggestion *s, const char *name);

/* The nearest name, or NULL when none is near enough to be meant: one edit in three letters, and
 * three at most. */
const char *suggestion_best(const struct suggestion *s);
