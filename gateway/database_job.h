/* database_job.h - what fibers want of a database, done on the thread pool.
 *
 * Fibers take turns at each open file, so that at most one thread of the pool is at work on it, or held
 * by a slow disk, while the others look up host names. A job may outlive the fiber that wants it, so it
 * owns all that it needs. Functions are for one loop's thread; but for database_job_run they do not
 * suspend. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "gateway/maildrop_key.h"
#include "gateway/turn.h"

/* Whose jobs they are. */
struct database_owner {
	const char *what;     /* for messages, e.g. "the journal" */
	unsigned patience_ms; /* how long a job waits in all for its turn and for other processes */
	unsigned references;  /* of whoever made it, 1, and of each job */
	void (*free)(struct database_owner *owner);
};

/* A file as one user of it has it open. */
struct database_lane {
	const char *path; /* for messages */
	struct turn turn;
};

/* Every job begins with this; what WORK is about comes behind it. */
struct database_job {
	struct database_owner *owner;
	struct database_lane *lane;
	int (*work)(void *job);	   /* on a thread of the pool; what is wrong goes to ERROR */
	void (*clear)(void *job);  /* frees what is behind */
	unsigned references;	   /* of whoever made it, and of the pool */
	uint64_t deadline;	   /* on database_clock */
	char *upstream, *user, *mailbox; /* a maildrop; may be NULL */
	int rc;
	struct error error;
};

/* One that has a job, or made OWNER, is done with it. */
void database_owner_unref(struct database_owner *owner);

/* Whether nobody is at work at LANE, nor will be before the running fiber suspends: it may itself use the
 * file meanwhile, if that is sure not to wait (database_at_once.h). */
bool database_lane_is_free(const struct database_lane *lane);

/* A job of SIZE octets, zeroed behind its struct database_job; NULL without memory. To be given to
 * database_job_end. */
void *database_job_new(struct database_owner *owner, struct database_lane *lane, size_t size,
    int (*work)(void *job), void (*clear)(void *job));

/* Copies KEY into JOB. Returns 0 or ERR_NO_MEMORY. */
int database_job_set_key(struct database_job *job, const struct maildrop_key *key);
struct maildrop_key database_job_key(const struct database_job *job);

/* Does JOB when its turn has come. RC: what became of making it; JOB may be NULL, and other than 0 is a
 * want of memory. Returns what its WORK returned; ERR_TEMPORARY where it had to wait for too long;
 * ERR_NO_MEMORY; or ERR_CANCELLED: then it may be done nevertheless, and must not be looked at. Texts are
 * in E. Suspends. */
int database_job_run(struct database_job *job, int rc, const struct database_owner *owner,
    struct error *e);

/* Nobody wants to know of JOB any more. NULL is allowed. */
void database_job_end(struct database_job *job);
