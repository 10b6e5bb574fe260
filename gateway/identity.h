/* identity.h - who popgate is: from root to the user of the configuration, and never back. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

struct identity {
	const char *name; /* the caller's */
	uid_t uid;
	gid_t gid;
};

/* Finds the user NAME, which must outlive OUT. Returns 0, or ERR_PERMANENT: there is none, or it is
 * root under another name. May block: the system's list of users may be elsewhere. */
int identity_find(const char *name, struct identity *out, struct error *e);

/* Whether PATH is a folder that belongs to the user. Returns 0, or ERR_PERMANENT with a text that
 * says what to do. */
int identity_check_owner(const struct identity *identity, const char *path, struct error *e);

/* Makes this process, which is root's, the user's: user, group and the user's other groups, and no
 * capability is left. Sees that nothing leads back. Other processes may look into it then, until
 * privacy_begin. Returns 0, or ERR_PERMANENT, after which the process must end. */
int identity_assume(const struct identity *identity, struct error *e);

/* For commands that touch files in DIRECTORY: where they are root's, they become the user NAME first, or
 * where that is "" the one whom the folder belongs to, who could not use the files else. As above. */
int identity_assume_owner(const char *name, const char *directory, struct error *e);
