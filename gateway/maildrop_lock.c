/* maildrop_lock.c - one session on a maildrop at a time.
 *
 * The locks of all maildrops are octets of a few files, by digest: making and removing a file for
 * each session was a fifth of what a login cost. They are locks of the open file description
 * (F_OFD_SETLK in fcntl(2)), so that two sessions of one process exclude each other, too. The files
 * stay; where somebody removes one, whoever locked it sees that its name leads elsewhere, and
 * begins anew. */
#include "gateway/maildrop_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"

enum {
	NAME_DIGITS = 2,    /* of the digest: which file */
	OFFSET_DIGITS = 15, /* of the digest: which octet of it. Two maildrops on one are as likely
			       as two equal digests of 68 bits. */
};

struct maildrop_lock {
	int file;
	off_t offset;
	char path[];
};

/* How often the file may vanish between opening and locking it before we call the maildrop busy. */
enum { LOCK_ATTEMPTS = 16 };

/* A digest of the maildrop: a user name can hold anything. */
static int
digest(const char *upstream, const char *user, const char *mailbox, char hex[DIGEST_HEX + 1])
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
	digest_hex(key, len, hex);
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
	struct flock octet = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = lock->offset,
		.l_len = 1,
	};
	int saved;

	do
		lock->file = open(lock->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	while (lock->file < 0 && errno == EINTR); /* some network file systems */
	if (lock->file < 0)
		return ATTEMPT_FAILED;
	if (fcntl(lock->file, F_OFD_SETLK, &octet) == 0) {
		if (is_current(lock))
			return ATTEMPT_LOCKED;
		close(lock->file);
		return ATTEMPT_VANISHED;
	}
	saved = errno;
	close(lock->file);
	errno = saved;
	return saved == EAGAIN || saved == EACCES ? ATTEMPT_BUSY : ATTEMPT_FAILED;
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
	size_t room = strlen(state_directory) + sizeof("/locks/") + NAME_DIGITS;
	char hex[DIGEST_HEX + 1];
	struct maildrop_lock *lock;
	int rc;

	if (digest(upstream, user, mailbox, hex) != 0 ||
	    (lock = calloc(1, sizeof(*lock) + room)) == NULL)
		return error_set(e, ERR_NO_MEMORY, "no memory for the maildrop lock");
	snprintf(lock->path, room, "%s/locks/%.*s", state_directory, NAME_DIGITS, hex);
	hex[NAME_DIGITS + OFFSET_DIGITS] = '\0';
	lock->offset = (off_t) strtoull(hex + NAME_DIGITS, NULL, 16);
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
	close(lock->file);
	free(lock);
}
