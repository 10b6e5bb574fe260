/* ledger.c - see ledger.h. Work goes to the thread pool, at most one job that reads and one that
 * writes at a time: a slow disk holds up those that write, and nobody's reading. */
#include "gateway/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "fiberio/fiber.h"
#include "gateway/ledger_file.h"
#include "gateway/ledger_write.h"
#include "gateway/turn.h"

/* The file as one user of it has it open. */
struct lane {
	struct ledger_file *file;
	struct turn turn;
};

struct ledger {
	struct lane reading, writing;
	unsigned patience_ms;
	unsigned references; /* of the owner, and of each job: a cancelled fiber's outlives it */
};

/* What the pool has to do. It may outlive the fiber that wants it, so it owns all that it needs. */
struct job {
	struct ledger *ledger;
	struct lane *lane;
	int (*work)(struct job *job);
	uint64_t deadline;
	int rc;
	struct error error;

	/* Arguments and results, as far as WORK wants them. */
	char *upstream, *user, *mailbox, *account, *name, *value;
	uint32_t uidvalidity;
	int64_t id;
	struct uidl_book *book;
	struct ledger_maildrop found;
	struct ledger_writing *writing;
	struct ledger_row *rows;
	size_t row_count;
	enum ledger_source source;
	struct ledger_imported imported;
	struct ledger_seen_list list;
	struct ledger_difference *difference;
	uint64_t so_far;
	int (*foreign)(struct sqlite3 *db, void *arg, struct error *e);
	void (*discard)(void *arg);
	void *arg;
};

/* ---- jobs ---- */

static void
ledger_unref(struct ledger *ledger)
{
	if (--ledger->references > 0)
		return;
	ledger_file_free(ledger->reading.file);
	ledger_file_free(ledger->writing.file);
	free(ledger);
}

static void
rows_free(struct ledger_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free((char *) rows[i].uidl);
	free(rows);
}

static void
job_free(struct job *job)
{
	char **texts[] = { &job->upstream, &job->user, &job->mailbox, &job->account, &job->name,
		&job->value };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		free(*texts[i]);
	uidl_book_free(job->book);
	ledger_writing_free(job->writing);
	rows_free(job->rows, job->row_count);
	ledger_seen_clear(&job->list);
	free(job->difference);
	ledger_unref(job->ledger);
	free(job);
}

static struct job *
job_new(struct ledger *ledger, struct lane *lane, int (*work)(struct job *job))
{
	struct job *job = calloc(1, sizeof(*job));

	if (job == NULL)
		return NULL;
	job->ledger = ledger;
	job->lane = lane;
	job->work = work;
	job->deadline = database_clock() + ledger->patience_ms;
	ledger->references++;
	return job;
}

/* Copies of those that are not NULL. */
static int
job_set_texts(struct job *job, const struct ledger_key *key, const char *account,
    const char *name, const char *value)
{
	const struct {
		char **to;
		const char *from;
	} texts[] = {
		{ &job->upstream, key != NULL ? key->upstream : NULL },
		{ &job->user, key != NULL ? key->user : NULL },
		{ &job->mailbox, key != NULL ? key->mailbox : NULL },
		{ &job->account, account },
		{ &job->name, name },
		{ &job->value, value },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].from != NULL && (*texts[i].to = strdup(texts[i].from)) == NULL)
			return ERR_NO_MEMORY;
	return 0;
}

static struct ledger_key
job_key(const struct job *job)
{
	return (struct ledger_key){ job->upstream, job->user, job->mailbox };
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

	turn_pass(&job->lane->turn);
	if (job->discard != NULL)
		job->discard(job->arg);
	job_free(job);
}

/* Does *JOB when its turn has come; it is the caller's still, with its results, or was left to the
 * pool and is NULL. Suspends. */
static int
job_run(struct job **job, struct error *e)
{
	struct lane *lane = (*job)->lane;
	int rc = turn_take(&lane->turn, fiber_deadline((*job)->ledger->patience_ms));

	if (rc == ERR_CANCELLED)
		return error_set(e, rc, "the session is ended");
	if (rc != 0)
		return error_set(e, ERR_TEMPORARY,
		    "%s: others have kept it busy for too long; is the disk slow or the file "
		    "locked?",
		    ledger_file_path(lane->file));
	if ((rc = fiber_offload(job_work, job_discard, *job)) == ERR_CANCELLED) {
		*job = NULL;
		return error_set(e, rc, "the session is ended");
	}
	turn_pass(&lane->turn);
	if (rc != 0)
		return error_set(e, rc, "no memory for the state store");
	return (*job)->rc == 0 ? 0 : error_set(e, (*job)->rc, "%s", (*job)->error.text);
}

static int
no_memory(struct error *e)
{
	return error_set(e, ERR_NO_MEMORY, "no memory for the state store");
}

/* As job_run for a job that may be incomplete for want of memory: RC. */
static int
job_try(struct job **job, int rc, struct error *e)
{
	if (*job == NULL || rc != 0)
		return no_memory(e);
	return job_run(job, e);
}

