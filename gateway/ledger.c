/* ledger.c - see ledger.h. Work goes to the thread pool, at most one job that reads and one that
 * writes at a time: a slow disk holds up those that write, and nobody's reading. What each login wants
 * to know is tried on the loop's thread before, where it must be had without waiting. */
#include "gateway/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/database_at_once.h"
#include "gateway/database_job.h"
#include "gateway/ledger_file.h"
#include "gateway/ledger_write.h"

/* The file as one user of it has it open. */
struct opened {
	struct ledger_file *file;
	struct database_lane lane;
};

struct ledger {
	struct database_owner owner; /* is first */
	struct opened reading, writing;
};

struct job {
	struct database_job base;
	struct ledger_file *file;

	/* Arguments and results, as far as the work wants them. */
	char *account, *name, *value;
	uint32_t uidvalidity;
	int64_t id;
	struct uidl_book *book;
	struct ledger_maildrop found;
	struct ledger_writing *writing;
	struct ledger_rows *parts;
	size_t part_count;
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
ledger_free(struct database_owner *owner)
{
	struct ledger *ledger = (struct ledger *) owner;

	ledger_file_free(ledger->reading.file);
	ledger_file_free(ledger->writing.file);
	free(ledger);
}

/* What copy_rows has made. */
static void
rows_clear(struct ledger_rows *part)
{
	for (size_t i = 0; i < part->count; i++)
		free((char *) part->rows[i].uidl);
	free((struct ledger_row *) part->rows);
	free((char *) part->key.upstream);
	free((char *) part->key.user);
	free((char *) part->key.mailbox);
}

static void
job_clear(void *arg)
{
	struct job *job = arg;

	free(job->account);
	free(job->name);
	free(job->value);
	uidl_book_free(job->book);
	ledger_writing_free(job->writing);
	for (size_t i = 0; i < job->part_count; i++)
		rows_clear(&job->parts[i]);
	free(job->parts);
	ledger_seen_clear(&job->list);
	free(job->difference);
	if (job->arg != NULL && job->discard != NULL)
		job->discard(job->arg);
}

static struct job *
job_new(struct ledger *ledger, struct opened *where, int (*work)(void *job))
{
	struct job *job =
	    database_job_new(&ledger->owner, &where->lane, sizeof(*job), work, job_clear);

	if (job != NULL)
		job->file = where->file;
	return job;
}

/* Copies of those that are not NULL. */
static int
job_set_texts(struct job *job, const char *account, const char *name, const char *value)
{
	const struct {
		char **to;
		const char *from;
	} texts[] = { { &job->account, account }, { &job->name, name }, { &job->value, value } };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].from != NULL && (*texts[i].to = strdup(texts[i].from)) == NULL)
			return ERR_NO_MEMORY;
	return 0;
}

/* A maildrop, and the account that it is about. */
static int
job_set_key(struct job *job, const struct maildrop_key *key, const char *account)
{
	int rc = database_job_set_key(&job->base, key);

	return rc == 0 ? job_set_texts(job, account, NULL, NULL) : rc;
}

static int
job_run(struct ledger *ledger, struct job *job, int rc, struct error *e)
{
	return database_job_run(job != NULL ? &job->base : NULL, rc, &ledger->owner, e);
}

static void
job_end(struct job *job)
{
	database_job_end(job != NULL ? &job->base : NULL);
}

/* ---- the ledger ---- */

int
ledger_open(const char *state_directory, struct ledger **out)
{
	struct ledger *ledger = calloc(1, sizeof(*ledger));

	if (ledger == NULL)
		return ERR_NO_MEMORY;
	ledger->owner = (struct database_owner){ .what = "the state store",
		.patience_ms = LEDGER_PATIENCE_MS,
		.references = 1,
		.free = ledger_free };
	if (ledger_file_new(state_directory, &ledger->reading.file) != 0 ||
	    ledger_file_new(state_directory, &ledger->writing.file) != 0) {
		ledger_free(&ledger->owner);
		return ERR_NO_MEMORY;
	}
	ledger->reading.lane.path = ledger_file_path(ledger->reading.file);
	ledger->writing.lane.path = ledger_file_path(ledger->writing.file);
	*out = ledger;
	return 0;
}

void
ledger_set_patience(struct ledger *ledger, unsigned milliseconds)
{
	ledger->owner.patience_ms = milliseconds;
}

void
ledger_close(struct ledger *ledger)
{
	if (ledger != NULL)
		database_owner_unref(&ledger->owner);
}

int
ledger_check(struct ledger *ledger, struct error *e)
{
	return ledger_file_check(
	    ledger->writing.file, database_clock() + ledger->owner.patience_ms, e);
}

/* ---- reading ---- */

static int
do_load(void *arg)
{
	struct job *job = arg;
	const struct maildrop_key key = database_job_key(&job->base);

	return ledger_file_load(job->file, job->base.deadline, &key, job->uidvalidity,
	    job->account, job->book, &job->found, &job->base.error);
}

