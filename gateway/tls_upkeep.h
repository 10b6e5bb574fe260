/* tls_upkeep.h - what a worker does about TLS by the clock: new keys for session tickets, the end of
 * legacy listeners, and who still uses them. */
#pragma once
#include <uv.h>

#include "fiberio/tls_tickets.h"
#include "gateway/config.h"
#include "gateway/legacy.h"

struct worker;

struct tls_upkeep {
	struct tls_tickets own_tickets;
	struct tls_tickets *tickets; /* what the listeners use */
	struct legacy_usage usage;
	uint64_t minutes; /* since the last report about it */
	uv_timer_t rotation;
	uv_timer_t every_minute;
};

/* Starts the upkeep of WORKER, which has a loop. Returns 0, or an error with the handles to be
 * closed all the same. */
int tls_upkeep_begin(struct worker *worker);

/* From now on by CONFIG, whose listeners get the ticket keys of WORKER. */
void tls_upkeep_apply(struct worker *worker, const struct config *config);

/* Logs the last report, overwrites the keys, closes the handles. */
void tls_upkeep_end(struct worker *worker);
