/* sandbox.c - see sandbox.h. The system calls are in sandbox_calls.c. */
#include "gateway/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gateway/settings.h"

/* Newer than the headers of Debian 12 (Linux 6.1), see landlock(7). */
enum {
	ABI_REFER = 2,
	ABI_TRUNCATE = 3,
	ABI_NET = 4,
	ABI_IOCTL = 5,
	ABI_SCOPE = 6,
	RULE_NET_PORT = 2,
};
#define FS_REFER (UINT64_C(1) << 13)
#define FS_TRUNCATE (UINT64_C(1) << 14)
#define FS_IOCTL_DEV (UINT64_C(1) << 15)
#define NET_BIND_TCP (UINT64_C(1) << 0)
#define NET_CONNECT_TCP (UINT64_C(1) << 1)
#define SCOPE_ABSTRACT_UNIX_SOCKET (UINT64_C(1) << 0)
#define SCOPE_SIGNAL (UINT64_C(1) << 1)

struct ruleset_attributes {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

struct port_attributes {
	uint64_t allowed_access;
	uint64_t port;
};

#define FS_OF_FIRST_ABI (LANDLOCK_ACCESS_FS_MAKE_SYM | (LANDLOCK_ACCESS_FS_MAKE_SYM - 1))
#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define KEEP                                                                                       \
	(READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |                      \
	    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | FS_REFER | FS_TRUNCATE)

enum { PORT_DNS = 53 };

/* What looking up names, the time zone, trusted certificates and libc itself take, wherever
 * distributions keep it. What is not there is left out. */
static const char *const system_folders[] = { "/etc", "/usr", "/lib", "/lib64", "/run/systemd",
	"/run/resolvconf", "/run/NetworkManager", "/dev/null", "/dev/urandom",
	"/sys/devices/system/cpu" };

struct sandbox {
	char *state_directory;
	char **folders; /* to be read */
	size_t folder_count;
	uint16_t *ports; /* to be connected to */
	size_t port_count;
};

void
sandbox_free(struct sandbox *sandbox)
{
	if (sandbox == NULL)
		return;
	for (size_t i = 0; i < sandbox->folder_count; i++)
		free(sandbox->folders[i]);
	free(sandbox->folders);
	free(sandbox->ports);
	free(sandbox->state_directory);
	free(sandbox);
}

/* ---- the plan ---- */

/* Adds FOLDER, which is allocated and now S's; NULL: there was no memory for it. */
static int
add_folder(struct sandbox *s, char *folder)
{
	char **more;

	if (folder == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < s->folder_count; i++)
		if (strcmp(s->folders[i], folder) == 0) {
			free(folder);
			return 0;
		}
	more = reallocarray(s->folders, s->folder_count + 1, sizeof(*more));
	if (more == NULL) {
		free(folder);
		return ERR_NO_MEMORY;
	}
	s->folders = more;
	s->folders[s->folder_count++] = folder;
	return 0;
}

/* Adds the folder of FILE: a file may be replaced by another of its name, and often is. */
static int
add_folder_of(struct sandbox *s, const char *file)
{
	const char *slash = strrchr(file, '/');

	return add_folder(s, slash == NULL
				 ? strdup(".")
				 : strndup(file, slash == file ? 1 : (size_t) (slash - file)));
}

static int
add_port(struct sandbox *s, uint16_t port)
{
	uint16_t *more = reallocarray(s->ports, s->port_count + 1, sizeof(*more));

	if (more == NULL)
		return ERR_NO_MEMORY;
	s->ports = more;
	s->ports[s->port_count++] = port;
	return 0;
}

/* The same for a list, in which "" is no file. */
static int
add_folders_of(struct sandbox *s, const struct text_list *files)
{
	int rc;

	for (size_t i = 0; i < files->count; i++)
		if (files->items[i][0] != '\0' && (rc = add_folder_of(s, files->items[i])) != 0)
			return rc;
	return 0;
}

/* Adds the folders of all files that TARGET, a block of the kind BLOCK, names. */
static int
add_files(struct sandbox *s, enum setting_block block, const void *target)
{
	const char *field, *file;
	int rc = 0;

	for (size_t i = 0; i < settings_count && rc == 0; i++) {
		if (settings[i].block != block)
			continue;
		field = (const char *) target + settings[i].offset;
		if (settings[i].type == SETTING_PATHS) {
			rc = add_folders_of(s, (const void *) field);
		} else if (settings[i].type == SETTING_PATH) {
			memcpy(&file, field, sizeof(file));
			rc = file != NULL ? add_folder_of(s, file) : 0;
		}
	}
	return rc;
}

static int
add_upstream(struct sandbox *s, const struct upstream *u)
{
	int rc;

	if ((rc = add_files(s, SETTING_UPSTREAM, u)) != 0 ||
	    (rc = add_port(s, u->imap.port)) != 0 || u->ca_directory == NULL)
		return rc;
	/* It may be a link to elsewhere. */
	return add_folder(s, strdup(u->ca_directory));
}

/* Its table is read, and its service called, at each login. */
static int
add_route(struct sandbox *s, const struct route *r)
{
	int rc = add_files(s, SETTING_ROUTE, r);

	return rc == 0 && r->auth_http != NULL ? add_port(s, r->auth_port) : rc;
}

static int
plan(struct sandbox *s, const struct config *config, const char *config_file)
{
	const char *credentials = getenv("CREDENTIALS_DIRECTORY"); /* systemd.exec(5) */
	int rc;

	if ((s->state_directory = strdup(config->state_directory)) == NULL)
		return ERR_NO_MEMORY;
	if ((rc = add_folder_of(s, config_file)) != 0 || (rc = add_port(s, PORT_DNS)) != 0)
		return rc;
	for (size_t i = 0; i < config->listener_count; i++)
		if ((rc = add_files(s, SETTING_LISTENER, &config->listeners[i])) != 0)
			return rc;
	for (size_t i = 0; i < config->upstream_count; i++)
		if ((rc = add_upstream(s, &config->upstreams[i])) != 0)
			return rc;
	for (size_t i = 0; i < config->route_count; i++)
		if ((rc = add_route(s, &config->routes[i])) != 0)
			return rc;
	return credentials == NULL ? 0 : add_folder_of(s, credentials);
}

int
sandbox_plan(const struct config *config, const char *config_file, struct sandbox **out)
{
	struct sandbox *s = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL)
		return ERR_NO_MEMORY;
	if ((rc = plan(s, config, config_file)) != 0) {
		sandbox_free(s);
		return rc;
	}
	*out = s;
	return 0;
}

