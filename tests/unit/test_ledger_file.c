/* Unit tests of gateway/ledger_file.c, ledger_write.c and ledger_import.c: what one login
 * is told of another, by files that are whole, foreign, damaged, or somebody else's too. */
#include "ledger_rig.h"

#include <fcntl.h>

/* What was seen last as "uid=uidl ...". */
static const char *
last_seen(const char *account)
{
	static char text[4096];
	struct ledger_seen_list list = { 0 };
	size_t len = 0;

	text[0] = '\0';
	CU_ASSERT_EQUAL(ledger_file_last_seen(file, soon(), account, &list, &last), 0);
	for (size_t i = 0; i < list.count; i++)
		len += (size_t) snprintf(text + len, sizeof(text) - len, "%s%u=%s/%llu",
		    len == 0 ? "" : " ", (unsigned) list.items[i].uid, list.items[i].uidl,
		    (unsigned long long) list.items[i].size);
	ledger_seen_clear(&list);
	return text;
}

/* ---- tests ---- */

static void
rule_39_a_template_that_changes_leaves_what_was_shown(void)
{
	struct visit v;
	bool written;

	rig_begin();
	CU_ASSERT_TRUE(login(&inbox, UIDVALIDITY, "a%u", 1, 10));
	reopen();
	CU_ASSERT_FALSE(login(&inbox, UIDVALIDITY, "a%u", 1, 10)); /* nothing new, no write */
	CU_ASSERT_EQUAL(visit_begin(&v, &inbox, UIDVALIDITY, "b%u"), 0);
	visit_fill(&v, 1, 12);
	CU_ASSERT_EQUAL(show(&v, false, &written), 0);
	CU_ASSERT_TRUE(written);
	expect_uidl(&v, 10, "a10");
	expect_uidl(&v, 11, "b11");
	visit_end(&v);
	reopen();
	CU_ASSERT_EQUAL(visit_begin(&v, &inbox, UIDVALIDITY, "a%u"), 0);
	visit_fill(&v, 1, 13);
	expect_uidl(&v, 10, "a10");
	expect_uidl(&v, 12, "b12");
	expect_uidl(&v, 13, "a13");
	CU_ASSERT_TRUE(ledger_must_show(&v.part, 1));
	visit_end(&v);
	CU_ASSERT_EQUAL(visit_begin(&v, &inbox, UIDVALIDITY, "b%u"), 0);
	CU_ASSERT_FALSE(ledger_must_show(&v.part, 1));
	visit_end(&v);
	rig_end();
}

static void
what_nobody_saw_gets_the_new_template(void)
{
	struct visit v;

	rig_begin();
	CU_ASSERT_TRUE(login(&inbox, UIDVALIDITY, "a%u", 1, 0)); /* an empty mailbox */
	CU_ASSERT_EQUAL(visit_begin(&v, &inbox, UIDVALIDITY, "b%u"), 0);
	expect_uidl(&v, 1, "b1");
	visit_end(&v);
	CU_ASSERT_EQUAL(visit_begin(&v, &inbox, UIDVALIDITY + 1, "b%u"), 0);
	CU_ASSERT_EQUAL(v.part.found.id, 0);
	CU_ASSERT_EQUAL(v.part.found.before, 0); /* nothing was shown before */
	visit_end(&v);
	rig_end();
}

static void
exceptions_stay(void)
{
	struct visit v;
	bool written;

	rig_begin();
	CU_ASSERT_EQUAL(visit_begin(&v, &inbox, UIDVALIDITY, "message-id"), 0);
	visit_fill(&v, 1, 2);
	CU_ASSERT_EQUAL(uidl_book_assign(v.book, 1, "one", 3, LEDGER_FROM_ATTRIBUTE), 0);
	CU_ASSERT_EQUAL(uidl_book_assign(v.book, 2, "two", 3, LEDGER_FROM_ATTRIBUTE), 0);
	CU_ASSERT_EQUAL(show(&v, false, &written), 0);
	visit_end(&v);
	reopen();
	CU_ASSERT_EQUAL(visit_begin(&v, &inbox, UIDVALIDITY, "message-id"), 0);
	expect_uidl(&v, 1, "one");
	expect_uidl(&v, 2, "two");
	CU_ASSERT_EQUAL(uidl_book_new_count(v.book), 0);
	visit_end(&v);
	CU_ASSERT_STRING_EQUAL(last_seen("jane@x"), "1=one/10 2=two/20");
	rig_end();
}

