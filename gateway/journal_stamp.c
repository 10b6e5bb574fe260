/* journal_stamp.c - see journal_stamp.h. */
#include "gateway/journal_stamp.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* The kernel notes the time of a change by the tick: 10 ms at most, and some file systems keep no
 * more than two seconds apart. */
enum { SETTLED_SECONDS = 3 };

static bool
look(const char *path, struct journal_stamp *stamp, int which)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return false;
	stamp->files[which].device = st.st_dev;
	stamp->files[which].inode = st.st_ino;
	stamp->files[which].size = st.st_size;
	stamp->files[which].changed = st.st_mtim;
	return true;
}

void
journal_stamp_take(const char *path, struct journal_stamp *out)
{
	char log[PATH_MAX];
	time_t now = time(NULL);
	int len = snprintf(log, sizeof(log), "%s-wal", path);

	memset(out, 0, sizeof(*out));
	out->settled = len > 0 && (size_t) len < sizeof(log) && look(path, out, 0) &&
		       look(log, out, 1) && out->files[0].changed.tv_sec < now - SETTLED_SECONDS &&
		       out->files[1].changed.tv_sec < now - SETTLED_SECONDS;
}

bool
journal_stamp_same(const struct journal_stamp *a, const struct journal_stamp *b)
{
	for (int i = 0; i < 2; i++)
		if (a->files[i].device != b->files[i].device ||
		    a->files[i].inode != b->files[i].inode ||
		    a->files[i].size != b->files[i].size ||
		    a->files[i].changed.tv_sec != b->files[i].changed.tv_sec ||
		    a->files[i].changed.tv_nsec != b->files[i].changed.tv_nsec)
			return false;
	return a->settled && b->settled;
}
