/* Unit tests of gateway/journal.c: entries come and go, survive, and are one maildrop's; fibers
 * wait for their turns and may be cancelled. */
#include "gateway/journal.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "journal_rig.h"

/* How often SQLite has paused because others hold the file: it comes here for that. */
static atomic_uint pauses;

int usleep(useconds_t us);

int
usleep(useconds_t us)
{
	const struct timespec pause = { us / 1000000, (long) (us % 1000000) * 1000 };

	atomic_fetch_add(&pauses, 1);
	return nanosleep(&pause, NULL);
}

/* Until a job is at work, and finds the file held. */
static void
run_until_held(void)
{
	unsigned before = atomic_load(&pauses);

	while (atomic_load(&pauses) == before)
		uv_run(&loop, UV_RUN_NOWAIT);
}

/* ---- entries ---- */

static void
entries_come_back_whole(void)
{
	struct call c = call_of(BEGIN, "jane");

	rig_begin();
	c.entry = (struct journal_entry){
		.uidvalidity = 4294967295u, .begun = 1700000000, .how = "mark Gone"
	};
	set_of(&c.entry.ours, "1:5,9,4294967295");
	set_of(&c.entry.flagged_before, "2,7:9"); /* 7 and 8 are not ours: of no interest */
	set_of(&c.entry.lifted, "12");
	CU_ASSERT_EQUAL(make_call(&c), 0);
	CU_ASSERT_TRUE(c.id > 0);
	CHECK_PENDING("jane", "remove 4294967295 1:5,9,4294967295/2,9/12");
	uidset_clear(&c.entry.ours);
	uidset_clear(&c.entry.flagged_before);
	uidset_clear(&c.entry.lifted);

	struct call again = call_of(PENDING, "jane");

	CU_ASSERT_EQUAL(make_call(&again), 0);
	CU_ASSERT_EQUAL(again.count, 1);
	CU_ASSERT_EQUAL(again.id, c.id);
	CU_ASSERT_EQUAL(again.entry.begun, 1700000000);
	CU_ASSERT_STRING_EQUAL(again.entry.how, "mark Gone");
	rig_end();
}

static void
nothing_is_pending_at_first(void)
{
	rig_begin();
	CU_ASSERT_EQUAL(size_of("journal.db"), -1); /* until it is needed */
	CHECK_PENDING("jane", "");
	rig_end();
}

static void
entries_survive_a_close(void)
{
	rig_begin();
	CU_ASSERT_EQUAL(begin_entry("jane", "1:3", NULL), 0);
	reopen_journal();
	CHECK_PENDING("jane", "remove 7 1:3//");
	rig_end();
}

static void
the_file_is_for_us_alone(void)
{
	static const char *const names[] = { "journal.db", "journal.db-wal", "journal.db-shm" };

	rig_begin();
	mode_t old = umask(0);

	CU_ASSERT_EQUAL(begin_entry("jane", "1:3", NULL), 0);
	umask(old);
	for (size_t i = 0; i < 3; i++) {
		struct stat st;

		CU_ASSERT_EQUAL_FATAL(stat(in_state(names[i]), &st), 0);
		UNIT_CHECK((st.st_mode & 07777) == 0600, names[i]);
	}
	rig_end();
}

