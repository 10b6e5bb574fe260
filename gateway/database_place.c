/* database_place.c - see database_place.h. */
#include "gateway/database_place.h"

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
database_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

/* A file in a folder. */
struct place {
	const char *directory;
	const char *name;
	int folder;
};

static int
fail(const struct place *place, const char *what, struct error *e)
{
	return error_set(e, ERR_TEMPORARY,
	    "%s/%s: %s: %s; popgate must be able to make and write files there", place->directory,
	    place->name, what, strerror(errno));
}

static int
lock_directory(const struct place *place, uint64_t deadline, struct error *e)
{
	while (flock(place->folder, LOCK_EX | LOCK_NB) != 0) {
		if ((errno != EWOULDBLOCK && errno != EINTR) || database_clock() >= deadline)
			return fail(place, "cannot lock its folder", e);
		usleep(LOCK_PAUSE_US);
	}
	return 0;
}

/* What is left of a file that was moved away would be taken for the new one's. */
static int
remove_leavings(const struct place *place, struct error *e)
{
	static const char *const endings[] = { "-wal", "-shm", "-journal" };
	char name[NAME_MAX + 1];

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", place->name, endings[i]);
		if (unlinkat(place->folder, name, 0) != 0 && errno != ENOENT)
			return fail(place, "cannot remove its old log", e);
	}
	return 0;
}

static int
make_file(const struct place *place, struct error *e)
{
	int file, rc;

	if ((rc = remove_leavings(place, e)) != 0)
		return rc;
	file = openat(place->folder, place->name,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (file < 0)
		return fail(place, "cannot make it", e);
	close(file);
	if (fsync(place->folder) != 0)
		return fail(place, "cannot make it", e);
	return 0;
}

/* An open file must not be opened and closed again here: that would drop the locks that SQLite has
 * on it in this process. */
static int
see_to_file(const struct place *place, struct error *e)
{
	struct stat st;

	if (fstatat(place->folder, place->name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (S_ISREG(st.st_mode))
			return 0;
		return error_set(e, ERR_TEMPORARY,
		    "%s/%s: is no plain file; move it away, popgate then makes one",
		    place->directory, place->name);
	}
	if (errno != ENOENT)
		return fail(place, "cannot look at it", e);
	return make_file(place, e);
}

int
database_place_prepare(const char *directory, const char *name, uint64_t deadline, char **path,
    int *lock, struct error *e)
{
	struct place place = { .directory = directory, .name = name, .folder = -1 };
	char *real = realpath(directory, NULL);
	int rc;

	if (real == NULL && errno == ENOMEM)
		return error_set(e, ERR_NO_MEMORY, "no memory for a path");
	if (real != NULL)
		place.folder = open(real, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place.folder < 0)
		rc = fail(&place, "cannot open its folder", e);
	else if ((rc = lock_directory(&place, deadline, e)) == 0)
		rc = see_to_file(&place, e);
	if (rc == 0 && asprintf(path, "%s/%s", real, name) < 0)
		rc = error_set(e, ERR_NO_MEMORY, "no memory for a path");
	free(real);
	if (rc == 0)
		*lock = place.folder;
	else if (place.folder >= 0)
		close(place.folder);
	return rc;
}
