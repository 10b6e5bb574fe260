/* import_report.h - what became of each user of an import: a table as it goes on, JSON for programs,
 * and how far it is. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "gateway/importer.h"
#include "gateway/progress_view.h"

struct import_totals {
	size_t imported, skipped, failed; /* users */
	size_t matched, ambiguous, unmatched, new_left; /* messages of those imported */
	struct ledger_imported stored;
};

/* The streams are the caller's; VIEW is on stderr. */
struct import_report {
	FILE *table;	/* a line for each user as it is done */
	FILE *json;	/* NULL: not wanted */

	struct progress_view view;
	struct import_totals totals;
	size_t rows;	  /* in the JSON so far */
};

/* TOTAL users will come. */
void import_report_begin(struct import_report *r, size_t total);

/* USER is done. */
void import_report_add(
    struct import_report *r, const char *user, const struct import_result *result);

/* Ends both forms with the sum of all. */
void import_report_end(struct import_report *r);
