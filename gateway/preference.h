/* preference.h - which of a way's several upstreams is asked first: the one that let the account in last.
 *
 * The worker's own memory is asked first, and where that does not know, the state store, which
 * outlives it and is common to all workers. There only accounts have a line whose upstream is not the
 * first one anyway, and it is written only when it changes. Without the store nothing is lost but the
 * preference. A preference ends after a day, so that an account that several let in comes back to the
 * first one. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/ledger.h"
#include "gateway/log.h"
#include "gateway/way.h"
#include "gateway/winners.h"

struct preference {
	/* Filled by the owner. */
	struct winners *winners;
	struct ledger *ledger; /* NULL: there is no store */
	struct log *log;
	const char *session_id;

	const struct upstream *first; /* without a preference */
	const struct upstream *known; /* that let ACCOUNT in last; NULL: nobody knows */
	enum {
		PREFERENCE_UNKNOWN, /* it may have one */
		PREFERENCE_NONE,   /* the store has no line of ACCOUNT */
		PREFERENCE_FAILED, /* it cannot be used */
	} store;
};

/* Puts the upstream that is known to have let ACCOUNT in before the others of W. Suspends. */
void preference_apply(struct preference *p, const char *account, struct way *w);

/* Remembers that UPSTREAM of W let ACCOUNT in, after preference_apply. Suspends. */
void preference_note(struct preference *p, const char *account, const struct way *w,
    const struct upstream *upstream);

/* What the store keeps, "TIME NAME" with seconds since 1970: into TEXT (ROOM octets). Pure. */
void preference_format(const char *name, int64_t now, char *text, size_t room);

/* Reads that: returns the name in TEXT and how old it is, or NULL where that is a day or makes no
 * sense. Pure. */
const char *preference_read(const char *text, int64_t now, uint64_t *age_s);
