/* Unit tests of gateway/journal_file.c and database_place.c: damaged, foreign and missing files,
 * full and broken disks. None of them may crash, hang, destroy what is not ours, or keep the
 * journal from working again when the cause is gone. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "journal_rig.h"

/* ---- files, from outside ---- */

static size_t
read_file(const char *name, char *out, size_t room)
{
	FILE *file = fopen(in_state(name), "r");
	size_t len;

	if (file == NULL)
		return 0;
	len = fread(out, 1, room, file);
	fclose(file);
	return len;
}

static void
write_file(const char *name, const void *data, size_t len)
{
	FILE *file = fopen(in_state(name), "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	CU_ASSERT_EQUAL(fwrite(data, 1, len, file), len);
	fclose(file);
}

static void
overwrite(const char *name, off_t at, const char *data, size_t len)
{
	int file = open(in_state(name), O_WRONLY);

	CU_ASSERT_TRUE_FATAL(file >= 0);
	CU_ASSERT_EQUAL(pwrite(file, data, len, at), (ssize_t) len);
	close(file);
}

static void
move_away(const char *name)
{
	CU_ASSERT_EQUAL(rename(in_state(name), in_state("moved-away")), 0);
}

/* ---- files that cannot be used ---- */

/* Two maildrops with many entries, in more than a few pages. */
static void
fill_journal(void)
{
	for (int i = 0; i < 40; i++) {
		char ours[600] = "1";
		size_t used = 1;

		for (int uid = 3; used < sizeof(ours) - 16; uid += 2 + i)
			used += (size_t) snprintf(ours + used, sizeof(ours) - used, ",%d", uid);
		CU_ASSERT_EQUAL(begin_entry(i % 2 == 0 ? "jane" : "joe", ours, NULL), 0);
	}
}

static void
cut_in_half(void)
{
	CU_ASSERT_EQUAL(truncate(in_state("journal.db"), size_of("journal.db") / 2), 0);
}

static void
cut_within_the_header(void)
{
	CU_ASSERT_EQUAL(truncate(in_state("journal.db"), 60), 0);
}

static void
garbage_in_the_header(void)
{
	overwrite("journal.db", 0, "\x93\xff garbage \x01\x02\x03", 14);
}

static void
garbage_in_the_page_size(void)
{
	overwrite("journal.db", 16, "\x12\x34", 2);
}

static void
garbage_in_the_schema(void)
{
	char garbage[3000];

	memset(garbage, 'A', sizeof(garbage));
	overwrite("journal.db", 1000, garbage, sizeof(garbage));
}

static void
garbage_in_the_pages(void)
{
	char garbage[4096];

	for (size_t i = 0; i < sizeof(garbage); i++)
		garbage[i] = (char) (i * 37);
	for (off_t at = 2 * 4096; at < size_of("journal.db"); at += 4096)
		overwrite("journal.db", at, garbage, sizeof(garbage));
}

static void
no_database_at_all(void)
{
	static const char text[] = "maildrop jane: remove 1:5\n";

	write_file("journal.db", text, sizeof(text) - 1);
}

static void
a_table_less(void)
{
	run_sql("DROP TABLE entry");
}

static void
a_column_less(void)
{
	run_sql("ALTER TABLE entry DROP COLUMN lifted");
}

static void
another_program(void)
{
	CU_ASSERT_EQUAL(unlink(in_state("journal.db")), 0);
	sqlite3 *db = NULL;

	CU_ASSERT_EQUAL(sqlite3_open(in_state("journal.db"), &db), SQLITE_OK);
	CU_ASSERT_EQUAL(
	    sqlite3_exec(db, "CREATE TABLE accounts (name, balance)", NULL, NULL, NULL), 0);
	sqlite3_close(db);
}

/* The same, counting versions as we do. */
static void
another_program_with_versions(void)
{
	another_program();
	run_sql("PRAGMA user_version = 1");
}

static void
a_newer_version(void)
{
	run_sql("PRAGMA user_version = 2");
}

static void
a_huge_file(void)
{
	/* The number of pages, big-endian, and as many; what it holds is not reached. */
	overwrite("journal.db", 28, "\x00\x01\x00\x01", 4);
	CU_ASSERT_EQUAL(truncate(in_state("journal.db"), 65537 * (off_t) 4096), 0);
}

static void
a_symbolic_link(void)
{
	move_away("journal.db");
	CU_ASSERT_EQUAL(symlink("moved-away", in_state("journal.db")), 0);
}

static void
a_pipe(void)
{
	CU_ASSERT_EQUAL(unlink(in_state("journal.db")), 0);
	CU_ASSERT_EQUAL(mkfifo(in_state("journal.db"), 0600), 0);
}

static void
a_folder(void)
{
	CU_ASSERT_EQUAL(unlink(in_state("journal.db")), 0);
	CU_ASSERT_EQUAL(mkdir(in_state("journal.db"), 0700), 0);
}

static const struct {
	const char *what;
	void (*damage)(void);
	const char *text; /* in the error */
} damages[] = {
	{ "cut in half", cut_in_half, "move it away" },
	{ "cut within the header", cut_within_the_header, "move it away" },
	{ "garbage in the header", garbage_in_the_header, "not a database; move it away" },
	{ "garbage in the page size", garbage_in_the_page_size, "move it away" },
	{ "garbage in the schema", garbage_in_the_schema, "malformed; move it away" },
	{ "garbage in the pages", garbage_in_the_pages, "move it away" },
	{ "no database at all", no_database_at_all, "not a database; move it away" },
	{ "a table less", a_table_less, "move it away" },
	{ "a column less", a_column_less, "move it away" },
	{ "another program's", another_program, "another program's database; move it away" },
	{ "another program's with versions", another_program_with_versions,
	    "another program's database; move it away" },
	{ "a newer version", a_newer_version, "newer popgate" },
	{ "a huge file", a_huge_file, "too large; move it away" },
	{ "a symbolic link", a_symbolic_link, "no plain file; move it away" },
	{ "a pipe", a_pipe, "no plain file; move it away" },
	{ "a folder", a_folder, "no plain file; move it away" },
};

/* No call succeeds, nor changes the file; when it has been moved away, all do. */
static void
unusable_files_are_told_and_left_alone(void)
{
	static char before[1 << 20], after[1 << 20];
	char path[128];

	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		const char *what = damages[i].what;
		size_t len;

		rig_begin();
		snprintf(path, sizeof(path), "%s/journal.db: ", state);
		fill_journal();
		close_journal();
		damages[i].damage();
		len = damages[i].damage == a_pipe ? 0
						  : read_file("journal.db", before, sizeof(before));
		open_journal();
		for (int round = 0; round < 2; round++) {
			UNIT_CHECK(begin_entry("jane", "1", NULL) == ERR_TEMPORARY, what);
			if (!UNIT_CHECK(says(path, damages[i].text), what))
				printf("\n%s: %s\n", what, last.text);
			UNIT_CHECK(strcmp(pending("jane"), "error") == 0, what);
			UNIT_CHECK(change_entry(1, JOURNAL_UNDO, "") == ERR_TEMPORARY, what);
			UNIT_CHECK(end_entry(1) == ERR_TEMPORARY, what);
			UNIT_CHECK(journal_check(journal, &last) == ERR_TEMPORARY, what);
			UNIT_CHECK(says(path, damages[i].text), what);
		}
		if (damages[i].damage != a_pipe) {
			UNIT_CHECK(read_file("journal.db", after, sizeof(after)) == len, what);
			UNIT_CHECK(memcmp(before, after, len) == 0, what);
		}
		UNIT_CHECK(rename(in_state("journal.db"), in_state("away")) == 0, what);
		UNIT_CHECK(begin_entry("jane", "5", NULL) == 0, what);
		CHECK_PENDING("jane", "remove 7 5//");
		CHECK_PENDING("joe", "");
		UNIT_CHECK(journal_check(journal, &last) == 0, what);
		rig_end();
	}
}