static void
job_end(struct job *job)
{
	if (job != NULL)
		job_free(job);
}

/* ---- the ledger ---- */

int
ledger_open(const char *state_directory, struct ledger **out)
{
	struct ledger *ledger = calloc(1, sizeof(*ledger));

	if (ledger == NULL)
		return ERR_NO_MEMORY;
	ledger->references = 1;
	ledger->patience_ms = LEDGER_PATIENCE_MS;
	if (ledger_file_new(state_directory, &ledger->reading.file) != 0 ||
	    ledger_file_new(state_directory, &ledger->writing.file) != 0) {
		ledger_unref(ledger);
		return ERR_NO_MEMORY;
	}
	*out = ledger;
	return 0;
}

void
ledger_set_patience(struct ledger *ledger, unsigned milliseconds)
{
	ledger->patience_ms = milliseconds;
}

void
ledger_close(struct ledger *ledger)
{
	if (ledger != NULL)
		ledger_unref(ledger);
}

int
ledger_check(struct ledger *ledger, struct error *e)
{
	return ledger_file_check(
	    ledger->writing.file, database_clock() + ledger->patience_ms, e);
}

/* ---- reading ---- */

static int
do_load(struct job *job)
{
	const struct ledger_key key = job_key(job);

	return ledger_file_load(job->lane->file, job->deadline, &key, job->uidvalidity,
	    job->account, job->book, &job->found, &job->error);
}

int
ledger_load(struct ledger *ledger, const struct ledger_key *key, uint32_t uidvalidity,
    const char *account, struct uidl_book *book, struct ledger_maildrop *out, struct error *e)
{
	struct job *job = job_new(ledger, &ledger->reading, do_load);
	int rc = 0;

	if (job != NULL) {
		job->uidvalidity = uidvalidity;
		rc = job_set_texts(job, key, account, NULL, NULL);
		if (rc == 0)
			rc = uidl_book_new(&job->book);
	}
	if ((rc = job_try(&job, rc, e)) == 0) {
		uidl_book_swap(book, job->book);
		*out = job->found;
	}
	job_end(job);
	return rc;
}

static int
do_last_seen(struct job *job)
{
	return ledger_file_last_seen(
	    job->lane->file, job->deadline, job->account, &job->list, &job->error);
}

static int
do_seen_of(struct job *job)
{
	return ledger_file_seen_of(
	    job->lane->file, job->deadline, job->id, &job->list, &job->error);
}

/* Runs JOB, RC being what became of making it; its list becomes OUT. */
static int
run_for_list(struct job *job, int rc, struct ledger_seen_list *out, struct error *e)
{
	*out = (struct ledger_seen_list){ 0 };
	if ((rc = job_try(&job, rc, e)) == 0) {
		*out = job->list;
		job->list = (struct ledger_seen_list){ 0 };
	}
	job_end(job);
	return rc;
}

int
ledger_last_seen(
    struct ledger *ledger, const char *account, struct ledger_seen_list *out, struct error *e)
{
	struct job *job = job_new(ledger, &ledger->reading, do_last_seen);

	return run_for_list(
	    job, job != NULL ? job_set_texts(job, NULL, account, NULL, NULL) : 0, out, e);
}

int
ledger_seen_of(struct ledger *ledger, int64_t id, struct ledger_seen_list *out, struct error *e)
{
	struct job *job = job_new(ledger, &ledger->reading, do_seen_of);

	if (job != NULL)
		job->id = id;
	return run_for_list(job, 0, out, e);
}

static int
do_account_get(struct job *job)
{
	return ledger_file_account_get(job->lane->file, job->deadline, job->account, job->name,
	    &job->value, &job->error);
}

int
ledger_account_get(struct ledger *ledger, const char *account, const char *name, char **value,
    struct error *e)
{
	struct job *job = job_new(ledger, &ledger->reading, do_account_get);
	int rc;

	*value = NULL;
	rc = job != NULL ? job_set_texts(job, NULL, account, name, NULL) : 0;
	if ((rc = job_try(&job, rc, e)) == 0) {
		*value = job->value;
		job->value = NULL;
	}
	job_end(job);
	return rc;
}

/* ---- writing ---- */

static int
do_write(struct job *job)
{
	return ledger_file_write(job->lane->file, job->deadline, job->writing, &job->error);
}

static int
write_parts(struct ledger *ledger, const char *account, struct ledger_part *parts, size_t count,
    bool without_marked, struct error *e)
{
	struct ledger_writing *writing;
	struct job *job;
	int rc;

	if (ledger_writing_new(account, parts, count, without_marked, &writing) != 0)
		return no_memory(e);
	if (writing == NULL)
		return 0;
	if ((job = job_new(ledger, &ledger->writing, do_write)) == NULL) {
		ledger_writing_free(writing);
		return no_memory(e);
	}
	job->writing = writing;
	if ((rc = job_run(&job, e)) == 0)
		ledger_writing_found(job->writing, parts);
	job_end(job);
	return rc;
}

