/* index_store.c - see index_store.h. Files are read and written on the thread pool. */
#include "gateway/index_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/error.h"
#include "fiberio/fiber.h"

enum {
	OWNER_DIGITS = 16,
	FOLDER_DIGITS = 2,
	AT_ONCE_MAX = 64 * 1024, /* octets that the loop itself reads */
};

/* May outlive the fiber that wants it. */
struct job {
	char *path;
	unsigned char *octets;
	size_t len;
	size_t most;
	int rc;
};

/* Unlike the lock's, this digest tells users apart that differ by case only: to some servers they
 * are two. */
int
index_store_place(const char *state_directory, const char *upstream, const char *user,
    const char *mailbox, struct index_place *out)
{
	size_t upstream_len = strlen(upstream) + 1, user_len = strlen(user) + 1;
	size_t len = upstream_len + user_len + strlen(mailbox);
	char hex[DIGEST_HEX + 1], *key = malloc(len);

	if (key == NULL)
		return ERR_NO_MEMORY;
	memcpy(key, upstream, upstream_len);
	memcpy(key + upstream_len, user, user_len);
	memcpy(key + upstream_len + user_len, mailbox, strlen(mailbox));
	digest_hex(key, len, hex);
	free(key);
	out->owner = strtoull(hex + DIGEST_HEX - OWNER_DIGITS, NULL, 16);
	if (asprintf(&out->path, "%s/index/%.*s/%s", state_directory, FOLDER_DIGITS, hex,
		hex + FOLDER_DIGITS) < 0) {
		out->path = NULL;
		return ERR_NO_MEMORY;
	}
	return 0;
}

static void
job_free(void *arg)
{
	struct job *job = arg;

	if (job == NULL)
		return;
	free(job->path);
	free(job->octets);
	free(job);
}

static struct job *
job_new(const struct index_place *place)
{
	struct job *job = calloc(1, sizeof(*job));

	if (job != NULL && (job->path = strdup(place->path)) == NULL) {
		free(job);
		return NULL;
	}
	return job;
}

static bool
read_all(int file, unsigned char *octets, size_t len)
{
	size_t at = 0;
	ssize_t n;

	while (at < len) {
		n = read(file, octets + at, len - at);
		if (n == 0 || (n < 0 && errno != EINTR))
			return false;
		at += n > 0 ? (size_t) n : 0;
	}
	return true;
}

/* As read_all, without waiting for the disk. */
static bool
read_at_once(int file, unsigned char *octets, size_t len)
{
	const struct iovec part = { octets, len };

	return preadv2(file, &part, 1, 0, RWF_NOWAIT) == (ssize_t) len;
}

/* The octets of FILE by READ, if they are no more than MOST; NULL: cannot be had. */
static unsigned char *
read_open(int file, size_t most, bool (*read)(int file, unsigned char *octets, size_t len),
    size_t *len)
{
	unsigned char *octets;
	struct stat st;

	if (fstat(file, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
	    (uint64_t) st.st_size > most || (octets = malloc((size_t) st.st_size)) == NULL)
		return NULL;
	*len = (size_t) st.st_size;
	if (read(file, octets, *len))
		return octets;
	free(octets);
	return NULL;
}

static int
open_old(const char *path)
{
	return open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

static void
do_read(void *arg)
{
	struct job *job = arg;
	int file = open_old(job->path);

	if (file < 0)
		return;
	job->octets = read_open(file, job->most, read_all, &job->len);
	close(file);
}

static bool
write_all(int file, const unsigned char *octets, size_t len)
{
	size_t at = 0;
	ssize_t n;

	while (at < len) {
		n = write(file, octets + at, len - at);
		if (n < 0 && errno != EINTR)
			return false;
		at += n > 0 ? (size_t) n : 0;
	}
	return true;
}

/* The two folders above the file. */
static void
make_folders(char *path)
{
	char *inner = strrchr(path, '/'), *outer;

	*inner = '\0';
	outer = strrchr(path, '/');
	*outer = '\0';
	mkdir(path, 0700);
	*outer = '/';
	mkdir(path, 0700);
	*inner = '/';
}

static int
open_new(const char *path)
{
	return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
}

/* The name is the same for all who write this file: what a crash leaves is overwritten. Two who
 * write at a time may spoil it, which the checksum tells. */
static void
do_write(void *arg)
{
	struct job *job = arg;
	char *fresh;
	int file;

	job->rc = ERR_TEMPORARY;
	if (asprintf(&fresh, "%s.new", job->path) < 0)
		return;
	if ((file = open_new(fresh)) < 0 && errno == ENOENT) {
		make_folders(job->path);
		file = open_new(fresh);
	}
	if (file >= 0) {
		bool written = write_all(file, job->octets, job->len);

		if (close(file) == 0 && written && rename(fresh, job->path) == 0)
			job->rc = 0;
		else
			unlink(fresh);
	}
	free(fresh);
}

static void
do_remove(void *arg)
{
	struct job *job = arg;

	job->rc = unlink(job->path) == 0 || errno == ENOENT ? 0 : ERR_TEMPORARY;
}

int
index_store_read(const struct index_place *place, size_t most, unsigned char **octets, size_t *len)
{
	struct job *job;
	int file, rc;

	/* Most mailboxes are too small for an index, and most indexes are small and in memory: this costs
	 * less than a thread. */
	*octets = NULL;
	if ((file = open_old(place->path)) < 0 && errno == ENOENT)
		return 0;
	if (file >= 0) {
		*octets = read_open(file, most < AT_ONCE_MAX ? most : AT_ONCE_MAX, read_at_once, len);
		close(file);
	}
	if (*octets != NULL || (job = job_new(place)) == NULL)
		return 0;
	job->most = most;
	if ((rc = fiber_offload(do_read, job_free, job)) == ERR_CANCELLED)
		return rc;
	*octets = job->octets;
	*len = job->len;
	job->octets = NULL;
	job_free(job);
	return 0;
}

int
index_store_write(const struct index_place *place, unsigned char *octets, size_t len)
{
	struct job *job = job_new(place);
	int rc;

	if (job == NULL) {
		free(octets);
		return ERR_NO_MEMORY;
	}
	job->octets = octets;
	job->len = len;
	if ((rc = fiber_offload(do_write, job_free, job)) == ERR_CANCELLED)
		return rc;
	if (rc == 0)
		rc = job->rc;
	job_free(job);
	return rc;
}

int
index_store_remove(const struct index_place *place)
{
	struct job *job = job_new(place);
	int rc;

	if (job == NULL)
		return ERR_NO_MEMORY;
	if ((rc = fiber_offload(do_remove, job_free, job)) == ERR_CANCELLED)
		return rc;
	if (rc == 0)
		rc = job->rc;
	job_free(job);
	return rc;
}
