/* Unit tests of gateway/state_table.c. */
#include "gateway/state_table.h"

#include <sqlite3.h>

#include "gateway/state_store.h"
#include "unit.h"

static sqlite3 *db;

/* An empty state store in memory. */
static void
begin(void)
{
	CU_ASSERT_EQUAL_FATAL(sqlite3_open(":memory:", &db), SQLITE_OK);
	for (const char *const *text = state_store_form.schema; *text != NULL; text++)
		CU_ASSERT_EQUAL_FATAL(sqlite3_exec(db, *text, NULL, NULL, NULL), SQLITE_OK);
}

static void
end(void)
{
	CU_ASSERT_EQUAL(sqlite3_close(db), SQLITE_OK);
}

static void
set(const char *subject, enum user_state state)
{
	char name[STATE_NAME_MAX + 1];
	struct state_row row;
	struct error e;

	CU_ASSERT_EQUAL_FATAL(state_subject_parse(subject, name, &row), 0);
	row.state = state;
	UNIT_CHECK(state_table_set(db, &row, &e) == 0, subject);
}

static bool
unset(const char *subject)
{
	char name[STATE_NAME_MAX + 1];
	struct state_row row;
	struct error e;
	bool found;

	CU_ASSERT_EQUAL_FATAL(state_subject_parse(subject, name, &row), 0);
	UNIT_CHECK(state_table_unset(db, &row, &found, &e) == 0, subject);
	return found;
}

/* "new/domain" for ACCOUNT. */
static const char *
find(const char *account)
{
	static char out[64];
	enum state_scope source;
	enum user_state state;
	struct error e;

	UNIT_CHECK(state_table_find(db, account, &state, &source, &e) == 0, account);
	snprintf(out, sizeof(out), "%s/%s", user_state_name(state), state_scope_name(source));
	return out;
}

static void
the_nearest_row_counts(void)
{
	begin();
	CU_ASSERT_STRING_EQUAL(find("joe@example.org"), "old/unset");
	set("default", USER_STATE_NEW);
	CU_ASSERT_STRING_EQUAL(find("joe@example.org"), "new/default");
	set("0%", USER_STATE_OLD);
	CU_ASSERT_STRING_EQUAL(find("joe@example.org"), "new/default");
	set("100%", USER_STATE_OLD);
	CU_ASSERT_STRING_EQUAL(find("joe@example.org"), "old/share");
	set("@example.org", USER_STATE_NEW);
	CU_ASSERT_STRING_EQUAL(find("joe@example.org"), "new/domain");
	CU_ASSERT_STRING_EQUAL(find("joe@example.net"), "old/share");
	CU_ASSERT_STRING_EQUAL(find("joe"), "old/share");
	set("joe@example.org", USER_STATE_OLD);
	CU_ASSERT_STRING_EQUAL(find("joe@example.org"), "old/user");
	CU_ASSERT_STRING_EQUAL(find("jane@example.org"), "new/domain");
	/* And the way back. */
	CU_ASSERT_TRUE(unset("joe@example.org"));
	CU_ASSERT_FALSE(unset("joe@example.org"));
	CU_ASSERT_STRING_EQUAL(find("joe@example.org"), "new/domain");
	CU_ASSERT_TRUE(unset("@example.org"));
	CU_ASSERT_TRUE(unset("5%")); /* there is one share at most, whatever it is */
	CU_ASSERT_TRUE(unset("default"));
	CU_ASSERT_STRING_EQUAL(find("joe@example.org"), "old/unset");
	end();
}

/* A store that cannot be read is no reason to guess. */
static void
an_error_says_what_to_do(void)
{
	enum state_scope source;
	enum user_state state;
	struct error e = { 0 };

	begin();
	CU_ASSERT_EQUAL(sqlite3_exec(db, "DROP TABLE state", NULL, NULL, NULL), SQLITE_OK);
	CU_ASSERT_EQUAL(state_table_find(db, "joe", &state, &source, &e), ERR_TEMPORARY);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, state_store_form.mend));
	end();
}

static void
names_of_any_case_are_the_same(void)
{
	begin();
	set("Joe@Example.ORG", USER_STATE_NEW);
	CU_ASSERT_STRING_EQUAL(find("jOE@example.org"), "new/user");
	set("@EXAMPLE.net", USER_STATE_NEW);
	CU_ASSERT_STRING_EQUAL(find("x@Example.Net"), "new/domain");
	CU_ASSERT_EQUAL(state_place("Joe"), state_place("jOE"));
	set("a@b@example.com", USER_STATE_NEW);
	CU_ASSERT_STRING_EQUAL(find("a@b@example.com"), "new/user");
	end();
}

