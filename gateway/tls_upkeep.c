/* tls_upkeep.c - see tls_upkeep.h. */
#include "gateway/tls_upkeep.h"

#include <time.h>

#include "gateway/worker.h"

enum { MINUTE_MS = 60 * 1000, REPORT_MINUTES = 24 * 60 };

/* Rather than at the end itself: the clock may be set meanwhile. */
static void
on_minute(uv_timer_t *timer)
{
	struct worker *worker = timer->data;

	listeners_end_legacy(worker, (int64_t) time(NULL));
	if (++worker->upkeep.minutes < REPORT_MINUTES)
		return;
	worker->upkeep.minutes = 0;
	legacy_usage_report(&worker->upkeep.usage, worker->log);
}

int
tls_upkeep_begin(struct worker *worker)
{
	struct tls_upkeep *u = &worker->upkeep;

	uv_timer_init(&worker->loop, &u->every_minute);
	u->every_minute.data = worker;
	return uv_timer_start(&u->every_minute, on_minute, MINUTE_MS, MINUTE_MS) == 0
		   ? 0
		   : ERR_TEMPORARY;
}

void
tls_upkeep_apply(const struct config *config, struct tls_tickets *tickets)
{
	for (size_t i = 0; i < config->listener_count; i++)
		if (config->listeners[i].tls != NULL)
			tls_server_use_tickets(config->listeners[i].tls, tickets);
}

void
tls_upkeep_end(struct worker *worker)
{
	struct tls_upkeep *u = &worker->upkeep;

	legacy_usage_report(&u->usage, worker->log);
	if (u->every_minute.data != NULL)
		uv_close((uv_handle_t *) &u->every_minute, NULL);
}
