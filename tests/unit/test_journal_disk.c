/* Unit tests of gateway/journal_file.c on disks that are full or broken, and of what it asks of
 * those that work. */
#include "gateway/journal_file.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "journal_rig.h"

/* ---- a disk that fails when told to: what SQLite calls comes here ---- */

static struct {
	int write_errno;    /* 0: works */
	unsigned writes_ok; /* that still succeed before */
	int sync_errno;
	unsigned syncs; /* so far */
	bool stalls;	/* a sync waits for GO, and then works */
	uv_sem_t stalled, go;
} disk;

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at);
int fdatasync(int fd);

ssize_t
pwrite64(int fd, const void *data, size_t len, off64_t at)
{
	if (disk.write_errno != 0 && disk.writes_ok == 0) {
		errno = disk.write_errno;
		return -1;
	}
	if (disk.write_errno != 0)
		disk.writes_ok--;
	return syscall(SYS_pwrite64, fd, data, len, at);
}

int
fdatasync(int fd)
{
	disk.syncs++;
	if (disk.stalls) {
		disk.stalls = false;
		uv_sem_post(&disk.stalled);
		uv_sem_wait(&disk.go);
	}
	if (disk.sync_errno != 0) {
		errno = disk.sync_errno;
		return -1;
	}
	return (int) syscall(SYS_fdatasync, fd);
}

/* At whichever write the room ends: an error, and afterwards all is as it was. */
static void
a_full_disk_is_told(void)
{
	rig_begin();
	CU_ASSERT_EQUAL(begin_entry("jane", "1", NULL), 0);
	for (unsigned ok = 0; ok < 40; ok++) {
		char expected[16];

		reopen_journal();
		disk.write_errno = ENOSPC;
		disk.writes_ok = ok;
		int rc = begin_entry("jane", "3", NULL);

		snprintf(expected, sizeof(expected), "after %u", ok);
		if (rc != 0)
			UNIT_CHECK(rc == ERR_TEMPORARY && says("journal.db", "room"), expected);
		CU_ASSERT_TRUE(ok > 0 || rc != 0);
		disk.write_errno = 0;
		if (rc == 0) /* closing may write again, and nobody is told */
			break;
		CHECK_PENDING("jane", "remove 7 1//");
		CU_ASSERT_EQUAL(begin_entry("joe", "1", NULL), 0); /* without opening anew */
	}
	CHECK_PENDING("jane", "remove 7 1// remove 7 3//");
	rig_end();
}

/* From the first octet of a new file on. */
static void
a_disk_that_is_full_at_first_is_told(void)
{
	for (unsigned ok = 0; ok < 40; ok++) {
		int rc;

		rig_begin();
		disk.write_errno = ENOSPC;
		disk.writes_ok = ok;
		if (begin_entry("jane", "3", NULL) != 0)
			CU_ASSERT_TRUE(says("journal.db", "room"));
		rc = journal_check(journal, &last);
		CU_ASSERT_TRUE(rc == 0 || says("journal.db", "room"));
		CU_ASSERT_TRUE(ok > 0 || rc != 0);
		disk.write_errno = 0;
		CU_ASSERT_EQUAL(journal_check(journal, &last), 0);
		CU_ASSERT_EQUAL(begin_entry("joe", "1", NULL), 0);
		CHECK_PENDING("joe", "remove 7 1//");
		rig_end();
	}
}

/* The system's own limit, for files that grow. */
static void
the_limit_of_file_sizes_is_told(void)
{
	struct rlimit old, small;
	int rc;

	rig_begin();
	signal(SIGXFSZ, SIG_IGN);
	CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_FSIZE, &old), 0);
	for (rlim_t size = 0; size < 100000; size += 3000) {
		small = old;
		small.rlim_cur = size;
		CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_FSIZE, &small), 0);
		rc = begin_entry("jane", "1", NULL);
		CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_FSIZE, &old), 0);
		if (rc != 0)
			CU_ASSERT_TRUE(says("journal.db", ""));
		CU_ASSERT_TRUE(size > 0 || rc != 0);
	}
	CU_ASSERT_EQUAL(begin_entry("joe", "1", NULL), 0);
	CHECK_PENDING("joe", "remove 7 1//");
	signal(SIGXFSZ, SIG_DFL);
	rig_end();
}

static void
a_broken_disk_is_told(void)
{
	unsigned before;
	int64_t id;

	rig_begin();
	CHECK_PENDING("jane", "");
	reopen_journal();
	before = open_descriptors();
	CU_ASSERT_EQUAL(begin_entry("jane", "1", &id), 0);
	disk.sync_errno = EIO;
	CU_ASSERT_EQUAL(begin_entry("joe", "3", NULL), ERR_TEMPORARY);
	CU_ASSERT_TRUE(says("journal.db", "disk"));
	CU_ASSERT_EQUAL(open_descriptors(), before); /* nothing of it is kept */
	CU_ASSERT_EQUAL(change_entry(id, JOURNAL_UNDO, "4"), ERR_TEMPORARY);
	CU_ASSERT_EQUAL(journal_check(journal, &last), ERR_TEMPORARY);
	disk.sync_errno = 0;
	disk.write_errno = EIO;
	CU_ASSERT_EQUAL(begin_entry("joe", "3", NULL), ERR_TEMPORARY);
	CU_ASSERT_TRUE(says("journal.db", strerror(EIO)));
	disk.write_errno = 0;
	CU_ASSERT_EQUAL(change_entry(id, JOURNAL_UNDO, "5"), 0);
	CHECK_PENDING("jane", "undo 7 1//5");
	rig_end();
}