static bool
has_folder(const struct sandbox *s, const char *folder)
{
	for (size_t i = 0; i < s->folder_count; i++)
		if (strcmp(s->folders[i], folder) == 0)
			return true;
	return false;
}

static bool
has_port(const struct sandbox *s, uint16_t port)
{
	for (size_t i = 0; i < s->port_count; i++)
		if (s->ports[i] == port)
			return true;
	return false;
}

bool
sandbox_covers(const struct sandbox *granted, const struct sandbox *wanted)
{
	if (strcmp(granted->state_directory, wanted->state_directory) != 0)
		return false;
	for (size_t i = 0; i < wanted->folder_count; i++)
		if (!has_folder(granted, wanted->folders[i]))
			return false;
	for (size_t i = 0; i < wanted->port_count; i++)
		if (!has_port(granted, wanted->ports[i]))
			return false;
	return true;
}

/* ---- files and ports ---- */

static struct ruleset_attributes
handled(long abi)
{
	struct ruleset_attributes a = { .handled_access_fs = FS_OF_FIRST_ABI };

	if (abi >= ABI_REFER)
		a.handled_access_fs |= FS_REFER;
	if (abi >= ABI_TRUNCATE)
		a.handled_access_fs |= FS_TRUNCATE;
	if (abi >= ABI_NET)
		a.handled_access_net = NET_BIND_TCP | NET_CONNECT_TCP;
	if (abi >= ABI_IOCTL)
		a.handled_access_fs |= FS_IOCTL_DEV;
	if (abi >= ABI_SCOPE)
		a.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL;
	return a;
}

/* Kernels refuse what is longer than they know, unless the rest is zero. */
static size_t
size_for(long abi)
{
	return abi >= ABI_SCOPE ? sizeof(struct ruleset_attributes)
	       : abi >= ABI_NET ? offsetof(struct ruleset_attributes, scoped)
				: offsetof(struct ruleset_attributes, handled_access_net);
}

/* Opens PATH, a folder with all below it or a file, for ACCESS. What is not there needs no rule. */
static int
open_path(int ruleset, const char *path, uint64_t access, const struct ruleset_attributes *all)
{
	struct landlock_path_beneath_attr rule = { .allowed_access =
						       access & all->handled_access_fs };
	struct stat st;
	int rc = 0;

	if ((rule.parent_fd = open(path, O_PATH | O_CLOEXEC)) < 0)
		return errno == ENOENT || errno == EACCES || errno == ENOTDIR ? 0 : -1;
	if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access &=
		    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
		rc = -1;
	close(rule.parent_fd);
	return rc;
}

static int
open_paths(int ruleset, const struct sandbox *s, const struct ruleset_attributes *all)
{
	if (open_path(ruleset, s->state_directory, KEEP, all) != 0)
		return -1;
	for (size_t i = 0; i < sizeof(system_folders) / sizeof(system_folders[0]); i++)
		if (open_path(ruleset, system_folders[i], READ, all) != 0)
			return -1;
	for (size_t i = 0; i < s->folder_count; i++)
		if (open_path(ruleset, s->folders[i], READ, all) != 0)
			return -1;
	return 0;
}

static int
open_ports(int ruleset, const struct sandbox *s)
{
	for (size_t i = 0; i < s->port_count; i++) {
		const struct port_attributes rule = { NET_CONNECT_TCP, s->ports[i] };

		if (syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &rule, 0) != 0)
			return -1;
	}
	return 0;
}

int
sandbox_close_files(const struct sandbox *s, enum sandbox_reach *reach, struct error *e)
{
	long abi = syscall(
	    SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	const struct ruleset_attributes all = handled(abi);
	int ruleset, rc = 0;

	*reach = SANDBOX_NOTHING;
	if (abi < 1) /* not built in, or not among the kernel's lsm= */
		return 0;
	ruleset = (int) syscall(SYS_landlock_create_ruleset, &all, size_for(abi), 0);
	if (ruleset < 0 || open_paths(ruleset, s, &all) != 0 ||
	    (abi >= ABI_NET && open_ports(ruleset, s) != 0) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
		rc = error_set(e, ERR_PERMANENT, "Landlock: %s", strerror(errno));
	else
		*reach = abi >= ABI_NET ? SANDBOX_FILES_AND_PORTS : SANDBOX_FILES;
	if (ruleset >= 0)
		close(ruleset);
	return rc;
}
