/* maildrop_lock.h - one session on a maildrop at a time (RFC 1939 section 4).
 *
 * The lock is one octet of a file in the state directory, so that it holds between processes and is
 * let go by the kernel when its holder dies, however that happens. Which octet of which file, a
 * digest of upstream, user and mailbox says; the files hold nothing. Take it after the login
 * succeeded: who cannot log in must not be able to lock anybody out. */
#pragma once
#include "base/error.h"

struct maildrop_lock;

/* Locks MAILBOX of USER at UPSTREAM (their names; kept by nobody). ASCII letters of USER count as
 * equal in either case, since most servers see them so. The directory STATE_DIRECTORY/locks must
 * exist. Does not wait and does not suspend. Returns 0; ERR_IN_USE while another session has the
 * maildrop; ERR_TEMPORARY (the file system says no) or ERR_NO_MEMORY. On 0 *OUT is to be given back
 * with maildrop_lock_release. */
int maildrop_lock_take(const char *state_directory, const char *upstream, const char *user,
    const char *mailbox, struct maildrop_lock **out, struct error *e);

/* Lets go of the lock and frees LOCK (NULL is allowed). */
void maildrop_lock_release(struct maildrop_lock *lock);
