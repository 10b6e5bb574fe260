/* Tests of gateway/route.c and gateway/winners.c. */
#include "tests/unit/unit.h"

#include "base/error.h"
#include "gateway/route.h"
#include "gateway/preference.h"
#include "gateway/winners.h"

static void
patterns(void)
{
	static const struct {
		const char *pattern, *text;
		int fits;
	} rows[] = {
		{ "", "", 1 },
		{ "", "a", 0 },
		{ "*", "", 1 },
		{ "*", "joe@example.org", 1 },
		{ "*@example.org", "joe@example.org", 1 },
		{ "*@example.org", "joe@EXAMPLE.org", 1 },
		{ "*@example.org", "joe@example.org.net", 0 },
		{ "*@*.example.org", "joe@a.example.org", 1 },
		{ "*@*.example.org", "joe@example.org", 0 },
		{ "test?", "test1", 1 },
		{ "test?", "test", 0 },
		{ "test?", "test12", 0 },
		{ "test?", "test\303\251", 1 },
		{ "?*", "", 0 },
		{ "*a*b*c", "xxaxxbxxbc", 1 },
		{ "*a*b*c", "xxaxxcxxb", 0 },
		{ "**", "x", 1 },
		{ "a*a", "a", 0 },
		{ "joe", "joe", 1 },
		{ "joe", "joey", 0 },
		{ "\303\251*", "\303\250x", 0 },
		{ "*\251", "\303\251", 0 }, /* no half of a character */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		UNIT_CHECK(pattern_fits(rows[i].pattern, rows[i].text) == rows[i].fits, rows[i].pattern);
}

/* What would take for ever by trying all ways to share the text among the stars. */
static void
patterns_cost_little(void)
{
	char pattern[512], text[256];

	for (size_t i = 0; i < 510; i += 2)
		memcpy(pattern + i, "*a", 2);
	memcpy(pattern + 508, "*b", 3);
	memset(text, 'a', sizeof(text) - 1);
	text[255] = '\0';
	CU_ASSERT(!pattern_fits(pattern, text));
}

static char *by_name[] = { "Joe@example.org", "sue" };
static char *by_domain[] = { "@example.org" };
static char *by_pattern[] = { "*@example.*", "s*" };

static const struct route routes[] = {
	{ .label = "all" },
	{ .label = "pattern", .users = { by_pattern, 2 } },
	{ .label = "domain", .users = { by_domain, 1 }, .folder_separator = "+" },
	{ .label = "pattern2", .users = { by_pattern, 2 } },
	{ .label = "name", .users = { by_name, 2 }, .folder_separator = "+" },
};

static void
the_most_exact_route_first(void)
{
	static const struct {
		const char *account, *order;
	} rows[] = {
		{ "joe@example.org", "name domain pattern pattern2 all " },
		{ "JOE@Example.Org", "name domain pattern pattern2 all " },
		{ "joe+Lists@example.org", "name domain pattern pattern2 all " },
		{ "jane@example.org", "domain pattern pattern2 all " },
		{ "jane@example.net", "pattern pattern2 all " },
		{ "sue", "name pattern pattern2 all " },
		{ "sue+x", "name pattern pattern2 all " },
		{ "joe", "all " },
		{ "@example.org", "domain pattern pattern2 all " },
		{ "x@y@example.org", "domain pattern pattern2 all " },
		{ "example.org", "all " },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct route *r = NULL;
		char order[128] = "";

		while ((r = route_next(routes, 5, rows[i].account, r)) != NULL) {
			strncat(order, r->label, sizeof(order) - strlen(order) - 1);
			strncat(order, " ", sizeof(order) - strlen(order) - 1);
		}
		UNIT_CHECK(strcmp(order, rows[i].order) == 0, rows[i].account);
	}
	CU_ASSERT_PTR_NULL(route_next(routes + 1, 4, "nobody", NULL));
}

static void
names_and_folders(void)
{
	static const struct {
		const char *separator, *account, *user, *folder, *domain;
	} rows[] = {
		{ "", "joe+Lists@example.org", "joe+Lists@example.org", "", "example.org" },
		{ "+", "joe+Lists@example.org", "joe@example.org", "Lists", "example.org" },
		{ "+", "joe+Lists", "joe", "Lists", NULL },
		{ "+", "joe+a+b", "joe", "a+b", NULL },
		{ "+", "joe+", "joe", "", NULL },
		{ "+", "+joe", "+joe", "", NULL },
		{ "+", "+joe+x", "+joe", "x", NULL },
		{ "+", "joe@a+b", "joe@a+b", "", "a+b" },
		{ "+", "@x", "@x", "", "x" },
		{ "+", "joe@", "joe@", "", "" },
		{ "+", "a@b+c@d", "a@b@d", "c", "d" },
	};
	struct route_name name;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct route r = { .folder_separator = (char *) rows[i].separator };

		route_read(&r, rows[i].account, &name);
		UNIT_CHECK(strcmp(name.user, rows[i].user) == 0, rows[i].account);
		UNIT_CHECK(strcmp(name.folder, rows[i].folder) == 0, rows[i].account);
		UNIT_CHECK((name.domain == NULL) == (rows[i].domain == NULL) &&
			       (name.domain == NULL || strcmp(name.domain, rows[i].domain) == 0),
		    rows[i].account);
	}
}