/* Damage done while the file is open. */
static void
damage_is_noticed_in_use(void)
{
	rig_begin();
	fill_journal();
	reopen_journal();
	CU_ASSERT_STRING_NOT_EQUAL(pending("jane"), "error");
	garbage_in_the_pages();
	/* What SQLite remembers may do for a while. */
	for (int i = 0; i < 50 && begin_entry("jane", "1", NULL) == 0; i++)
		;
	reopen_journal();
	CHECK_PENDING("jane", "error");
	CU_ASSERT_TRUE(says("journal.db", "move it away"));
	move_away("journal.db");
	CHECK_PENDING("jane", "");
	CU_ASSERT_EQUAL(begin_entry("jane", "5", NULL), 0);
	rig_end();
}

/* Octets changed at random: errors, or rows that make sense, and no crash. */
static void
random_damage_does_no_harm(void)
{
	static char good[1 << 20];
	unsigned seed = 11, errors = 0;
	size_t len;

	rig_begin();
	fill_journal();
	close_journal();
	len = read_file("journal.db", good, sizeof(good));
	CU_ASSERT_TRUE_FATAL(len > 4096 && len < sizeof(good));
	for (int round = 0; round < 150; round++) {
		write_file("journal.db", good, len);
		for (int i = 0; i < 1 + round % 8; i++) {
			char octet;

			seed = seed * 1103515245u + 12345u;
			octet = (char) (seed >> 16);
			seed = seed * 1103515245u + 12345u;
			/* Every other one where the most happens. */
			overwrite("journal.db", (off_t) ((seed >> 8) % (i % 2 == 0 ? len : 4096)),
			    &octet, 1);
		}
		open_journal();
		errors += strcmp(pending("jane"), "error") == 0;
		CU_ASSERT_TRUE(last.code == 0 || last.code == ERR_TEMPORARY);
		if (begin_entry("jane", "1:3", NULL) != 0)
			CU_ASSERT_EQUAL(last.code, ERR_TEMPORARY);
		close_journal();
	}
	CU_ASSERT_TRUE(errors > 20);
	open_journal();
	rig_end();
}

