/* journal.c - see journal.h. Fibers take turns, so that at most one thread of the pool is at work
 * here, or held by a slow disk, while the others look up host names. */
#include "gateway/journal.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "fiberio/fiber.h"
#include "gateway/database_place.h"
#include "gateway/journal_file.h"
#include "gateway/journal_row.h"
#include "gateway/journal_stamp.h"
#include "gateway/turn.h"

struct journal {
	struct journal_file *file;
	unsigned patience_ms;
	unsigned references; /* of the owner, and of each job: a cancelled fiber's outlives it */
	struct turn turn;
	bool was_empty; /* when its files looked so: */
	struct journal_stamp empty_stamp;
};

/* What the pool has to do. It may outlive the fiber that wants it, so it owns all that it needs. */
struct job {
	struct journal *journal;
	int (*work)(struct job *job);
	uint64_t deadline;
	char *upstream, *user, *mailbox; /* a maildrop; may be NULL */
	struct journal_entry entry;	 /* arguments, as far as WORK wants them */
	int rc;
	struct error error;
	struct journal_entry *entries; /* results */
	size_t count;
	bool empty;
	struct journal_stamp stamp;
};

static int
take_turn(struct journal *journal, struct error *e)
{
	int rc = turn_take(&journal->turn, fiber_deadline(journal->patience_ms));

	if (rc == ERR_TIMEOUT)
		rc = error_set(e, ERR_TEMPORARY,
		    "%s: others have kept it busy for too long; is the disk slow or the file "
		    "locked?",
		    journal_file_path(journal->file));
	return rc;
}

/* ---- jobs ---- */

static void
journal_unref(struct journal *journal)
{
	if (--journal->references > 0)
		return;
	journal_file_free(journal->file);
	free(journal);
}

static void
job_free(struct job *job)
{
	if (job == NULL)
		return;
	free(job->upstream);
	free(job->user);
	free(job->mailbox);
	journal_entry_clear(&job->entry);
	journal_entries_free(job->entries, job->count);
	journal_unref(job->journal);
	free(job);
}

static struct job *
job_new(struct journal *journal, int (*work)(struct job *job))
{
	struct job *job = calloc(1, sizeof(*job));

	if (job == NULL)
		return NULL;
	*job = (struct job){ .journal = journal, .work = work };
	job->deadline = database_clock() + journal->patience_ms;
	journal->references++;
	return job;
}

static int
job_set_key(struct job *job, const struct journal_key *key)
{
	job->upstream = strdup(key->upstream);
	job->user = strdup(key->user);
	job->mailbox = strdup(key->mailbox);
	if (job->upstream == NULL || job->user == NULL || job->mailbox == NULL)
		return ERR_NO_MEMORY;
	return 0;
}

static struct journal_key
job_key(const struct job *job)
{
	return (struct journal_key){ job->upstream, job->user, job->mailbox };
}

/* On a thread of the pool. */
static void
job_work(void *arg)
{
	struct job *job = arg;

	job->rc = job->work(job);
}

/* The fiber was cancelled. */
static void
job_discard(void *arg)
{
	struct job *job = arg;

	turn_pass(&job->journal->turn);
	job_free(job);
}

/* Does *JOB when its turn has come; it is the caller's still, with its results, or was left to the
 * pool and is NULL. Suspends. */
static int
job_run(struct job **job, struct error *e)
{
	struct journal *journal = (*job)->journal;
	int rc;

	if ((rc = take_turn(journal, e)) == ERR_CANCELLED)
		return error_set(e, rc, "the session is ended");
	if (rc != 0)
		return rc;
	if ((rc = fiber_offload(job_work, job_discard, *job)) == ERR_CANCELLED) {
		*job = NULL;
		return error_set(e, rc, "the session is ended");
	}
	turn_pass(&journal->turn);
	if (rc != 0)
		return error_set(e, rc, "no memory for the journal");
	if ((*job)->rc != 0)
		return error_set(e, (*job)->rc, "%s", (*job)->error.text);
	return 0;
}

/* ---- the journal ---- */

int
journal_open(const char *state_directory, struct journal **out)
{
	struct journal *journal = calloc(1, sizeof(*journal));

	if (journal == NULL)
		return ERR_NO_MEMORY;
	journal->references = 1;
	journal->patience_ms = JOURNAL_PATIENCE_MS;
	if (journal_file_new(state_directory, &journal->file) != 0) {
		free(journal);
		return ERR_NO_MEMORY;
	}
	*out = journal;
	return 0;
}

