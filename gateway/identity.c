/* identity.c - see identity.h. */
#include "gateway/identity.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int
identity_find(const char *name, struct identity *out, struct error *e)
{
	const struct passwd *user = getpwnam(name);

	if (user == NULL)
		return error_set(e, ERR_PERMANENT, "there is no user \"%s\"", name);
	if (user->pw_uid == 0)
		return error_set(e, ERR_PERMANENT, "\"%s\" is root", name);
	*out = (struct identity){ .name = name, .uid = user->pw_uid, .gid = user->pw_gid };
	return 0;
}

int
identity_check_owner(const struct identity *identity, const char *path, struct error *e)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == identity->uid)
		return 0;
	return error_set(e, ERR_PERMANENT,
	    "%s must be a folder of the user %s; this makes it one: install -d -m 700 -o %s %s",
	    path, identity->name, identity->name, path);
}

/* A kernel that was told to keep capabilities across setuid(2) (SECBIT_NO_SETUID_FIXUP) does. */
static int
drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return (int) syscall(SYS_capset, &header, none);
}

/* Whether the process could be root once more, or of root's group. */
static bool
can_go_back(const struct identity *identity)
{
	uid_t real, effective, saved;

	return getresuid(&real, &effective, &saved) != 0 || real != identity->uid ||
	       effective != identity->uid || saved != identity->uid || setuid(0) == 0 ||
	       setresuid((uid_t) -1, 0, (uid_t) -1) == 0 ||
	       (identity->gid != 0 && setresgid((gid_t) -1, 0, (gid_t) -1) == 0);
}

int
identity_assume(const struct identity *identity, struct error *e)
{
	/* Groups first: afterwards we are not entitled to change them. No program that is executed
	 * later gains anything by being setuid. */
	if (initgroups(identity->name, identity->gid) != 0 ||
	    setresgid(identity->gid, identity->gid, identity->gid) != 0 ||
	    setresuid(identity->uid, identity->uid, identity->uid) != 0 ||
	    drop_capabilities() != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return error_set(e, ERR_PERMANENT, "cannot become the user %s: %s", identity->name,
		    strerror(errno));
	if (can_go_back(identity))
		return error_set(e, ERR_PERMANENT, "became the user %s, but could be root again",
		    identity->name);
	return 0;
}

/* The user whose files are in DIRECTORY. Returns 0 with *OUT for somebody but root, or with a NULL name
 * in it. */
static int
find_owner(const char *directory, struct identity *out, struct error *e)
{
	const struct passwd *user;
	struct stat st;

	*out = (struct identity){ 0 };
	if (stat(directory, &st) != 0 || st.st_uid == 0)
		return 0; /* a folder that is still to be made is root's */
	if ((user = getpwuid(st.st_uid)) == NULL)
		return error_set(e, ERR_PERMANENT, "%s belongs to user %u, who has no name", directory,
		    (unsigned) st.st_uid);
	*out = (struct identity){ .name = user->pw_name, .uid = user->pw_uid, .gid = user->pw_gid };
	return 0;
}

int
identity_assume_owner(const char *name, const char *directory, struct error *e)
{
	struct identity identity;
	int rc;

	if (geteuid() != 0)
		return 0;
	rc = name[0] != '\0' ? identity_find(name, &identity, e)
			     : find_owner(directory, &identity, e);
	if (rc != 0 || identity.name == NULL)
		return rc;
	return identity_assume(&identity, e);
}
