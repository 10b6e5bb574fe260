/* Tests of gateway/suggestion.c. */
#include "tests/unit/unit.h"

#include "gateway/suggestion.h"

static const char *const known[] = { "upstream", "listener", "log", "log_level", "log_format",
	"host", "idle_timeout", "max_sessions" };

static const struct row {
	const char *word;
	const char *meant; /* NULL: nothing near enough */
} rows[] = {
	{ "upstrem", "upstream" },   /* a letter is missing */
	{ "upstreamm", "upstream" }, /* one too many */
	{ "upstraem", "upstream" },  /* two swapped */
	{ "uqstream", "upstream" },  /* one is another */
	{ "upstream", "upstream" },
	{ "ltsener", "listener" },
	{ "loglevel", "log_level" },
	{ "log-level", "log_level" },
	{ "idletimeout", "idle_timeout" },
	{ "hots", "host" },
	{ "lo", "log" },
	{ "", NULL },
	{ "x", NULL },
	{ "completely_different", NULL },
	{ "zzzz", NULL },
	{ "max_sessions_and_a_tail_that_makes_it_longer_than_any_name", NULL },
};

static void
nearest_name(void)
{
	struct suggestion s;
	const char *best;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		suggestion_begin(&s, rows[i].word, strlen(rows[i].word));
		for (size_t j = 0; j < sizeof(known) / sizeof(known[0]); j++)
			suggestion_offer(&s, known[j]);
		best = suggestion_best(&s);
		if (rows[i].meant == NULL)
			UNIT_CHECK(best == NULL, rows[i].word);
		else
			UNIT_CHECK(best != NULL && strcmp(best, rows[i].meant) == 0, rows[i].word);
	}
}

static void
first_of_equally_near_wins(void)
{
	struct suggestion s;

	suggestion_begin(&s, "abcx", 4);
	suggestion_offer(&s, "abcd");
	suggestion_offer(&s, "abce");
	CU_ASSERT_STRING_EQUAL(suggestion_best(&s), "abcd");
}

static void
only_the_given_octets_count(void)
{
	struct suggestion s;

	suggestion_begin(&s, "hostXXXX", 4);
	suggestion_offer(&s, "host");
	CU_ASSERT_PTR_NOT_NULL(suggestion_best(&s));
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "the nearest known name is suggested", nearest_name },
		{ "the first of two equally near names wins", first_of_equally_near_wins },
		{ "only the given octets count", only_the_given_octets_count },
	};

	return unit_run("suggestion", tests, sizeof(tests) / sizeof(tests[0]));
}