/* What was committed last and had not come into the database yet: gone, but nothing else is. */
static void
a_damaged_log_is_not_believed(void)
{
	int64_t id;

	rig_begin();
	CU_ASSERT_EQUAL(begin_entry("jane", "1", NULL), 0);
	reopen_journal(); /* the log is empty */
	CU_ASSERT_EQUAL(begin_entry("jane", "3", &id), 0);
	CU_ASSERT_EQUAL(begin_entry("jane", "5", NULL), 0);

	/* As after a crash: the files as they are now, without the log's index. */
	static char db[1 << 20], wal[1 << 20];
	size_t db_len = read_file("journal.db", db, sizeof(db));
	size_t wal_len = read_file("journal.db-wal", wal, sizeof(wal));

	CU_ASSERT_TRUE_FATAL(wal_len > 2 * 4096);
	close_journal();
	for (int damaged = 0; damaged < 2; damaged++) {
		write_file("journal.db", db, db_len);
		wal[wal_len - 2000] ^= (char) (damaged ? 0xff : 0);
		write_file("journal.db-wal", wal, wal_len);
		CU_ASSERT_EQUAL(unlink(in_state("journal.db-shm")), 0);
		open_journal();
		if (damaged)
			CHECK_PENDING("jane", "remove 7 1// remove 7 3//");
		else
			CHECK_PENDING("jane", "remove 7 1// remove 7 3// remove 7 5//");
		close_journal();
	}
	open_journal();
	rig_end();
}

/* ---- rows that make no sense ---- */