/* Who stands behind a disk that does not answer is not held for long; the pool's other threads are
 * free meanwhile. */
static void
a_stalled_disk_holds_one_alone(void)
{
	struct call first = call_of(BEGIN, "jane"), next[8];

	rig_begin();
	CU_ASSERT_EQUAL(begin_entry("joe", "1", NULL), 0);
	uv_sem_init(&disk.stalled, 0);
	uv_sem_init(&disk.go, 0);
	disk.stalls = true;
	first.entry.uidvalidity = 1;
	spawn(call_main, &first);
	while (uv_sem_trywait(&disk.stalled) != 0)
		uv_run(&loop, UV_RUN_NOWAIT);
	for (int i = 0; i < 8; i++) {
		next[i] = call_of(PENDING, "joe");
		spawn(call_main, &next[i]);
	}
	while (fiber_count(runtime) > 1)
		uv_run(&loop, UV_RUN_ONCE);
	for (int i = 0; i < 8; i++) {
		CU_ASSERT_EQUAL(next[i].rc, ERR_TEMPORARY);
		CU_ASSERT_PTR_NOT_NULL(strstr(next[i].e.text, "journal.db"));
	}
	CU_ASSERT_FALSE(first.done);
	uv_sem_post(&disk.go);
	run_all();
	CU_ASSERT_EQUAL(first.rc, 0);
	CHECK_PENDING("joe", "remove 7 1//");
	uv_sem_destroy(&disk.stalled);
	uv_sem_destroy(&disk.go);
	rig_end();
}

/* Begin and change wait for the disk; end leaves that to whoever comes next. */
static void
what_must_last_is_synced(void)
{
	int64_t id;

	rig_begin();
	CU_ASSERT_EQUAL(begin_entry("jane", "1", NULL), 0);
	for (int i = 0; i < 3; i++) {
		disk.syncs = 0;
		CU_ASSERT_EQUAL(begin_entry("jane", "3", &id), 0);
		CU_ASSERT_EQUAL(disk.syncs, 1);
		CU_ASSERT_EQUAL(change_entry(id, JOURNAL_UNDO, "5"), 0);
		CU_ASSERT_EQUAL(disk.syncs, 2);
		CU_ASSERT_EQUAL(end_entry(id), 0);
		CU_ASSERT_EQUAL(disk.syncs, 2);
	}
	disk.syncs = 0;
	CU_ASSERT_EQUAL(journal_check(journal, &last), 0);
	CU_ASSERT_TRUE(disk.syncs > 0);
	rig_end();
}

static void
the_files_stay_small(void)
{
	struct call c = call_of(BEGIN, "joe");
	int64_t id;

	rig_begin();
	for (int i = 0; i < 500; i++) {
		CU_ASSERT_EQUAL(begin_entry("jane", "1:3,5,7", &id), 0);
		CU_ASSERT_EQUAL(end_entry(id), 0);
	}
	CU_ASSERT_TRUE(size_of("journal.db") <= 8 * 4096);
	CU_ASSERT_TRUE(size_of("journal.db-wal") <= 1 << 20);
	c.entry.uidvalidity = 1;
	for (uint32_t uid = 1; uid <= 400000; uid += 2)
		CU_ASSERT_EQUAL_FATAL(uidset_add(&c.entry.ours, uid), 0);
	journal_set_patience(journal, 60000);
	CU_ASSERT_EQUAL(make_call(&c), 0);
	CU_ASSERT_TRUE(size_of("journal.db-wal") > 1 << 20);
	CU_ASSERT_EQUAL(end_entry(c.id), 0);
	/* The next checkpoint shortens both. */
	for (int i = 0; i < 200; i++) {
		CU_ASSERT_EQUAL(begin_entry("jane", "1:3,5,7", &id), 0);
		CU_ASSERT_EQUAL(end_entry(id), 0);
	}
	CU_ASSERT_TRUE(size_of("journal.db") <= 8 * 4096);
	CU_ASSERT_TRUE(size_of("journal.db-wal") <= 1 << 20);
	close_journal();
	CU_ASSERT_TRUE(size_of("journal.db") <= 8 * 4096);
	CU_ASSERT_TRUE(size_of("journal.db-wal") <= 1 << 20);
	open_journal();
	uidset_clear(&c.entry.ours);
	rig_end();
}

static void
a_check_leaves_nothing_open(void)
{
	unsigned before;

	rig_begin();
	before = open_descriptors();
	CU_ASSERT_EQUAL(journal_check(journal, &last), 0);
	CU_ASSERT_EQUAL(open_descriptors(), before);
	CU_ASSERT_EQUAL(begin_entry("jane", "1", NULL), 0);
	CU_ASSERT_EQUAL(journal_check(journal, &last), 0);
	CU_ASSERT_EQUAL(open_descriptors(), before);
	CHECK_PENDING("jane", "remove 7 1//");
	rig_end();
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "a full disk is told", a_full_disk_is_told },
		{ "a disk that is full at first is told", a_disk_that_is_full_at_first_is_told },
		{ "the limit of file sizes is told", the_limit_of_file_sizes_is_told },
		{ "a broken disk is told", a_broken_disk_is_told },
		{ "a stalled disk holds one alone", a_stalled_disk_holds_one_alone },
		{ "what must last is synced", what_must_last_is_synced },
		{ "the files stay small", the_files_stay_small },
		{ "a check leaves nothing open", a_check_leaves_nothing_open },
	};

	return unit_run("journal_disk", tests, sizeof(tests) / sizeof(tests[0]));
}
