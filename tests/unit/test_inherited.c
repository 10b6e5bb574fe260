/* Tests of gateway/inherited.c. */
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

#include "gateway/inherited.h"

static void
promises(void)
{
	static const struct {
		const char *what, *fds, *pid;
		size_t count;
	} rows[] = {
		{ "nothing is said", NULL, NULL, 0 },
		{ "not for whom", "1", NULL, 0 },
		{ "not how many", NULL, "77", 0 },
		{ "two", "2", "77", 2 },
		{ "none", "0", "77", 0 },
		{ "for the process that started us", "2", "76", 0 },
		{ "for somebody whose number begins alike", "2", "770", 0 },
		{ "negative", "-2", "77", 0 },
		{ "empty", "", "77", 0 },
		{ "no number", "2x", "77", 0 },
		{ "no process", "2", "77 ", 0 },
		{ "as many as there may be", "1000", "77", 1000 },
		{ "more", "1001", "77", 0 },
		{ "more than a number", "99999999999999999999", "77", 0 },
		{ "a process that only looks like us", "2", "4294967373", 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		UNIT_CHECK(inherited_promised(rows[i].fds, rows[i].pid, 77) == rows[i].count,
		    rows[i].what);
}

/* A socket of loopback; LISTENS or not. */
static int
open_socket(int type, bool listens)
{
	struct sockaddr_in name = { .sin_family = AF_INET };
	int fd = socket(AF_INET, type, 0);

	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *) &name, sizeof(name)), 0);
	if (listens)
		CU_ASSERT_EQUAL_FATAL(listen(fd, 1), 0);
	return fd;
}

static void
only_listening_sockets_of_tcp(void)
{
	struct sockaddr_storage name;
	int fd, ends[2];

	fd = open_socket(SOCK_STREAM, true);
	CU_ASSERT_TRUE(inherited_is_listening(fd, &name));
	CU_ASSERT_EQUAL(name.ss_family, AF_INET);
	CU_ASSERT_TRUE((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	close(fd);
	CU_ASSERT_FALSE(inherited_is_listening(fd, &name));
	fd = open_socket(SOCK_STREAM, false);
	CU_ASSERT_FALSE(inherited_is_listening(fd, &name));
	close(fd);
	fd = open_socket(SOCK_DGRAM, false);
	CU_ASSERT_FALSE(inherited_is_listening(fd, &name));
	close(fd);
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	CU_ASSERT_FALSE(inherited_is_listening(ends[0], &name));
	close(ends[0]);
	close(ends[1]);
	CU_ASSERT_FALSE(inherited_is_listening(open("/dev/null", O_RDONLY | O_CLOEXEC), &name));
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "promises", promises },
		{ "only_listening_sockets_of_tcp", only_listening_sockets_of_tcp },
	};

	return unit_run("inherited", tests, sizeof(tests) / sizeof(tests[0]));
}