static void
what_was_seen_last_is_known(void)
{
	struct visit v;
	bool written;

	rig_begin();
	CU_ASSERT_STRING_EQUAL(last_seen("jane@x"), "");
	login(&inbox, UIDVALIDITY, "a%u", 4094, 4097); /* two pieces */
	CU_ASSERT_STRING_EQUAL(last_seen("jane@x"),
	    "4094=a4094/40940 4095=a4095/40950 4096=a4096/40960 4097=a4097/40970");
	CU_ASSERT_STRING_EQUAL(last_seen("joe@x"), "");
	CU_ASSERT_EQUAL(visit_begin(&v, &inbox, UIDVALIDITY, "a%u"), 0);
	CU_ASSERT_EQUAL(v.part.found.view, 1);
	CU_ASSERT_TRUE(v.part.found.is_view);
	visit_fill(&v, 4094, 4097);
	for (int i = 1; i < 4; i++)
		v.messages[i].deleted = true;
	CU_ASSERT_EQUAL(show(&v, true, &written), 0); /* its owner has removed them */
	CU_ASSERT_TRUE(written);
	CU_ASSERT_STRING_EQUAL(last_seen("jane@x"), "4094=a4094/40940");
	CU_ASSERT_EQUAL(v.part.found.shown, 4097);
	visit_end(&v);
	login(&inbox, UIDVALIDITY, "a%u", 1, 0);
	CU_ASSERT_STRING_EQUAL(last_seen("jane@x"), "");
	rig_end();
}

static void
another_mailbox_is_not_what_was_seen(void)
{
	struct visit v;

	rig_begin();
	login(&inbox, UIDVALIDITY, "a%u", 1, 3);
	CU_ASSERT_EQUAL(visit_begin(&v, &junk, UIDVALIDITY, "a%u"), 0);
	CU_ASSERT_EQUAL(v.part.found.view, 1);
	CU_ASSERT_FALSE(v.part.found.is_view);
	visit_end(&v);
	CU_ASSERT_EQUAL(visit_begin(&v, &inbox, UIDVALIDITY + 1, "a%u"), 0);
	CU_ASSERT_EQUAL(v.part.found.id, 0);
	CU_ASSERT_NOT_EQUAL(v.part.found.before, 0);
	CU_ASSERT_FALSE(v.part.found.is_view);
	visit_end(&v);
	rig_end();
}

static int
import(const struct maildrop_key *key, const struct ledger_row *rows, size_t count,
    struct ledger_imported *out)
{
	const struct ledger_rows part = { *key, UIDVALIDITY, rows, count };

	return ledger_file_import(file, soon(), &part, 1, LEDGER_FROM_IMPORT, out, &last);
}

static void
rule_40_an_import_never_changes_what_was_shown(void)
{
	static const struct ledger_row rows[] = { { 1, "old1" }, { 2, "a2" }, { 3, "old3" },
		{ 4, "old4" }, { 5, "old4" }, { 6, "a1" }, { 7, "bl ank" }, { 0, "zero" } };
	struct ledger_imported got;
	struct visit v;

	rig_begin();
	login(&inbox, UIDVALIDITY, "a%u", 1, 2);
	CU_ASSERT_EQUAL(import(&inbox, rows, 8, &got), 0);
	CU_ASSERT_EQUAL(got.written, 2); /* 3 and 4 */
	CU_ASSERT_EQUAL(got.same, 1);	 /* 2 */
	CU_ASSERT_EQUAL(got.shown, 1);	 /* 1 */
	CU_ASSERT_EQUAL(got.taken, 2);	 /* 5, and 6 */
	CU_ASSERT_EQUAL(got.unfit, 2);
	CU_ASSERT_EQUAL(import(&inbox, rows, 5, &got), 0); /* once more */
	CU_ASSERT_EQUAL(got.written, 0);
	CU_ASSERT_EQUAL(got.same, 3);
	CU_ASSERT_EQUAL(visit_begin(&v, &inbox, UIDVALIDITY, "a%u"), 0);
	expect_uidl(&v, 1, "a1");
	expect_uidl(&v, 2, "a2");
	expect_uidl(&v, 3, "old3");
	expect_uidl(&v, 4, "old4");
	expect_uidl(&v, 5, "a5");
	visit_end(&v);
	rig_end();
}