void
journal_set_patience(struct journal *journal, unsigned milliseconds)
{
	journal->patience_ms = milliseconds;
}

void
journal_close(struct journal *journal)
{
	if (journal != NULL)
		journal_unref(journal);
}

int
journal_check(struct journal *journal, struct error *e)
{
	return journal_file_check(journal->file, database_clock() + journal->patience_ms, e);
}

static int
do_begin(struct job *job)
{
	const struct journal_key key = job_key(job);

	return journal_file_insert(
	    job->journal->file, job->deadline, &key, &job->entry, &job->entry.id, &job->error);
}

static int
copy_entry(struct job *job, const struct journal_entry *entry)
{
	job->entry.uidvalidity = entry->uidvalidity;
	job->entry.task = entry->task;
	job->entry.begun = entry->begun;
	memcpy(job->entry.how, entry->how, sizeof(job->entry.how));
	if (uidset_add_set(&job->entry.ours, &entry->ours) != 0 ||
	    uidset_add_set(&job->entry.lifted, &entry->lifted) != 0)
		return ERR_NO_MEMORY;
	return uidset_intersect(&entry->flagged_before, &entry->ours, &job->entry.flagged_before);
}

int
journal_begin(struct journal *journal, const struct journal_key *key,
    const struct journal_entry *entry, int64_t *id, struct error *e)
{
	struct job *job = job_new(journal, do_begin);
	int rc;

	if (job == NULL || job_set_key(job, key) != 0 || copy_entry(job, entry) != 0)
		rc = error_set(e, ERR_NO_MEMORY, "no memory for the journal");
	else if ((rc = job_run(&job, e)) == 0)
		*id = job->entry.id;
	job_free(job);
	return rc;
}

static int
do_change(struct job *job)
{
	return journal_file_update(job->journal->file, job->deadline, job->entry.id,
	    job->entry.task, &job->entry.lifted, &job->error);
}

int
journal_change(struct journal *journal, int64_t id, enum journal_task task,
    const struct uidset *lifted, struct error *e)
{
	struct job *job = job_new(journal, do_change);
	int rc;

	if (job == NULL || uidset_add_set(&job->entry.lifted, lifted) != 0) {
		rc = error_set(e, ERR_NO_MEMORY, "no memory for the journal");
	} else {
		job->entry.id = id;
		job->entry.task = task;
		rc = job_run(&job, e);
	}
	job_free(job);
	return rc;
}

static int
do_end(struct job *job)
{
	return journal_file_delete(job->journal->file, job->deadline, job->entry.id, &job->error);
}

int
journal_end(struct journal *journal, int64_t id, struct error *e)
{
	struct job *job = job_new(journal, do_end);
	int rc;

	if (job == NULL)
		return error_set(e, ERR_NO_MEMORY, "no memory for the journal");
	job->entry.id = id;
	rc = job_run(&job, e);
	job_free(job);
	return rc;
}

static int
do_pending(struct job *job)
{
	const struct journal_key key = job_key(job);

	/* Before the look: what is written meanwhile must show. */
	journal_stamp_take(journal_file_path(job->journal->file), &job->stamp);
	return journal_file_select(job->journal->file, job->deadline, &key, &job->entries,
	    &job->count, &job->empty, &job->error);
}

/* Whether it was seen to be empty, and nobody has written since. */
static bool
is_empty(const struct journal *journal)
{
	struct journal_stamp now;

	if (!journal->was_empty)
		return false;
	journal_stamp_take(journal_file_path(journal->file), &now);
	return journal_stamp_same(&journal->empty_stamp, &now);
}

int
journal_pending(struct journal *journal, const struct journal_key *key,
    struct journal_entry **entries, size_t *count, struct error *e)
{
	struct job *job;
	int rc;

	*entries = NULL;
	*count = 0;
	if (is_empty(journal))
		return 0;
	job = job_new(journal, do_pending);
	if (job == NULL || job_set_key(job, key) != 0)
		rc = error_set(e, ERR_NO_MEMORY, "no memory for the journal");
	else
		rc = job_run(&job, e);
	if (rc == 0) {
		journal->was_empty = job->empty && job->stamp.settled;
		journal->empty_stamp = job->stamp;
	}
	if (job != NULL) { /* some may be readable where others are not */
		*entries = job->entries;
		*count = job->count;
		job->entries = NULL;
		job->count = 0;
	}
	job_free(job);
	return rc;
}

void
journal_entries_free(struct journal_entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++)
		journal_entry_clear(&entries[i]);
	free(entries);
}
