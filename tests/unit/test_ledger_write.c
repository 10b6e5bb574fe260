/* Unit tests of gateway/ledger_write.c: what is kept of messages beside their UIDLs, for when
 * UIDVALIDITY changes, files that have no room for that yet, and what is asked of the disk. The rest is
 * in test_ledger_file.c. */
#include "gateway/ledger_write.h"

#include <sys/syscall.h>

#include "ledger_rig.h"

/* What SQLite asks of the disk comes here. */
static unsigned syncs;

int fdatasync(int fd);

int
fdatasync(int fd)
{
	syncs++;
	return (int) syscall(SYS_fdatasync, fd);
}

/* The one number that SQL tells. */
static int64_t
count_rows(const char *sql)
{
	sqlite3_stmt *statement = NULL;
	int64_t count = -1;
	sqlite3 *db;

	CU_ASSERT_EQUAL_FATAL(sqlite3_open(in_state("state.db"), &db), SQLITE_OK);
	CU_ASSERT_EQUAL(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	if (sqlite3_step(statement) == SQLITE_ROW)
		count = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return count;
}

/* A login that has found out the names of messages FIRST to LAST of its mailbox (1 to 9). */
static bool
login_with_names(unsigned kind, uint32_t oldest, uint32_t first, uint32_t last_uid)
{
	struct ledger_name items[16];
	struct ledger_names names = { .items = items, .kind = kind, .last = last_uid };
	bool written = false;
	struct visit v;

	for (uint32_t uid = first; uid <= last_uid; uid++)
		items[names.count++] = (struct ledger_name){ uid, uid == 3 ? 0 : 100 * kind + uid };
	CU_ASSERT_EQUAL_FATAL(visit_begin(&v, &inbox, UIDVALIDITY, "a%u"), 0);
	visit_fill(&v, oldest, 9);
	v.part.names = &names;
	CU_ASSERT_EQUAL(show(&v, false, &written), 0);
	visit_end(&v);
	return written;
}

/* The names of what was shown last, and up to where they are known. */
static const char *
names_now(void)
{
	static char text[256];
	struct ledger_seen_list list = { 0 };
	struct visit v;
	size_t len;

	CU_ASSERT_EQUAL_FATAL(visit_begin(&v, &inbox, UIDVALIDITY, "a%u"), 0);
	len = (size_t) snprintf(text, sizeof(text), "%u:%u", v.part.found.naming,
	    (unsigned) v.part.found.named);
	CU_ASSERT_EQUAL(ledger_file_seen_of(file, soon(), v.part.found.id, &list, &last), 0);
	for (size_t i = 0; i < list.count; i++)
		len += (size_t) snprintf(text + len, sizeof(text) - len, " %llu",
		    (unsigned long long) list.items[i].name);
	ledger_seen_clear(&list);
	visit_end(&v);
	return text;
}

static void
names_of_messages_are_kept(void)
{
	rig_begin();
	CU_ASSERT_TRUE(login(&inbox, UIDVALIDITY, "a%u", 1, 9));
	CU_ASSERT_STRING_EQUAL(names_now(), "0:0 0 0 0 0 0 0 0 0 0");
	CU_ASSERT_TRUE(login_with_names(1, 1, 1, 5));
	CU_ASSERT_STRING_EQUAL(names_now(), "1:5 101 102 0 104 105 0 0 0 0");
	CU_ASSERT_FALSE(login_with_names(1, 1, 1, 5)); /* known already */
	CU_ASSERT_FALSE(login_with_names(0, 1, 1, 0)); /* nothing was asked */
	CU_ASSERT_TRUE(login_with_names(1, 1, 6, 9));
	reopen();
	CU_ASSERT_STRING_EQUAL(names_now(), "1:9 101 102 0 104 105 106 107 108 109");
	CU_ASSERT_TRUE(login_with_names(2, 1, 1, 9)); /* of another kind */
	CU_ASSERT_STRING_EQUAL(names_now(), "2:9 201 202 0 204 205 206 207 208 209");
	CU_ASSERT_TRUE(login_with_names(3, 1, 1, 5)); /* and not all of them at once */
	CU_ASSERT_STRING_EQUAL(names_now(), "3:5 301 302 0 304 305 0 0 0 0");
	CU_ASSERT_TRUE(login_with_names(3, 8, 8, 9)); /* seven messages are gone */
	CU_ASSERT_STRING_EQUAL(names_now(), "3:9 308 309");
	CU_ASSERT_EQUAL(count_rows("SELECT count(*) FROM name"), 2);
	rig_end();
}

/* How often a login that sees messages 1 to LAST_UID waits for the disk. */
static unsigned
syncs_of_login(const char *template, uint32_t last_uid)
{
	syncs = 0;
	CU_ASSERT_TRUE(login(&inbox, UIDVALIDITY, template, 1, last_uid));
	return syncs;
}

/* UIDLs that could not be made again wait for the disk; what was shown last does not. */
static void
what_must_last_is_synced(void)
{
	rig_begin();
	CU_ASSERT_TRUE(syncs_of_login("a%u", 5) > 0);
	CU_ASSERT_EQUAL(syncs_of_login("a%u", 6), 0);
	CU_ASSERT_EQUAL(syncs_of_login("b%u", 7), 1);
	CU_ASSERT_EQUAL(syncs_of_login("b%u", 8), 0);
	CU_ASSERT_EQUAL(syncs_of_login("a%u", 9), 1);
	rig_end();
}

static void
what_was_removed_is_all_that_is_written_at_the_end(void)
{
	bool written;
	struct visit v;

	rig_begin();
	CU_ASSERT_EQUAL_FATAL(visit_begin(&v, &inbox, UIDVALIDITY, "a%u"), 0);
	visit_fill(&v, 1, 9);
	CU_ASSERT_EQUAL(uidl_book_assign(v.book, 3, "x", 1, 0), 0);
	CU_ASSERT_EQUAL(show(&v, false, &written), 0);
	CU_ASSERT_EQUAL(count_rows("SELECT count(*) FROM uidl"), 1);
	run_sql("DELETE FROM uidl; DELETE FROM epoch"); /* what is written again is there again */
	v.messages[0].deleted = true;
	CU_ASSERT_EQUAL(show(&v, true, &written), 0);
	CU_ASSERT_TRUE(written);
	CU_ASSERT_EQUAL(count_rows("SELECT messages FROM maildrop"), 8);
	CU_ASSERT_EQUAL(count_rows("SELECT count(*) FROM uidl"), 0);
	CU_ASSERT_EQUAL(count_rows("SELECT count(*) FROM epoch"), 0);
	visit_end(&v);
	rig_end();
}

static void
a_file_of_the_version_before_is_brought_up_to_date(void)
{
	rig_begin();
	login(&inbox, UIDVALIDITY, "a%u", 1, 9);
	ledger_file_free(file);
	run_sql("DROP TABLE name; DROP TABLE named; DROP TABLE counter; "
		"DROP INDEX view_maildrop; "
		"ALTER TABLE guard DROP COLUMN fresh; ALTER TABLE guard DROP COLUMN missing_uidls; "
		"ALTER TABLE guard DROP COLUMN fresh_uidls; PRAGMA user_version = 1");
	CU_ASSERT_EQUAL_FATAL(ledger_file_new(state, &file), 0);
	CU_ASSERT_STRING_EQUAL(names_now(), "0:0 0 0 0 0 0 0 0 0 0");
	CU_ASSERT_EQUAL(count_rows("PRAGMA user_version"), 2);
	CU_ASSERT_EQUAL(count_rows("SELECT count(*) FROM sqlite_master WHERE name = 'view_maildrop'"), 1);
	CU_ASSERT_FALSE(login(&inbox, UIDVALIDITY, "a%u", 1, 9)); /* nothing was lost */
	CU_ASSERT_TRUE(login_with_names(1, 1, 1, 9));
	rig_end();
}

/* A login to a mailbox of a new UIDVALIDITY, whose messages have names and exceptions. */
static void
login_after_change(uint32_t uidvalidity, uint32_t last_uid)
{
	struct ledger_name items[] = { { 1, 100 + uidvalidity } };
	struct ledger_names names = { .items = items, .count = 1, .kind = 1, .last = 1 };
	bool written = false;
	struct visit v;

	CU_ASSERT_EQUAL_FATAL(visit_begin(&v, &inbox, uidvalidity, "a%u"), 0);
	visit_fill(&v, 1, last_uid);
	v.part.names = &names;
	CU_ASSERT_EQUAL(uidl_book_assign(v.book, 1, "x", 1, 0), 0);
	CU_ASSERT_EQUAL(show(&v, false, &written), 0);
	CU_ASSERT_TRUE(written);
	visit_end(&v);
}

static int64_t
before_of(uint32_t uidvalidity)
{
	int64_t before;
	struct visit v;

	CU_ASSERT_EQUAL_FATAL(visit_begin(&v, &inbox, uidvalidity, "a%u"), 0);
	before = v.part.found.before;
	visit_end(&v);
	return before;
}

static void
a_server_of_many_uidvalidities_does_not_fill_the_disk(void)
{
	static const char *const tables[] = { "maildrop", "epoch", "uidl", "name", "named", "seen" };
	struct ledger_seen_list seen = { 0 };
	char sql[64];

	rig_begin();
	CU_ASSERT_TRUE(login(&junk, UIDVALIDITY, "a%u", 1, 5)); /* another mailbox */
	login_after_change(10, 9);
	run_sql("INSERT INTO view SELECT 'joe@x', id FROM maildrop WHERE uidvalidity = 10");
	for (uint32_t i = 11; i < 30; i++)
		login_after_change(i, i == 27 || i == 28 ? 0 : 9);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", tables[i]);
		CU_ASSERT_EQUAL(count_rows(sql), 5);
	}
	for (unsigned i = 2; i < 6; i++) {
		snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", tables[i]);
		UNIT_CHECK(count_rows(sql) <= 5, tables[i]);
	}
	/* Now, the two before it that had messages, and what Joe saw last. */
	CU_ASSERT_EQUAL(count_rows("SELECT sum(uidvalidity) FROM maildrop WHERE mailbox = 'INBOX'"),
	    29 + 26 + 25 + 10);
	CU_ASSERT_EQUAL(ledger_file_last_seen(file, soon(), "joe@x", &seen, &last), 0);
	CU_ASSERT_EQUAL(seen.count, 9);
	ledger_seen_clear(&seen);
	CU_ASSERT_NOT_EQUAL(before_of(30), 0);
	rig_end();
}

