/* Unit tests of pop3front/session*.c: what goes wrong, what takes long, what is large. */
#include "pop3front/session.h"

#include "pop3_backend.h"

static const struct mail mails[] = {
	MAIL("Subject: one\r\n\r\nline 1\r\nline 2\r\n"),
	MAIL("h: 2\r\n\r\nb\r\n"),
};

#define GREETING "+OK POP3 server ready\r\n"
#define LOGIN "USER user\r\nPASS pass word \r\n"
#define IN GREETING "+OK send the password\r\n+OK maildrop has 2 messages\r\n"
#define BYE "+OK bye\r\n"
#define NOT_NOW "-ERR [SYS/TEMP] message cannot be retrieved now\r\n"

/* A message of LEN octets, lines of 64. */
static struct mail
large_mail(size_t len)
{
	static const char start[] = "Subject: large\r\n\r\n";
	char *text = malloc(len);

	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	memset(text, 'x', len);
	for (size_t i = sizeof(start) - 1; i + 63 < len; i += 64)
		memcpy(text + i + 62, "\r\n", 2);
	memcpy(text, start, sizeof(start) - 1);
	memcpy(text + len - 2, "\r\n", 2);
	return (struct mail){ text, len };
}

static bool
ends_with(const struct talk *t, const char *text)
{
	size_t len = strlen(text);

	return t->len >= len && memcmp(t->received + t->len - len, text, len) == 0;
}

/* ---- the backend fails ---- */

static void
rule_33_failures_before_the_message(void)
{
	static const struct {
		int error;
		const char *answer;
		enum pop3_end end;
	} rows[] = {
		{ ERR_GONE, "-ERR message is no longer there\r\n", POP3_END_QUIT },
		{ ERR_TEMPORARY, NOT_NOW, POP3_END_QUIT },
		{ ERR_IN_USE, NOT_NOW, POP3_END_QUIT },
		{ ERR_PERMANENT, "-ERR [SYS/PERM] message cannot be retrieved\r\n", POP3_END_QUIT },
		{ ERR_CLOSED, NOT_NOW, POP3_END_UPSTREAM },
		{ ERR_TIMEOUT, NOT_NOW, POP3_END_UPSTREAM },
		{ ERR_PROTOCOL, NOT_NOW, POP3_END_UPSTREAM },
	};
	static const char *const commands[] = { LOGIN "RETR 1\r\n", LOGIN "TOP 1 5\r\n" };

	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		bool lost = rows[i / 2].end == POP3_END_UPSTREAM;
		struct talk t;

		talk_begin(&t, mails, 2);
		t.backend.retrieve_error = rows[i / 2].error;
		talk_say(&t, commands[i % 2]);
		UNIT_CHECK(ends_with(&t, rows[i / 2].answer), rows[i / 2].answer);
		UNIT_CHECK(
		    (t.stream == NULL) == lost, "the session ends when the maildrop is lost");
		talk_say(&t, "DELE 1\r\nQUIT\r\n");
		talk_wait(&t);
		CU_ASSERT_EQUAL(t.report.end, rows[i / 2].end);
		CU_ASSERT_EQUAL(t.backend.commits, lost ? 0 : 1);
		CU_ASSERT_EQUAL(t.report.retrieved, 0);
		talk_end(&t);
	}
}

/* Before +OK nothing needs to be cut. */
static void
rule_33_a_part_that_is_too_large_is_refused(void)
{
	const struct mail large = large_mail(5000);
	struct talk t;

	talk_begin(&t, &large, 1);
	t.backend.ignores_octets = true;
	talk_say(&t, LOGIN "TOP 1 0\r\n");
	talk_wait(&t);
	CU_ASSERT_TRUE(ends_with(&t, "1 messages\r\n" NOT_NOW));
	CU_ASSERT_EQUAL(t.report.end, POP3_END_UPSTREAM);
	CU_ASSERT_EQUAL(t.report.error.code, ERR_PROTOCOL);
	talk_end(&t);
	free((char *) large.text);
}