/* Mailboxes that are shown together have UIDs in common, and no UIDL. */
static void
an_import_to_two_mailboxes(void)
{
	static const struct ledger_row first[] = { { 1, "old1" }, { 2, "twice" } },
				       second[] = { { 1, "twice" }, { 2, "old2" }, { 3, "shown" } },
				       third[] = { { 5, "shown" }, { 4, "old2" } };
	const struct ledger_rows parts[] = { { inbox, UIDVALIDITY, first, 2 },
		{ junk, UIDVALIDITY, second, 3 } },
				 again[] = { { inbox, UIDVALIDITY, third, 2 },
					 { junk, UIDVALIDITY, second, 0 } };
	struct ledger_imported got;
	struct visit v;

	rig_begin();
	CU_ASSERT_EQUAL(
	    ledger_file_import(file, soon(), parts, 2, LEDGER_FROM_IMPORT, &got, &last), 0);
	CU_ASSERT_EQUAL(got.written, 4);
	CU_ASSERT_EQUAL(got.taken, 1);
	CU_ASSERT_EQUAL(visit_begin(&v, &junk, UIDVALIDITY, "b%u"), 0);
	expect_uidl(&v, 1, "b1");
	expect_uidl(&v, 2, "old2");
	expect_uidl(&v, 3, "shown");
	visit_end(&v);
	login(&junk, UIDVALIDITY, "b%u", 1, 3);
	CU_ASSERT_EQUAL(
	    ledger_file_import(file, soon(), again, 2, LEDGER_FROM_IMPORT, &got, &last), 0);
	CU_ASSERT_EQUAL(got.written, 0);
	CU_ASSERT_EQUAL(got.taken, 2);
	CU_ASSERT_EQUAL(visit_begin(&v, &inbox, UIDVALIDITY, "a%u"), 0);
	expect_uidl(&v, 1, "old1");
	expect_uidl(&v, 2, "twice");
	expect_uidl(&v, 4, "a4");
	visit_end(&v);
	rig_end();
}

static void
an_import_before_the_first_login(void)
{
	static const struct ledger_row rows[] = { { 2, "old2" } };
	struct ledger_imported got;
	struct visit v;
	bool written;

	rig_begin();
	CU_ASSERT_EQUAL(import(&inbox, rows, 1, &got), 0);
	CU_ASSERT_EQUAL(visit_begin(&v, &inbox, UIDVALIDITY, "a%u"), 0);
	CU_ASSERT_NOT_EQUAL(v.part.found.id, 0);
	visit_fill(&v, 1, 3);
	expect_uidl(&v, 1, "a1");
	expect_uidl(&v, 2, "old2");
	CU_ASSERT_EQUAL(show(&v, false, &written), 0);
	visit_end(&v);
	CU_ASSERT_STRING_EQUAL(last_seen("jane@x"), "1=a1/10 2=old2/20 3=a3/30");
	rig_end();
}

/* The session has read before, and shows what it read. */
static void
an_import_meanwhile_is_noticed(void)
{
	static const struct ledger_row rows[] = { { 2, "old2" } };
	struct ledger_imported got;
	struct visit v;
	bool written;

	rig_begin();
	CU_ASSERT_EQUAL(visit_begin(&v, &inbox, UIDVALIDITY, "a%u"), 0);
	visit_fill(&v, 1, 3);
	CU_ASSERT_EQUAL(import(&inbox, rows, 1, &got), 0);
	CU_ASSERT_EQUAL(show(&v, false, &written), ERR_IN_USE);
	visit_end(&v);
	CU_ASSERT_STRING_EQUAL(last_seen("jane@x"), "");
	rig_end();
}

