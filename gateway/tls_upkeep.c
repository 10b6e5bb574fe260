/* tls_upkeep.c - see tls_upkeep.h. */
#include "gateway/tls_upkeep.h"

#include <time.h>

#include "gateway/worker.h"

enum { MINUTE_MS = 60 * 1000, REPORT_MINUTES = 24 * 60 };

static void
on_rotation(uv_timer_t *timer)
{
	struct worker *worker = timer->data;

	if (tls_tickets_rotate(worker->upkeep.tickets) != 0)
		log_event(worker->log, LOG_LEVEL_ERROR, NULL,
		    "no randomness for a new ticket key, the old one stays", NULL);
}

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

	uv_timer_init(&worker->loop, &u->rotation);
	uv_timer_init(&worker->loop, &u->every_minute);
	u->rotation.data = worker;
	u->every_minute.data = worker;
	u->tickets = &u->own_tickets;
	if (tls_tickets_rotate(u->tickets) != 0 ||
	    uv_timer_start(&u->every_minute, on_minute, MINUTE_MS, MINUTE_MS) != 0)
		return ERR_TEMPORARY;
	return 0;
}

void
tls_upkeep_apply(struct worker *worker, const struct config *config)
{
	struct tls_upkeep *u = &worker->upkeep;
	uint64_t interval = config->ticket_rotation_ms;

	if (uv_timer_get_repeat(&u->rotation) != interval)
		uv_timer_start(&u->rotation, on_rotation, interval, interval);
	for (size_t i = 0; i < config->listener_count; i++)
		if (config->listeners[i].tls != NULL)
			tls_server_use_tickets(config->listeners[i].tls, u->tickets);
}

static void
close_timer(uv_timer_t *timer)
{
	if (timer->data != NULL)
		uv_close((uv_handle_t *) timer, NULL);
}

void
tls_upkeep_end(struct worker *worker)
{
	struct tls_upkeep *u = &worker->upkeep;

	legacy_usage_report(&u->usage, worker->log);
	tls_tickets_clear(&u->own_tickets);
	close_timer(&u->rotation);
	close_timer(&u->every_minute);
}