static void
rule_32_cut_messages_have_no_end(void)
{
	static const char *const commands[] = { "RETR 1\r\nDELE 1\r\nQUIT\r\n",
		"TOP 1 9\r\nDELE 1\r\nQUIT\r\n" };

	for (size_t i = 0; i < 2; i++)
		for (size_t kept = 0; kept <= mails[0].len; kept++) {
			struct talk t;

			talk_begin(&t, mails, 2);
			t.backend.retrieve_error = ERR_CLOSED;
			t.backend.fails_behind_begin = true;
			t.backend.fails_behind = kept;
			talk_say(&t, LOGIN);
			talk_say(&t, commands[i]);
			talk_wait(&t);
			UNIT_CHECK(!ends_with(&t, "\r\n.\r\n"), commands[i]);
			CU_ASSERT_EQUAL(t.report.end, POP3_END_CUT);
			CU_ASSERT_EQUAL(t.report.error.code, ERR_CLOSED);
			CU_ASSERT_EQUAL(t.backend.commits, 0);
			talk_end(&t);
		}
}

/* The backend says that this was all, and it was not. */
static void
rule_33_a_message_shorter_than_announced_has_no_end(void)
{
	static const char *const commands[] = { "RETR 1\r\nDELE 1\r\nQUIT\r\n",
		"TOP 1 9\r\nDELE 1\r\nQUIT\r\n" };

	for (size_t i = 0; i < 2; i++)
		for (size_t kept = 0; kept < mails[0].len; kept++) {
			struct talk t;

			talk_begin(&t, mails, 2);
			t.backend.fails_behind_begin = true;
			t.backend.fails_behind = kept;
			talk_say(&t, LOGIN);
			talk_say(&t, commands[i]);
			talk_wait(&t);
			UNIT_CHECK(!ends_with(&t, "\r\n.\r\n"), commands[i]);
			CU_ASSERT_EQUAL(t.report.end, POP3_END_CUT);
			CU_ASSERT_EQUAL(t.report.error.code, ERR_PROTOCOL);
			CU_ASSERT_EQUAL(t.backend.commits, 0);
			talk_end(&t);
		}
}

static void
rule_32_a_large_message_is_cut_in_the_middle(void)
{
	const struct mail large = large_mail(300000);
	struct talk t;

	talk_begin(&t, &large, 1);
	t.backend.retrieve_error = ERR_TIMEOUT;
	t.backend.fails_behind_begin = true;
	t.backend.fails_behind = 200018;
	t.backend.piece = 9999;
	talk_say(&t, LOGIN "RETR 1\r\nNOOP\r\n");
	talk_wait(&t);
	CU_ASSERT_TRUE(t.len > 100000 && t.len < 200200);
	CU_ASSERT_FALSE(ends_with(&t, ".\r\n"));
	CU_ASSERT_EQUAL(t.report.end, POP3_END_CUT);
	talk_end(&t);
	free((char *) large.text);
}

static void
a_lost_maildrop_ends_a_silent_session(void)
{
	struct talk t;

	talk_begin(&t, mails, 2);
	t.settings.keepalive_ms = 5;
	t.backend.keepalive_error = ERR_CLOSED;
	talk_say(&t, LOGIN);
	talk_wait(&t);
	CU_ASSERT_TRUE(
	    ends_with(&t, "-ERR [SYS/TEMP] the connection to the mail server is lost\r\n"));
	CU_ASSERT_EQUAL(t.report.end, POP3_END_UPSTREAM);
	CU_ASSERT_EQUAL(t.backend.keepalives, 1);
	talk_end(&t);
}

/* ---- large things ---- */

static void
rule_03_top_asks_for_slices(void)
{
	const struct mail large = large_mail(4 << 20);
	struct talk t;

	talk_begin(&t, &large, 1);
	talk_say(&t, LOGIN "TOP 1 0\r\n");
	CU_ASSERT_EQUAL(t.backend.parts, 1);
	CU_ASSERT_TRUE(t.backend.part_offsets[0] == 0 && t.backend.part_octets[0] == 4096);
	CU_ASSERT_TRUE(ends_with(&t, "follows\r\nSubject: large\r\n\r\n.\r\n"));
	t.backend.parts = 0;
	hold(&t, "TOP 1 100000000\r\nQUIT\r\n", 1000);
	CU_ASSERT_EQUAL(t.backend.parts, 5); /* the last one finds the end */
	for (unsigned i = 0; i < 5; i++)
		CU_ASSERT_TRUE(
		    t.backend.part_offsets[i] == i << 20 && t.backend.part_octets[i] == 1 << 20);
	CU_ASSERT_TRUE(ends_with(&t, "xx\r\n.\r\n" BYE));
	CU_ASSERT_PTR_NOT_NULL(memmem(t.received, t.len, large.text, large.len));
	CU_ASSERT_EQUAL(uidset_size(&t.backend.seen), 0);
	talk_end(&t);
	free((char *) large.text);
}

