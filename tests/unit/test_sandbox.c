/* Tests of gateway/sandbox.c and sandbox_calls.c: what a process that has locked itself in can still do. Each test is a
 * child that closes everything, tries, and tells by its exit status. */
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fiberio/tools.h"
#include "gateway/sandbox.h"

enum { NOT_CLOSED = 100, UNPLANNED = 101, NO_LANDLOCK = 102 };

static char state[64];
static uint16_t open_port, closed_port;

/* A configuration with the state directory and a server at PORT. */
static struct config *
configuration(uint16_t port)
{
	struct config_report report = { 0 };
	struct config *config = NULL;
	char text[256];
	int len;

	len = snprintf(text, sizeof(text),
	    "state_directory = %s\nlistener pop3 {\naddress = 127.0.0.1:0\n}\n"
	    "upstream {\nhost = 127.0.0.1\ntls = none\nport = %u\n}\n",
	    state, (unsigned) port);
	CU_ASSERT_EQUAL_FATAL(
	    config_load_text("/etc/popgate/popgate.conf", text, (size_t) len, &config, &report), 0);
	config_report_clear(&report);
	return config;
}

static struct sandbox *
planned(uint16_t port, const char *config_file)
{
	struct config *config = configuration(port);
	struct sandbox *sandbox = NULL;

	CU_ASSERT_EQUAL_FATAL(sandbox_plan(config, config_file, &sandbox), 0);
	config_unref(config);
	return sandbox;
}

/* What TRY comes to in a child that has locked itself in: its exit status, or 1000 and the signal that ended it. */
static int
inside(int (*try)(void))
{
	struct sandbox *sandbox = planned(open_port, "/etc/popgate/popgate.conf");
	enum sandbox_reach reach;
	struct error e = { 0 };
	int status;
	pid_t child;

	if ((child = fork()) == 0) {
		if (sandbox_close_files(sandbox, &reach, &e) != 0 || sandbox_close_calls(&e) != 0)
			_exit(NOT_CLOSED);
		if (reach != SANDBOX_FILES_AND_PORTS)
			_exit(NO_LANDLOCK);
		_exit(try());
	}
	sandbox_free(sandbox);
	CU_ASSERT_EQUAL_FATAL(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Whether this kernel has what the tests below are about; elsewhere only that it is said. */
static int
kernel_is_new(void)
{
	return inside(getpagesize) != NO_LANDLOCK;
}

static int
open_for(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	return fd >= 0 ? 0 : errno;
}

static int
read_etc(void)
{
	return open_for("/etc/hosts", O_RDONLY); /* /etc is open: names are looked up there */
}

static int
read_elsewhere(void)
{
	return open_for("/var/log", O_RDONLY | O_DIRECTORY);
}

static int
read_own_memory(void)
{
	return open_for("/proc/self/mem", O_RDWR);
}

static int
write_to_etc(void)
{
	return open_for("/etc/popgate-was-here", O_WRONLY | O_CREAT);
}

static int
write_state(void)
{
	char path[80];

	snprintf(path, sizeof(path), "%s/file", state);
	return open_for(path, O_RDWR | O_CREAT);
}

static int
connect_to(uint16_t port)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		return UNPLANNED;
	return connect(fd, (struct sockaddr *) &name, sizeof(name)) == 0 ? 0 : errno;
}

static int
connect_to_server(void)
{
	return connect_to(open_port);
}

static int
connect_elsewhere(void)
{
	return connect_to(closed_port);
}

static int
listen_for_more(void)
{
	struct sockaddr_in name = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return bind(fd, (struct sockaddr *) &name, sizeof(name)) == 0 ? 0 : errno;
}

static int
packet_socket(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0) >= 0 ? 0 : errno;
}

static int
executable_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
		       MAP_FAILED
		   ? errno
		   : 0;
}

static int
memory_made_executable(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return UNPLANNED;
	return mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0 ? 0 : errno;
}

static int
start_shell(void)
{
	execl("/bin/sh", "sh", "-c", "exit 0", (char *) NULL);
	return errno;
}

static int
trace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? 0 : errno;
}

static int
signal_parent(void)
{
	return kill(getppid(), 0) == 0 ? 0 : errno;
}

static int
give_up(void)
{
	signal(SIGABRT, SIG_DFL);
	abort();
}

static int
look_up_a_name(void)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;

	if (getaddrinfo("localhost", "993", &hints, &found) != 0)
		return UNPLANNED;
	freeaddrinfo(found);
	return 0;
}

static const struct {
	const char *what;
	int (*try)(void);
	int outcome;
} attempts[] = {
	/* what a worker does */
	{ "looks up a name", look_up_a_name, 0 },
	{ "reads /etc", read_etc, 0 },
	{ "writes to the state directory", write_state, 0 },
	{ "connects to its server", connect_to_server, 0 },
	{ "aborts", give_up, 1000 + SIGABRT },
	/* what an intruder does */
	{ "reads what is none of its business", read_elsewhere, EACCES },
	{ "opens memory by way of /proc", read_own_memory, EACCES },
	{ "writes to /etc", write_to_etc, EACCES },
	{ "connects to another port", connect_elsewhere, EACCES },
	{ "listens", listen_for_more, EACCES },
	{ "listens to the network", packet_socket, ENOSYS },
	{ "maps memory to write and execute", executable_memory, ENOSYS },
	{ "makes memory executable", memory_made_executable, ENOSYS },
	{ "starts a shell", start_shell, 1000 + SIGSYS },
	{ "traces", trace, 1000 + SIGSYS },
	{ "sends signals to others", signal_parent, ENOSYS },
};

