/* database_job.c - see database_job.h. */
#include "gateway/database_job.h"

#include <stdlib.h>
#include <string.h>

#include "fiberio/fiber.h"
#include "gateway/database_place.h"

void
database_owner_unref(struct database_owner *owner)
{
	if (--owner->references == 0)
		owner->free(owner);
}

bool
database_lane_is_free(const struct database_lane *lane)
{
	return !lane->turn.taken;
}

void *
database_job_new(struct database_owner *owner, struct database_lane *lane, size_t size,
    int (*work)(void *job), void (*clear)(void *job))
{
	struct database_job *job = calloc(1, size);

	if (job == NULL)
		return NULL;
	job->owner = owner;
	job->lane = lane;
	job->work = work;
	job->clear = clear;
	job->references = 1;
	job->deadline = database_clock() + owner->patience_ms;
	owner->references++;
	return job;
}

int
database_job_set_key(struct database_job *job, const struct maildrop_key *key)
{
	job->upstream = strdup(key->upstream);
	job->user = strdup(key->user);
	job->mailbox = strdup(key->mailbox);
	if (job->upstream == NULL || job->user == NULL || job->mailbox == NULL)
		return ERR_NO_MEMORY;
	return 0;
}

struct maildrop_key
database_job_key(const struct database_job *job)
{
	return (struct maildrop_key){ job->upstream, job->user, job->mailbox };
}

void
database_job_end(struct database_job *job)
{
	if (job == NULL || --job->references > 0)
		return;
	job->clear(job);
	free(job->upstream);
	free(job->user);
	free(job->mailbox);
	database_owner_unref(job->owner);
	free(job);
}

/* On a thread of the pool. */
static void
work(void *arg)
{
	struct database_job *job = arg;

	job->rc = job->work(job);
}

/* The fiber was cancelled. */
static void
discard(void *arg)
{
	struct database_job *job = arg;

	turn_pass(&job->lane->turn);
	database_job_end(job);
}

static int
cancelled(struct error *e)
{
	return error_set(e, ERR_CANCELLED, "the session is ended");
}

static int
no_memory(const struct database_owner *owner, struct error *e)
{
	return error_set(e, ERR_NO_MEMORY, "no memory for %s", owner->what);
}

int
database_job_run(struct database_job *job, int rc, const struct database_owner *owner,
    struct error *e)
{
	if (job == NULL || rc != 0)
		return no_memory(owner, e);
	rc = turn_take(&job->lane->turn, fiber_deadline(owner->patience_ms));
	if (rc == ERR_CANCELLED)
		return cancelled(e);
	if (rc != 0)
		return error_set(e, ERR_TEMPORARY,
		    "%s: others have kept it busy for too long; is the disk slow or the file "
		    "locked?",
		    job->lane->path);
	job->references++;
	if ((rc = fiber_offload(work, discard, job)) == ERR_CANCELLED)
		return cancelled(e);
	job->references--;
	turn_pass(&job->lane->turn);
	if (rc != 0)
		return no_memory(owner, e);
	return job->rc == 0 ? 0 : error_set(e, job->rc, "%s", job->error.text);
}
