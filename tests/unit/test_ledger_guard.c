/* Unit tests of gateway/ledger_guard.c: whom the guard has stopped, and why. */
#include "ledger_rig.h"

static void
rule_43_stopped_accounts_are_listed_and_approved(void)
{
	struct visit v;
	uint64_t count;

	rig_begin();
	login(&inbox, UIDVALIDITY, "a%u", 1, 3);
	CU_ASSERT_STRING_EQUAL(stops(NULL), "");
	CU_ASSERT_EQUAL(stops_so_far(), 0);
	CU_ASSERT_EQUAL(stop_login("jane@x", 30, 20), 1);
	CU_ASSERT_EQUAL(stop_login("joe@X", 30, 20), 2);
	CU_ASSERT_EQUAL(stop_login("jim@xx", 30, 20), 3);
	CU_ASSERT_EQUAL(stop_login("jane@x", 31, 21), 4);
	CU_ASSERT_STRING_EQUAL(
	    stops(NULL), "jane@x 21/31 x2; jim@xx 20/30 x1; joe@X 20/30 x1; ");
	CU_ASSERT_STRING_EQUAL(stops("jim@xx"), "jim@xx 20/30 x1; ");
	CU_ASSERT_STRING_EQUAL(stops("@x"), "jane@x 21/31 x2; joe@X 20/30 x1; ");
	CU_ASSERT_EQUAL(ledger_file_approve(file, soon(), "@x", &count, &last), 0);
	CU_ASSERT_EQUAL(count, 2);
	CU_ASSERT_STRING_EQUAL(
	    stops(NULL), "jane@x 21/31 x2 approved; jim@xx 20/30 x1; joe@X 20/30 x1 approved; ");
	CU_ASSERT_EQUAL(visit_begin(&v, &junk, UIDVALIDITY, "a%u"), 0);
	CU_ASSERT_TRUE(v.part.found.approved);
	visit_end(&v);
	login(&junk, UIDVALIDITY, "a%u", 1, 3); /* it is through */
	CU_ASSERT_STRING_EQUAL(stops("jane@x"), "");
	CU_ASSERT_EQUAL(stops_so_far(), 4); /* it has been stopped nevertheless */
	CU_ASSERT_EQUAL(ledger_file_approve(file, soon(), "nobody", &count, &last), 0);
	CU_ASSERT_EQUAL(count, 0);
	rig_end();
}

static void
rule_43_approved_though_one_of_two_mailboxes_is_left(void)
{
	struct visit v;
	uint64_t count;

	rig_begin();
	login(&inbox, UIDVALIDITY, "a%u", 1, 3);
	run_sql("INSERT INTO view (account, maildrop) VALUES ('jane@x', 99)");
	stop_login("jane@x", 30, 20);
	CU_ASSERT_EQUAL(visit_begin(&v, &inbox, UIDVALIDITY, "a%u"), 0);
	CU_ASSERT_TRUE(v.part.found.is_view);
	CU_ASSERT_EQUAL(v.part.found.view, 2);
	CU_ASSERT_FALSE(v.part.found.approved);
	visit_end(&v);
	CU_ASSERT_EQUAL(ledger_file_approve(file, soon(), "jane@x", &count, &last), 0);
	CU_ASSERT_EQUAL(visit_begin(&v, &inbox, UIDVALIDITY, "a%u"), 0);
	CU_ASSERT_TRUE(v.part.found.approved);
	visit_end(&v);
	rig_end();
}

static void
rule_43_back_where_it_was_nobody_is_stopped_or_approved_any_more(void)
{
	struct visit v;
	uint64_t count;

	rig_begin();
	login(&inbox, UIDVALIDITY, "a%u", 1, 3);
	stop_login("jane@x", 30, 20);
	/* The route was wrong, and is right again: nothing of the mailbox is new. */
	CU_ASSERT_TRUE(login(&inbox, UIDVALIDITY, "a%u", 1, 3));
	CU_ASSERT_STRING_EQUAL(stops(NULL), "");
	CU_ASSERT_FALSE(login(&inbox, UIDVALIDITY, "a%u", 1, 3));

	stop_login("jane@x", 30, 20);
	CU_ASSERT_EQUAL(ledger_file_approve(file, soon(), "jane@x", &count, &last), 0);
	login(&inbox, UIDVALIDITY, "a%u", 1, 4);
	CU_ASSERT_EQUAL(visit_begin(&v, &junk, UIDVALIDITY, "a%u"), 0);
	CU_ASSERT_FALSE(v.part.found.approved);
	visit_end(&v);
	CU_ASSERT_EQUAL(stops_so_far(), 2);
	rig_end();
}

static void
an_error_says_what_to_do(void)
{
	uint64_t count;
	sqlite3 *db;

	rig_begin();
	stop_login("jane@x", 2, 1);
	CU_ASSERT_EQUAL_FATAL(sqlite3_open(in_state("state.db"), &db), SQLITE_OK);
	CU_ASSERT_EQUAL(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	CU_ASSERT_EQUAL(ledger_file_approve(file, database_clock() + 20, "jane@x", &count, &last),
	    ERR_TEMPORARY);
	CU_ASSERT_PTR_NOT_NULL(strstr(last.text, "another program holds it locked"));
	sqlite3_close(db);
	CU_ASSERT_EQUAL(ledger_file_approve(file, soon(), "jane@x", &count, &last), 0);
	CU_ASSERT_EQUAL(count, 1);
	rig_end();
}

static void
rule_43_the_difference_is_that_of_the_last_stop(void)
{
	rig_begin();
	stop_login("jane@x", 2, 1);
	stop_login("joe@x", 0, 0);
	CU_ASSERT_STRING_EQUAL(difference_of("jane@x"), "-1 old1 +2 new1 new2");
	CU_ASSERT_STRING_EQUAL(difference_of("joe@x"), "-0  +0 ");
	stop_login("jane@x", 3, 2);
	reopen();
	CU_ASSERT_STRING_EQUAL(difference_of("jane@x"), "-2 old1 old2 +3 new1 new2 new3");
	rig_end();
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "rule_43_stopped_accounts_are_listed_and_approved",
		    rule_43_stopped_accounts_are_listed_and_approved },
		{ "rule_43_approved_though_one_of_two_mailboxes_is_left",
		    rule_43_approved_though_one_of_two_mailboxes_is_left },
		{ "rule_43_back_where_it_was_nobody_is_stopped_or_approved_any_more",
		    rule_43_back_where_it_was_nobody_is_stopped_or_approved_any_more },
		{ "an_error_says_what_to_do", an_error_says_what_to_do },
		{ "rule_43_the_difference_is_that_of_the_last_stop",
		    rule_43_the_difference_is_that_of_the_last_stop },
	};

	return unit_run("ledger_guard", tests, sizeof(tests) / sizeof(tests[0]));
}
