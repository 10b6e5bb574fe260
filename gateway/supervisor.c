/* supervisor.c - see supervisor.h. One worker is child.c; when to start one again is respawn.c. */
#include "gateway/supervisor.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "gateway/census.h"
#include "gateway/child.h"
#include "gateway/config_handover.h"
#include "gateway/gatekeeper.h"
#include "gateway/notify.h"
#include "gateway/rehearsal.h"
#include "gateway/respawn.h"
#include "gateway/signals.h"
#include "gateway/state_directory.h"
#include "gateway/ticket_keys.h"

enum {
	MINUTE_MS = 60 * 1000,
	GRACE_MS = 10000, /* for a worker to end after drain_timeout, or after it was cut */
};

/* A place for a worker. */
struct slot {
	struct supervisor *supervisor;
	struct child *child; /* NULL: it is empty, and the timer runs if that is to change */
	struct respawn respawn;
	uv_timer_t timer;
};

/* What the world is told once all workers serve. */
enum announcement {
	ANNOUNCE_NOTHING,
	ANNOUNCE_START,
	ANNOUNCE_RELOAD,
};

struct supervisor {
	uv_loop_t loop;
	struct log *log;
	const char *config_file;
	struct config *config;
	int config_fd; /* its text, sealed */
	struct census *census;
	struct gatekeeper *gatekeeper;
	struct ticket_keys *ticket_keys;
	struct sockets sockets;
	struct slot slots[WORKERS_MAX];
	unsigned slots_used;
	struct children children; /* those that are leaving, too */
	uint32_t started_ever;
	enum announcement announcement;
	uv_signal_t signals[SIGNALS];
	uv_timer_t kill_timer;
	uv_timer_t watchdog;
	uv_timer_t every_minute;
	bool stopping;
};

static unsigned
slot_number(const struct slot *slot)
{
	return (unsigned) (slot - slot->supervisor->slots) + 1;
}

/* What the workers are to do now; WHO is the number of the one that is told. */
static struct control_message
current_task(const struct supervisor *s, uint32_t who)
{
	struct control_message task = {
		.word = CONTROL_SERVE,
		.worker = who,
		.workers = s->slots_used,
		.fd_count = CONTROL_FD_SOCKETS + s->sockets.count,
	};

	task.fds[CONTROL_FD_CENSUS] = census_descriptor(s->census);
	task.fds[CONTROL_FD_GATEKEEPER] = gatekeeper_descriptor(s->gatekeeper);
	task.fds[CONTROL_FD_TICKETS] = ticket_keys_descriptor(s->ticket_keys);
	task.fds[CONTROL_FD_CONFIG] = s->config_fd;
	memcpy(task.fds + CONTROL_FD_SOCKETS, s->sockets.fds, s->sockets.count * sizeof(int));
	return task;
}

/* ---- workers come and go ---- */

static void slot_fill_later(struct slot *slot);

static void
slot_fill(struct slot *slot)
{
	struct supervisor *s = slot->supervisor;
	uint32_t number = ++s->started_ever;
	struct control_message task;
	struct error e = { 0 };

	/* The new worker will leave them out of what it reads, whether or not a minute is over. */
	sockets_end_legacy(&s->sockets, (int64_t) time(NULL));
	task = current_task(s, number);
	respawn_started(&slot->respawn, uv_now(&s->loop));
	if (child_start(s, &s->loop, s->config_file, &task, &slot->child, &e) != 0) {
		slot->child = NULL;
		log_error(s->log, LOG_LEVEL_ERROR, NULL, "worker cannot be started", &e,
		    LOG_FIELDS(LOG_NUMBER("worker", slot_number(slot))));
		slot_fill_later(slot);
		return;
	}
	slot->child->slot = slot;
	TAILQ_INSERT_TAIL(&s->children, slot->child, entry);
	log_event(s->log, LOG_LEVEL_INFO, NULL, "worker started",
	    LOG_FIELDS(LOG_NUMBER("worker", slot_number(slot)),
		LOG_NUMBER("pid", (uint64_t) child_pid(slot->child))));
}

static void
on_fill(uv_timer_t *timer)
{
	slot_fill(timer->data);
}

/* Fills it as soon as respawn.c allows. From the loop in any case: a start that fails must not lead
 * to the next from within. */
static void
slot_fill_later(struct slot *slot)
{
	uint64_t delay = respawn_ended(&slot->respawn, uv_now(&slot->supervisor->loop));

	uv_timer_start(&slot->timer, on_fill, delay, 0);
}

