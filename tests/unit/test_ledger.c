/* Unit tests of gateway/ledger.c and gateway/database_at_once.c: what a login asks is answered at once where
 * nothing has to be waited for, by the thread pool where something has, and is never out of date. */
#include "ledger_rig.h"

#include <dlfcn.h>
#include <errno.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "fibers.h"
#include "gateway/state_table.h"

static struct ledger *ledger;
static unsigned trips;	 /* to the thread pool */
static int memory_lacks; /* what is read without waiting for the disk fails by this; 0: it does not */

int
uv_queue_work(uv_loop_t *where, uv_work_t *request, uv_work_cb work, uv_after_work_cb after)
{
	int (*real)(uv_loop_t *, uv_work_t *, uv_work_cb, uv_after_work_cb);

	*(void **) &real = dlsym(RTLD_NEXT, "uv_queue_work");
	trips++;
	return real(where, request, work, after);
}

ssize_t
preadv2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
	if (memory_lacks != 0) {
		errno = memory_lacks;
		return -1;
	}
	return syscall(SYS_preadv2, fd, parts, (long) count, (long) offset, 0L, (long) flags);
}

/* ---- a login's questions ---- */

struct question {
	void (*ask)(struct question *q);
	char uidl[UIDL_MAX + 1]; /* of message 3 */
	struct ledger_maildrop found;
	char *value;
	enum user_state user_state;
	int rc;
};

static void
ask_for_uidl(struct question *q)
{
	struct uidl_book *book;
	uint32_t first;

	CU_ASSERT_EQUAL_FATAL(uidl_book_new(&book), 0);
	q->rc = ledger_load(ledger, &inbox, UIDVALIDITY, "jane@x", book, &q->found, &last);
	if (q->rc == 0 && (uidl_book_find(book, 3) != NULL || uidl_book_last(book, &first) != NULL))
		uidl_book_format(book, UIDVALIDITY, 3, q->uidl);
	uidl_book_free(book);
}

static void
ask_for_fact(struct question *q)
{
	q->rc = ledger_account_get(ledger, "jane@x", "winner", &q->value, &last);
}

static void
ask_for_state(struct question *q)
{
	enum state_scope source;

	q->rc = state_find(ledger, "jane@x", &q->user_state, &source, &last);
}

static void
ask_main(void *arg)
{
	struct question *q = arg;

	q->ask(q);
}

/* How many trips it took. */
static unsigned
ask(struct question *q)
{
	trips = 0;
	spawn(ask_main, q);
	run_all();
	CU_ASSERT_EQUAL(q->rc, 0);
	return trips;
}

/* How many trips it takes to find UIDL ("" for none). */
static unsigned
trips_for_uidl(const char *uidl)
{
	struct question q = { .ask = ask_for_uidl };
	unsigned count = ask(&q);

	if (!UNIT_CHECK(strcmp(q.uidl, uidl) == 0, uidl))
		printf("    UID 3 has %s\n", q.uidl);
	return count;
}

static void
import_uidl(struct ledger_file *where, const char *uidl)
{
	const struct ledger_row row = { 3, uidl };
	const struct ledger_rows rows = { inbox, UIDVALIDITY, &row, 1 };
	struct ledger_imported imported;

	CU_ASSERT_EQUAL(
	    ledger_file_import(where, soon(), &rows, 1, LEDGER_FROM_IMPORT, &imported, &last), 0);
}

static void
start(void)
{
	begin();
	rig_begin();
	memory_lacks = 0;
	CU_ASSERT_EQUAL_FATAL(ledger_open(state, &ledger), 0);
	ledger_set_patience(ledger, PATIENCE_MS);
}

static void
finish(void)
{
	ledger_close(ledger);
	rig_end();
	end();
}

/* ---- tests ---- */

static void
what_is_in_memory_takes_no_trip(void)
{
	struct question fact = { .ask = ask_for_fact }, state_of_user = { .ask = ask_for_state };

	start();
	CU_ASSERT_TRUE(login(&inbox, UIDVALIDITY, "a%u", 1, 10));
	CU_ASSERT_EQUAL(
	    ledger_file_account_set(file, soon(), "jane@x", "winner", "new", &last), 0);
	run_sql("INSERT INTO state VALUES (0, 'jane@x', 0, 1, 0)");
	CU_ASSERT_EQUAL(trips_for_uidl("a3"), 1); /* the file is opened */
	CU_ASSERT_EQUAL(trips_for_uidl("a3"), 0);
	CU_ASSERT_EQUAL(ask(&fact), 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(fact.value);
	CU_ASSERT_STRING_EQUAL(fact.value, "new");
	free(fact.value);
	CU_ASSERT_EQUAL(ask(&state_of_user), 0);
	CU_ASSERT_EQUAL(state_of_user.user_state, USER_STATE_NEW);
	finish();
}

static void
what_would_come_from_the_disk_takes_a_trip(void)
{
	start();
	CU_ASSERT_TRUE(login(&inbox, UIDVALIDITY, "a%u", 1, 2));
	CU_ASSERT_EQUAL(trips_for_uidl("a3"), 1);
	import_uidl(file, "old-3"); /* pages that this process has not read */
	memory_lacks = EAGAIN;
	CU_ASSERT_EQUAL(trips_for_uidl("old-3"), 1);
	memory_lacks = 0;
	CU_ASSERT_EQUAL(trips_for_uidl("old-3"), 0);
	finish();
}

/* A table of users, say, is read by the same thread. */
static void
what_else_is_read_there_may_come_from_the_disk(void)
{
	static void (*const questions[])(struct question *q) = { ask_for_uidl, ask_for_fact,
		ask_for_state };

	start();
	CU_ASSERT_TRUE(login(&inbox, UIDVALIDITY, "a%u", 1, 2));
	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
		struct question q = { .ask = questions[i] };

		memory_lacks = 0;
		CU_ASSERT_EQUAL(trips_for_uidl("a3"), i == 0);
		CU_ASSERT_EQUAL(ask(&q), 0);
		memory_lacks = EAGAIN;
		run_sql("SELECT count(*) FROM maildrop");
		free(q.value);
	}
	finish();
}

