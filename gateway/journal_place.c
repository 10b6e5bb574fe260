/* journal_place.c - see journal_place.h. */
#include "gateway/journal_place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LOCK_PAUSE_US = 10000 };

uint64_t
journal_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

static int
fail(const char *directory, const char *what, struct error *e)
{
	return error_set(e, ERR_TEMPORARY,
	    "%s/" JOURNAL_NAME ": %s: %s; popgate must be able to make and write files there",
	    directory, what, strerror(errno));
}

static int
lock_directory(const char *directory, int folder, uint64_t deadline, struct error *e)
{
	while (flock(folder, LOCK_EX | LOCK_NB) != 0) {
		if ((errno != EWOULDBLOCK && errno != EINTR) || journal_clock() >= deadline)
			return fail(directory, "cannot lock its folder", e);
		usleep(LOCK_PAUSE_US);
	}
	return 0;
}

/* What is left of a file that was moved away would be taken for the new one's. */
static int
remove_leavings(const char *directory, int folder, struct error *e)
{
	static const char *const names[] = { JOURNAL_NAME "-wal", JOURNAL_NAME "-shm",
		JOURNAL_NAME "-journal" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (unlinkat(folder, names[i], 0) != 0 && errno != ENOENT)
			return fail(directory, "cannot remove its old log", e);
	return 0;
}

static int
make_file(const char *directory, int folder, struct error *e)
{
	int file, rc;

	if ((rc = remove_leavings(directory, folder, e)) != 0)
		return rc;
	file = openat(
	    folder, JOURNAL_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (file < 0)
		return fail(directory, "cannot make it", e);
	close(file);
	if (fsync(folder) != 0)
		return fail(directory, "cannot make it", e);
	return 0;
}

/* An open file must not be opened and closed again here: that would drop the locks that SQLite has
 * on it in this process. */
static int
see_to_file(const char *directory, int folder, struct error *e)
{
	struct stat st;

	if (fstatat(folder, JOURNAL_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (S_ISREG(st.st_mode))
			return 0;
		return error_set(e, ERR_TEMPORARY,
		    "%s/" JOURNAL_NAME ": is no plain file; move it away, popgate then makes one",
		    directory);
	}
	if (errno != ENOENT)
		return fail(directory, "cannot look at it", e);
	return make_file(directory, folder, e);
}

int
journal_place_prepare(
    const char *directory, uint64_t deadline, char **path, int *lock, struct error *e)
{
	char *real = realpath(directory, NULL);
	int folder = -1, rc;

	if (real == NULL && errno == ENOMEM)
		return error_set(e, ERR_NO_MEMORY, "no memory for a path");
	if (real != NULL)
		folder = open(real, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		rc = fail(directory, "cannot open its folder", e);
	else if ((rc = lock_directory(directory, folder, deadline, e)) == 0)
		rc = see_to_file(directory, folder, e);
	if (rc == 0 && asprintf(path, "%s/" JOURNAL_NAME, real) < 0)
		rc = error_set(e, ERR_NO_MEMORY, "no memory for a path");
	free(real);
	if (rc == 0)
		*lock = folder;
	else if (folder >= 0)
		close(folder);
	return rc;
}