/* The same where the maildrop was known before: a message that has just come gets one UIDL, not two. */
static void
an_import_for_a_new_message_is_noticed(void)
{
	static const struct ledger_row rows[] = { { 4, "old4" } };
	struct ledger_imported got;
	struct visit v;
	bool written;

	rig_begin();
	CU_ASSERT_TRUE(login(&inbox, UIDVALIDITY, "a%u", 1, 3));
	CU_ASSERT_EQUAL(visit_begin(&v, &inbox, UIDVALIDITY, "a%u"), 0);
	visit_fill(&v, 1, 4);
	CU_ASSERT_EQUAL(import(&inbox, rows, 1, &got), 0);
	CU_ASSERT_EQUAL(show(&v, false, &written), ERR_IN_USE);
	visit_end(&v);
	CU_ASSERT_TRUE(login(&inbox, UIDVALIDITY, "a%u", 1, 4));
	CU_ASSERT_STRING_EQUAL(last_seen("jane@x"), "1=a1/10 2=a2/20 3=a3/30 4=old4/40");
	rig_end();
}

static void
what_was_seen_elsewhere(void)
{
	struct ledger_seen items[] = { { 1, 100, (char[]){ "x" }, 0 },
		{ 2, 200, (char[]){ "y" }, 0 } };
	struct visit v;

	rig_begin();
	CU_ASSERT_EQUAL(
	    ledger_file_saw_elsewhere(file, soon(), "jane@x", &old, items, 2, &last), 0);
	CU_ASSERT_STRING_EQUAL(last_seen("jane@x"), "1=x/100 2=y/200");
	CU_ASSERT_EQUAL(visit_begin(&v, &inbox, UIDVALIDITY, "a%u"), 0);
	CU_ASSERT_EQUAL(v.part.found.view, 1);
	CU_ASSERT_FALSE(v.part.found.is_view);
	visit_end(&v);
	login(&inbox, UIDVALIDITY, "a%u", 1, 1);
	CU_ASSERT_EQUAL(
	    ledger_file_saw_elsewhere(file, soon(), "jane@x", &old, items, 2, &last), 0);
	CU_ASSERT_STRING_EQUAL(last_seen("jane@x"), "1=a1/10"); /* it has been shown more since */
	rig_end();
}

static void
what_was_seen_elsewhere_is_what_was_seen_there_last(void)
{
	struct ledger_seen first[] = { { 1, 100, (char[]){ "x" }, 0 },
		{ 2, 200, (char[]){ "y" }, 0 } };
	struct ledger_seen then[] = { { 1, 200, (char[]){ "y" }, 0 },
		{ 2, 300, (char[]){ "z" }, 0 }, { 5000, 400, (char[]){ "v" }, 0 } };
	struct visit v;

	rig_begin();
	CU_ASSERT_EQUAL(
	    ledger_file_saw_elsewhere(file, soon(), "jane@x", &old, first, 2, &last), 0);
	CU_ASSERT_EQUAL(
	    ledger_file_saw_elsewhere(file, soon(), "jane@x", &old, then, 3, &last), 0);
	CU_ASSERT_STRING_EQUAL(last_seen("jane@x"), "1=y/200 2=z/300 5000=v/400");
	CU_ASSERT_EQUAL(
	    ledger_file_saw_elsewhere(file, soon(), "jane@x", &junk, first, 1, &last), 0);
	CU_ASSERT_STRING_EQUAL(last_seen("jane@x"), "1=x/100"); /* by a file */
	CU_ASSERT_EQUAL(
	    ledger_file_saw_elsewhere(file, soon(), "jane@x", &old, then, 0, &last), 0);
	CU_ASSERT_STRING_EQUAL(last_seen("jane@x"), "");
	CU_ASSERT_EQUAL(visit_begin(&v, &old, 0, "a%u"), 0);
	CU_ASSERT_EQUAL(v.part.found.view, 0);
	visit_end(&v);
	CU_ASSERT_EQUAL(
	    ledger_file_saw_elsewhere(file, soon(), "jane@x", &old, then, 1, &last), 0);
	CU_ASSERT_STRING_EQUAL(last_seen("jane@x"), "1=y/200");
	rig_end();
}