/* Has the worker of SLOT serve on those that it has, and nobody take its place. */
static void
slot_retire(struct slot *slot)
{
	uv_timer_stop(&slot->timer);
	if (slot->child != NULL)
		child_retire(slot->child);
	slot->child = NULL;
}

/* Has the worker of SLOT end, and nobody take its place. */
static void
slot_clear(struct slot *slot)
{
	uv_timer_stop(&slot->timer);
	if (slot->child != NULL)
		child_drain(slot->child);
	slot->child = NULL;
}

/* Has all slots up to COUNT filled by workers that serve what is to be served now, and no others.
 */
static void
use_slots(struct supervisor *s, unsigned count)
{
	unsigned before = s->slots_used;
	struct control_message task;
	struct slot *slot;

	s->slots_used = count;
	for (unsigned i = 0; i < count; i++) {
		slot = &s->slots[i];
		if (i >= before) {
			memset(&slot->respawn, 0, sizeof(slot->respawn));
			slot_fill(slot);
		} else if (slot->child != NULL) {
			task = current_task(s, slot->child->number);
			child_serve(slot->child, &task);
		}
	}
	for (unsigned i = count; i < before; i++)
		slot_retire(&s->slots[i]);
}

static void
stop_if_none_is_left(struct supervisor *s)
{
	if (s->stopping && TAILQ_EMPTY(&s->children))
		uv_stop(&s->loop);
}

void
supervisor_child_ended(struct child *child, int status, int signal)
{
	struct supervisor *s = child->supervisor;
	/* Once stopping, nobody new comes, and counts are of no use. To ask for the lock then would
	 * be to wait for a worker that hangs with it, instead of ending it. */
	size_t lost = s->stopping ? 0 : census_remove_worker(s->census, child->number);
	bool expected = (child->retired || child->leaving) && status == 0 && signal == 0;

	TAILQ_REMOVE(&s->children, child, entry);
	log_event(s->log, expected ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, NULL, "worker ended",
	    LOG_FIELDS(LOG_NUMBER("pid", (uint64_t) child_pid(child)),
		LOG_TEXT("signal", signal != 0 ? strsignal(signal) : NULL),
		LOG_NUMBER("status", (uint64_t) status)));
	if (lost > 0)
		log_event(s->log, LOG_LEVEL_WARNING, NULL, "sessions lost",
		    LOG_FIELDS(LOG_NUMBER("pid", (uint64_t) child_pid(child)),
			LOG_NUMBER("sessions", lost)));
	if (child->slot != NULL) {
		child->slot->child = NULL;
		slot_fill_later(child->slot);
	}
	stop_if_none_is_left(s);
}

/* ---- what was said is done ---- */

static bool
all_serve(const struct supervisor *s)
{
	for (unsigned i = 0; i < s->slots_used; i++)
		if (s->slots[i].child == NULL || s->slots[i].child->owed > 0)
			return false;
	return true;
}

void
supervisor_child_ready(struct child *child)
{
	struct supervisor *s = child->supervisor;

	log_event(s->log, LOG_LEVEL_DEBUG, NULL, "worker serves",
	    LOG_FIELDS(LOG_NUMBER("pid", (uint64_t) child_pid(child))));
	if (s->announcement == ANNOUNCE_NOTHING || s->stopping || !all_serve(s))
		return;
	log_event(s->log, LOG_LEVEL_INFO, NULL,
	    s->announcement == ANNOUNCE_START ? "workers are ready" : "configuration reloaded",
	    LOG_FIELDS(LOG_NUMBER("workers", s->slots_used)));
	s->announcement = ANNOUNCE_NOTHING;
	notify_send("READY=1");
}

/* The configuration was checked before it was handed down, so this is rare: a certificate that
 * changed at that moment, no memory. It goes on with the old one and the sessions it has; whoever
 * comes is served by its successor. */
void
supervisor_child_refused(struct child *child)
{
	struct slot *slot = child->slot;

	log_event(child->supervisor->log, LOG_LEVEL_ERROR, NULL,
	    "worker keeps the old configuration, and is replaced",
	    LOG_FIELDS(LOG_NUMBER("pid", (uint64_t) child_pid(child))));
	if (slot == NULL)
		return;
	slot_retire(slot);
	slot_fill_later(slot);
}

/* ---- reload ---- */

