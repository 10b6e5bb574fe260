/* Tests of gateway/control.c and gateway/config_handover.c: what passes between a supervisor and its
 * workers. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/config_handover.h"
#include "gateway/control.h"

static void
words_and_descriptors_arrive(void)
{
	struct control_message out = { .word = CONTROL_SERVE, .worker = 7, .workers = 3 }, in;
	struct stat sent, received;
	int ends[2];

	CU_ASSERT_EQUAL_FATAL(control_pair(ends), 0);
	for (; out.fd_count < CONTROL_FDS_MAX; out.fd_count++)
		out.fds[out.fd_count] = ends[out.fd_count % 2];
	CU_ASSERT_EQUAL(control_receive(ends[1], &in), ERR_TEMPORARY);
	CU_ASSERT_EQUAL(control_send(ends[0], &out), 0);
	CU_ASSERT_EQUAL(control_say(ends[0], CONTROL_DRAIN), 0);
	control_wait(ends[1]);
	CU_ASSERT_EQUAL_FATAL(control_receive(ends[1], &in), 0);
	CU_ASSERT_TRUE(in.word == CONTROL_SERVE && in.worker == 7 && in.workers == 3);
	CU_ASSERT_EQUAL_FATAL(in.fd_count, CONTROL_FDS_MAX);
	for (size_t i = 0; i < in.fd_count; i++) {
		CU_ASSERT_TRUE(fstat(in.fds[i], &received) == 0 && fstat(out.fds[i], &sent) == 0);
		CU_ASSERT_EQUAL(sent.st_ino, received.st_ino);
		CU_ASSERT_TRUE((fcntl(in.fds[i], F_GETFD) & FD_CLOEXEC) != 0);
	}
	control_discard(&in);
	CU_ASSERT_EQUAL(in.fd_count, 0);
	CU_ASSERT_EQUAL(control_receive(ends[1], &in), 0);
	CU_ASSERT_TRUE(in.word == CONTROL_DRAIN && in.fd_count == 0);
	close(ends[0]);
	close(ends[1]);
}

static void
the_end_of_the_other_side_shows(void)
{
	struct control_message in;
	int ends[2];

	CU_ASSERT_EQUAL_FATAL(control_pair(ends), 0);
	CU_ASSERT_TRUE(control_is_end(ends[0]) && control_is_end(ends[1]));
	CU_ASSERT_EQUAL(control_say(ends[0], CONTROL_PING), 0);
	close(ends[0]);
	CU_ASSERT_EQUAL(control_receive(ends[1], &in), 0); /* was sent before */
	control_wait(ends[1]);
	CU_ASSERT_EQUAL(control_receive(ends[1], &in), ERR_CLOSED);
	CU_ASSERT_EQUAL(control_say(ends[1], CONTROL_PONG), ERR_CLOSED);
	close(ends[1]);
}

static void
who_does_not_listen_holds_nobody(void)
{
	int ends[2], rc = 0;

	CU_ASSERT_EQUAL_FATAL(control_pair(ends), 0);
	for (int i = 0; i < 100000 && rc == 0; i++)
		rc = control_say(ends[0], CONTROL_PING);
	CU_ASSERT_EQUAL(rc, ERR_TEMPORARY);
	close(ends[0]);
	close(ends[1]);
}

static void
what_is_no_message_is_refused(void)
{
	struct control_message in;
	int ends[2], streams[2];

	CU_ASSERT_EQUAL_FATAL(control_pair(ends), 0);
	CU_ASSERT_EQUAL(send(ends[0], "x", 1, 0), 1);
	CU_ASSERT_EQUAL(control_receive(ends[1], &in), ERR_CLOSED);
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, streams), 0);
	CU_ASSERT_FALSE(control_is_end(streams[0]));
	CU_ASSERT_FALSE(control_is_end(-1));
	for (size_t i = 0; i < 2; i++) {
		close(ends[i]);
		close(streams[i]);
	}
}

static void
a_sealed_configuration_is_read_by_many(void)
{
	static const char text[] = "listener pop3 {\naddress = 127.0.0.1:110\n}\n"
				   "upstream {\nhost = localhost\ntls = none\n}\n"
				   "state_directory = there\nworkers = 3\n";
	struct config_report report = { 0 };
	struct config *config;
	int fd;

	CU_ASSERT_EQUAL_FATAL(config_seal(text, sizeof(text) - 1, &fd), 0);
	CU_ASSERT_EQUAL(write(fd, "x", 1), -1);
	CU_ASSERT_EQUAL(pwrite(fd, "x", 1, 0), -1);
	CU_ASSERT_EQUAL(ftruncate(fd, 0), -1);
	for (int i = 0; i < 2; i++) {
		config = NULL;
		CU_ASSERT_EQUAL_FATAL(config_load_sealed("/a/b.conf", fd, &config, &report), 0);
		CU_ASSERT_STRING_EQUAL(config->state_directory, "/a/there");
		CU_ASSERT_EQUAL(config_worker_count(config), 3);
		CU_ASSERT_EQUAL(config_address_count(config), 1);
		config_unref(config);
	}
	CU_ASSERT_EQUAL(report.count, 0);
	close(fd);
	CU_ASSERT_NOT_EQUAL(config_load_sealed("/a/b.conf", -1, &config, &report), 0);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "words and descriptors arrive", words_and_descriptors_arrive },
		{ "the end of the other side shows", the_end_of_the_other_side_shows },
		{ "who does not listen holds nobody", who_does_not_listen_holds_nobody },
		{ "what is no message is refused", what_is_no_message_is_refused },
		{ "a sealed configuration is read by many",
		    a_sealed_configuration_is_read_by_many },
	};

	return unit_run("control", tests, sizeof(tests) / sizeof(tests[0]));
}
