/* worker.c - one event loop that serves POP3 sessions: its beginning, its signals and its end. */
#include "gateway/worker.h"

#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "gateway/notify.h"
#include "gateway/state_directory.h"

enum {
	PREFETCH_OCTETS = 256 << 20, /* that all sessions may have asked for ahead */
	TRIM_INTERVAL_MS = 30000,    /* between two looks whether memory can be given back */
	TRIM_CONNECTIONS = 100,	     /* so many must have ended for that */
	DESCRIPTORS_PER_SESSION = 3, /* client, upstream, lock */
	DESCRIPTORS_SPARE = 64,
};

static void
log_failure(struct worker *worker, const char *message, const struct error *e)
{
	log_error(worker->log, LOG_LEVEL_ERROR, NULL, message, e, NULL);
}

/* Asks for as many descriptors as we may have; returns how many that is. */
static uint64_t
raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return UINT64_MAX;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0 && getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return UINT64_MAX;
	return limit.rlim_cur;
}

/* Descriptors that are not for sessions: those of listeners, the loop, the log, look-ups of names.
 */
static uint64_t
reserved_descriptors(const struct config *config)
{
	uint64_t reserved = DESCRIPTORS_SPARE;

	for (size_t i = 0; i < config->listener_count; i++)
		reserved += config->listeners[i].addresses.count;
	return reserved;
}

/* Sets the limits of CONFIG, lowered to what there are descriptors for: a connection that was let
 * in must find those for its server and its lock when it logs in. */
static void
apply_limits(struct worker *worker, const struct config *config)
{
	struct census_limits limits = config->limits;
	uint64_t have = raise_descriptor_limit(), reserved = reserved_descriptors(config);
	uint64_t fitting = have > reserved ? (have - reserved) / DESCRIPTORS_PER_SESSION : 0;

	if (fitting < 1)
		fitting = 1;
	if (limits.sessions > fitting) {
		log_event(worker->log, LOG_LEVEL_WARNING, NULL,
		    "max_sessions lowered, too few descriptors",
		    LOG_FIELDS(LOG_NUMBER("max_sessions", limits.sessions),
			LOG_NUMBER("possible", fitting), LOG_NUMBER("descriptors", have),
			LOG_NUMBER(
			    "needed", limits.sessions * DESCRIPTORS_PER_SESSION + reserved)));
		limits.sessions = (size_t) fitting;
	}
	census_set_limits(worker->census, &limits);
}

static void
worker_finish(struct worker *worker)
{
	uv_stop(&worker->loop);
}

void
worker_connection_ended(struct worker *worker)
{
	worker->ended_since_trim++;
	if (worker->draining && connections_none(&worker->connections))
		worker_finish(worker);
}

/* Ends what is left, without waiting. */
static void
worker_cut(struct worker *worker, const char *why)
{
	uint64_t cut = connections_cut(&worker->connections);

	if (cut > 0)
		log_event(worker->log, LOG_LEVEL_WARNING, NULL, "sessions cut",
		    LOG_FIELDS(LOG_TEXT("reason", why), LOG_NUMBER("sessions", cut)));
	worker_finish(worker);
}

static void
on_drain_timeout(uv_timer_t *timer)
{
	worker_cut(timer->data, "drain_timeout");
}

static void
worker_drain(struct worker *worker)
{
	worker->draining = true;
	notify_send("STOPPING=1");
	log_event(worker->log, LOG_LEVEL_INFO, NULL, "stopping",
	    LOG_FIELDS(LOG_NUMBER("sessions", census_count(worker->census))));
	listeners_close(&worker->listeners);
	connections_interrupt(&worker->connections);
	if (connections_none(&worker->connections))
		worker_finish(worker);
	else
		uv_timer_start(&worker->drain_timer, on_drain_timeout, worker->config->drain_ms, 0);
}

/* CONFIG was loaded; sees whether a running worker can take it over, and does. */
static int
worker_take_config(struct worker *worker, struct config *config, struct error *e)
{
	int rc;

	/* Sessions on both sides of the change would not see each other's locks. */
	if (strcmp(config->state_directory, worker->config->state_directory) != 0)
		return error_set(e, ERR_INVALID, "state_directory cannot change without a restart");
	if ((rc = state_directory_prepare(config->state_directory, e)) != 0 ||
	    (rc = listeners_apply(worker, config, e)) != 0)
		return rc;
	log_set_options(worker->log, &config->log);
	apply_limits(worker, config);
	config_unref(worker->config);
	worker->config = config_ref(config);
	return 0;
}

static void
worker_reload(struct worker *worker)
{
	struct config_report report = { 0 };
	struct config *config = NULL;
	struct error e = { 0 };
	int rc;

	notify_reloading();
	if ((rc = config_load(worker->config_file, &config, &report)) != 0)
		error_set(&e, rc, "the configuration cannot be used");
	else
		rc = worker_take_config(worker, config, &e);
	config_report_log(&report, worker->config_file, worker->log);
	if (rc == 0)
		log_event(worker->log, LOG_LEVEL_INFO, NULL, "configuration reloaded", NULL);
	else
		log_failure(worker, "configuration not reloaded, the old one stays", &e);
	config_unref(config);
	config_report_clear(&report);
	notify_send("READY=1");
}

