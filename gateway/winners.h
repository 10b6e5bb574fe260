/* winners.h - which of several upstreams an account's last login was good at, so that the others need
 * not reject it each time.
 *
 * A memory of one process, of fixed size, by keyed hashes; what is not in it costs a look into the state
 * store (preference.h). Forgets after a day, so that an account that both servers let in comes back to the first one.
 * Pure but for the key of chance. */
#pragma once
#include <stdint.h>

enum { WINNERS_KEEP_S = 24 * 60 * 60 }; /* for how long */

struct winners;

/* Returns 0 or ERR_NO_MEMORY. */
int winners_new(struct winners **out);
void winners_free(struct winners *w); /* NULL is allowed */

/* Remembers at NOW (milliseconds) that ACCOUNT, routed by ROUTE (its label), was let in at UPSTREAM (its
 * name). */
void winners_note(struct winners *w, const char *route, const char *account,
    const char *upstream, uint64_t now);

/* Whether that is what is remembered of ACCOUNT. */
int winners_know(const struct winners *w, const char *route, const char *account,
    const char *upstream, uint64_t now);
