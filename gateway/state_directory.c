/* state_directory.c - the folder of what outlives a session. */
#include "gateway/state_directory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What failed, and for what is not root's fault, what root can do about it. */
static int
refuse(const char *what, const char *path, struct error *e)
{
	int reason = errno;

	if (geteuid() == 0)
		return error_set(e, ERR_PERMANENT, "cannot %s %s: %s", what, path, strerror(reason));
	return error_set(e, ERR_PERMANENT,
	    "cannot %s %s: %s; this makes it a folder of this user: install -d -m 700 -o %u %s",
	    what, path, strerror(reason), (unsigned) geteuid(), path);
}

/* Nobody else may be able to put a link where we expect a lock. */
static int
prepare_folder(const char *path, struct error *e)
{
	struct stat st;

	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return refuse("make", path, e);
	if (stat(path, &st) != 0)
		return error_set(e, ERR_PERMANENT, "cannot look at %s: %s", path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return error_set(e, ERR_PERMANENT, "%s is not a folder", path);
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return error_set(e, ERR_PERMANENT, "%s belongs to another user", path);
	if ((st.st_mode & S_IWOTH) != 0)
		return error_set(e, ERR_PERMANENT, "%s can be written by everybody", path);
	if (access(path, R_OK | W_OK | X_OK) != 0)
		return refuse("use", path, e);
	return 0;
}

int
state_directory_prepare(const char *path, struct error *e)
{
	char *locks;
	int rc;

	if (asprintf(&locks, "%s/locks", path) < 0)
		return error_set(e, ERR_NO_MEMORY, "no memory for a path");
	if ((rc = prepare_folder(path, e)) == 0)
		rc = prepare_folder(locks, e);
	free(locks);
	return rc;
}