static void
large_messages_come_whole(void)
{
	static const size_t pieces[] = { 0, 1000, 16384, 32768, 65536 };
	const struct mail large = large_mail(1000003);

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct talk t;

		talk_begin(&t, &large, 1);
		t.backend.piece = pieces[i];
		hold(&t, LOGIN "RETR 1\r\nQUIT\r\n", 1000);
		CU_ASSERT_PTR_NOT_NULL(memmem(t.received, t.len, large.text, large.len));
		CU_ASSERT_TRUE(ends_with(&t, "x\r\n.\r\n" BYE));
		CU_ASSERT_EQUAL(t.report.octets, large.len);
		talk_end(&t);
	}
	free((char *) large.text);
}

/* Octets that are changed, between spans that are not copied, spans that are, and none. */
static void
rule_05_large_messages_with_dots(void)
{
	static const size_t pieces[] = { 0, 9000, 65536 };
	struct mail large = large_mail(400000);
	char *want = malloc(2 * large.len), *text = (char *) large.text;
	size_t len = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(want);
	for (size_t at = 40, step = 1; at + 3 < large.len; at += step, step = step * 5 / 4 + 1)
		memcpy(text + at, step % 2 == 0 ? "\n." : "\r\n.", step % 2 == 0 ? 2 : 3);
	for (size_t i = 0; i < large.len; i++) {
		if (text[i] == '\n' && text[i - 1] != '\r')
			want[len++] = '\r';
		if (text[i] == '.' && text[i - 1] == '\n')
			want[len++] = '.';
		want[len++] = text[i];
	}
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct talk t;

		talk_begin(&t, &large, 1);
		t.backend.piece = pieces[i];
		hold(&t, LOGIN "RETR 1\r\nQUIT\r\n", 1000);
		CU_ASSERT_PTR_NOT_NULL(memmem(t.received, t.len, want, len));
		CU_ASSERT_TRUE(ends_with(&t, "x\r\n.\r\n" BYE));
		CU_ASSERT_EQUAL(t.report.octets, len);
		talk_end(&t);
	}
	free(want);
	free(text);
}

