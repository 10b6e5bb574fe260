/* verifier.h - one user: what a client would see now against what it saw before.
 *
 * Before is the old server where there is one, else what popgate's ledger knows of the last login. Nothing
 * is changed anywhere. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "gateway/ledger.h"
#include "gateway/migration.h"
#include "gateway/user_list.h"

enum verify_step { /* in this order */
	VERIFY_WAY,
	VERIFY_BEFORE,
	VERIFY_NEW_LOGIN,
	VERIFY_NEW_LIST,
	VERIFY_LEDGER,
	VERIFY_COMPARE,
	VERIFY_DONE,
};

enum {
	VERIFY_DETAILS = 10, /* of each kind that are remembered */
	VERIFY_MAILBOX = 80, /* octets of a mailbox's name, with NUL */
};

/* A message that is not as it was. */
struct verify_detail {
	uint32_t uid; /* 0: it is not there now */
	char mailbox[VERIFY_MAILBOX]; /* where it is, cut; "" where only one is shown */
	char before[UIDL_MAX + 1], now[UIDL_MAX + 1];
};

struct verifier {
	const struct migration *migration;
	struct ledger *ledger;
};

struct verify_result {
	enum verify_step reached; /* the step that failed, or VERIFY_DONE */
	struct error error;
	size_t before, now; /* messages */
	size_t same;	    /* have the UIDL that they had */
	size_t changed;	    /* are there under another UIDL: they would be downloaded again */
	size_t missing;	    /* were there before, and are not now */
	size_t fresh;	    /* are there now, and were not before */
	struct verify_detail changes[VERIFY_DETAILS], losses[VERIFY_DETAILS];
	uint64_t took_ms;
};

/* Verifies USER. R is filled. Suspends. */
void verifier_run(
    const struct verifier *v, const struct listed_user *user, struct verify_result *r);

/* Whether the user can be moved: nothing is changed or missing. */
bool verify_is_safe(const struct verify_result *r);

/* "the login at the new server", ...: for messages. */
const char *verify_step_name(enum verify_step step);