static void
on_signal(uv_signal_t *handle, int number)
{
	struct worker *worker = handle->data;

	if (number == SIGHUP && !worker->draining)
		worker_reload(worker);
	else if (number != SIGHUP && !worker->draining)
		worker_drain(worker);
	else if (number != SIGHUP)
		worker_cut(worker, "second signal");
}

/* After a rush, what malloc keeps for the next one is given back to the system. */
static void
on_trim(uv_timer_t *timer)
{
	struct worker *worker = timer->data;

	if (worker->ended_since_trim < TRIM_CONNECTIONS)
		return;
	worker->ended_since_trim = 0;
	malloc_trim(0);
}

static int
start_handles(struct worker *worker)
{
	static const int numbers[WORKER_SIGNALS] = { SIGTERM, SIGINT, SIGHUP };
	int rc = 0;

	for (size_t i = 0; i < WORKER_SIGNALS; i++) {
		uv_signal_init(&worker->loop, &worker->signals[i]);
		worker->signals[i].data = worker;
		rc |= uv_signal_start(&worker->signals[i], on_signal, numbers[i]);
	}
	uv_timer_init(&worker->loop, &worker->drain_timer);
	uv_timer_init(&worker->loop, &worker->trim_timer);
	worker->drain_timer.data = worker;
	worker->trim_timer.data = worker;
	rc |= uv_timer_start(&worker->trim_timer, on_trim, TRIM_INTERVAL_MS, TRIM_INTERVAL_MS);
	return rc == 0 ? 0 : ERR_NO_MEMORY;
}

/* A handle that was never begun has no data yet. */
static void
close_handle(uv_handle_t *handle)
{
	if (handle->data != NULL)
		uv_close(handle, NULL);
}

/* A damaged journal or a full disk costs deletions, and nobody's reading: see replay.c and
 * commit.c.
 */
static int
start_journal(struct worker *worker)
{
	struct error e = { 0 };

	if (journal_open(worker->config->state_directory, &worker->journal) != 0)
		return ERR_NO_MEMORY;
	if (journal_check(worker->journal, &e) != 0)
		log_failure(worker, "the journal cannot be used: QUIT will remove nothing", &e);
	return 0;
}

/* What surrounds the loop: signals, limits, census, folders, listeners. Returns an exit status; E
 * says what failed. */
static int
worker_start(struct worker *worker, struct error *e)
{
	if (geteuid() == 0)
		log_event(worker->log, LOG_LEVEL_WARNING, NULL,
		    "running as root, which popgate never needs", NULL);
	if (state_directory_prepare(worker->config->state_directory, e) != 0)
		return EX_CANTCREAT;
	if (fiber_runtime_new(&worker->loop, &worker->fibers) != 0 ||
	    fiber_start_threads(worker->fibers) != 0 ||
	    census_new(&worker->config->limits, &worker->census) != 0 ||
	    start_journal(worker) != 0 || start_handles(worker) != 0) {
		error_set(e, ERR_NO_MEMORY, "no memory to start");
		return EX_OSERR;
	}
	apply_limits(worker, worker->config);
	return listeners_apply(worker, worker->config, e) == 0 ? 0 : EX_OSERR;
}

static void
worker_end(struct worker *worker)
{
	worker->draining = false; /* nobody is to stop the loop any more */
	listeners_close(&worker->listeners);
	connections_cut(&worker->connections);
	if (worker->fibers != NULL)
		fiber_runtime_free(worker->fibers);
	for (size_t i = 0; i < WORKER_SIGNALS; i++)
		close_handle((uv_handle_t *) &worker->signals[i]);
	close_handle((uv_handle_t *) &worker->drain_timer);
	close_handle((uv_handle_t *) &worker->trim_timer);
	uv_run(&worker->loop, UV_RUN_DEFAULT);
	uv_loop_close(&worker->loop);
	journal_close(worker->journal);
	census_free(worker->census);
	config_unref(worker->config);
	free(worker);
}

int
worker_run(struct config *config, const char *config_file, struct log *log)
{
	struct worker *worker;
	struct error e = { 0 };
	int status;

	setenv(
	    "UV_THREADPOOL_SIZE", "8", 0); /* look-ups of names are slow, and there may be many */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error, not the end */
	if ((worker = calloc(1, sizeof(*worker))) == NULL || uv_loop_init(&worker->loop) != 0) {
		free(worker);
		return EX_OSERR;
	}
	worker->log = log;
	worker->config = config_ref(config);
	worker->config_file = config_file;
	worker->prefetch.most = PREFETCH_OCTETS;
	connections_init(&worker->connections);
	if ((status = worker_start(worker, &e)) != 0) {
		log_failure(worker, "cannot start", &e);
		worker_end(worker);
		return status;
	}
	notify_send("READY=1");
	uv_run(&worker->loop, UV_RUN_DEFAULT);
	log_event(log, LOG_LEVEL_INFO, NULL, "stopped", NULL);
	worker_end(worker);
	return 0;
}