static void
what_the_ledger_could_not_read_again_is_left_out(void)
{
	char long_one[UIDL_MAX + 2] = { 0 };
	struct ledger_seen items[] = { { 1, 100, (char[]){ "two words" }, 0 },
		{ 2, 200, (char[]){ "y" }, 0 }, { 3, 300, (char[]){ "" }, 0 },
		{ 4, 400, long_one, 0 }, { 5, UINT64_MAX, (char[]){ "z" }, 0 } };

	memset(long_one, 'x', UIDL_MAX + 1);
	rig_begin();
	CU_ASSERT_EQUAL(
	    ledger_file_saw_elsewhere(file, soon(), "jane@x", &old, items, 5, &last), 0);
	CU_ASSERT_STRING_EQUAL(last_seen("jane@x"), "2=y/200");
	CU_ASSERT_EQUAL(
	    ledger_file_saw_elsewhere(file, soon(), "joe@x", &inbox, items, 1, &last), 0);
	CU_ASSERT_STRING_EQUAL(last_seen("joe@x"), "");
	rig_end();
}

static void
facts_about_accounts(void)
{
	char *value;

	rig_begin();
	CU_ASSERT_EQUAL(
	    ledger_file_account_get(file, soon(), "jane", "winner", &value, &last), 0);
	CU_ASSERT_PTR_NULL(value);
	CU_ASSERT_EQUAL(ledger_file_account_set(file, soon(), "jane", "winner", "a", &last), 0);
	CU_ASSERT_EQUAL(ledger_file_account_set(file, soon(), "jane", "winner", "b", &last), 0);
	reopen();
	CU_ASSERT_EQUAL(
	    ledger_file_account_get(file, soon(), "jane", "winner", &value, &last), 0);
	CU_ASSERT_STRING_EQUAL(value, "b");
	free(value);
	CU_ASSERT_EQUAL(ledger_file_account_set(file, soon(), "jane", "winner", NULL, &last), 0);
	CU_ASSERT_EQUAL(
	    ledger_file_account_get(file, soon(), "jane", "winner", &value, &last), 0);
	CU_ASSERT_PTR_NULL(value);
	rig_end();
}

/* ---- files that cannot be used ---- */

static void
write_state(const char *text, size_t len, off_t at)
{
	int out = open(in_state("state.db"), O_WRONLY | O_CREAT, 0600);

	CU_ASSERT_TRUE_FATAL(out >= 0);
	CU_ASSERT_EQUAL(pwrite(out, text, len, at), (ssize_t) len);
	close(out);
}

