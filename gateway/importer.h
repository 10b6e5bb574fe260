/* importer.h - one user of an import: what the old server calls the messages becomes what popgate
 * calls them.
 *
 * Both servers are asked and nothing is changed there. What is found goes to the ledger, together with
 * the note that the account is done and what it has seen of the old server, which the re-download guard
 * goes by. So an import that was stopped at any point can be begun again, and does the rest. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "gateway/ledger.h"
#include "gateway/migration.h"
#include "gateway/pairing.h"

#define IMPORT_DONE_NAME "imported" /* of the account's fact in the ledger */

enum import_step { /* in this order */
	IMPORT_WAY,
	IMPORT_OLD_LOGIN,
	IMPORT_OLD_LIST,
	IMPORT_NEW_LOGIN,
	IMPORT_NEW_LIST,
	IMPORT_MATCH,
	IMPORT_STORE,
	IMPORT_DONE,
};

enum import_repeat {
	IMPORT_ONCE,  /* users who are done already are passed over */
	IMPORT_AGAIN, /* they are done anew; what was shown keeps its UIDL all the same */
};

/* What all users of an import share. */
struct importer {
	const struct migration *migration;
	bool from_file; /* the old side's messages come from there */
	struct ledger *ledger;
	enum match_depth depth;
	enum import_repeat repeat;
};

struct import_item {
	const char *account;
	const char *old_password, *new_password; /* NULL: the upstream's master logs in */
	const char *csv;   /* the account's lines where there is no old server */
	size_t csv_len;
	const char *csv_columns; /* the first line of that file */
	size_t csv_columns_len;
	unsigned csv_line; /* the number of the first of CSV */
};

struct import_result {
	enum import_step reached; /* the step that failed, or IMPORT_DONE */
	struct error error;	  /* why; texts of servers are in it */
	bool skipped;		  /* was done before */
	size_t old_count, new_count, matched, new_left, headers;
	size_t by[MATCH_HOWS]; /* as struct match has it */
	struct ledger_imported stored;
	uint64_t took_ms;
};

/* Whether there is nothing to do for ITEM: it was imported before, or the ledger cannot be asked. R is
 * filled then. Suspends. */
bool importer_passes(
    const struct importer *importer, const struct import_item *item, struct import_result *r);

/* Imports ITEM, for which importer_passes says no. R is filled. Suspends. */
void importer_run(
    const struct importer *importer, const struct import_item *item, struct import_result *r);

/* "the login at the old server", ...: for messages. */
const char *import_step_name(enum import_step step);
