/* ledger_guard.h - whom the guard against new downloads has stopped, for the command line. Blocks;
 * results as in ledger_file.h. */
#pragma once
#include "gateway/ledger_file.h"

struct ledger_stop {
	const char *account;
	struct maildrop_key key; /* where it came to */
	uint64_t seen, missing, fresh; /* see struct ledger_difference */
	const char *missing_uidls, *fresh_uidls; /* the first of them, for uidl_sample_next */
	int64_t first, last; /* logins that were refused: seconds since 1970 */
	uint64_t logins;
	int64_t approved; /* 0: it is stopped */
};

/* Calls EACH for those whose account is SUBJECT, or of the domain SUBJECT where that begins with "@", or
 * all where it is NULL; by account, until it returns other than 0, which is returned. */
int ledger_file_each_stop(struct ledger_file *file, uint64_t deadline, const char *subject,
    int (*each)(void *ctx, const struct ledger_stop *stop), void *ctx, struct error *e);

/* *COUNT: logins that were stopped since the file was made. */
int ledger_file_stops(
    struct ledger_file *file, uint64_t deadline, uint64_t *count, struct error *e);

/* Lets the same accounts through at their next login. *COUNT: how many. */
int ledger_file_approve(struct ledger_file *file, uint64_t deadline, const char *subject,
    uint64_t *count, struct error *e);