/* A process that is killed when journal_begin, journal_change and journal_end have returned. */
static void
entries_survive_a_kill(void)
{
	int status;
	pid_t child;

	rig_begin();
	fflush(NULL);
	if ((child = fork()) == 0) {
		int64_t first = 0, second = 0;

		if (uv_loop_fork(&loop) != 0 || begin_entry("jane", "1:3", &first) != 0 ||
		    begin_entry("jane", "4", &second) != 0 || begin_entry("jane", "5", NULL) != 0 ||
		    end_entry(first) != 0 || change_entry(second, JOURNAL_UNDO, "8") != 0)
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	CU_ASSERT_TRUE_FATAL(child > 0);
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK_PENDING("jane", "undo 7 4//8 remove 7 5//");
	rig_end();
}

static void
maildrops_are_apart(void)
{
	static const struct {
		const char *upstream, *user, *mailbox, *ours;
	} rows[] = {
		{ "imap", "jane", "INBOX", "1" },
		{ "imap", "jane2", "INBOX", "2" },
		{ "imap", "jane", "Archive", "3" },
		{ "other", "jane", "INBOX", "4" },
		{ "imap", "j\xc3\x84ne", "INBOX", "5" },
		{ "imap", "j\xc3\xa4ne", "INBOX", "6" }, /* no letter of ASCII: another name */
		{ "imap", "jane' OR '1'='1", "INBOX", "7" },
		{ "imap", "\xff\xfe%_", "INBOX", "8" },
		{ "", "", "", "9" },
	};
	enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

	rig_begin();
	for (size_t i = 0; i < ROWS; i++) {
		struct call c = { .kind = BEGIN, .upstream = rows[i].upstream };

		c.user = rows[i].user;
		c.mailbox = rows[i].mailbox;
		c.entry.uidvalidity = 1;
		snprintf(c.entry.how, sizeof(c.entry.how), "move");
		set_of(&c.entry.ours, rows[i].ours);
		CU_ASSERT_EQUAL(make_call(&c), 0);
		uidset_clear(&c.entry.ours);
	}
	for (size_t i = 0; i < ROWS; i++) {
		struct call c = { .kind = PENDING, .upstream = rows[i].upstream };
		char expected[32];

		c.user = rows[i].user;
		c.mailbox = rows[i].mailbox;
		snprintf(expected, sizeof(expected), "remove 1 %s//", rows[i].ours);
		CU_ASSERT_EQUAL(make_call(&c), 0);
		UNIT_CHECK(strcmp(c.text, expected) == 0, rows[i].ours);
	}
	rig_end();
}

static void
names_count_as_they_are(void)
{
	rig_begin();
	CU_ASSERT_EQUAL(begin_entry("Jane.DOE@Example.ORG", "1", NULL), 0);
	CHECK_PENDING("Jane.DOE@Example.ORG", "remove 7 1//");
	CHECK_PENDING("jane.doe@example.org", "");

	struct call c = call_of(PENDING, "Jane.DOE@Example.ORG");

	c.mailbox = "inbox";
	CU_ASSERT_EQUAL(make_call(&c), 0);
	CU_ASSERT_EQUAL(c.count, 0);
	rig_end();
}

static void
the_oldest_comes_first(void)
{
	int64_t ids[4];

	rig_begin();
	for (int i = 0; i < 4; i++) {
		static const char *const sets[] = { "9", "1", "5", "3" };

		CU_ASSERT_EQUAL(begin_entry("jane", sets[i], &ids[i]), 0);
		CU_ASSERT_TRUE(i == 0 || ids[i] > ids[i - 1]);
	}
	CHECK_PENDING("jane", "remove 7 9// remove 7 1// remove 7 5// remove 7 3//");
	CU_ASSERT_EQUAL(end_entry(ids[1]), 0);
	reopen_journal();
	CHECK_PENDING("jane", "remove 7 9// remove 7 5// remove 7 3//");
	rig_end();
}

static void
entries_change(void)
{
	int64_t id, other;

	rig_begin();
	CU_ASSERT_EQUAL(begin_entry("jane", "1:3", &id), 0);
	CU_ASSERT_EQUAL(begin_entry("jane", "5", &other), 0);
	CU_ASSERT_EQUAL(change_entry(id, JOURNAL_REMOVE, "10:12,14"), 0);
	CHECK_PENDING("jane", "remove 7 1:3//10:12,14 remove 7 5//");
	CU_ASSERT_EQUAL(change_entry(id, JOURNAL_UNDO, "14"), 0);
	reopen_journal();
	CHECK_PENDING("jane", "undo 7 1:3//14 remove 7 5//");
	CU_ASSERT_EQUAL(change_entry(id, JOURNAL_UNDO, ""), 0);
	CHECK_PENDING("jane", "undo 7 1:3// remove 7 5//");
	rig_end();
}

static void
an_end_is_an_end(void)
{
	int64_t id;

	rig_begin();
	CU_ASSERT_EQUAL(begin_entry("jane", "1:3", &id), 0);
	CU_ASSERT_EQUAL(end_entry(id), 0);
	CHECK_PENDING("jane", "");
	CU_ASSERT_EQUAL(end_entry(id), 0); /* whatever is gone is gone */
	CU_ASSERT_EQUAL(change_entry(id, JOURNAL_UNDO, "1"), ERR_TEMPORARY);
	CU_ASSERT_PTR_NOT_NULL(strstr(last.text, state));
	CHECK_PENDING("jane", "");
	rig_end();
}

/* A number that comes back would let a late end remove somebody else's entry. */
static void
numbers_are_never_used_again(void)
{
	int64_t first, second, third;

	rig_begin();
	CU_ASSERT_EQUAL(begin_entry("jane", "1", &first), 0);
	CU_ASSERT_EQUAL(end_entry(first), 0);
	CU_ASSERT_EQUAL(begin_entry("joe", "1", &second), 0);
	CU_ASSERT_TRUE(second > first);
	CU_ASSERT_EQUAL(unlink(in_state("journal.db")), 0);
	CU_ASSERT_EQUAL(begin_entry("jim", "1", &third), 0);
	CU_ASSERT_TRUE(third > second);
	CU_ASSERT_EQUAL(end_entry(second), 0);
	CHECK_PENDING("jim", "remove 7 1//");
	rig_end();
}

/* ---- turns ---- */

static void
many_fibers_take_turns(void)
{
	enum { COUNT = 60 };
	static struct call calls[COUNT];
	static char names[COUNT][16];

	rig_begin();
	journal_set_patience(journal, 60000);
	for (int i = 0; i < COUNT; i++) {
		snprintf(names[i], sizeof(names[i]), "user%d", i);
		calls[i] = call_of(BEGIN, names[i]);
		calls[i].entry.uidvalidity = 1;
		set_of(&calls[i].entry.ours, "1");
		spawn(call_main, &calls[i]);
	}
	run_all();
	for (int i = 0; i < COUNT; i++) {
		UNIT_CHECK(calls[i].done && calls[i].rc == 0, names[i]);
		/* In the order in which they came. */
		UNIT_CHECK(i == 0 || calls[i].id > calls[i - 1].id, names[i]);
		CHECK_PENDING(names[i], "remove 1 1//");
		uidset_clear(&calls[i].entry.ours);
	}
	rig_end();
}

/* A connection that holds the file for itself until it is closed. */
static sqlite3 *
hold(const char *how)
{
	sqlite3 *db = open_aside();

	CU_ASSERT_EQUAL_FATAL(sqlite3_exec(db, how, NULL, NULL, NULL), SQLITE_OK);
	return db;
}

static void
a_locked_file_is_not_waited_for_forever(void)
{
	struct call writers[3];
	sqlite3 *holder;
	int64_t id;

	rig_begin();
	CU_ASSERT_EQUAL(begin_entry("jane", "1", &id), 0);
	holder = hold("BEGIN IMMEDIATE");
	/* One at work and two that wait for their turns: none longer than the others. */
	for (int i = 0; i < 3; i++) {
		writers[i] = call_of(END, NULL);
		writers[i].id = id;
		spawn(call_main, &writers[i]);
	}
	run_all();
	for (int i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(writers[i].rc, ERR_TEMPORARY);
		CU_ASSERT_PTR_NOT_NULL(strstr(writers[i].e.text, "journal.db"));
		CU_ASSERT_PTR_NOT_NULL(strstr(writers[i].e.text, "locked"));
	}
	CHECK_PENDING("jane", "remove 7 1//"); /* who reads does not mind */
	sqlite3_close(holder);
	CU_ASSERT_EQUAL(end_entry(id), 0);
	CHECK_PENDING("jane", "");
	rig_end();
}

static void
a_file_locked_from_the_start_is_opened_later(void)
{
	sqlite3 *holder;

	rig_begin();
	CU_ASSERT_EQUAL(begin_entry("jane", "1", NULL), 0);
	reopen_journal();
	holder = hold("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
	CHECK_PENDING("jane", "error");
	CU_ASSERT_PTR_NOT_NULL(strstr(last.text, "locked"));
	CU_ASSERT_EQUAL(journal_check(journal, &last), ERR_TEMPORARY);
	sqlite3_close(holder);
	CU_ASSERT_EQUAL(journal_check(journal, &last), 0);
	CHECK_PENDING("jane", "remove 7 1//");
	rig_end();
}

/* The job of a cancelled fiber goes on; whoever comes next waits for its turn all the same. */
static void
cancelled_fibers_leave_their_jobs(void)
{
	struct call calls[4];
	struct fiber *fibers[4];
	sqlite3 *holder;
	int64_t id;

	rig_begin();
	CU_ASSERT_EQUAL(begin_entry("jane", "1", &id), 0);
	holder = hold("BEGIN IMMEDIATE");
	journal_set_patience(journal, 60000);
	for (int i = 0; i < 4; i++) {
		calls[i] = call_of(CHANGE, NULL);
		calls[i].id = id;
		calls[i].entry.task = i == 2 ? JOURNAL_UNDO : JOURNAL_REMOVE;
		fibers[i] = spawn(call_main, &calls[i]);
	}
	run_until_held();
	/* The first is at work, the others wait. */
	for (int i = 0; i < 2; i++) {
		CU_ASSERT_FALSE(calls[i].done);
		fiber_cancel(fibers[i]);
		CU_ASSERT_TRUE(calls[i].done);
		CU_ASSERT_EQUAL(calls[i].rc, ERR_CANCELLED);
	}
	fiber_cancel(fibers[3]);
	CU_ASSERT_EQUAL(calls[3].rc, ERR_CANCELLED);
	CU_ASSERT_FALSE(calls[2].done);
	sqlite3_close(holder);
	run_all();
	CU_ASSERT_EQUAL(calls[2].rc, 0);
	CHECK_PENDING("jane", "undo 7 1//");
	rig_end();
}

/* Cancelled when it has the turn and has not woken up yet. */
static void
a_turn_that_nobody_takes_is_passed_on(void)
{
	struct call calls[3];
	struct fiber *fibers[3];

	rig_begin();
	for (int i = 0; i < 3; i++) {
		calls[i] = call_of(PENDING, "jane");
		fibers[i] = spawn(call_main, &calls[i]);
	}
	while (!calls[0].done)
		uv_run(&loop, UV_RUN_ONCE);
	if (!calls[1].done)
		fiber_cancel(fibers[1]);
	run_all();
	CU_ASSERT_TRUE(calls[1].rc == ERR_CANCELLED || calls[1].rc == 0);
	CU_ASSERT_TRUE(calls[2].done);
	CU_ASSERT_EQUAL(calls[2].rc, 0);
	CHECK_PENDING("jane", "");
	rig_end();
}

static void
a_cancelled_fiber_never_begins(void)
{
	struct call c = call_of(BEGIN, "jane");
	struct fiber *fiber;

	rig_begin();
	c.entry.uidvalidity = 1;
	fiber = spawn(call_main, &c);
	fiber_cancel(fiber);
	CU_ASSERT_TRUE(c.done);
	CU_ASSERT_EQUAL(c.rc, ERR_CANCELLED);
	CHECK_PENDING("jane", "");
	rig_end();
}

static void
a_job_may_outlive_the_journal(void)
{
	struct call c = call_of(BEGIN, "jane");
	struct fiber *fiber;
	sqlite3 *holder;

	rig_begin();
	CU_ASSERT_EQUAL(begin_entry("jane", "1", NULL), 0);
	holder = hold("BEGIN IMMEDIATE");
	journal_set_patience(journal, 60000);
	c.entry.uidvalidity = 3;
	set_of(&c.entry.ours, "2");
	fiber = spawn(call_main, &c);
	run_until_held();
	fiber_cancel(fiber);
	CU_ASSERT_EQUAL(c.rc, ERR_CANCELLED);
	uidset_clear(&c.entry.ours); /* the job has its own */
	close_journal();
	sqlite3_close(holder);
	uv_run(&loop, UV_RUN_DEFAULT); /* until the pool is done; no fiber is left */
	open_journal();
	CHECK_PENDING("jane", "remove 7 1// remove 3 2//");
	rig_end();
}

/* ---- processes ---- */

/* Begins and ends COUNT entries and leaves one; true when all of that succeeded. */
static bool
work_as_process(int number, int count)
{
	char user[16];

	snprintf(user, sizeof(user), "user%d", number);
	journal_set_patience(journal, 60000);
	for (int i = 0; i < count; i++) {
		int64_t id;

		if (begin_entry(user, "1:3", &id) != 0 ||
		    change_entry(id, JOURNAL_UNDO, "5") != 0 || end_entry(id) != 0)
			return false;
	}
	return begin_entry(user, "9", NULL) == 0;
}

/* Ends a forked process, with nothing left for leak checkers. */
static void
leave(bool well)
{
	close_journal();
	uv_library_shutdown();
	_exit(well ? 0 : 1);
}

/* Waits until START is closed, as all do, and then needs the file that is not there yet. */
static bool
make_the_file(int number, int start)
{
	char octet;

	return read(start, &octet, 1) == 0 && uv_loop_fork(&loop) == 0 &&
	       work_as_process(number, 0);
}

static void
processes_make_the_file_together(void)
{
	enum { PROCESSES = 6, ROUNDS = 10 };
	pid_t children[PROCESSES];
	int start[2], status;

	for (int round = 0; round < ROUNDS; round++) {
		rig_begin();
		CU_ASSERT_EQUAL_FATAL(pipe(start), 0);
		fflush(NULL);
		for (int i = 0; i < PROCESSES; i++) {
			if ((children[i] = fork()) == 0) {
				close(start[1]);
				leave(make_the_file(i, start[0]));
			}
			CU_ASSERT_TRUE_FATAL(children[i] > 0);
		}
		close(start[0]);
		close(start[1]);
		for (int i = 0; i < PROCESSES; i++) {
			CU_ASSERT_EQUAL(waitpid(children[i], &status, 0), children[i]);
			CU_ASSERT_EQUAL(status, 0);
		}
		CHECK_PENDING("user0", "remove 7 9//");
		rig_end();
	}
}

static void
processes_share_the_file(void)
{
	enum { PROCESSES = 4 };
	pid_t children[PROCESSES];

	rig_begin();
	fflush(NULL);
	for (int i = 0; i < PROCESSES; i++) {
		if ((children[i] = fork()) == 0)
			leave(uv_loop_fork(&loop) == 0 && work_as_process(i, 25));
		CU_ASSERT_TRUE_FATAL(children[i] > 0);
	}
	for (int i = 0; i < PROCESSES; i++) {
		int status = -1;

		CU_ASSERT_EQUAL(waitpid(children[i], &status, 0), children[i]);
		CU_ASSERT_EQUAL(status, 0);
	}
	for (int i = 0; i < PROCESSES; i++) {
		char user[16];

		snprintf(user, sizeof(user), "user%d", i);
		CHECK_PENDING(user, "remove 7 9//");
	}
	rig_end();
}

/* Has the old file open while another one is made in its place; TALK tells when. */
static bool
hold_on_to_the_old_file(int talk)
{
	char octet = 'x';

	return uv_loop_fork(&loop) == 0 && begin_entry("joe", "9", NULL) == 0 &&
	       begin_entry("joe", "10", NULL) == 0 && write(talk, &octet, 1) == 1 &&
	       read(talk, &octet, 1) == 1 && begin_entry("joe", "11", NULL) == 0;
}

static void
a_process_may_notice_late_that_the_file_was_moved(void)
{
	int talk[2], status = -1;
	char octet;
	pid_t child;

	rig_begin();
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, talk), 0);
	fflush(NULL);
	if ((child = fork()) == 0)
		leave(hold_on_to_the_old_file(talk[1]));
	CU_ASSERT_TRUE_FATAL(child > 0);
	close(talk[1]);
	CU_ASSERT_EQUAL(read(talk[0], &octet, 1), 1);
	CU_ASSERT_EQUAL(rename(in_state("journal.db"), in_state("away")), 0);
	for (int i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(begin_entry("jane", "3", NULL), 0);
		reopen_journal();
	}
	CU_ASSERT_EQUAL(write(talk[0], &octet, 1), 1);
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_EQUAL(begin_entry("jane", "5", NULL), 0);
	reopen_journal();
	CHECK_PENDING("joe", "remove 7 11//");
	CHECK_PENDING("jane", "remove 7 3// remove 7 3// remove 7 3// remove 7 5//");
	CU_ASSERT_EQUAL(journal_check(journal, &last), 0);
	close(talk[0]);
	rig_end();
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "entries survive a kill", entries_survive_a_kill },
		{ "processes share the file", processes_share_the_file },
		{ "processes make the file together", processes_make_the_file_together },
		{ "a process may notice late that the file was moved",
		    a_process_may_notice_late_that_the_file_was_moved },
		{ "nothing is pending at first", nothing_is_pending_at_first },
		{ "entries come back whole", entries_come_back_whole },
		{ "entries survive a close", entries_survive_a_close },
		{ "the file is for us alone", the_file_is_for_us_alone },
		{ "maildrops are apart", maildrops_are_apart },
		{ "names count as they are", names_count_as_they_are },
		{ "the oldest comes first", the_oldest_comes_first },
		{ "entries change", entries_change },
		{ "an end is an end", an_end_is_an_end },
		{ "numbers are never used again", numbers_are_never_used_again },
		{ "many fibers take turns", many_fibers_take_turns },
		{ "a locked file is not waited for forever",
		    a_locked_file_is_not_waited_for_forever },
		{ "a file locked from the start is opened later",
		    a_file_locked_from_the_start_is_opened_later },
		{ "cancelled fibers leave their jobs", cancelled_fibers_leave_their_jobs },
		{ "a turn that nobody takes is passed on", a_turn_that_nobody_takes_is_passed_on },
		{ "a cancelled fiber never begins", a_cancelled_fiber_never_begins },
		{ "a job may outlive the journal", a_job_may_outlive_the_journal },
	};

	return unit_run("journal", tests, sizeof(tests) / sizeof(tests[0]));
}