static void
rule_44_what_cannot_be_read_is_not_guessed(void)
{
	static const struct {
		const char *name;
		const char *sql;
	} rows[] = {
		{ "an unknown template", "UPDATE epoch SET template = 'nonsense'" },
		{ "a template with octets behind it", "UPDATE epoch SET template = 'a%u b c'" },
		{ "a first UID of nothing", "UPDATE epoch SET first = 0" },
		{ "a first UID that is too large", "UPDATE epoch SET first = 5000000000" },
		{ "a UIDL with a blank", "INSERT INTO uidl VALUES (1, 5, 'a b', 0)" },
		{ "an empty UIDL", "INSERT INTO uidl VALUES (1, 5, '', 0)" },
		{ "a UID that is too large", "INSERT INTO uidl VALUES (1, 5000000000, 'a', 0)" },
		{ "a highest UID below nothing", "UPDATE maildrop SET shown = -1" },
		{ "a newer form", "PRAGMA user_version = 99" },
		{ "another program's", "PRAGMA application_id = 5" },
		{ "a table that is gone", "DROP TABLE uidl" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rig_begin();
		login(&inbox, UIDVALIDITY, "a%u", 1, 3);
		ledger_file_free(file);
		run_sql(rows[i].sql);
		CU_ASSERT_EQUAL_FATAL(ledger_file_new(state, &file), 0);
		fails_to_load(rows[i].name);
		rig_end();
	}
	rig_begin();
	write_state("this is no database, and long enough to be looked at", 53, 0);
	fails_to_load("no database");
	rig_end();
}

static void
pages_that_are_damaged(void)
{
	struct visit v;
	struct stat st;
	size_t refused = 0;

	for (off_t page = 0; page < 16; page++) {
		rig_begin();
		login(&inbox, UIDVALIDITY, "a%u", 1, 3);
		ledger_file_free(file);
		run_sql("PRAGMA wal_checkpoint(TRUNCATE)");
		CU_ASSERT_EQUAL(stat(in_state("state.db"), &st), 0);
		if (page * 4096 < st.st_size)
			write_state("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12,
			    page * 4096 + (page == 0 ? 100 : 0));
		CU_ASSERT_EQUAL_FATAL(ledger_file_new(state, &file), 0);
		/* Told, or not met; never other UIDLs. */
		if (visit_begin(&v, &inbox, UIDVALIDITY, "b%u") != 0)
			refused++;
		else
			expect_uidl(&v, 3, "a3");
		visit_end(&v);
		rig_end();
	}
	CU_ASSERT_TRUE(refused >= 3);
}

static void
another_process_writes_meanwhile(void)
{
	struct ledger_file *mine = file, *theirs;
	sqlite3 *db;

	rig_begin();
	mine = file;
	login(&inbox, UIDVALIDITY, "a%u", 1, 3);
	CU_ASSERT_EQUAL_FATAL(ledger_file_new(state, &theirs), 0);
	file = theirs;
	login(&inbox, UIDVALIDITY, "a%u", 1, 5);
	file = mine;
	CU_ASSERT_FALSE(login(&inbox, UIDVALIDITY, "a%u", 1, 5));
	/* a writer that does not end holds up writing, and no reading */
	CU_ASSERT_EQUAL_FATAL(sqlite3_open(in_state("state.db"), &db), SQLITE_OK);
	CU_ASSERT_EQUAL(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	CU_ASSERT_FALSE(login(&inbox, UIDVALIDITY, "a%u", 1, 5));
	CU_ASSERT_EQUAL(ledger_file_account_set(
			    file, database_clock() + 50, "jane", "winner", "a", &last),
	    ERR_TEMPORARY);
	CU_ASSERT_PTR_NOT_NULL(strstr(last.text, "locked"));
	sqlite3_close(db);
	CU_ASSERT_EQUAL(ledger_file_account_set(file, soon(), "jane", "winner", "a", &last), 0);
	ledger_file_free(theirs);
	rig_end();
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "rule_39_a_template_that_changes_leaves_what_was_shown",
		    rule_39_a_template_that_changes_leaves_what_was_shown },
		{ "what_nobody_saw_gets_the_new_template", what_nobody_saw_gets_the_new_template },
		{ "exceptions_stay", exceptions_stay },
		{ "what_was_seen_last_is_known", what_was_seen_last_is_known },
		{ "another_mailbox_is_not_what_was_seen", another_mailbox_is_not_what_was_seen },
		{ "rule_40_an_import_never_changes_what_was_shown",
		    rule_40_an_import_never_changes_what_was_shown },
		{ "an_import_to_two_mailboxes", an_import_to_two_mailboxes },
		{ "an_import_before_the_first_login", an_import_before_the_first_login },
		{ "an_import_meanwhile_is_noticed", an_import_meanwhile_is_noticed },
		{ "an_import_for_a_new_message_is_noticed", an_import_for_a_new_message_is_noticed },
		{ "what_was_seen_elsewhere", what_was_seen_elsewhere },
		{ "what_was_seen_elsewhere_is_what_was_seen_there_last",
		    what_was_seen_elsewhere_is_what_was_seen_there_last },
		{ "what_the_ledger_could_not_read_again_is_left_out",
		    what_the_ledger_could_not_read_again_is_left_out },
		{ "facts_about_accounts", facts_about_accounts },
		{ "rule_44_what_cannot_be_read_is_not_guessed",
		    rule_44_what_cannot_be_read_is_not_guessed },
		{ "pages_that_are_damaged", pages_that_are_damaged },
		{ "another_process_writes_meanwhile", another_process_writes_meanwhile },
	};

	return unit_run("ledger_file", tests, sizeof(tests) / sizeof(tests[0]));
}