static void
senseless_rows_are_passed_over(void)
{
	static const char *const changes[] = {
		"task = 7",
		"uidvalidity = 0",
		"uidvalidity = -7",
		"begun = -1",
		"ours = 'all'",
		"ours = '5,1'",
		"ours = x'31' || char(0) || '2'",
		"flagged_before = '99'",
		"lifted = '1:*'",
		"how = ''",
		"id = -1",
	};

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct call c = call_of(PENDING, "jane");
		char sql[128];

		rig_begin();
		CU_ASSERT_EQUAL(begin_entry("jane", "1:3", NULL), 0);
		CU_ASSERT_EQUAL(begin_entry("jane", "5", NULL), 0);
		CU_ASSERT_EQUAL(begin_entry("jane", "8", NULL), 0);
		snprintf(sql, sizeof(sql), "UPDATE entry SET %s WHERE ours = '5'", changes[i]);
		run_sql(sql);
		UNIT_CHECK(make_call(&c) == ERR_TEMPORARY, changes[i]);
		UNIT_CHECK(says("journal.db", "makes no sense"), changes[i]);
		/* The others are told. */
		UNIT_CHECK(strcmp(c.text, "remove 7 1:3// remove 7 8//") == 0, changes[i]);
		CHECK_PENDING("joe", ""); /* of whom nothing is wrong */
		rig_end();
	}
}

/* A table without our types, and rows of others in it. */
static void
columns_of_other_types_are_passed_over(void)
{
	static const char *const values[] = {
		"1, NULL, 0, 0, 'expunge', '1', '', ''",
		"1, 'seven', 0, 0, 'expunge', '1', '', ''",
		"1, 7, 0.5, 0, 'expunge', '1', '', ''",
		"1, 7, 0, x'00', 'expunge', '1', '', ''",
		"1, 7, 0, 0, 'expunge', NULL, '', ''",
		"1, 7, 0, 0, 'expunge', 15, '', ''",
		"1, 7, 0, 0, 'expunge', '1', x'31', ''",
		"1, 7, 0, 0, 'expunge', '1', '', NULL",
		"'one', 7, 0, 0, 'expunge', '1', '', ''",
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char sql[512];

		rig_begin();
		CU_ASSERT_EQUAL(journal_check(journal, &last), 0);
		snprintf(sql, sizeof(sql),
		    "DROP TABLE entry;"
		    "CREATE TABLE entry (id, uidvalidity, task, begun, how, ours, flagged_before, "
		    "lifted, upstream, user, mailbox);"
		    "INSERT INTO entry VALUES (%s, 'imap', 'jane', 'INBOX')",
		    values[i]);
		run_sql(sql);
		UNIT_CHECK(strcmp(pending("jane"), "error") == 0, values[i]);
		UNIT_CHECK(says("journal.db", "makes no sense"), values[i]);
		rig_end();
	}
}

/* What somebody put into the schema is not run. */
static void
triggers_and_views_do_nothing(void)
{
	rig_begin();
	CU_ASSERT_EQUAL(begin_entry("jane", "1", NULL), 0);
	run_sql("CREATE TRIGGER evil AFTER INSERT ON entry BEGIN DELETE FROM entry; END");
	CU_ASSERT_EQUAL(begin_entry("jane", "3", NULL), 0);
	CHECK_PENDING("jane", "remove 7 1// remove 7 3//");
	run_sql("ALTER TABLE entry RENAME TO hidden; DROP TRIGGER evil;"
		"CREATE VIEW entry AS SELECT * FROM hidden");
	CHECK_PENDING("jane", "error");
	rig_end();
}

/* ---- places ---- */