/* Packets show what was one write. */
static void
rule_05_the_end_is_in_one_write_with_the_last_octets(void)
{
	char packet[65536];

	for (size_t len = 32660; len < 32780; len++) {
		const struct mail large = large_mail(len);
		struct talk t;
		ssize_t n, last = 0;
		int fds[2];

		talk_begin(&t, &large, 1);
		stream_abort(t.stream);
		close(t.client);
		CU_ASSERT_EQUAL_FATAL(
		    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
		t.client = fds[0];
		t.stream = adopt(runtime, fds[1]);
		(void) !write(t.client, LOGIN "RETR 1\r\n", strlen(LOGIN "RETR 1\r\n"));
		for (unsigned lines = 0; lines == 0;) {
			uv_run(&loop, UV_RUN_NOWAIT);
			while ((n = recv(t.client, packet, sizeof(packet), MSG_DONTWAIT)) > 0) {
				last = n;
				lines += n >= 3 && memcmp(packet + n - 3, ".\r\n", 3) == 0;
			}
		}
		CU_ASSERT_TRUE(last > 3);
		talk_shut(&t);
		talk_end(&t);
		free((char *) large.text);
	}
}

static void
listings_of_100000_messages(void)
{
	enum { COUNT = 100000 };
	struct mail *many = calloc(COUNT, sizeof(*many));
	struct talk t;
	size_t lines = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(many);
	talk_begin(&t, many, COUNT);
	hold(&t, LOGIN "LIST\r\nUIDL\r\nQUIT\r\n", 1000);
	for (size_t i = 0; i < t.len; i++)
		lines += t.received[i] == '\n';
	CU_ASSERT_EQUAL(lines, 3 + 2 * (COUNT + 2) + 1);
	CU_ASSERT_TRUE(ends_with(&t, "\r\n100000 u1000000\r\n.\r\n" BYE));
	talk_end(&t);
	free(many);
}

/* ---- the client does not read, or is slow ---- */

static void
a_client_that_does_not_read(void)
{
	static const char *const commands[] = { LOGIN "RETR 1\r\n", LOGIN "TOP 1 10000000\r\n" };
	const struct mail large = large_mail(4 << 20);

	for (size_t i = 0; i < 2; i++) {
		struct talk t;

		talk_begin(&t, &large, 1);
		t.settings.write_ms = 30;
		shrink_buffers(t.client);
		(void) !write(t.client, commands[i], strlen(commands[i]));
		while (t.stream != NULL)
			uv_run(&loop, UV_RUN_ONCE);
		CU_ASSERT_EQUAL(t.report.end, POP3_END_CLIENT_STUCK);
		CU_ASSERT_NOT_EQUAL(t.backend.sink_error, 0);
		CU_ASSERT_EQUAL(t.report.retrieved, 0);
		talk_receive(&t);
		CU_ASSERT_FALSE(ends_with(&t, "\r\n.\r\n"));
		talk_end(&t);
	}
	free((char *) large.text);
}

static void
rule_31_answers_nobody_reads_stop_the_commands(void)
{
	static char noops[600000];
	size_t sent = 0;
	struct talk t;

	for (size_t i = 0; i < sizeof(noops); i += 6)
		memcpy(noops + i, "NOOP\r\n", 6);
	talk_begin(&t, mails, 2);
	talk_say(&t, LOGIN);
	for (int idle = 0; idle < 100 && sent < sizeof(noops);) {
		ssize_t n =
		    send(t.client, noops + sent, sizeof(noops) - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		idle = n > 0 ? 0 : idle + 1;
		sent += n > 0 ? (size_t) n : 0;
		uv_run(&loop, UV_RUN_NOWAIT);
	}
	CU_ASSERT_TRUE(t.report.commands < sizeof(noops) / 6);
	talk_send(&t, noops + sent, sizeof(noops) - sent);
	hold(&t, "QUIT\r\n", 6);
	CU_ASSERT_EQUAL(t.report.commands, 2 + sizeof(noops) / 6 + 1);
	CU_ASSERT_EQUAL(t.report.end, POP3_END_QUIT);
	talk_end(&t);
}

static void
rule_17_silence(void)
{
	static const struct {
		const char *name, *sent, *received;
		uint64_t login_ms, authorization_ms, idle_ms;
	} rows[] = {
		{ "before login", "CAP", GREETING, 20, 60000, 60000 },
		{ "within AUTH", "AUTH PLAIN\r\n", GREETING "+ \r\n", 20, 60000, 60000 },
		{ "all of AUTHORIZATION", "", GREETING, 60000, 20, 60000 },
		{ "after login", LOGIN "DELE 1\r\nQUI", IN "+OK message marked\r\n", 60000, 60000,
		    20 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct talk t;

		talk_begin(&t, mails, 2);
		t.settings.login_ms = rows[i].login_ms;
		t.settings.authorization_ms = rows[i].authorization_ms;
		t.settings.idle_ms = rows[i].idle_ms;
		talk_say(&t, rows[i].sent);
		talk_wait(&t);
		UNIT_CHECK(t.report.end == POP3_END_IDLE, rows[i].name);
		UNIT_CHECK(strcmp(t.received, rows[i].received) == 0, rows[i].name);
		CU_ASSERT_EQUAL(t.backend.commits, 0);
		talk_end(&t);
	}
}

static void
rule_17_who_is_busy_does_not_stay_in_authorization(void)
{
	static const size_t at_once[] = { 6,
		6 * 1000 }; /* little: it waits in between; much: it never does */
	static char sent[6 * 1000];

	for (size_t i = 0; i < sizeof(sent); i += 6)
		memcpy(sent + i, "CAPA\r\n", 6);
	for (size_t i = 0; i < 2; i++) {
		struct talk t;

		talk_begin(&t, mails, 2);
		t.settings.authorization_ms = 30;
		while (t.stream != NULL)
			talk_send(&t, sent, at_once[i]);
		CU_ASSERT_EQUAL(t.report.end, POP3_END_IDLE);
		talk_end(&t);
	}
}

static void
rule_17_the_maildrop_is_kept_alive(void)
{
	struct talk t;

	talk_begin(&t, mails, 2);
	t.settings.keepalive_ms = 2;
	t.settings.idle_ms = 300;
	talk_say(&t, LOGIN "NOO");
	talk_wait(&t);
	CU_ASSERT_TRUE(t.backend.keepalives >= 3);
	CU_ASSERT_EQUAL(t.report.end, POP3_END_IDLE);
	talk_end(&t);
}

/* ---- popgate stops ---- */

static void
rule_37_idle_sessions_are_told(void)
{
	static const char *const said[] = { "", "USER user\r\n", "AUTH PLAIN\r\n", LOGIN,
		LOGIN "DELE 1\r\nQUI" };

	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		struct talk t;

		talk_begin(&t, mails, 2);
		talk_say(&t, said[i]);
		stream_interrupt(t.stream);
		talk_wait(&t);
		UNIT_CHECK(ends_with(&t, "-ERR [SYS/TEMP] server is shutting down\r\n"), said[i]);
		CU_ASSERT_EQUAL(t.report.end, POP3_END_SHUTDOWN);
		CU_ASSERT_EQUAL(t.backend.commits, 0);
		talk_end(&t);
	}
}

static void
rule_37_a_running_command_is_finished(void)
{
	const struct mail large = large_mail(4 << 20);
	struct talk t;

	talk_begin(&t, &large, 1);
	talk_say(&t, LOGIN);
	(void) !write(t.client, "RETR 1\r\n", 8);
	run_a_little();
	CU_ASSERT_EQUAL(t.report.retrieved, 0);
	stream_interrupt(t.stream);
	talk_wait(&t);
	CU_ASSERT_TRUE(ends_with(&t, "x\r\n.\r\n-ERR [SYS/TEMP] server is shutting down\r\n"));
	CU_ASSERT_EQUAL(t.report.retrieved, 1);
	talk_end(&t);
	free((char *) large.text);
}

/* Writing fails, but the connection does not end: there is nothing to wait for. */
static void
a_client_that_cannot_be_written_to_is_not_waited_for(void)
{
	struct talk t;

	talk_begin(&t, mails, 2);
	talk_say(&t, LOGIN);
	shutdown(t.client, SHUT_RD);
	talk_say(&t, "DELE 1\r\n");
	CU_ASSERT_PTR_NULL(t.stream);
	CU_ASSERT_EQUAL(t.report.end, POP3_END_CLIENT_CLOSED);
	CU_ASSERT_EQUAL(t.backend.commits, 0);
	talk_end(&t);
}

static void
rule_15_what_came_before_writing_failed_counts(void)
{
	enum { NOOPS = 300 }; /* more than is read at a time */
	static char said[NOOPS * 6 + 16];
	struct talk t;

	for (size_t i = 0; i < NOOPS; i++)
		memcpy(said + 6 * i, "NOOP\r\n", 6);
	memcpy(said + 6 * NOOPS, "DELE 1\r\nQUIT\r\n", 15);
	talk_begin(&t, mails, 2);
	talk_say(&t, LOGIN);
	shutdown(t.client, SHUT_RD);
	talk_say(&t, said);
	CU_ASSERT_PTR_NULL(t.stream);
	CU_ASSERT_EQUAL(t.report.end, POP3_END_QUIT);
	CU_ASSERT_EQUAL(t.backend.commits, 1);
	talk_end(&t);
}

static void
a_cancelled_session_unwinds_at_once(void)
{
	static const struct {
		const char *name, *said;
		enum backend_call sleeps_in;
		uint64_t auth_failure_delay_ms;
		enum pop3_end end;
	} rows[] = {
		{ "waiting for a command", "", NO_CALL, 1, POP3_END_SHUTDOWN },
		{ "waiting for a response", "AUTH LOGIN\r\n", NO_CALL, 1, POP3_END_SHUTDOWN },
		{ "logging in", LOGIN, CALL_OPEN, 1, POP3_END_SHUTDOWN },
		{ "delaying an answer", "USER x\r\nPASS y\r\n", NO_CALL, 60000, POP3_END_SHUTDOWN },
		{ "waiting in TRANSACTION", LOGIN, NO_CALL, 1, POP3_END_SHUTDOWN },
		{ "retrieving", LOGIN "RETR 1\r\n", CALL_RETRIEVE, 1, POP3_END_SHUTDOWN },
		{ "committing", LOGIN "DELE 1\r\nQUIT\r\n", CALL_COMMIT, 1, POP3_END_QUIT_FAILED },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct talk t;

		talk_begin(&t, mails, 2);
		t.backend.sleeps_in = rows[i].sleeps_in;
		t.settings.auth_failure_delay_ms = rows[i].auth_failure_delay_ms;
		talk_say(&t, rows[i].said);
		CU_ASSERT_PTR_NOT_NULL_FATAL(t.stream);
		fiber_cancel(t.fiber);
		UNIT_CHECK(t.stream == NULL, rows[i].name);
		UNIT_CHECK(t.report.end == rows[i].end, rows[i].name);
		CU_ASSERT_EQUAL(t.report.error.code, ERR_CANCELLED);
		talk_end(&t);
	}
}

static void
a_cancelled_transfer_has_no_end(void)
{
	const struct mail large = large_mail(4 << 20);
	struct talk t;

	talk_begin(&t, &large, 1);
	talk_say(&t, LOGIN);
	(void) !write(t.client, "RETR 1\r\n", 8);
	run_a_little();
	fiber_cancel(t.fiber);
	CU_ASSERT_PTR_NULL(t.stream);
	CU_ASSERT_EQUAL(t.report.error.code, ERR_CANCELLED);
	talk_wait(&t);
	CU_ASSERT_FALSE(ends_with(&t, "\r\n.\r\n"));
	talk_end(&t);
	free((char *) large.text);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "rule_33_failures_before_the_message", rule_33_failures_before_the_message },
		{ "rule_33_a_part_that_is_too_large_is_refused",
		    rule_33_a_part_that_is_too_large_is_refused },
		{ "rule_32_cut_messages_have_no_end", rule_32_cut_messages_have_no_end },
		{ "rule_33_a_message_shorter_than_announced_has_no_end",
		    rule_33_a_message_shorter_than_announced_has_no_end },
		{ "rule_32_a_large_message_is_cut_in_the_middle",
		    rule_32_a_large_message_is_cut_in_the_middle },
		{ "a_lost_maildrop_ends_a_silent_session", a_lost_maildrop_ends_a_silent_session },
		{ "rule_03_top_asks_for_slices", rule_03_top_asks_for_slices },
		{ "large_messages_come_whole", large_messages_come_whole },
		{ "rule_05_large_messages_with_dots", rule_05_large_messages_with_dots },
		{ "rule_05_the_end_is_in_one_write_with_the_last_octets",
		    rule_05_the_end_is_in_one_write_with_the_last_octets },
		{ "listings_of_100000_messages", listings_of_100000_messages },
		{ "a_client_that_does_not_read", a_client_that_does_not_read },
		{ "rule_31_answers_nobody_reads_stop_the_commands",
		    rule_31_answers_nobody_reads_stop_the_commands },
		{ "rule_17_silence", rule_17_silence },
		{ "rule_17_who_is_busy_does_not_stay_in_authorization",
		    rule_17_who_is_busy_does_not_stay_in_authorization },
		{ "rule_17_the_maildrop_is_kept_alive", rule_17_the_maildrop_is_kept_alive },
		{ "rule_37_idle_sessions_are_told", rule_37_idle_sessions_are_told },
		{ "rule_37_a_running_command_is_finished", rule_37_a_running_command_is_finished },
		{ "a_client_that_cannot_be_written_to_is_not_waited_for",
		    a_client_that_cannot_be_written_to_is_not_waited_for },
		{ "rule_15_what_came_before_writing_failed_counts",
		    rule_15_what_came_before_writing_failed_counts },
		{ "a_cancelled_session_unwinds_at_once", a_cancelled_session_unwinds_at_once },
		{ "a_cancelled_transfer_has_no_end", a_cancelled_transfer_has_no_end },
	};

	return unit_run("session faults", tests, sizeof(tests) / sizeof(tests[0]));
}
