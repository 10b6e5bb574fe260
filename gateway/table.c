/* table.c - see table.h. */
#include "gateway/table.h"

#include <stdio.h>
#include <stdlib.h>

#include "fiberio/fiber.h"
#include "gateway/table_file.h"

struct table {
	struct table_file *file;
	uv_mutex_t mutex; /* around file: look-ups take microseconds, unless the disk is slow */
	unsigned references;
};

/* What the pool has to do. It may outlive the fiber that wants it. */
struct job {
	struct table *table;
	char user[USER_NAME_MAX + 1];
	struct table_line line;
	int rc;
	struct error error;
};

int
table_new(const char *path, struct table **out)
{
	struct table *table = calloc(1, sizeof(*table));

	if (table == NULL)
		return ERR_NO_MEMORY;
	if (uv_mutex_init(&table->mutex) != 0) {
		free(table);
		return ERR_NO_MEMORY;
	}
	table->references = 1;
	if (table_file_new(path, &table->file) != 0) {
		table_unref(table);
		return ERR_NO_MEMORY;
	}
	*out = table;
	return 0;
}

void
table_unref(struct table *table)
{
	if (table == NULL || --table->references > 0)
		return;
	table_file_free(table->file);
	uv_mutex_destroy(&table->mutex);
	free(table);
}

/* On a thread of the pool. */
static void
job_work(void *arg)
{
	struct job *job = arg;

	uv_mutex_lock(&job->table->mutex);
	job->rc = table_file_find(job->table->file, job->user, &job->line, &job->error);
	uv_mutex_unlock(&job->table->mutex);
}

static void
job_free(void *arg)
{
	struct job *job = arg;

	table_unref(job->table);
	free(job);
}

int
table_find(struct table *table, const char *user, struct table_line *out, struct error *e)
{
	struct job *job = calloc(1, sizeof(*job));
	int rc;

	if (job == NULL)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	job->table = table;
	table->references++;
	snprintf(job->user, sizeof(job->user), "%s", user);
	if ((rc = fiber_offload(job_work, job_free, job)) == ERR_CANCELLED)
		return error_set(e, rc, "the session is ended");
	if (rc == 0 && (rc = job->rc) == 0)
		*out = job->line;
	if (rc != 0)
		error_set(e, rc, "%s", job->error.text[0] != '\0' ? job->error.text : "out of memory");
	job_free(job);
	return rc;
}
