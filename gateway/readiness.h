/* readiness.h - who can be moved: a table, CSV, and a page with a chart that needs nothing else.
 *
 * Users come one by one; sums are kept, and rows are written as they come. */
#pragma once
#include <stddef.h>
#include <stdio.h>

#include "gateway/verifier.h"

enum { READINESS_SHARES = 10 }; /* columns of the chart: users by their share of UIDLs that stay */

struct readiness {
	FILE *table, *csv, *html; /* the caller's; NULL: not wanted */
	size_t safe, unsafe, failed; /* users */
	size_t before, now, same, changed, missing, fresh; /* messages */
	size_t shares[READINESS_SHARES]; /* users who have messages, from the least share on */
	/* Of the page, until the end of it: who cannot be moved, and who can; temporary files. */
	FILE *bad_rows, *safe_rows;
};

/* Returns 0 or ERR_TEMPORARY: there is no room for the page's rows. */
int readiness_begin(struct readiness *r);

void readiness_add(struct readiness *r, const char *user, const struct verify_result *result);

/* The sum, and the page. */
void readiness_end(struct readiness *r);
