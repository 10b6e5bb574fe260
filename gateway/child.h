/* child.h - one worker process, as its supervisor sees it: started, spoken to, and ended. Which are
 * wanted, and what follows from an end, is supervisor.c. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <uv.h>

#include "gateway/control.h"

struct child;
struct supervisor;
struct slot;

TAILQ_HEAD(children, child);

struct child {
	TAILQ_ENTRY(child) entry;
	struct supervisor *supervisor;
	struct slot *slot; /* the place that it fills; NULL: nobody is to follow it */
	uint32_t number;   /* of all workers that there ever were */
	unsigned owed;	   /* answers to CONTROL_SERVE that are due */
	bool ping_unheard; /* a CONTROL_PING has not been answered */
	bool retired;	   /* it was told to end with its last session, */
	bool leaving;	   /* or to end */
	int control;
	uv_process_t process;
	uv_poll_t poll;
	unsigned open_handles;
};

/* Starts a worker that reads its configuration as CONFIG_FILE and does what TASK says. It has no
 * slot yet. Returns 0, ERR_NO_MEMORY, or ERR_PERMANENT: it cannot be started. */
int child_start(struct supervisor *supervisor, uv_loop_t *loop, const char *config_file,
    const struct control_message *task, struct child **out, struct error *e);

/* Hands TASK to it. A worker that cannot hear is ended. */
void child_serve(struct child *child, const struct control_message *task);

/* Asks it to end with its last session, whenever that will be, and takes it out of its slot. */
void child_retire(struct child *child);

/* Asks it to end gracefully, once, and takes it out of its slot. */
void child_drain(struct child *child);

/* Asks it to end at once. */
void child_cut(struct child *child);

/* Ends it without asking. */
void child_kill(struct child *child);

void child_ping(struct child *child);

int child_pid(const struct child *child);

/* Called by child.c, implemented by supervisor.c: the answer to CONTROL_SERVE has come, ... */
void supervisor_child_ready(struct child *child);
void supervisor_child_refused(struct child *child);

/* ... it has ended, by SIGNAL unless that is 0. CHILD is freed afterwards. */
void supervisor_child_ended(struct child *child, int status, int signal);