static void
a_missing_folder_is_told(void)
{
	rig_begin();
	CU_ASSERT_EQUAL(rmdir(state), 0);
	CU_ASSERT_EQUAL(begin_entry("jane", "1", NULL), ERR_TEMPORARY);
	CU_ASSERT_TRUE(says(state, "No such file"));
	CU_ASSERT_EQUAL(journal_check(journal, &last), ERR_TEMPORARY);
	/* A plain file in its place: nobody can write there, not even root. */
	FILE *file = fopen(state, "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fclose(file);
	CU_ASSERT_EQUAL(begin_entry("jane", "1", NULL), ERR_TEMPORARY);
	CU_ASSERT_TRUE(says(state, "Not a directory"));
	CU_ASSERT_EQUAL(unlink(state), 0);
	CU_ASSERT_EQUAL(mkdir(state, 0700), 0);
	CU_ASSERT_EQUAL(begin_entry("jane", "1", NULL), 0);
	CHECK_PENDING("jane", "remove 7 1//");
	rig_end();
}

/* As systemd makes one for an account of the moment. */
static void
the_folder_may_be_behind_a_link(void)
{
	char real[64];

	rig_begin();
	close_journal();
	snprintf(real, sizeof(real), "%s", state);
	CU_ASSERT_EQUAL(symlink(real, in_state("link")), 0);
	snprintf(state, sizeof(state), "%.50s/link", real);
	open_journal();
	CU_ASSERT_EQUAL(begin_entry("jane", "1", NULL), 0);
	CHECK_PENDING("jane", "remove 7 1//");
	snprintf(state, sizeof(state), "%s", real);
	rig_end();
}

/* Moved away, or replaced, while it is open and nothing is wrong with it. What its log still held
 * must not come into the new one. */
static void
a_file_that_was_moved_is_let_go(void)
{
	rig_begin();
	CU_ASSERT_EQUAL(begin_entry("jane", "1", NULL), 0);
	move_away("journal.db");
	CHECK_PENDING("jane", "");
	CU_ASSERT_EQUAL(begin_entry("jane", "3", NULL), 0);
	reopen_journal();
	CHECK_PENDING("jane", "remove 7 3//");
	rig_end();
}

/* Of two that share a file, one notices late, and closes the old one when the new one is in use. */
static void
the_new_file_survives_the_end_of_the_old(void)
{
	struct journal *other;
	struct call c = call_of(BEGIN, "joe");

	rig_begin();
	CU_ASSERT_EQUAL(begin_entry("jane", "1", NULL), 0);
	other = journal;
	open_journal();
	CHECK_PENDING("jane", "remove 7 1//");
	move_away("journal.db");
	CU_ASSERT_EQUAL(begin_entry("jane", "3", NULL), 0); /* in the new file */
	c.journal = other;
	c.entry.uidvalidity = 1;
	set_of(&c.entry.ours, "9");
	CU_ASSERT_EQUAL(make_call(&c), 0); /* closes the old one */
	uidset_clear(&c.entry.ours);
	CHECK_PENDING("joe", "remove 1 9//");
	CU_ASSERT_EQUAL(begin_entry("jane", "5", NULL), 0);
	journal_close(other);
	reopen_journal();
	CHECK_PENDING("jane", "remove 7 3// remove 7 5//");
	CHECK_PENDING("joe", "remove 1 9//");
	rig_end();
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "unusable files are told and left alone",
		    unusable_files_are_told_and_left_alone },
		{ "damage is noticed in use", damage_is_noticed_in_use },
		{ "random damage does no harm", random_damage_does_no_harm },
		{ "a damaged log is not believed", a_damaged_log_is_not_believed },
		{ "senseless rows are passed over", senseless_rows_are_passed_over },
		{ "columns of other types are passed over",
		    columns_of_other_types_are_passed_over },
		{ "triggers and views do nothing", triggers_and_views_do_nothing },
		{ "a missing folder is told", a_missing_folder_is_told },
		{ "the folder may be behind a link", the_folder_may_be_behind_a_link },
		{ "a file that was moved is let go", a_file_that_was_moved_is_let_go },
		{ "the new file survives the end of the old",
		    the_new_file_survives_the_end_of_the_old },
	};

	return unit_run("journal_file", tests, sizeof(tests) / sizeof(tests[0]));
}