static void
what_was_shown_before_counts_beside_an_import(void)
{
	static const struct ledger_row row = { 1, "imported" };
	const struct ledger_rows part = { inbox, 11, &row, 1 };
	struct ledger_imported got;
	int64_t shown;

	rig_begin();
	login_after_change(10, 9);
	shown = before_of(11);
	CU_ASSERT_NOT_EQUAL(shown, 0);
	CU_ASSERT_EQUAL(ledger_file_import(file, soon(), &part, 1, LEDGER_FROM_IMPORT, &got, &last), 0);
	CU_ASSERT_EQUAL(before_of(11), shown);
	CU_ASSERT_EQUAL(before_of(10), 0);
	login_after_change(11, 9);
	CU_ASSERT_EQUAL(before_of(11), 0);
	rig_end();
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "names_of_messages_are_kept", names_of_messages_are_kept },
		{ "what_must_last_is_synced", what_must_last_is_synced },
		{ "what_was_removed_is_all_that_is_written_at_the_end",
		    what_was_removed_is_all_that_is_written_at_the_end },
		{ "a_file_of_the_version_before_is_brought_up_to_date",
		    a_file_of_the_version_before_is_brought_up_to_date },
		{ "a_server_of_many_uidvalidities_does_not_fill_the_disk",
		    a_server_of_many_uidvalidities_does_not_fill_the_disk },
		{ "what_was_shown_before_counts_beside_an_import",
		    what_was_shown_before_counts_beside_an_import },
	};

	return unit_run("ledger_write", tests, sizeof(tests) / sizeof(tests[0]));
}