/* Each login sees what was written before it, each time within the same tick of the clock that files
 * have. */
static void
what_others_write_is_seen(void)
{
	struct question fact = { .ask = ask_for_fact };
	char value[20];

	start();
	CU_ASSERT_TRUE(login(&inbox, UIDVALIDITY, "a%u", 1, 2));
	CU_ASSERT_EQUAL(trips_for_uidl("a3"), 1);
	import_uidl(file, "old-3");
	CU_ASSERT_EQUAL(trips_for_uidl("old-3"), 0);
	for (int i = 0; i < 100; i++) {
		snprintf(value, sizeof(value), "w%03d", i);
		CU_ASSERT_EQUAL(
		    ledger_file_account_set(file, soon(), "jane@x", "winner", value, &last), 0);
		CU_ASSERT_EQUAL(ask(&fact), 0);
		CU_ASSERT_PTR_NOT_NULL_FATAL(fact.value);
		CU_ASSERT_STRING_EQUAL(fact.value, value);
		free(fact.value);
	}
	finish();
}

/* Waits for an octet, imports, and ends. */
static void
importer_main(int go)
{
	struct ledger_file *theirs;
	char octet;

	if (read(go, &octet, 1) != 1 || ledger_file_new(state, &theirs) != 0)
		_exit(1);
	last.text[0] = '\0';
	import_uidl(theirs, "old-3");
	ledger_file_free(theirs);
	_exit(last.text[0] == '\0' ? 0 : 1);
}

static void
what_another_process_imports_is_seen(void)
{
	int go[2], status;
	pid_t child;

	CU_ASSERT_EQUAL_FATAL(pipe(go), 0);
	start();
	fflush(NULL);
	if ((child = fork()) == 0) /* before a file is open: SQLite's do not survive that */
		importer_main(go[0]);
	CU_ASSERT_EQUAL(trips_for_uidl(""), 1);
	CU_ASSERT_EQUAL(trips_for_uidl(""), 0);
	CU_ASSERT_EQUAL(write(go[1], "g", 1), 1);
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_EQUAL(trips_for_uidl("old-3"), 0);
	finish();
	close(go[0]);
	close(go[1]);
}

static void
a_file_that_was_replaced_is_opened_anew(void)
{
	char away[80];

	start();
	CU_ASSERT_TRUE(login(&inbox, UIDVALIDITY, "a%u", 1, 10));
	CU_ASSERT_EQUAL(trips_for_uidl("a3"), 1);
	snprintf(away, sizeof(away), "%s/away.db", state);
	CU_ASSERT_EQUAL(rename(in_state("state.db"), away), 0);
	reopen();
	CU_ASSERT_TRUE(login(&inbox, UIDVALIDITY, "b%u", 1, 10));
	CU_ASSERT_EQUAL(trips_for_uidl("b3"), 1);
	CU_ASSERT_EQUAL(trips_for_uidl("b3"), 0);
	finish();
}

/* SQLite's machine has more to do than fibers should wait for. */
static void
a_large_maildrop_takes_a_trip(void)
{
	start();
	CU_ASSERT_TRUE(login(&inbox, UIDVALIDITY, "a%u", 1, 10));
	run_sql("WITH RECURSIVE n(i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) "
		"INSERT INTO uidl SELECT (SELECT id FROM maildrop), i, 'old-' || i, 1 FROM n");
	CU_ASSERT_EQUAL(trips_for_uidl("old-3"), 1);
	CU_ASSERT_EQUAL(trips_for_uidl("old-3"), 1);
	finish();
}

/* The last one: this process does not try again. */
static void
where_it_cannot_be_known_everything_takes_a_trip(void)
{
	start();
	CU_ASSERT_TRUE(login(&inbox, UIDVALIDITY, "a%u", 1, 2));
	CU_ASSERT_EQUAL(trips_for_uidl("a3"), 1);
	import_uidl(file, "old-3");
	memory_lacks = EOPNOTSUPP;
	CU_ASSERT_EQUAL(trips_for_uidl("old-3"), 1);
	CU_ASSERT_EQUAL(trips_for_uidl("old-3"), 1);
	finish();
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "what_is_in_memory_takes_no_trip", what_is_in_memory_takes_no_trip },
		{ "what_would_come_from_the_disk_takes_a_trip",
		    what_would_come_from_the_disk_takes_a_trip },
		{ "what_else_is_read_there_may_come_from_the_disk",
		    what_else_is_read_there_may_come_from_the_disk },
		{ "what_others_write_is_seen", what_others_write_is_seen },
		{ "what_another_process_imports_is_seen", what_another_process_imports_is_seen },
		{ "a_file_that_was_replaced_is_opened_anew",
		    a_file_that_was_replaced_is_opened_anew },
		{ "a_large_maildrop_takes_a_trip", a_large_maildrop_takes_a_trip },
		{ "where_it_cannot_be_known_everything_takes_a_trip",
		    where_it_cannot_be_known_everything_takes_a_trip },
	};

	return unit_run("ledger", tests, sizeof(tests) / sizeof(tests[0]));
}
