/* journal.c - see journal.h. */
#include "gateway/journal.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/database_at_once.h"
#include "gateway/database_job.h"
#include "gateway/database_place.h"
#include "gateway/journal_file.h"
#include "gateway/journal_row.h"
#include "gateway/journal_stamp.h"

struct journal {
	struct database_owner owner; /* is first */
	struct journal_file *file;
	struct database_lane lane;
	bool was_empty; /* when its files looked so: */
	struct journal_stamp empty_stamp;
};

struct job {
	struct database_job base;
	struct journal_file *file;
	struct journal_entry entry; /* arguments, as far as the work wants them */
	struct journal_entry *entries; /* results */
	size_t count;
	bool empty;
	struct journal_stamp stamp;
};

/* ---- jobs ---- */

static void
journal_free(struct database_owner *owner)
{
	struct journal *journal = (struct journal *) owner;

	journal_file_free(journal->file);
	free(journal);
}

static void
job_clear(void *arg)
{
	struct job *job = arg;

	journal_entry_clear(&job->entry);
	journal_entries_free(job->entries, job->count);
}

static struct job *
job_new(struct journal *journal, int (*work)(void *job))
{
	struct job *job = database_job_new(
	    &journal->owner, &journal->lane, sizeof(*job), work, job_clear);

	if (job != NULL)
		job->file = journal->file;
	return job;
}

static int
job_run(struct journal *journal, struct job *job, int rc, struct error *e)
{
	return database_job_run(job != NULL ? &job->base : NULL, rc, &journal->owner, e);
}

static void
job_end(struct job *job)
{
	database_job_end(job != NULL ? &job->base : NULL);
}

/* ---- the journal ---- */

int
journal_open(const char *state_directory, struct journal **out)
{
	struct journal *journal = calloc(1, sizeof(*journal));

	if (journal == NULL)
		return ERR_NO_MEMORY;
	journal->owner = (struct database_owner){ .what = "the journal",
		.patience_ms = JOURNAL_PATIENCE_MS,
		.references = 1,
		.free = journal_free };
	if (journal_file_new(state_directory, &journal->file) != 0) {
		free(journal);
		return ERR_NO_MEMORY;
	}
	journal->lane.path = journal_file_path(journal->file);
	*out = journal;
	return 0;
}

void
journal_set_patience(struct journal *journal, unsigned milliseconds)
{
	journal->owner.patience_ms = milliseconds;
}

void
journal_close(struct journal *journal)
{
	if (journal != NULL)
		database_owner_unref(&journal->owner);
}

int
journal_check(struct journal *journal, struct error *e)
{
	return journal_file_check(journal->file, database_clock() + journal->owner.patience_ms, e);
}

static int
do_begin(void *arg)
{
	struct job *job = arg;
	const struct maildrop_key key = database_job_key(&job->base);

	return journal_file_insert(
	    job->file, job->base.deadline, &key, &job->entry, &job->entry.id, &job->base.error);
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
journal_begin(struct journal *journal, const struct maildrop_key *key,
    const struct journal_entry *entry, int64_t *id, struct error *e)
{
	struct job *job = job_new(journal, do_begin);
	int rc = 0;

	if (job != NULL && (rc = database_job_set_key(&job->base, key)) == 0)
		rc = copy_entry(job, entry);
	if ((rc = job_run(journal, job, rc, e)) == 0)
		*id = job->entry.id;
	job_end(job);
	return rc;
}

static int
do_change(void *arg)
{
	struct job *job = arg;

	return journal_file_update(job->file, job->base.deadline, job->entry.id,
	    job->entry.task, &job->entry.lifted, &job->base.error);
}

int
journal_change(struct journal *journal, int64_t id, enum journal_task task,
    const struct uidset *lifted, struct error *e)
{
	struct job *job = job_new(journal, do_change);
	int rc = 0;

	if (job != NULL) {
		job->entry.id = id;
		job->entry.task = task;
		rc = uidset_add_set(&job->entry.lifted, lifted);
	}
	rc = job_run(journal, job, rc, e);
	job_end(job);
	return rc;
}

static int
do_end(void *arg)
{
	struct job *job = arg;

	return journal_file_delete(job->file, job->base.deadline, job->entry.id, &job->base.error);
}

int
journal_end(struct journal *journal, int64_t id, struct error *e)
{
	struct job *job = job_new(journal, do_end);
	int rc;

	if (job != NULL)
		job->entry.id = id;
	rc = job_run(journal, job, 0, e);
	job_end(job);
	return rc;
}

static int
do_pending(void *arg)
{
	struct job *job = arg;
	const struct maildrop_key key = database_job_key(&job->base);

	/* Before the look: what is written meanwhile must show. */
	journal_stamp_take(journal_file_path(job->file), &job->stamp);
	return journal_file_select(job->file, job->base.deadline, &key, &job->entries,
	    &job->count, &job->empty, &job->base.error);
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

static void
note_whether_empty(struct journal *journal, bool empty, const struct journal_stamp *stamp)
{
	journal->was_empty = empty && stamp->settled;
	journal->empty_stamp = *stamp;
}

static bool
pending_at_once(struct journal *journal, const struct maildrop_key *key,
    struct journal_entry **entries, size_t *count)
{
	struct journal_stamp stamp;
	bool empty;
	int rc;

	if (!database_lane_is_free(&journal->lane))
		return false;
	journal_stamp_take(journal_file_path(journal->file), &stamp);
	rc = journal_file_select(
	    journal->file, DATABASE_AT_ONCE, key, entries, count, &empty, NULL);
	database_reads_wait();
	if (rc != 0) {
		journal_entries_free(*entries, *count);
		*entries = NULL;
		*count = 0;
		return false;
	}
	note_whether_empty(journal, empty, &stamp);
	return true;
}

int
journal_pending(struct journal *journal, const struct maildrop_key *key,
    struct journal_entry **entries, size_t *count, struct error *e)
{
	struct job *job;
	int rc = 0;

	*entries = NULL;
	*count = 0;
	if (is_empty(journal) || pending_at_once(journal, key, entries, count))
		return 0;
	if ((job = job_new(journal, do_pending)) != NULL)
		rc = database_job_set_key(&job->base, key);
	rc = job_run(journal, job, rc, e);
	if (rc == 0)
		note_whether_empty(journal, job->empty, &job->stamp);
	/* Some may be readable where others are not. */
	if (job != NULL && rc != ERR_CANCELLED) {
		*entries = job->entries;
		*count = job->count;
		job->entries = NULL;
		job->count = 0;
	}
	job_end(job);
	return rc;
}

void
journal_entries_free(struct journal_entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++)
		journal_entry_clear(&entries[i]);
	free(entries);
}
