/* Unit tests of gateway/state_store.c: files that earlier versions made. */
#include "ledger_rig.h"

/* As popgate made them: never to be changed. */
static const char version_1[] =
    "PRAGMA journal_mode = WAL; BEGIN;"
    "CREATE TABLE maildrop (id INTEGER PRIMARY KEY, upstream TEXT NOT NULL, "
    "user TEXT NOT NULL, mailbox TEXT NOT NULL, uidvalidity INTEGER NOT NULL, "
    "version INTEGER NOT NULL DEFAULT 0, shown INTEGER NOT NULL DEFAULT 0, "
    "messages INTEGER NOT NULL DEFAULT 0, digest INTEGER NOT NULL DEFAULT 0, "
    "shown_at INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE UNIQUE INDEX maildrop_name ON maildrop (user, mailbox, upstream, uidvalidity);"
    "CREATE TABLE epoch (maildrop INTEGER NOT NULL, first INTEGER NOT NULL, "
    "template TEXT NOT NULL, PRIMARY KEY (maildrop, first)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE uidl (maildrop INTEGER NOT NULL, uid INTEGER NOT NULL, "
    "uidl TEXT NOT NULL, source INTEGER NOT NULL, PRIMARY KEY (maildrop, uid)) "
    "STRICT, WITHOUT ROWID;"
    "CREATE TABLE seen (place INTEGER PRIMARY KEY, list BLOB NOT NULL) STRICT;"
    "CREATE TABLE view (account TEXT NOT NULL, maildrop INTEGER NOT NULL, "
    "PRIMARY KEY (account, maildrop)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE account (account TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, "
    "PRIMARY KEY (account, name)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE state (scope INTEGER NOT NULL, name TEXT NOT NULL, share INTEGER NOT NULL, "
    "state INTEGER NOT NULL, changed INTEGER NOT NULL, PRIMARY KEY (scope, name)) "
    "STRICT, WITHOUT ROWID;"
    "CREATE TABLE guard (account TEXT PRIMARY KEY, upstream TEXT NOT NULL, "
    "user TEXT NOT NULL, mailbox TEXT NOT NULL, seen INTEGER NOT NULL, "
    "missing INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, "
    "logins INTEGER NOT NULL, approved INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;"
    "PRAGMA application_id = 1349480556;"
    "PRAGMA user_version = 1;"
    "INSERT INTO maildrop (upstream, user, mailbox, uidvalidity, shown, messages) "
    "VALUES ('new', 'jane', 'INBOX', 7, 3, 3);"
    "INSERT INTO epoch VALUES (1, 1, 'a%u');"
    "INSERT INTO uidl VALUES (1, 2, 'old2', 1);"
    "INSERT INTO view VALUES ('jane@x', 1);"
    "INSERT INTO guard VALUES ('jim@x', 'new', 'jim', 'INBOX', 30, 20, 5, 6, 3, 7);"
    "INSERT INTO guard VALUES ('joe@x', 'new', 'joe', 'INBOX', 30, 20, 5, 6, 4, 0);"
    "COMMIT;";

/* The form of the file, and every column. */
static const char *
describe_form(void)
{
	static char text[8000];
	sqlite3_stmt *statement;
	sqlite3 *db;

	CU_ASSERT_EQUAL_FATAL(sqlite3_open(in_state("state.db"), &db), SQLITE_OK);
	CU_ASSERT_EQUAL_FATAL(sqlite3_prepare_v2(db,
				  "SELECT user_version || group_concat(is_of, '; ') FROM "
				  "pragma_user_version, (SELECT format('%s.%s %s %d %d %s', t.name, "
				  "c.name, c.type, c.\"notnull\", c.pk, c.dflt_value) AS is_of "
				  "FROM sqlite_schema t, pragma_table_info(t.name) c "
				  "ORDER BY t.name, c.cid)",
				  -1, &statement, NULL),
	    SQLITE_OK);
	CU_ASSERT_EQUAL(sqlite3_step(statement), SQLITE_ROW);
	snprintf(text, sizeof(text), "%s", (const char *) sqlite3_column_text(statement, 0));
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return text;
}

static void
version_1_becomes_what_is_made_today(void)
{
	char today[8000];
	struct visit v;

	rig_begin();
	login(&inbox, UIDVALIDITY, "a%u", 1, 3);
	snprintf(today, sizeof(today), "%s", describe_form());
	rig_end();
	rig_begin();
	run_sql(version_1);
	CU_ASSERT_EQUAL_FATAL(visit_begin(&v, &inbox, UIDVALIDITY, "b%u"), 0);
	CU_ASSERT_TRUE(v.part.found.is_view);
	expect_uidl(&v, 2, "old2");
	expect_uidl(&v, 3, "a3");
	visit_end(&v);
	CU_ASSERT_STRING_EQUAL(describe_form(), today);
	CU_ASSERT_STRING_EQUAL(stops(NULL), "jim@x 20/30 x3 approved; joe@x 20/30 x4; ");
	CU_ASSERT_STRING_EQUAL(difference_of("joe@x"), "-20  +0 "); /* nobody noted it */
	CU_ASSERT_EQUAL(stops_so_far(), 7);
	reopen();
	CU_ASSERT_EQUAL(stop_login("joe@x", 1, 1), 8);
	CU_ASSERT_STRING_EQUAL(difference_of("joe@x"), "-1 old1 +1 new1");
	rig_end();
}

static void
an_upgrade_is_made_whole_or_not_at_all(void)
{
	char before[8000];
	struct visit v;
	sqlite3 *db;

	rig_begin();
	run_sql(version_1);
	run_sql("CREATE TABLE counter (unexpected TEXT)");
	snprintf(before, sizeof(before), "%s", describe_form());
	fails_to_load("a table that is in the way");
	CU_ASSERT_STRING_EQUAL(describe_form(), before);
	run_sql("DROP TABLE counter");
	/* an older popgate that is writing is waited for */
	CU_ASSERT_EQUAL_FATAL(sqlite3_open(in_state("state.db"), &db), SQLITE_OK);
	CU_ASSERT_EQUAL(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	CU_ASSERT_EQUAL(ledger_file_check(file, database_clock() + 50, &last), ERR_TEMPORARY);
	CU_ASSERT_PTR_NOT_NULL(strstr(last.text, "locked"));
	CU_ASSERT_EQUAL(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	CU_ASSERT_EQUAL(visit_begin(&v, &inbox, UIDVALIDITY, "b%u"), 0);
	visit_end(&v);
	/* and what it does afterwards, with the file still open, does not fail */
	CU_ASSERT_EQUAL(sqlite3_exec(db,
			    "INSERT INTO guard (user, mailbox, upstream, account, seen, missing, "
			    "first, last, logins) VALUES ('a', 'b', 'c', 'd', 1, 1, 1, 1, 1)",
			    NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(db);
	rig_end();
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "version_1_becomes_what_is_made_today", version_1_becomes_what_is_made_today },
		{ "an_upgrade_is_made_whole_or_not_at_all",
		    an_upgrade_is_made_whole_or_not_at_all },
	};

	return unit_run("state_store", tests, sizeof(tests) / sizeof(tests[0]));
}
