/* alone.c - see alone.h. What a supervisor does for its workers, a process without one does for
 * itself: it binds the listeners, hears the signals, and talks to systemd. */
#include "gateway/alone.h"

#include <signal.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "gateway/notify.h"
#include "gateway/signals.h"
#include "gateway/ticket_keys.h"
#include "gateway/worker.h"

enum { MINUTE_MS = 60 * 1000 };

struct alone {
	struct worker *worker;
	struct log *log;
	const char *config_file;
	struct ticket_keys *ticket_keys;
	struct sockets sockets;
	uv_signal_t signals[SIGNALS];
	uv_timer_t watchdog;
	uv_timer_t every_minute;
};

static int
take_config(struct alone *alone, struct config *config, struct error *e)
{
	struct worker_task task = { .config = config, .workers = 1 };
	struct sockets next;
	int rc;

	if (config_worker_count(config) != 0)
		return error_set(e, ERR_INVALID, "workers = 0 cannot change without a restart");
	if (strcmp(config->user, alone->worker->config->user) != 0)
		return error_set(e, ERR_INVALID, "user cannot change without a restart");
	if ((rc = sockets_prepare(&alone->sockets, config, &next, e)) != 0)
		return rc;
	task.sockets = next.fds;
	task.tickets = ticket_keys_tickets(alone->ticket_keys);
	if ((rc = worker_take(alone->worker, &task, e)) != 0) {
		sockets_abandon(&alone->sockets, &next);
		return rc;
	}
	sockets_commit(&alone->sockets, &next, config, alone->log);
	ticket_keys_rotate_every(alone->ticket_keys, config->ticket_rotation_ms);
	return 0;
}

static void
reload(struct alone *alone)
{
	struct config_report report = { 0 };
	struct config *config = NULL;
	struct error e = { 0 };
	int rc;

	notify_reloading();
	if ((rc = config_load(alone->config_file, &config, &report)) != 0)
		error_set(&e, rc, "the configuration cannot be used");
	else
		rc = take_config(alone, config, &e);
	config_report_log(&report, alone->config_file, alone->log);
	if (rc == 0)
		log_event(alone->log, LOG_LEVEL_INFO, NULL, "configuration reloaded", NULL);
	else
		log_error(alone->log, LOG_LEVEL_ERROR, NULL,
		    "configuration not reloaded, the old one stays", &e, NULL);
	config_unref(config);
	config_report_clear(&report);
	notify_send("READY=1");
}

static void
drain(struct alone *alone)
{
	notify_send("STOPPING=1");
	log_event(alone->log, LOG_LEVEL_INFO, NULL, "stopping",
	    LOG_FIELDS(LOG_NUMBER("sessions", census_count(alone->worker->census))));
	sockets_close(&alone->sockets);
	worker_drain(alone->worker);
}

static void
on_signal(uv_signal_t *handle, int number)
{
	struct alone *alone = handle->data;

	if (number == SIGHUP && !alone->worker->draining)
		reload(alone);
	else if (number != SIGHUP && !alone->worker->draining)
		drain(alone);
	else if (number != SIGHUP)
		worker_cut(alone->worker, "second signal");
}

static void
on_watchdog(uv_timer_t *timer)
{
	(void) timer;
	notify_send("WATCHDOG=1"); /* that the loop turns is all there is to tell */
}

/* The worker closes its own. */
static void
on_minute(uv_timer_t *timer)
{
	struct alone *alone = timer->data;

	sockets_end_legacy(&alone->sockets, (int64_t) time(NULL));
}

static int
start_handles(struct alone *alone)
{
	uint64_t watchdog_ms = notify_watchdog_ms();
	uv_loop_t *loop = &alone->worker->loop;
	int rc = 0;

	for (size_t i = 0; i < SIGNALS; i++) {
		uv_signal_init(loop, &alone->signals[i]);
		alone->signals[i].data = alone;
		rc |= uv_signal_start(&alone->signals[i], on_signal, signal_numbers[i]);
	}
	ticket_keys_start(alone->ticket_keys, loop, alone->log);
	ticket_keys_rotate_every(alone->ticket_keys, alone->worker->config->ticket_rotation_ms);
	uv_timer_init(loop, &alone->every_minute);
	alone->every_minute.data = alone;
	rc |= uv_timer_start(&alone->every_minute, on_minute, MINUTE_MS, MINUTE_MS);
	uv_timer_init(loop, &alone->watchdog);
	if (watchdog_ms > 0)
		rc |= uv_timer_start(&alone->watchdog, on_watchdog, watchdog_ms, watchdog_ms);
	return rc;
}

static void
close_handles(struct alone *alone)
{
	for (size_t i = 0; i < SIGNALS; i++)
		uv_close((uv_handle_t *) &alone->signals[i], NULL);
	uv_close((uv_handle_t *) &alone->watchdog, NULL);
	uv_close((uv_handle_t *) &alone->every_minute, NULL);
	ticket_keys_stop(alone->ticket_keys);
}

/* The worker, with its sockets, and with a census, a gatekeeper and ticket keys of its own. Returns an
 * exit status. */
static int
start_worker(struct alone *alone, struct config *config)
{
	struct worker_task task = { .config = config, .workers = 1 };
	struct sockets next;
	struct census *census = NULL;
	struct gatekeeper *gatekeeper = NULL;
	struct error e = { 0 };
	int status;

	if (census_new(&config->limits, &census, &e) != 0 || gatekeeper_new(&gatekeeper, &e) != 0 ||
	    ticket_keys_new(&alone->ticket_keys, &e) != 0 ||
	    sockets_prepare(&alone->sockets, config, &next, &e) != 0) {
		log_error(alone->log, LOG_LEVEL_ERROR, NULL, "cannot start", &e, NULL);
		census_free(census);
		gatekeeper_free(gatekeeper);
		return EX_OSERR;
	}
	task.sockets = next.fds;
	task.tickets = ticket_keys_tickets(alone->ticket_keys);
	if ((status = worker_new(alone->log, census, gatekeeper, &task, &alone->worker)) != 0)
		sockets_abandon(&alone->sockets, &next);
	else
		sockets_commit(&alone->sockets, &next, config, alone->log);
	return status;
}

int
serve_alone(
    struct config *config, const char *config_file, struct sockets *sockets, struct log *log)
{
	struct alone alone = { .log = log, .config_file = config_file, .sockets = *sockets };
	int status, rc;

	*sockets = (struct sockets){ 0 };
	if ((status = start_worker(&alone, config)) != 0) {
		ticket_keys_free(alone.ticket_keys);
		sockets_close(&alone.sockets);
		return status;
	}
	rc = start_handles(&alone);
	signals_release();
	if (rc == 0) {
		notify_send("READY=1");
		worker_run(alone.worker);
		log_event(log, LOG_LEVEL_INFO, NULL, "stopped", NULL);
	} else {
		status = EX_OSERR;
	}
	close_handles(&alone);
	worker_free(alone.worker);
	ticket_keys_free(alone.ticket_keys);
	sockets_close(&alone.sockets);
	return status;
}
