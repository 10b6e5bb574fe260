/* Unit tests of gateway/ledger_file.c, ledger_write.c, ledger_import.c and ledger_guard.c: what one
 * login is told of another, by files that are whole, foreign, damaged, or somebody else's too. */
#include "gateway/ledger_file.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "gateway/ledger_guard.h"
#include "gateway/ledger_write.h"
#include "mapping/uidl_settle.h"
#include "unit.h"

enum { PATIENCE_MS = 2000, UIDVALIDITY = 7 };

static char state[64];
static struct ledger_file *file;
static struct error last;

static const struct ledger_key inbox = { "new", "jane", "INBOX" };
static const struct ledger_key junk = { "new", "jane", "Junk" };
static const struct ledger_key old = { "old", "jane", "" };

static uint64_t
soon(void)
{
	return database_clock() + PATIENCE_MS;
}

static const char *
in_state(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", state, name);
	return path;
}

static void
rig_begin(void)
{
	snprintf(state, sizeof(state), "/tmp/popgate-ledger-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(state));
	CU_ASSERT_EQUAL_FATAL(ledger_file_new(state, &file), 0);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void) st;
	(void) type;
	(void) walk;
	return remove(path);
}

static void
rig_end(void)
{
	ledger_file_free(file);
	CU_ASSERT_EQUAL(nftw(state, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void
reopen(void)
{
	ledger_file_free(file);
	CU_ASSERT_EQUAL_FATAL(ledger_file_new(state, &file), 0);
}

/* ---- a login ---- */

/* One mailbox as a login sees it. */
struct visit {
	struct uidl_book *book;
	struct ledger_part part;
	struct snapshot_message messages[64];
};

static int
visit_begin(struct visit *v, const struct ledger_key *key, uint32_t uidvalidity, const char *template)
{
	const struct uidl_template *rules;
	uint32_t first;
	int rc;

	memset(v, 0, sizeof(*v));
	CU_ASSERT_EQUAL_FATAL(uidl_book_new(&v->book), 0);
	v->part.key = *key;
	v->part.book = v->book;
	v->part.messages = v->messages;
	rc = ledger_file_load(
	    file, soon(), key, uidvalidity, "jane@x", v->book, &v->part.found, &last);
	if (rc != 0)
		return rc;
	rules = uidl_book_last(v->book, &first);
	if (rules == NULL || strcmp(uidl_template_text(rules), template) != 0) {
		static struct uidl_template *templates[16];
		static unsigned next;
		struct uidl_template **t = &templates[next++ % 16];
		size_t at;

		uidl_template_free(*t);
		CU_ASSERT_EQUAL_FATAL(uidl_template_parse(template, t, &at), 0);
		CU_ASSERT_EQUAL(
		    uidl_book_add_template(v->book, v->part.found.shown + 1, *t), 0);
	}
	return 0;
}

/* The mailbox has messages FIRST to LAST. */
static void
visit_fill(struct visit *v, uint32_t first, uint32_t last_uid)
{
	v->part.count = 0;
	for (uint32_t uid = first; uid <= last_uid; uid++)
		v->messages[v->part.count++] =
		    (struct snapshot_message){ .uid = uid, .size = uid * 10 };
}

/* *WRITTEN: there was something new. */
static int
show(struct visit *v, bool without_marked, bool *written)
{
	struct ledger_writing *w;
	int rc = 0;

	CU_ASSERT_EQUAL_FATAL(ledger_writing_new("jane@x", &v->part, 1, without_marked, &w), 0);
	*written = w != NULL;
	if (w != NULL && (rc = ledger_file_write(file, soon(), w, &last)) == 0)
		ledger_writing_found(w, &v->part);
	ledger_writing_free(w);
	return rc;
}

static void
visit_end(struct visit *v)
{
	uidl_book_free(v->book);
}

/* A whole login with TEMPLATE and messages FIRST to LAST; whether it wrote. */
static bool
login(const struct ledger_key *key, uint32_t uidvalidity, const char *template, uint32_t first,
    uint32_t last_uid)
{
	struct visit v;
	bool written = false;

	CU_ASSERT_EQUAL_FATAL(visit_begin(&v, key, uidvalidity, template), 0);
	visit_fill(&v, first, last_uid);
	CU_ASSERT_EQUAL(show(&v, false, &written), 0);
	visit_end(&v);
	return written;
}

static void
expect_uidl(const struct visit *v, uint32_t uid, const char *uidl)
{
	char now[UIDL_MAX + 1];

	uidl_book_format(v->book, v->part.found.uidvalidity, uid, now);
	if (!UNIT_CHECK(strcmp(now, uidl) == 0, uidl))
		printf("    UID %u has %s\n", (unsigned) uid, now);
}

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
import(const struct ledger_key *key, const struct ledger_row *rows, size_t count,
    struct ledger_imported *out)
{
	return ledger_file_import(
	    file, soon(), key, UIDVALIDITY, rows, count, LEDGER_FROM_IMPORT, out, &last);
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

static void
what_was_seen_elsewhere(void)
{
	struct ledger_seen items[] = { { 1, 100, (char[]){ "x" } }, { 2, 200, (char[]){ "y" } } };
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

static int
note_stop(void *ctx, const struct ledger_stop *stop)
{
	char *text = ctx;
	size_t len = strlen(text);

	snprintf(text + len, 1000 - len, "%s %llu/%llu x%llu%s; ", stop->account,
	    (unsigned long long) stop->missing, (unsigned long long) stop->seen,
	    (unsigned long long) stop->logins, stop->approved != 0 ? " approved" : "");
	return 0;
}

static const char *
stops(const char *subject)
{
	static char text[1000];

	text[0] = '\0';
	CU_ASSERT_EQUAL(
	    ledger_file_each_stop(file, soon(), subject, note_stop, text, &last), 0);
	return text;
}

/* A login of ACCOUNT that saw SEEN messages, and would see as many that it does not know, and no more
 * MISSING. Returns how many were stopped so far. */
static uint64_t
stop_login(const char *account, unsigned seen, unsigned missing)
{
	struct ledger_difference difference = { .seen = seen };
	uint64_t so_far = 0;
	char uidl[20];

	for (unsigned i = 1; i <= missing; i++) {
		snprintf(uidl, sizeof(uidl), "old%u", i);
		uidl_sample_add(&difference.missing, uidl);
	}
	for (unsigned i = 1; i <= seen; i++) {
		snprintf(uidl, sizeof(uidl), "new%u", i);
		uidl_sample_add(&difference.fresh, uidl);
	}
	CU_ASSERT_EQUAL(ledger_file_stopped(
			    file, soon(), account, &junk, &difference, &so_far, &last),
	    0);
	return so_far;
}

static uint64_t
stops_so_far(void)
{
	uint64_t count = 0;

	CU_ASSERT_EQUAL(ledger_file_stops(file, soon(), &count, &last), 0);
	return count;
}

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

static int
note_difference(void *ctx, const struct ledger_stop *stop)
{
	snprintf(ctx, 400, "-%llu %s +%llu %s", (unsigned long long) stop->missing,
	    stop->missing_uidls, (unsigned long long) stop->fresh, stop->fresh_uidls);
	return 0;
}

static const char *
difference_of(const char *account)
{
	static char text[400];

	text[0] = '\0';
	CU_ASSERT_EQUAL(
	    ledger_file_each_stop(file, soon(), account, note_difference, text, &last), 0);
	return text;
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
run_sql(const char *sql)
{
	sqlite3 *db;

	CU_ASSERT_EQUAL_FATAL(sqlite3_open(in_state("state.db"), &db), SQLITE_OK);
	CU_ASSERT_EQUAL(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void
fails_to_load(const char *what)
{
	struct visit v;

	last.text[0] = '\0';
	UNIT_CHECK(visit_begin(&v, &inbox, UIDVALIDITY, "a%u") == ERR_TEMPORARY, what);
	if (!UNIT_CHECK(strstr(last.text, "/state.db: ") != NULL, what))
		printf("    %s\n", last.text);
	visit_end(&v);
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

/* ---- files of earlier versions ---- */

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
		{ "an_import_before_the_first_login", an_import_before_the_first_login },
		{ "an_import_meanwhile_is_noticed", an_import_meanwhile_is_noticed },
		{ "what_was_seen_elsewhere", what_was_seen_elsewhere },
		{ "facts_about_accounts", facts_about_accounts },
		{ "rule_43_stopped_accounts_are_listed_and_approved",
		    rule_43_stopped_accounts_are_listed_and_approved },
		{ "rule_43_the_difference_is_that_of_the_last_stop",
		    rule_43_the_difference_is_that_of_the_last_stop },
		{ "version_1_becomes_what_is_made_today", version_1_becomes_what_is_made_today },
		{ "an_upgrade_is_made_whole_or_not_at_all",
		    an_upgrade_is_made_whole_or_not_at_all },
		{ "rule_44_what_cannot_be_read_is_not_guessed",
		    rule_44_what_cannot_be_read_is_not_guessed },
		{ "pages_that_are_damaged", pages_that_are_damaged },
		{ "another_process_writes_meanwhile", another_process_writes_meanwhile },
	};

	return unit_run("ledger_file", tests, sizeof(tests) / sizeof(tests[0]));
}