/* Whether CONFIG can follow on the one that is served. */
static int
check_change(const struct supervisor *s, const struct config *config, struct error *e)
{
	if (strcmp(config->state_directory, s->config->state_directory) != 0)
		return error_set(e, ERR_INVALID, "state_directory cannot change without a restart");
	if (strcmp(config->user, s->config->user) != 0)
		return error_set(e, ERR_INVALID, "user cannot change without a restart");
	if (config_worker_count(config) == 0)
		return error_set(e, ERR_INVALID, "workers cannot become 0 without a restart");
	return state_directory_prepare(config->state_directory, e);
}

/* CONFIG was loaded from TEXT: has it served from now on, all or nothing. */
static int
take_config(
    struct supervisor *s, struct config *config, const char *text, size_t len, struct error *e)
{
	struct sockets next;
	int config_fd, rc;

	if ((rc = check_change(s, config, e)) != 0 ||
	    (rc = sockets_prepare(&s->sockets, config, &next, e)) != 0)
		return rc;
	if ((rc = config_seal(text, len, &config_fd)) != 0) {
		sockets_abandon(&s->sockets, &next);
		return error_set(e, rc, "no memory for the configuration");
	}
	log_set_options(s->log, &config->log);
	sockets_commit(&s->sockets, &next, config, s->log);
	close(s->config_fd);
	s->config_fd = config_fd;
	config_ref(config);
	config_unref(s->config);
	s->config = config;
	ticket_keys_rotate_every(s->ticket_keys, config->ticket_rotation_ms);
	s->announcement = ANNOUNCE_RELOAD;
	use_slots(s, config_worker_count(config));
	return 0;
}

static void
reload(struct supervisor *s)
{
	struct config_report report = { 0 }, said_before = { 0 };
	struct config *config = NULL;
	struct error e = { 0 };
	char *text = NULL;
	size_t len;
	int rc;

	notify_reloading();
	if ((rc = config_read(s->config_file, &text, &len, &report)) != 0 ||
	    (rc = rehearse(s->config_file, text, len, &report)) != 0 ||
	    (rc = config_load_outline(s->config_file, text, len, &config, &said_before)) != 0)
		error_set(&e, rc, "the configuration cannot be used");
	else
		rc = take_config(s, config, text, len, &e);
	config_report_log(&report, s->config_file, s->log);
	if (rc != 0) {
		log_error(s->log, LOG_LEVEL_ERROR, NULL,
		    "configuration not reloaded, the old one stays", &e, NULL);
		notify_send("READY=1");
	}
	free(text);
	config_unref(config);
	config_report_clear(&report);
	config_report_clear(&said_before);
}

/* ---- the end ---- */

static void
on_kill(uv_timer_t *timer)
{
	struct supervisor *s = timer->data;
	struct child *child;

	TAILQ_FOREACH(child, &s->children, entry)
	{
		log_event(s->log, LOG_LEVEL_ERROR, NULL, "worker did not end, killed",
		    LOG_FIELDS(LOG_NUMBER("pid", (uint64_t) child_pid(child))));
		child_kill(child);
	}
}

static void
drain(struct supervisor *s)
{
	struct child *child;

	s->stopping = true;
	notify_send("STOPPING=1");
	log_event(s->log, LOG_LEVEL_INFO, NULL, "stopping",
	    LOG_FIELDS(LOG_NUMBER("sessions", census_count(s->census))));
	sockets_close(&s->sockets);
	for (unsigned i = 0; i < s->slots_used; i++)
		slot_clear(&s->slots[i]);
	TAILQ_FOREACH(child, &s->children, entry)
	child_drain(child);
	uv_timer_start(&s->kill_timer, on_kill, s->config->drain_ms + GRACE_MS, 0);
	stop_if_none_is_left(s);
}

static void
cut(struct supervisor *s)
{
	struct child *child;

	TAILQ_FOREACH(child, &s->children, entry)
	child_cut(child);
	uv_timer_start(&s->kill_timer, on_kill, GRACE_MS, 0);
}

static void
on_signal(uv_signal_t *handle, int number)
{
	struct supervisor *s = handle->data;

	if (number == SIGHUP && !s->stopping)
		reload(s);
	else if (number != SIGHUP && !s->stopping)
		drain(s);
	else if (number != SIGHUP)
		cut(s);
}

/* systemd hears from us as long as every worker has answered since the last time. */
static void
on_watchdog(uv_timer_t *timer)
{
	struct supervisor *s = timer->data;
	bool all_answered = true;
	struct child *child;

	TAILQ_FOREACH(child, &s->children, entry)
	{
		if (child->ping_unheard) {
			log_event(s->log, LOG_LEVEL_WARNING, NULL, "worker does not answer",
			    LOG_FIELDS(LOG_NUMBER("pid", (uint64_t) child_pid(child))));
			all_answered = false;
		} else {
			child_ping(child);
		}
	}
	if (all_answered)
		notify_send("WATCHDOG=1");
}