int
ledger_show(struct ledger *ledger, const char *account, struct ledger_part *parts, size_t count,
    struct error *e)
{
	return write_parts(ledger, account, parts, count, false, e);
}

int
ledger_removed(struct ledger *ledger, const char *account, struct ledger_part *parts,
    size_t count, struct error *e)
{
	return write_parts(ledger, account, parts, count, true, e);
}

static int
do_import(struct job *job)
{
	const struct ledger_key key = job_key(job);

	return ledger_file_import(job->lane->file, job->deadline, &key, job->uidvalidity,
	    job->rows, job->row_count, job->source, &job->imported, &job->error);
}

static int
copy_rows(struct job *job, const struct ledger_row *rows, size_t count)
{
	if ((job->rows = calloc(count + 1, sizeof(*job->rows))) == NULL)
		return ERR_NO_MEMORY;
	for (; job->row_count < count; job->row_count++) {
		struct ledger_row *row = &job->rows[job->row_count];

		row->uid = rows[job->row_count].uid;
		if ((row->uidl = strdup(rows[job->row_count].uidl)) == NULL)
			return ERR_NO_MEMORY;
	}
	return 0;
}

int
ledger_import(struct ledger *ledger, const struct ledger_key *key, uint32_t uidvalidity,
    const struct ledger_row *rows, size_t count, enum ledger_source source,
    struct ledger_imported *out, struct error *e)
{
	struct job *job = job_new(ledger, &ledger->writing, do_import);
	int rc = 0;

	if (job != NULL) {
		job->uidvalidity = uidvalidity;
		job->source = source;
		rc = job_set_texts(job, key, NULL, NULL, NULL);
		if (rc == 0)
			rc = copy_rows(job, rows, count);
	}
	if ((rc = job_try(&job, rc, e)) == 0)
		*out = job->imported;
	job_end(job);
	return rc;
}

static int
do_saw_elsewhere(struct job *job)
{
	const struct ledger_key key = job_key(job);

	return ledger_file_saw_elsewhere(job->lane->file, job->deadline, job->account, &key,
	    job->list.items, job->list.count, &job->error);
}

int
ledger_saw_elsewhere(struct ledger *ledger, const char *account, const struct ledger_key *key,
    const struct ledger_seen *items, size_t count, struct error *e)
{
	struct job *job = job_new(ledger, &ledger->writing, do_saw_elsewhere);
	int rc = 0;

	if (job != NULL)
		rc = job_set_texts(job, key, account, NULL, NULL);
	for (size_t i = 0; i < count && job != NULL && rc == 0; i++)
		rc = ledger_seen_add(&job->list, items[i].uid, items[i].size, items[i].uidl);
	rc = job_try(&job, rc, e);
	job_end(job);
	return rc;
}

static int
do_account_set(struct job *job)
{
	return ledger_file_account_set(job->lane->file, job->deadline, job->account, job->name,
	    job->value, &job->error);
}

int
ledger_account_set(struct ledger *ledger, const char *account, const char *name,
    const char *value, struct error *e)
{
	struct job *job = job_new(ledger, &ledger->writing, do_account_set);
	int rc;

	rc = job != NULL ? job_set_texts(job, NULL, account, name, value) : 0;
	rc = job_try(&job, rc, e);
	job_end(job);
	return rc;
}

static int
do_stopped(struct job *job)
{
	const struct ledger_key key = job_key(job);

	return ledger_file_stopped(job->lane->file, job->deadline, job->account, &key,
	    job->difference, &job->so_far, &job->error);
}

int
ledger_stopped(struct ledger *ledger, const char *account, const struct ledger_key *key,
    const struct ledger_difference *difference, uint64_t *so_far, struct error *e)
{
	struct job *job = job_new(ledger, &ledger->writing, do_stopped);
	int rc = 0;

	if (job != NULL) {
		rc = job_set_texts(job, key, account, NULL, NULL);
		if (rc == 0 && (job->difference = malloc(sizeof(*difference))) == NULL)
			rc = ERR_NO_MEMORY;
		if (rc == 0)
			*job->difference = *difference;
	}
	if ((rc = job_try(&job, rc, e)) == 0)
		*so_far = job->so_far;
	job_end(job);
	return rc;
}

/* ---- other tables ---- */

static int
do_foreign(struct job *job)
{
	struct sqlite3 *db;
	int rc = ledger_file_database(job->lane->file, job->deadline, &db, &job->error);

	return rc != 0 ? rc : job->foreign(db, job->arg, &job->error);
}

int
ledger_run(struct ledger *ledger, int (*work)(struct sqlite3 *db, void *arg, struct error *e),
    void (*discard)(void *arg), void *arg, struct error *e)
{
	struct job *job = job_new(ledger, &ledger->reading, do_foreign);
	int rc;

	if (job != NULL) {
		job->foreign = work;
		job->discard = discard;
		job->arg = arg;
	}
	rc = job_try(&job, 0, e);
	job_end(job);
	return rc;
}