static bool
load_at_once(struct opened *where, const struct maildrop_key *key, uint32_t uidvalidity,
    const char *account, struct uidl_book *book, struct ledger_maildrop *out)
{
	int rc;

	if (!database_lane_is_free(&where->lane))
		return false;
	rc = ledger_file_load(
	    where->file, DATABASE_AT_ONCE, key, uidvalidity, account, book, out, NULL);
	database_reads_wait();
	if (rc != 0)
		uidl_book_clear(book);
	return rc == 0;
}

int
ledger_load(struct ledger *ledger, const struct maildrop_key *key, uint32_t uidvalidity,
    const char *account, struct uidl_book *book, struct ledger_maildrop *out, struct error *e)
{
	struct job *job;
	int rc = 0;

	if (load_at_once(&ledger->reading, key, uidvalidity, account, book, out))
		return 0;
	if ((job = job_new(ledger, &ledger->reading, do_load)) != NULL) {
		job->uidvalidity = uidvalidity;
		rc = job_set_key(job, key, account);
		if (rc == 0)
			rc = uidl_book_new(&job->book);
	}
	if ((rc = job_run(ledger, job, rc, e)) == 0) {
		uidl_book_swap(book, job->book);
		*out = job->found;
	}
	job_end(job);
	return rc;
}

static int
do_last_seen(void *arg)
{
	struct job *job = arg;

	return ledger_file_last_seen(
	    job->file, job->base.deadline, job->account, &job->list, &job->base.error);
}

static int
do_seen_of(void *arg)
{
	struct job *job = arg;

	return ledger_file_seen_of(
	    job->file, job->base.deadline, job->id, &job->list, &job->base.error);
}

/* Runs JOB, RC being what became of making it; its list becomes OUT. */
static int
run_for_list(struct ledger *ledger, struct job *job, int rc, struct ledger_seen_list *out,
    struct error *e)
{
	*out = (struct ledger_seen_list){ 0 };
	if ((rc = job_run(ledger, job, rc, e)) == 0) {
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
	    ledger, job, job != NULL ? job_set_texts(job, account, NULL, NULL) : 0, out, e);
}

int
ledger_seen_of(struct ledger *ledger, int64_t id, struct ledger_seen_list *out, struct error *e)
{
	struct job *job = job_new(ledger, &ledger->reading, do_seen_of);

	if (job != NULL)
		job->id = id;
	return run_for_list(ledger, job, 0, out, e);
}

static int
do_account_get(void *arg)
{
	struct job *job = arg;

	return ledger_file_account_get(job->file, job->base.deadline, job->account, job->name,
	    &job->value, &job->base.error);
}

static bool
account_get_at_once(struct opened *where, const char *account, const char *name, char **value)
{
	int rc;

	if (!database_lane_is_free(&where->lane))
		return false;
	rc = ledger_file_account_get(where->file, DATABASE_AT_ONCE, account, name, value, NULL);
	database_reads_wait();
	return rc == 0;
}

int
ledger_account_get(struct ledger *ledger, const char *account, const char *name, char **value,
    struct error *e)
{
	struct job *job;
	int rc;

	*value = NULL;
	if (account_get_at_once(&ledger->reading, account, name, value))
		return 0;
	job = job_new(ledger, &ledger->reading, do_account_get);
	rc = job != NULL ? job_set_texts(job, account, name, NULL) : 0;
	if ((rc = job_run(ledger, job, rc, e)) == 0) {
		*value = job->value;
		job->value = NULL;
	}
	job_end(job);
	return rc;
}

/* ---- writing ---- */

static int
do_write(void *arg)
{
	struct job *job = arg;

	return ledger_file_write(job->file, job->base.deadline, job->writing, &job->base.error);
}

