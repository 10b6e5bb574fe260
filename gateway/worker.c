/* worker.c - one event loop that serves POP3 sessions: its beginning, its changes and its end. */
#include "gateway/worker.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include <sqlite3.h>

#include "gateway/state_directory.h"

enum {
	PREFETCH_OCTETS = 256 << 20, /* that sessions of all workers may have asked for ahead */
	TRIM_INTERVAL_MS = 30000,    /* between two looks whether memory can be given back */
	TRIM_CONNECTIONS = 100,	     /* so many must have ended for that */
	DESCRIPTORS_PER_SESSION = 2, /* client and upstream; a lock for each mailbox comes on top */
	DESCRIPTORS_SPARE = 64,
	/* Until a store that others keep locked is given up, where it only says which way to go. */
	ROUTING_PATIENCE_MS = 1000,
	/* The loop's own and one for all threads of the pool: with the eight each that malloc would make,
	 * what SQLite once had is kept eight times. */
	MALLOC_ARENAS = 2,
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
 * Without a supervisor, and while a configuration is handed over, there are two for each listener.
 */
static uint64_t
reserved_descriptors(const struct config *config)
{
	return DESCRIPTORS_SPARE + 2 * config_address_count(config);
}

/* What the session with the most mailboxes takes. Of tables and folders there is one mailbox. */
static uint64_t
session_descriptors(const struct config *config)
{
	size_t locks = 1;

	for (size_t i = 0; i < config->upstream_count; i++)
		if (config->upstreams[i].mailboxes.count > locks)
			locks = config->upstreams[i].mailboxes.count;
	for (size_t i = 0; i < config->route_count; i++)
		if (config->routes[i].mailboxes.count > locks)
			locks = config->routes[i].mailboxes.count;
	return DESCRIPTORS_PER_SESSION + locks;
}

/* How many connections are kept for later sessions: an eighth of all descriptors at most. */
static size_t
most_kept(const struct config *config, uint64_t descriptors)
{
	bool wanted = false;

	for (size_t i = 0; i < config->upstream_count; i++)
		wanted = wanted || config->upstreams[i].reuse_ms > 0;
	if (!wanted)
		return 0;
	return descriptors / 8 < REUSE_MOST ? (size_t) (descriptors / 8) : REUSE_MOST;
}

/* Sets the limits of TASK, lowered to what there are descriptors for: a connection that was let in
 * must find those for its server and its locks when it logs in. */
static void
apply_limits(struct worker *worker, const struct worker_task *task)
{
	struct census_limits limits = task->config->limits;
	uint64_t have = raise_descriptor_limit();
	size_t kept = most_kept(task->config, have);
	uint64_t reserved = reserved_descriptors(task->config) + kept;
	uint64_t each = session_descriptors(task->config);
	uint64_t fitting = have > reserved ? (have - reserved) / each : 0;
	uint64_t share = (limits.sessions + task->workers - 1) / task->workers;

	if (fitting < 1)
		fitting = 1;
	if (share > fitting)
		log_event(worker->log, LOG_LEVEL_WARNING, NULL,
		    "max_sessions lowered, too few descriptors",
		    LOG_FIELDS(LOG_NUMBER("max_sessions", limits.sessions),
			LOG_NUMBER("possible", fitting * task->workers),
			LOG_NUMBER("descriptors", have),
			LOG_NUMBER("needed", share * each + reserved)));
	if (limits.sessions > fitting)
		limits.sessions_here = (size_t) fitting;
	census_set_limits(worker->census, &limits);
	reuse_apply(worker->reuse, task->config, kept);
	gatekeeper_set_limits(worker->gatekeeper, &task->config->login_limits);
}

static void
worker_finish(struct worker *worker)
{
	uv_stop(&worker->loop);
}

/* Nothing is left that a drain would wait for. */
static bool
is_idle(const struct worker *worker)
{
	return connections_none(&worker->connections) && reuse_count(worker->reuse) == 0;
}

void
worker_connection_ended(struct worker *worker)
{
	worker->ended_since_trim++;
	if (worker->retired && is_idle(worker))
		worker_finish(worker);
}

/* The last kept connection has ended. */
static void
on_reuse_emptied(void *ctx)
{
	struct worker *worker = ctx;

	if (worker->retired && is_idle(worker))
		worker_finish(worker);
}

void
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

void
worker_retire(struct worker *worker)
{
	if (worker->retired)
		return;
	worker->retired = true;
	census_retire(worker->census);
	listeners_close(&worker->listeners);
	reuse_apply(worker->reuse, NULL, 0);
	if (is_idle(worker))
		worker_finish(worker);
}

void
worker_drain(struct worker *worker)
{
	if (worker->draining)
		return;
	worker->draining = true;
	worker_retire(worker);
	connections_interrupt(&worker->connections);
	if (!is_idle(worker))
		uv_timer_start(&worker->drain_timer, on_drain_timeout, worker->config->drain_ms, 0);
}

/* What asking the services of CONFIG takes. */
static int
prepare_services(struct worker *worker, const struct config *config, struct error *e)
{
	for (size_t i = 0; i < config->route_count; i++)
		if (config->routes[i].auth_http != NULL)
			return http_prepare(worker->http, e);
	return 0;
}

int
worker_take(struct worker *worker, const struct worker_task *task, struct error *e)
{
	struct config *config = task->config;
	int rc;

	if (worker->retired)
		return error_set(e, ERR_TEMPORARY, "the worker is stopping");
	/* Sessions on both sides of the change would not see each other's locks. */
	if (strcmp(config->state_directory, worker->config->state_directory) != 0)
		return error_set(e, ERR_INVALID, "state_directory cannot change without a restart");
	if ((rc = state_directory_prepare(config->state_directory, e)) != 0 ||
	    (rc = prepare_services(worker, config, e)) != 0 ||
	    (rc = listeners_apply(worker, config, task->sockets, e)) != 0)
		return rc;
	log_set_options(worker->log, &config->log);
	apply_limits(worker, task);
	tls_upkeep_apply(config, task->tickets);
	worker->prefetch.most = PREFETCH_OCTETS / task->workers;
	config_ref(config);
	config_unref(worker->config);
	worker->config = config;
	return 0;
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
	uv_timer_init(&worker->loop, &worker->drain_timer);
	uv_timer_init(&worker->loop, &worker->trim_timer);
	worker->drain_timer.data = worker;
	worker->trim_timer.data = worker;
	return uv_timer_start(&worker->trim_timer, on_trim, TRIM_INTERVAL_MS, TRIM_INTERVAL_MS) == 0
		   ? 0
		   : ERR_NO_MEMORY;
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

/* A state store that cannot be used costs logins: what was shown before is not known without it. */
static int
start_ledger(struct worker *worker)
{
	struct error e = { 0 };

	if (ledger_open(worker->config->state_directory, &worker->ledger) != 0)
		return ERR_NO_MEMORY;
	if (ledger_open(worker->config->state_directory, &worker->routing) != 0)
		return ERR_NO_MEMORY;
	ledger_set_patience(worker->routing, ROUTING_PATIENCE_MS);
	if (ledger_check(worker->ledger, &e) != 0)
		log_failure(worker, "the state store cannot be used: logins will be refused", &e);
	return 0;
}

/* Kept small, as there is one of everything for each worker. Before any other use of SQLite. */
static void
limit_memory(void)
{
	mallopt(M_ARENA_MAX, MALLOC_ARENAS);
	/* A cache takes memory page by page, not for twenty pages when it begins. */
	sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
}

/* What surrounds the loop: fibers, journal, timers, limits, listeners. Returns an exit status; E
 * says what failed. */
static int
worker_start(struct worker *worker, const struct worker_task *task, struct error *e)
{
	if (state_directory_prepare(task->config->state_directory, e) != 0)
		return EX_CANTCREAT;
	limit_memory();
	if (fiber_runtime_new(&worker->loop, &worker->fibers) != 0 ||
	    fiber_start_threads(worker->fibers) != 0 ||
	    reuse_new(worker->fibers, on_reuse_emptied, worker, &worker->reuse) != 0 ||
	    winners_new(&worker->winners) != 0 || http_new(&worker->loop, &worker->http) != 0 ||
	    auth_http_new(worker->http, &worker->auth_http) != 0 ||
	    start_journal(worker) != 0 || start_ledger(worker) != 0 || start_handles(worker) != 0 ||
	    tls_upkeep_begin(worker) != 0) {
		error_set(e, ERR_NO_MEMORY, "no memory to start");
		return EX_OSERR;
	}
	return worker_take(worker, task, e) == 0 ? 0 : EX_OSERR;
}

void
worker_free(struct worker *worker)
{
	worker->retired = false; /* nobody is to stop the loop any more */
	listeners_close(&worker->listeners);
	connections_cut(&worker->connections);
	if (worker->fibers != NULL)
		fiber_runtime_free(worker->fibers);
	http_free(worker->http);
	tls_upkeep_end(worker);
	close_handle((uv_handle_t *) &worker->drain_timer);
	close_handle((uv_handle_t *) &worker->trim_timer);
	uv_run(&worker->loop, UV_RUN_DEFAULT);
	uv_loop_close(&worker->loop);
	journal_close(worker->journal);
	ledger_close(worker->ledger);
	ledger_close(worker->routing);
	census_free(worker->census);
	reuse_free(worker->reuse);
	winners_free(worker->winners);
	auth_http_free(worker->auth_http);
	gatekeeper_free(worker->gatekeeper);
	config_unref(worker->config);
	free(worker);
}

int
worker_new(struct log *log, struct census *census, struct gatekeeper *gatekeeper,
    const struct worker_task *task, struct worker **out)
{
	struct worker *worker;
	struct error e = { 0 };
	int status;

	setenv(
	    "UV_THREADPOOL_SIZE", "8", 0); /* look-ups of names are slow, and there may be many */
	if ((worker = calloc(1, sizeof(*worker))) == NULL || uv_loop_init(&worker->loop) != 0) {
		free(worker);
		census_free(census);
		gatekeeper_free(gatekeeper);
		return EX_OSERR;
	}
	worker->log = log;
	worker->census = census;
	worker->gatekeeper = gatekeeper;
	worker->config = config_ref(task->config);
	connections_init(&worker->connections);
	if ((status = worker_start(worker, task, &e)) != 0) {
		log_failure(worker, "cannot start", &e);
		worker_free(worker);
		return status;
	}
	*out = worker;
	return 0;
}

void
worker_run(struct worker *worker)
{
	uv_run(&worker->loop, UV_RUN_DEFAULT);
}
