/* child.c - see child.h. */
#include "gateway/child.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static void
on_closed(uv_handle_t *handle)
{
	struct child *child = handle->data;

	if (--child->open_handles > 0)
		return;
	close(child->control);
	free(child);
}

static void
child_close(struct child *child)
{
	uv_close((uv_handle_t *) &child->process, on_closed);
	uv_close((uv_handle_t *) &child->poll, on_closed);
}

static void
on_ended(uv_process_t *process, int64_t status, int signal)
{
	struct child *child = process->data;

	supervisor_child_ended(child, (int) status, signal);
	child_close(child);
}

static void
hear(struct child *child, const struct control_message *message)
{
	switch (message->word) {
	case CONTROL_READY:
	case CONTROL_REFUSED:
		if (child->owed > 0)
			child->owed--;
		if (message->word == CONTROL_READY)
			supervisor_child_ready(child);
		else
			supervisor_child_refused(child);
		break;
	case CONTROL_PONG:
		child->ping_unheard = false;
		break;
	default:
		break;
	}
}

static void
on_control(uv_poll_t *poll, int status, int events)
{
	struct child *child = poll->data;
	struct control_message message;
	int rc = ERR_CLOSED;

	(void) events;
	while (status == 0 && (rc = control_receive(child->control, &message)) == 0) {
		hear(child, &message);
		control_discard(&message);
	}
	if (rc == ERR_CLOSED) /* it is ending, and on_ended will say how */
		uv_poll_stop(poll);
}

/* The process, with END as its control socket. The path leads to this very program, also after a
 * package has put another one in its place. */
static int
spawn(struct child *child, uv_loop_t *loop, const char *config_file, int end)
{
	char *arguments[] = { "popgate", "worker", "--config", (char *) config_file, NULL };
	uv_stdio_container_t stdio[CONTROL_FD + 1];
	const uv_process_options_t options = {
		.file = "/proc/self/exe",
		.args = arguments,
		.stdio = stdio,
		.stdio_count = CONTROL_FD + 1,
		.exit_cb = on_ended,
	};

	for (int fd = 0; fd < CONTROL_FD; fd++)
		stdio[fd] = (uv_stdio_container_t){ .flags = UV_INHERIT_FD, .data.fd = fd };
	stdio[CONTROL_FD] = (uv_stdio_container_t){ .flags = UV_INHERIT_FD, .data.fd = end };
	return uv_spawn(loop, &child->process, &options);
}

/* A child without a process yet. */
static struct child *
child_new(uv_loop_t *loop, int control)
{
	struct child *child;

	if ((child = calloc(1, sizeof(*child))) == NULL)
		return NULL;
	if (uv_poll_init(loop, &child->poll, control) != 0) {
		free(child);
		return NULL;
	}
	child->control = control;
	child->poll.data = child->process.data = child;
	child->open_handles = 2;
	return child;
}

int
child_start(struct supervisor *supervisor, uv_loop_t *loop, const char *config_file,
    const struct control_message *task, struct child **out, struct error *e)
{
	struct child *child;
	int ends[2], rc;

	if (control_pair(ends) != 0)
		return error_set(e, ERR_NO_MEMORY, "no socket pair for a worker");
	if ((child = child_new(loop, ends[0])) == NULL) {
		close(ends[0]);
		close(ends[1]);
		return error_set(e, ERR_NO_MEMORY, "no memory for a worker");
	}
	rc = spawn(child, loop, config_file, ends[1]);
	close(ends[1]);
	if (rc != 0 || uv_poll_start(&child->poll, UV_READABLE, on_control) != 0) {
		child_close(child); /* with the control socket, a worker that was begun ends */
		return error_set(e, ERR_PERMANENT, "%s", uv_strerror(rc));
	}
	child->supervisor = supervisor;
	child->number = task->worker;
	child_serve(child, task);
	*out = child;
	return 0;
}

void
child_serve(struct child *child, const struct control_message *task)
{
	if (child->retired || child->leaving)
		return;
	if (control_send(child->control, task) == 0)
		child->owed++;
	else
		child_kill(child);
}

void
child_retire(struct child *child)
{
	child->slot = NULL;
	if (child->retired || child->leaving)
		return;
	child->retired = true;
	if (control_say(child->control, CONTROL_RETIRE) != 0)
		uv_process_kill(&child->process, SIGTERM);
}

void
child_drain(struct child *child)
{
	child->slot = NULL;
	if (child->leaving)
		return;
	child->leaving = true;
	if (control_say(child->control, CONTROL_DRAIN) != 0)
		uv_process_kill(&child->process, SIGTERM);
}

void
child_cut(struct child *child)
{
	if (control_say(child->control, CONTROL_CUT) != 0)
		child_kill(child);
}

void
child_kill(struct child *child)
{
	uv_process_kill(&child->process, SIGKILL);
}

void
child_ping(struct child *child)
{
	if (control_say(child->control, CONTROL_PING) == 0 || !child->leaving)
		child->ping_unheard = true;
}

int
child_pid(const struct child *child)
{
	return uv_process_get_pid(&child->process);
}
