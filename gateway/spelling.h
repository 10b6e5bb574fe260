/* spelling.h - in which letters the ledger has the names of a login.
 *
 * Most servers take a name in letters of any case, and clients say it as their users once typed it. But lists of
 * users are mostly in small letters: whoever was imported by one must be found, or his client downloads
 * everything again, and the guard knows nothing of him. */
#pragma once
#include "base/credentials.h"
#include "gateway/ledger.h"

struct spelling {
	char account[USER_NAME_MAX + 1];
	char user[USER_NAME_MAX + 1]; /* as the server knows it */
};

/* Makes *OUT, to be freed by free(), where LEDGER has ACCOUNT in small letters and not as it is said; else *OUT is
 * NULL. The same of USER at UPSTREAM by itself: a table may call him whatever it likes. Suspends. Errors as
 * ledger_load. */
int spelling_find(struct ledger *ledger, const char *account, const char *user, const char *upstream,
    struct spelling **out, struct error *e);
