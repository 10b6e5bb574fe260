/* tls_upkeep.h - what a worker does about TLS by the clock: the end of legacy listeners, and who still
 * uses them. The keys of session tickets are changed elsewhere (ticket_keys.h). */
#pragma once
#include <uv.h>

#include "fiberio/tls_tickets.h"
#include "gateway/config.h"
#include "gateway/legacy.h"

struct worker;

struct tls_upkeep {
	struct legacy_usage usage; /* of this process */
	uint64_t minutes;	   /* since the last report about it */
	uv_timer_t every_minute;
};

/* Starts the upkeep of WORKER, which has a loop. Returns 0, or an error with the handle to be closed
 * all the same. */
int tls_upkeep_begin(struct worker *worker);

/* Has the listeners of CONFIG use TICKETS. */
void tls_upkeep_apply(const struct config *config, struct tls_tickets *tickets);

/* Logs the last report, closes the handle. */
void tls_upkeep_end(struct worker *worker);