/* Workers close theirs themselves. */
static void
on_minute(uv_timer_t *timer)
{
	struct supervisor *s = timer->data;

	sockets_end_legacy(&s->sockets, (int64_t) time(NULL));
}

/* ---- the beginning ---- */

static int
start_handles(struct supervisor *s)
{
	uint64_t watchdog_ms = notify_watchdog_ms();
	int rc = 0;

	for (size_t i = 0; i < WORKERS_MAX; i++) {
		s->slots[i].supervisor = s;
		uv_timer_init(&s->loop, &s->slots[i].timer);
		s->slots[i].timer.data = &s->slots[i];
	}
	for (size_t i = 0; i < SIGNALS; i++) {
		uv_signal_init(&s->loop, &s->signals[i]);
		s->signals[i].data = s;
		rc |= uv_signal_start(&s->signals[i], on_signal, signal_numbers[i]);
	}
	signals_release();
	uv_timer_init(&s->loop, &s->kill_timer);
	uv_timer_init(&s->loop, &s->watchdog);
	uv_timer_init(&s->loop, &s->every_minute);
	s->kill_timer.data = s->watchdog.data = s->every_minute.data = s;
	rc |= uv_timer_start(&s->every_minute, on_minute, MINUTE_MS, MINUTE_MS);
	if (watchdog_ms > 0)
		rc |= uv_timer_start(&s->watchdog, on_watchdog, watchdog_ms, watchdog_ms);
	return rc == 0 ? 0 : ERR_NO_MEMORY;
}

/* All but the workers. Returns an exit status; E says what failed. */
static int
supervisor_start(
    struct supervisor *s, struct config *config, const char *text, size_t len, struct error *e)
{
	struct sockets next;

	if (state_directory_prepare(config->state_directory, e) != 0)
		return EX_CANTCREAT;
	if (start_handles(s) != 0 || config_seal(text, len, &s->config_fd) != 0) {
		error_set(e, ERR_NO_MEMORY, "no memory to start");
		return EX_OSERR;
	}
	if (census_new(&config->limits, &s->census, e) != 0 ||
	    gatekeeper_new(&s->gatekeeper, e) != 0 ||
	    ticket_keys_new(&s->ticket_keys, e) != 0 ||
	    sockets_prepare(&s->sockets, config, &next, e) != 0)
		return EX_OSERR;
	ticket_keys_start(s->ticket_keys, &s->loop, s->log);
	ticket_keys_rotate_every(s->ticket_keys, config->ticket_rotation_ms);
	sockets_commit(&s->sockets, &next, config, s->log);
	return 0;
}

static void
close_if_open(uv_handle_t *handle, void *arg)
{
	(void) arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void
supervisor_free(struct supervisor *s)
{
	uv_walk(&s->loop, close_if_open, NULL);
	uv_run(&s->loop, UV_RUN_DEFAULT);
	uv_loop_close(&s->loop);
	sockets_close(&s->sockets);
	if (s->config_fd >= 0)
		close(s->config_fd);
	census_free(s->census);
	gatekeeper_free(s->gatekeeper);
	ticket_keys_free(s->ticket_keys);
	config_unref(s->config);
	free(s);
}

int
supervisor_run(struct config *config, const char *text, size_t len, const char *config_file,
    struct sockets *sockets, struct log *log)
{
	struct supervisor *s;
	struct error e = { 0 };
	int status;

	if ((s = calloc(1, sizeof(*s))) == NULL || uv_loop_init(&s->loop) != 0) {
		free(s);
		return EX_OSERR;
	}
	TAILQ_INIT(&s->children);
	s->log = log;
	s->config_file = config_file;
	s->config = config_ref(config);
	s->config_fd = -1;
	s->sockets = *sockets;
	*sockets = (struct sockets){ 0 };
	if ((status = supervisor_start(s, config, text, len, &e)) != 0) {
		log_error(log, LOG_LEVEL_ERROR, NULL, "cannot start", &e, NULL);
	} else {
		s->announcement = ANNOUNCE_START;
		use_slots(s, config_worker_count(config));
		uv_run(&s->loop, UV_RUN_DEFAULT);
		log_event(log, LOG_LEVEL_INFO, NULL, "stopped", NULL);
	}
	supervisor_free(s);
	return status;
}