/* Who has moved with a small share does not move back with a larger one. */
static void
shares_grow(void)
{
	unsigned in[3] = { 0 };
	static const char *const shares[] = { "1%", "12.5%", "60%" };
	char name[32];
	bool before[2000] = { false };

	begin();
	for (size_t s = 0; s < 3; s++) {
		set(shares[s], USER_STATE_NEW);
		for (size_t i = 0; i < 2000; i++) {
			bool moved;

			snprintf(name, sizeof(name), "user%zu@example.org", i);
			moved = strcmp(find(name), "new/share") == 0;
			CU_ASSERT_FALSE(before[i] && !moved);
			before[i] = moved;
			in[s] += moved;
		}
	}
	CU_ASSERT(in[0] > 5 && in[0] < 40);
	CU_ASSERT(in[1] > 200 && in[1] < 300);
	CU_ASSERT(in[2] > 1120 && in[2] < 1280);
	end();
}

/* Places are stored by nobody, so they must never change: with them people would move. */
static void
places_are_for_ever(void)
{
	CU_ASSERT_EQUAL(state_place("joe"), 9873);
	CU_ASSERT_EQUAL(state_place("joe@example.org"), 4384);
}

static void
subjects(void)
{
	static const struct {
		const char *text;
		int rc;
		enum state_scope scope;
		const char *name;
		unsigned share;
	} rows[] = {
		{ "joe", 0, STATE_OF_USER, "joe", 0 },
		{ "joe@example.org", 0, STATE_OF_USER, "joe@example.org", 0 },
		{ "@Example.org", 0, STATE_OF_DOMAIN, "example.org", 0 },
		{ "@", ERR_INVALID, 0, NULL, 0 },
		{ "", ERR_INVALID, 0, NULL, 0 },
		{ "default", 0, STATE_OF_ALL, "", 0 },
		{ "0%", 0, STATE_OF_SHARE, "", 0 },
		{ "20%", 0, STATE_OF_SHARE, "", 2000 },
		{ "12.5%", 0, STATE_OF_SHARE, "", 1250 },
		{ "0.01%", 0, STATE_OF_SHARE, "", 1 },
		{ "100%", 0, STATE_OF_SHARE, "", 10000 },
		{ "100.00%", 0, STATE_OF_SHARE, "", 10000 },
		{ "100.01%", ERR_INVALID, 0, NULL, 0 },
		{ "101%", ERR_INVALID, 0, NULL, 0 },
		{ "1.%", ERR_INVALID, 0, NULL, 0 },
		{ "1.234%", ERR_INVALID, 0, NULL, 0 },
		{ "-1%", ERR_INVALID, 0, NULL, 0 },
		{ "%", ERR_INVALID, 0, NULL, 0 },
		{ "a\nb", ERR_INVALID, 0, NULL, 0 },
		{ "\xff", ERR_INVALID, 0, NULL, 0 },
	};
	char name[STATE_NAME_MAX + 1];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct state_row row;
		int rc = state_subject_parse(rows[i].text, name, &row);

		UNIT_CHECK(rc == rows[i].rc, rows[i].text);
		UNIT_CHECK(rc != 0 || (row.scope == rows[i].scope && row.share == rows[i].share &&
					  strcmp(row.name, rows[i].name) == 0),
		    rows[i].text);
	}
}

static int
note_row(void *ctx, const struct state_row *row)
{
	char *notes = ctx;
	size_t used = strlen(notes);

	snprintf(notes + used, 256 - used, "%s:%s:%u:%s ", state_scope_name(row->scope), row->name,
	    row->share, user_state_name(row->state));
	CU_ASSERT(row->changed > 1700000000);
	return 0;
}

static void
all_rows(void)
{
	char notes[256] = "";
	struct error e;

	begin();
	set("default", USER_STATE_OLD);
	set("20%", USER_STATE_NEW);
	set("30%", USER_STATE_NEW);
	set("zoe", USER_STATE_NEW);
	set("amy", USER_STATE_OLD);
	set("@example.org", USER_STATE_NEW);
	CU_ASSERT_EQUAL(state_table_each(db, note_row, notes, &e), 0);
	CU_ASSERT_STRING_EQUAL(notes, "user:amy:0:old user:zoe:0:new domain:example.org:0:new "
				      "share::3000:new default::0:old ");
	end();
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "the_nearest_row_counts", the_nearest_row_counts },
		{ "an_error_says_what_to_do", an_error_says_what_to_do },
		{ "names_of_any_case_are_the_same", names_of_any_case_are_the_same },
		{ "shares_grow", shares_grow },
		{ "places_are_for_ever", places_are_for_ever },
		{ "subjects", subjects },
		{ "all_rows", all_rows },
	};

	return unit_run("state_table", tests, sizeof(tests) / sizeof(tests[0]));
}