static void
templates(void)
{
	static const struct {
		const char *template, *account, *result;
		int rc;
	} rows[] = {
		{ "%u", "joe+x@example.org", "joe@example.org", 0 },
		{ "%n", "joe+x@example.org", "joe", 0 },
		{ "%n@example.net", "joe", "joe@example.net", 0 },
		{ "%n@example.net", "joe@example.org", "joe@example.net", 0 },
		{ "%d/%n", "joe@example.org", "example.org/joe", 0 },
		{ "%d", "joe", NULL, ERR_INVALID },
		{ "100%%%n", "joe", "100%joe", 0 },
		{ "INBOX.%f", "joe+Lists", "INBOX.Lists", 0 },
		{ "%u%u%u%u", "0123456789", NULL, ERR_LIMIT },
		{ "%u%u%u", "0123456789", "012345678901234567890123456789", 0 },
		{ "%u%u%u1", "0123456789", "0123456789012345678901234567891", 0 },
		{ "%u%u%u12", "0123456789", NULL, ERR_LIMIT },
	};
	const struct route r = { .folder_separator = "+" };
	struct route_name name;
	char out[32];
	size_t at;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		route_read(&r, rows[i].account, &name);
		UNIT_CHECK(route_expand(rows[i].template, &name, out, sizeof(out)) == rows[i].rc,
		    rows[i].template);
		UNIT_CHECK(rows[i].rc != 0 || strcmp(out, rows[i].result) == 0, rows[i].template);
		UNIT_CHECK(route_template_check(rows[i].template, "undf", &at) == 0, rows[i].template);
	}
	CU_ASSERT(route_template_check("ab%x", "und", &at) == ERR_INVALID && at == 3);
	CU_ASSERT(route_template_check("ab%", "und", &at) == ERR_INVALID && at == 3);
	CU_ASSERT(route_template_check("%f", "und", &at) == ERR_INVALID && at == 1);
}

static void
inbox_has_no_case(void)
{
	static const char *const rows[][2] = { { "inbox", "INBOX" }, { "Inbox/a", "INBOX/a" },
		{ "inbox.a", "INBOX.a" }, { "inboxes", "inboxes" }, { "a/inbox", "a/inbox" } };
	char name[16];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(name, sizeof(name), "%s", rows[i][0]);
		mailbox_name_settle(name);
		UNIT_CHECK(strcmp(name, rows[i][1]) == 0, rows[i][0]);
	}
}

static void
winners_are_remembered_for_a_day(void)
{
	enum { DAY_MS = 24 * 60 * 60 * 1000 };
	struct winners *w;
	char account[32];

	CU_ASSERT_EQUAL_FATAL(winners_new(&w), 0);
	CU_ASSERT(!winners_know(w, "r", "joe", "old", 5));
	winners_note(w, "r", "joe", "old", 5);
	CU_ASSERT(winners_know(w, "r", "joe", "old", 5));
	CU_ASSERT(!winners_know(w, "r", "joe", "new", 5));
	CU_ASSERT(!winners_know(w, "s", "joe", "old", 5));
	CU_ASSERT(!winners_know(w, "r", "jane", "old", 5));
	winners_note(w, "r", "joe", "new", 6);
	CU_ASSERT(winners_know(w, "r", "joe", "new", 6));
	CU_ASSERT(!winners_know(w, "r", "joe", "old", 6));
	CU_ASSERT(winners_know(w, "r", "joe", "new", DAY_MS - 1000));
	CU_ASSERT(!winners_know(w, "r", "joe", "new", DAY_MS + 1000));
	for (int i = 0; i < 300000; i++) { /* more than there is room for */
		snprintf(account, sizeof(account), "user%d", i);
		winners_note(w, "r", account, "old", 2000 + (uint64_t) i);
	}
	CU_ASSERT(winners_know(w, "r", account, "old", 400000));
	winners_free(w);
}

static void
stored_winners(void)
{
	static const struct {
		const char *text;
		int64_t now;
		const char *name; /* NULL: none */
		uint64_t age_s;
	} rows[] = {
		{ "1000 old", 1000, "old", 0 },
		{ "1000 old", 1000 + WINNERS_KEEP_S - 1, "old", WINNERS_KEEP_S - 1 },
		{ "1000 old", 1000 + WINNERS_KEEP_S, NULL, 0 },
		{ "1000 old", 999, NULL, 0 }, /* the clock was set back */
		{ "1000 host:143", 1000, "host:143", 0 },
		{ "old", 1000, NULL, 0 },
		{ " old", 1000, NULL, 0 },
		{ "-1 old", 1000, NULL, 0 },
		{ "99999999999999999999 old", 1000, NULL, 0 },
		{ "", 1000, NULL, 0 },
	};
	char text[32];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t age_s = 0;
		const char *name = preference_read(rows[i].text, rows[i].now, &age_s);

		UNIT_CHECK(rows[i].name == NULL ? name == NULL
						: name != NULL && strcmp(name, rows[i].name) == 0 &&
			    age_s == rows[i].age_s,
		    rows[i].text);
	}
	preference_format("old", 1000, text, sizeof(text));
	CU_ASSERT_STRING_EQUAL(text, "1000 old");
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "patterns", patterns },
		{ "patterns cost little", patterns_cost_little },
		{ "the most exact route first", the_most_exact_route_first },
		{ "names and folders", names_and_folders },
		{ "templates", templates },
		{ "INBOX has no case", inbox_has_no_case },
		{ "winners are remembered for a day", winners_are_remembered_for_a_day },
		{ "stored winners", stored_winners },
	};

	return unit_run("route", tests, sizeof(tests) / sizeof(tests[0]));
}
