/* command_worker.c - "popgate worker": a process that a supervisor has started, and that does what
 * the supervisor says over the control socket. Not for people. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/failpoint.h"
#include "gateway/command.h"
#include "gateway/config_handover.h"
#include "gateway/config_tls.h"
#include "gateway/control.h"
#include "gateway/privacy.h"
#include "gateway/sandbox.h"
#include "gateway/ticket_keys.h"
#include "gateway/worker.h"

enum { SIGNALS = 3 };

struct employee {
	struct worker *worker;
	struct log *log;
	const char *config_file;
	struct sandbox *sandbox; /* what is open still; NULL: everything */
	struct ticket_keys *ticket_keys;
	uv_poll_t control;
	uv_signal_t signals[SIGNALS];
};

/* The configuration that came with MESSAGE, whose sockets are to fit. Returns 0 or an error. */
static int
load_config(const struct control_message *message, const char *config_file, struct config **out,
    struct error *e)
{
	struct config_report report = { 0 };
	struct config *config;
	int rc;

	rc = message->fd_count < CONTROL_FD_SOCKETS
		 ? ERR_INVALID
		 : config_load_sealed(
		       config_file, message->fds[CONTROL_FD_CONFIG], &config, &report);
	if (rc == 0 && !config_fit_sockets(config, message->fd_count - CONTROL_FD_SOCKETS)) {
		config_unref(config);
		rc = ERR_INVALID;
	}
	if (rc == 0)
		*out = config;
	else if (report.count > 0) /* the supervisor found none: a file has changed since */
		error_set(e, rc, "%s", report.remarks[0].text);
	else
		error_set(e, rc, "the configuration cannot be used");
	config_report_clear(&report);
	return rc;
}

/* ---- sandbox ---- */

/* What CONFIG takes, in *OUT; NULL where there is to be no sandbox. */
static int
plan_sandbox(const struct employee *employee, const struct config *config, struct sandbox **out)
{
	*out = NULL;
	if (!config->sandbox || !SANDBOX_FITS_BUILD)
		return 0;
	return sandbox_plan(config, employee->config_file, out);
}

static void
log_open(struct employee *employee, const char *what, const struct error *e)
{
	log_error(employee->log, LOG_LEVEL_WARNING, NULL, what, e, NULL);
}

/* Before there are threads. Who cannot be locked in serves all the same, and says so. */
static void
close_files(struct employee *employee, const struct config *config)
{
	enum sandbox_reach reach;
	struct error e = { 0 };

	if (plan_sandbox(employee, config, &employee->sandbox) != 0 || employee->sandbox == NULL) {
		error_set(&e, ERR_PERMANENT, "%s",
		    config->sandbox ? "this build is for tests" : "sandbox = no");
		log_open(employee, "worker runs without a sandbox", &e);
		return;
	}
	if (sandbox_close_files(employee->sandbox, &reach, &e) != 0)
		log_open(employee, "files and ports stay open to workers", &e);
	else if (reach == SANDBOX_NOTHING)
		log_open(employee,
		    "files and ports stay open to workers: the kernel has no Landlock", NULL);
	else if (reach == SANDBOX_FILES)
		log_event(employee->log, LOG_LEVEL_INFO, NULL,
		    "ports stay open to workers: that takes Linux 6.7", NULL);
}

/* When all threads run. */
static void
close_calls(struct employee *employee)
{
	struct error e = { 0 };

	if (employee->sandbox != NULL && sandbox_close_calls(&e) != 0)
		log_open(employee, "all system calls stay open to workers", &e);
}

/* Whether what is open to us is enough for CONFIG, and no more than it wants. */
static int
check_sandbox(const struct employee *employee, const struct config *config, struct error *e)
{
	struct sandbox *wanted;
	bool fits;

	if (plan_sandbox(employee, config, &wanted) != 0)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	fits = employee->sandbox == NULL ? wanted == NULL
					 : wanted != NULL && sandbox_covers(employee->sandbox, wanted);
	sandbox_free(wanted);
	return fits ? 0 : error_set(e, ERR_PERMANENT, "its sandbox is for other files or ports");
}

/* CONTROL_SERVE to a worker that serves already. */
static void
take_config(struct employee *employee, const struct control_message *message)
{
	struct worker_task task = {
		.sockets = message->fds + CONTROL_FD_SOCKETS,
		.workers = message->workers,
		.tickets = ticket_keys_tickets(employee->ticket_keys),
	};
	struct error e = { 0 };
	int rc;

	rc = load_config(message, employee->config_file, &task.config, &e);
	if (rc == 0) {
		if ((rc = check_sandbox(employee, task.config, &e)) == 0)
			rc = worker_take(employee->worker, &task, &e);
		config_unref(task.config);
	}
	if (rc != 0)
		log_error(employee->log, LOG_LEVEL_ERROR, NULL,
		    "worker cannot take the configuration", &e, NULL);
	control_say(CONTROL_FD, rc == 0 ? CONTROL_READY : CONTROL_REFUSED);
}

static void
obey(struct employee *employee, const struct control_message *message)
{
	switch (message->word) {
	case CONTROL_SERVE:
		take_config(employee, message);
		break;
	case CONTROL_RETIRE:
		worker_retire(employee->worker);
		break;
	case CONTROL_DRAIN:
		worker_drain(employee->worker);
		break;
	case CONTROL_CUT:
		worker_cut(employee->worker, "second signal");
		break;
	case CONTROL_PING:
		control_say(CONTROL_FD, CONTROL_PONG);
		break;
	default:
		break;
	}
}

