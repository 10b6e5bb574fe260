/* maildrop_lock.c - one session on a maildrop at a time.
 *
 * The holder removes the file before it lets go, so the directory does not grow. That opens a race:
 * another may have opened the file just before it was removed, and then lock what nobody else will
 * ever open again. So whoever gets the lock looks whether the name still leads to the file that it
 * locked, and begins anew where it does not. */
#include "gateway/maildrop_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"

struct maildrop_lock {
	int file;
	char path[];
};

/* How often the file may vanish between opening and locking it before we call the maildrop busy. */
enum { LOCK_ATTEMPTS = 16 };

/* The file's name: a digest, because a user name can hold anything and be longer than a file name
 * may be. */
static int
lock_name(const char *upstream, const char *user, const char *mailbox, char name[DIGEST_HEX + 1])
{
	size_t upstream_len = strlen(upstream) + 1, user_len = strlen(user) + 1;
	size_t len = upstream_len + user_len + strlen(mailbox);
	char *key, *folded;

	if ((key = malloc(len)) == NULL)
		return ERR_NO_MEMORY;
	memcpy(key, upstream, upstream_len);
	folded = key + upstream_len;
	for (size_t i = 0; i < user_len; i++)
		folded[i] =
		    user[i] >= 'A' && user[i] <= 'Z' ? (char) (user[i] + ('a' - 'A')) : user[i];
	memcpy(folded + user_len, mailbox, strlen(mailbox));
	digest_hex(key, len, name);
	free(key);
	return 0;
}

/* Whether the name still leads to the file behind the descriptor. */
static bool
is_current(const struct maildrop_lock *lock)
{
	struct stat mine, named;

	return fstat(lock->file, &mine) == 0 && lstat(lock->path, &named) == 0 &&
	       mine.st_dev == named.st_dev && mine.st_ino == named.st_ino;
}

enum attempt {
	ATTEMPT_LOCKED,
	ATTEMPT_BUSY,
	ATTEMPT_VANISHED,
	ATTEMPT_FAILED, /* errno says why */
};

static enum attempt
try_lock(struct maildrop_lock *lock)
{
	int saved;

	do
		lock->file = open(lock->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	while (lock->file < 0 && errno == EINTR); /* some network file systems */
	if (lock->file < 0)
		return ATTEMPT_FAILED;
	if (flock(lock->file, LOCK_EX | LOCK_NB) == 0) {
		if (is_current(lock))
			return ATTEMPT_LOCKED;
		close(lock->file);
		return ATTEMPT_VANISHED;
	}
	saved = errno;
	close(lock->file);
	errno = saved;
	return saved == EWOULDBLOCK ? ATTEMPT_BUSY : ATTEMPT_FAILED;
}

static int
lock_file(struct maildrop_lock *lock, struct error *e)
{
	for (int i = 0; i < LOCK_ATTEMPTS; i++) {
		switch (try_lock(lock)) {
		case ATTEMPT_LOCKED:
			return 0;
		case ATTEMPT_BUSY:
			return error_set(e, ERR_IN_USE, "another session has the maildrop");
		case ATTEMPT_FAILED:
			return error_set(
			    e, ERR_TEMPORARY, "cannot lock %s: %s", lock->path, strerror(errno));
		case ATTEMPT_VANISHED:
			break;
		}
	}
	return error_set(e, ERR_IN_USE, "other sessions take the maildrop in turn");
}

int
maildrop_lock_take(const char *state_directory, const char *upstream, const char *user,
    const char *mailbox, struct maildrop_lock **out, struct error *e)
{
	size_t room = strlen(state_directory) + sizeof("/locks/") + DIGEST_HEX;
	char name[DIGEST_HEX + 1];
	struct maildrop_lock *lock;
	int rc;

	if (lock_name(upstream, user, mailbox, name) != 0 ||
	    (lock = calloc(1, sizeof(*lock) + room)) == NULL)
		return error_set(e, ERR_NO_MEMORY, "no memory for the maildrop lock");
	snprintf(lock->path, room, "%s/locks/%s", state_directory, name);
	if ((rc = lock_file(lock, e)) != 0) {
		free(lock);
		return rc;
	}
	*out = lock;
	return 0;
}

void
maildrop_lock_release(struct maildrop_lock *lock)
{
	if (lock == NULL)
		return;
	unlink(lock->path);
	close(lock->file);
	free(lock);
}