static void
what_is_open_and_closed(void)
{
	if (RUNNING_ON_VALGRIND) /* which lets neither Landlock nor seccomp(2) through */
		return;
	if (!kernel_is_new()) { /* the calls are closed all the same */
		CU_ASSERT_EQUAL(inside(start_shell), NO_LANDLOCK);
		return;
	}
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		int outcome = inside(attempts[i].try);

		if (!UNIT_CHECK(outcome == attempts[i].outcome, attempts[i].what))
			printf("%s: %d instead of %d\n", attempts[i].what, outcome,
			    attempts[i].outcome);
	}
}

/* A reload may go on with the sandbox that there is, or it may take another process. */
static void
reload_may_need_another(void)
{
	struct sandbox *here = planned(143, "/etc/popgate/popgate.conf");
	struct sandbox *same = planned(143, "/etc/popgate/other.conf");
	struct sandbox *other_port = planned(993, "/etc/popgate/popgate.conf");
	struct sandbox *other_folder = planned(143, "/home/popgate.conf");

	CU_ASSERT_TRUE(sandbox_covers(here, same));
	CU_ASSERT_FALSE(sandbox_covers(here, other_port));
	CU_ASSERT_FALSE(sandbox_covers(here, other_folder));
	sandbox_free(here);
	sandbox_free(same);
	sandbox_free(other_port);
	sandbox_free(other_folder);
}

/* A plan for FILES of a listener, and AUTHORITIES of an upstream; what is not planned is NULL. */
static struct sandbox *
planned_for(char *certificate, char *key, char *staple, char *authorities)
{
	struct config *config = configuration(143);
	struct config_listener *l = &config->listeners[0];
	struct config_listener before = *l;
	struct sandbox *sandbox = NULL;
	char *staples[] = { "", staple }, *directory = config->upstreams[0].ca_directory;

	l->certificates = (struct text_list){ &certificate, certificate != NULL };
	l->keys = (struct text_list){ &key, key != NULL };
	l->staples = (struct text_list){ staples, staple != NULL ? 2 : 0 };
	config->upstreams[0].ca_directory = authorities;
	CU_ASSERT_EQUAL_FATAL(sandbox_plan(config, "/etc/popgate/popgate.conf", &sandbox), 0);
	*l = before;
	config->upstreams[0].ca_directory = directory;
	config_unref(config);
	return sandbox;
}

/* Each file of a list counts, and "" is none; the authorities are a folder themselves. */
static void
lists_of_files_are_planned(void)
{
	static char in_a[] = "/srv/a/file", in_b[] = "/srv/b/file", in_root[] = "/srv";
	struct sandbox *none = planned_for(NULL, NULL, NULL, NULL);
	struct sandbox *all = planned_for(in_a, in_b, in_root, "/srv/authorities");
	struct sandbox *one[] = {
		planned_for(in_a, NULL, NULL, NULL),
		planned_for(NULL, in_b, NULL, NULL),
		planned_for(NULL, NULL, in_root, NULL),
		planned_for(NULL, NULL, NULL, "/srv/authorities"),
		/* as a file in it */
		planned_for("/srv/authorities/file", NULL, NULL, NULL),
	};
	const size_t count = sizeof(one) / sizeof(one[0]);

	for (size_t i = 0; i < count; i++) {
		CU_ASSERT_FALSE(sandbox_covers(none, one[i]));
		CU_ASSERT_TRUE(sandbox_covers(all, one[i]));
		for (size_t j = 0; j < count - 1; j++)
			CU_ASSERT_EQUAL(sandbox_covers(one[j], one[i]), i == j || (i == 4 && j == 3));
	}
	for (size_t i = 0; i < count; i++)
		sandbox_free(one[i]);
	sandbox_free(none);
	sandbox_free(all);
}

/* A port of loopback that somebody listens on, until the end. */
static uint16_t
listening_port(void)
{
	struct sockaddr_in name = { .sin_family = AF_INET };
	socklen_t size = sizeof(name);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *) &name, sizeof(name)) != 0 ||
	    listen(fd, 16) != 0 || getsockname(fd, (struct sockaddr *) &name, &size) != 0)
		return 0;
	return ntohs(name.sin_port);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "what is open and what is closed", what_is_open_and_closed },
		{ "a reload may need another sandbox", reload_may_need_another },
		{ "lists of files are planned", lists_of_files_are_planned },
	};
	char path[80];
	int result;

	snprintf(state, sizeof(state), "/tmp/test_sandbox.XXXXXX");
	if (mkdtemp(state) == NULL)
		return 2;
	open_port = listening_port();
	closed_port = listening_port();
	result = unit_run("sandbox", tests, sizeof(tests) / sizeof(tests[0]));
	snprintf(path, sizeof(path), "%s/file", state);
	unlink(path);
	rmdir(state);
	return result;
}