/* Without a supervisor nobody could stop us, or count our sessions out if we crash. */
static void
supervisor_is_gone(struct employee *employee)
{
	uv_poll_stop(&employee->control);
	log_event(employee->log, LOG_LEVEL_ERROR, NULL, "supervisor is gone, worker stops", NULL);
	worker_drain(employee->worker);
}

static void
on_control(uv_poll_t *poll, int status, int events)
{
	struct employee *employee = poll->data;
	struct control_message message;
	int rc;

	(void) events;
	if (status < 0) {
		supervisor_is_gone(employee);
		return;
	}
	while ((rc = control_receive(CONTROL_FD, &message)) == 0) {
		obey(employee, &message);
		control_discard(&message);
	}
	if (rc == ERR_CLOSED)
		supervisor_is_gone(employee);
}

/* SIGTERM to a worker ends it gracefully, and the supervisor starts another. What a terminal sends
 * to all processes of a group is the supervisor's to hear. */
static void
on_signal(uv_signal_t *handle, int number)
{
	struct employee *employee = handle->data;

	if (number == SIGTERM)
		worker_drain(employee->worker);
}

static int
start_handles(struct employee *employee)
{
	static const int numbers[SIGNALS] = { SIGTERM, SIGINT, SIGHUP };
	uv_loop_t *loop = &employee->worker->loop;
	int rc;

	if (uv_poll_init(loop, &employee->control, CONTROL_FD) != 0)
		return ERR_NO_MEMORY;
	employee->control.data = employee;
	rc = uv_poll_start(&employee->control, UV_READABLE, on_control);
	for (size_t i = 0; i < SIGNALS; i++) {
		uv_signal_init(loop, &employee->signals[i]);
		employee->signals[i].data = employee;
		rc |= uv_signal_start(&employee->signals[i], on_signal, numbers[i]);
	}
	return rc;
}

static void
close_handles(struct employee *employee)
{
	uv_close((uv_handle_t *) &employee->control, NULL);
	for (size_t i = 0; i < SIGNALS; i++)
		uv_close((uv_handle_t *) &employee->signals[i], NULL);
}

/* What all workers have in common, by the descriptors of MESSAGE. */
static int
attach(struct employee *employee, struct control_message *message, struct census **census,
    struct gatekeeper **gatekeeper)
{
	int rc;

	rc = ticket_keys_attach(message->fds[CONTROL_FD_TICKETS], &employee->ticket_keys);
	message->fds[CONTROL_FD_TICKETS] = -1;
	if (rc != 0)
		return rc;
	rc = census_attach(message->fds[CONTROL_FD_CENSUS], message->worker, census);
	message->fds[CONTROL_FD_CENSUS] = -1;
	if (rc != 0)
		return rc;
	rc = gatekeeper_attach(message->fds[CONTROL_FD_GATEKEEPER], gatekeeper);
	message->fds[CONTROL_FD_GATEKEEPER] = -1;
	if (rc != 0)
		census_free(*census);
	return rc;
}

/* Serves what the first MESSAGE says, until told to stop. Returns an exit status. */
static int
work(struct employee *employee, struct control_message *message, struct config *config)
{
	struct worker_task task = {
		.config = config,
		.sockets = message->fds + CONTROL_FD_SOCKETS,
		.workers = message->workers,
	};
	struct census *census;
	struct gatekeeper *gatekeeper;
	int status;

	if (FAILPOINT("worker.start") != 0)
		return EX_SOFTWARE;
	if (attach(employee, message, &census, &gatekeeper) != 0)
		return EX_OSERR;
	task.tickets = ticket_keys_tickets(employee->ticket_keys);
	status = worker_new(employee->log, census, gatekeeper, &task, &employee->worker);
	control_discard(message);
	if (status != 0)
		return status;
	if (start_handles(employee) != 0) {
		status = EX_OSERR;
	} else {
		close_calls(employee);
		control_say(CONTROL_FD, CONTROL_READY);
		worker_run(employee->worker);
		close_handles(employee);
	}
	worker_free(employee->worker);
	return status;
}

/* Reads the configuration of MESSAGE and works by it. */
static int
begin(struct employee *employee, struct control_message *message)
{
	struct config *config;
	struct error e = { 0 };
	int status;

	if (load_config(message, employee->config_file, &config, &e) != 0) {
		/* Where the log goes is not known. */
		fprintf(stderr, "popgate worker: %s: %s\n", employee->config_file, e.text);
		return EX_CONFIG;
	}
	if (log_new(&config->log, &employee->log) != 0) {
		config_unref(config);
		return EX_OSERR;
	}
	close_files(employee, config);
	status = work(employee, message, config);
	config_unref(config);
	ticket_keys_free(employee->ticket_keys);
	sandbox_free(employee->sandbox);
	log_free(employee->log);
	return status;
}

int
command_worker(const struct command_line *line)
{
	struct employee employee = { .config_file = line->config };
	struct control_message message;
	int status;

	if (!control_is_end(CONTROL_FD)) {
		fprintf(stderr, "popgate worker: is started by \"popgate serve\", not by hand\n");
		return EX_USAGE;
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error, not the end */
	prctl(PR_SET_NAME, "popgate"); /* it was executed as /proc/self/exe */
	privacy_begin();
	control_wait(CONTROL_FD);
	if (control_receive(CONTROL_FD, &message) != 0)
		return EX_UNAVAILABLE; /* the supervisor has gone meanwhile */
	status = message.word == CONTROL_SERVE ? begin(&employee, &message) : EX_PROTOCOL;
	control_discard(&message);
	return status;
}
