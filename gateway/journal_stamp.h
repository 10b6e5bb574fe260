/* journal_stamp.h - what the journal's files looked like at some time: whether somebody may have
 * written since.
 *
 * Nearly every journal is empty nearly all the time, and each login wants to know. Two calls of
 * stat(2) are cheaper than a query on another thread. */
#pragma once
#include <stdbool.h>
#include <sys/stat.h>

struct journal_stamp {
	bool settled; /* the last change was long enough ago for the next one to show */
	struct {
		dev_t device;
		ino_t inode;
		off_t size;
		struct timespec changed;
	} files[2]; /* the database and its write-ahead log */
};

/* Looks at the journal PATH. */
void journal_stamp_take(const char *path, struct journal_stamp *out);

/* Whether nothing was written between A and B. False where A was taken too soon after a change for
 * that to be certain, or could not be taken. */
bool journal_stamp_same(const struct journal_stamp *a, const struct journal_stamp *b);