static int
write_parts(struct ledger *ledger, const char *account, struct ledger_part *parts, size_t count,
    bool without_marked, struct error *e)
{
	struct ledger_writing *writing;
	struct job *job;
	int rc;

	if (ledger_writing_new(account, parts, count, without_marked, &writing) != 0)
		return error_set(e, ERR_NO_MEMORY, "no memory for %s", ledger->owner.what);
	if (writing == NULL)
		return 0;
	if ((job = job_new(ledger, &ledger->writing, do_write)) != NULL)
		job->writing = writing;
	else
		ledger_writing_free(writing);
	if ((rc = job_run(ledger, job, 0, e)) == 0)
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
do_import(void *arg)
{
	struct job *job = arg;

	return ledger_file_import(job->file, job->base.deadline, job->parts, job->part_count,
	    job->source, &job->imported, &job->base.error);
}

/* TO, zeroed before, becomes a copy of FROM; to be cleared in any case. */
static int
copy_rows(struct ledger_rows *to, const struct ledger_rows *from)
{
	struct ledger_row *rows = calloc(from->count + 1, sizeof(*rows));

	to->uidvalidity = from->uidvalidity;
	to->rows = rows;
	to->key.upstream = strdup(from->key.upstream);
	to->key.user = strdup(from->key.user);
	to->key.mailbox = strdup(from->key.mailbox);
	if (rows == NULL || to->key.upstream == NULL || to->key.user == NULL ||
	    to->key.mailbox == NULL)
		return ERR_NO_MEMORY;
	for (; to->count < from->count; to->count++) {
		rows[to->count].uid = from->rows[to->count].uid;
		if ((rows[to->count].uidl = strdup(from->rows[to->count].uidl)) == NULL)
			return ERR_NO_MEMORY;
	}
	return 0;
}

int
ledger_import(struct ledger *ledger, const struct ledger_rows *parts, size_t count,
    enum ledger_source source, struct ledger_imported *out, struct error *e)
{
	struct job *job = job_new(ledger, &ledger->writing, do_import);
	int rc = 0;

	if (job != NULL) {
		job->source = source;
		if ((job->parts = calloc(count, sizeof(*job->parts))) == NULL)
			rc = ERR_NO_MEMORY;
		while (rc == 0 && job->part_count < count) {
			size_t at = job->part_count++;

			rc = copy_rows(&job->parts[at], &parts[at]);
		}
	}
	if ((rc = job_run(ledger, job, rc, e)) == 0)
		*out = job->imported;
	job_end(job);
	return rc;
}

static int
do_saw_elsewhere(void *arg)
{
	struct job *job = arg;
	const struct maildrop_key key = database_job_key(&job->base);

	return ledger_file_saw_elsewhere(job->file, job->base.deadline, job->account, &key,
	    job->list.items, job->list.count, &job->base.error);
}

int
ledger_saw_elsewhere(struct ledger *ledger, const char *account, const struct maildrop_key *key,
    const struct ledger_seen *items, size_t count, struct error *e)
{
	struct job *job = job_new(ledger, &ledger->writing, do_saw_elsewhere);
	int rc = 0;

	if (job != NULL)
		rc = job_set_key(job, key, account);
	for (size_t i = 0; i < count && job != NULL && rc == 0; i++)
		rc = ledger_seen_add(&job->list, items[i].uid, items[i].size, items[i].uidl);
	rc = job_run(ledger, job, rc, e);
	job_end(job);
	return rc;
}

static int
do_account_set(void *arg)
{
	struct job *job = arg;

	return ledger_file_account_set(job->file, job->base.deadline, job->account, job->name,
	    job->value, &job->base.error);
}

int
ledger_account_set(struct ledger *ledger, const char *account, const char *name,
    const char *value, struct error *e)
{
	struct job *job = job_new(ledger, &ledger->writing, do_account_set);
	int rc;

	rc = job != NULL ? job_set_texts(job, account, name, value) : 0;
	rc = job_run(ledger, job, rc, e);
	job_end(job);
	return rc;
}

static int
do_stopped(void *arg)
{
	struct job *job = arg;
	const struct maildrop_key key = database_job_key(&job->base);

	return ledger_file_stopped(job->file, job->base.deadline, job->account, &key,
	    job->difference, &job->so_far, &job->base.error);
}

int
ledger_stopped(struct ledger *ledger, const char *account, const struct maildrop_key *key,
    const struct ledger_difference *difference, uint64_t *so_far, struct error *e)
{
	struct job *job = job_new(ledger, &ledger->writing, do_stopped);
	int rc = 0;

	if (job != NULL) {
		rc = job_set_key(job, key, account);
		if (rc == 0 && (job->difference = malloc(sizeof(*difference))) == NULL)
			rc = ERR_NO_MEMORY;
		if (rc == 0)
			*job->difference = *difference;
	}
	if ((rc = job_run(ledger, job, rc, e)) == 0)
		*so_far = job->so_far;
	job_end(job);
	return rc;
}

/* ---- other tables ---- */

static int
do_foreign(void *arg)
{
	struct job *job = arg;
	struct sqlite3 *db;
	int rc = ledger_file_database(job->file, job->base.deadline, &db, &job->base.error);

	return rc != 0 ? rc : job->foreign(db, job->arg, &job->base.error);
}

static bool
run_at_once(struct opened *where, int (*work)(struct sqlite3 *db, void *arg, struct error *e),
    void *arg)
{
	struct sqlite3 *db;
	int rc;

	if (!database_lane_is_free(&where->lane))
		return false;
	if ((rc = ledger_file_database(where->file, DATABASE_AT_ONCE, &db, NULL)) == 0)
		rc = work(db, arg, NULL);
	database_reads_wait();
	return rc == 0;
}

int
ledger_run(struct ledger *ledger, int (*work)(struct sqlite3 *db, void *arg, struct error *e),
    void (*discard)(void *arg), void *arg, struct error *e)
{
	struct job *job;
	int rc;

	if (run_at_once(&ledger->reading, work, arg))
		return 0;
	if ((job = job_new(ledger, &ledger->reading, do_foreign)) != NULL) {
		job->foreign = work;
		job->discard = discard;
		job->arg = arg;
	}
	rc = job_run(ledger, job, 0, e);
	if (job != NULL && rc != ERR_CANCELLED)
		job->arg = NULL; /* is the caller's again */
	job_end(job);
	return rc;
}
