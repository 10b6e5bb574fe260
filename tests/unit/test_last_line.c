/* Unit tests of gateway/last_line.c. */
#include "gateway/last_line.h"

#include "unit.h"

static const struct {
	const char *said, *word;
	bool begins, complete;
} rows[] = {
	{ "", "QUIT", false, true },
	{ "QUIT\r\n", "QUIT", true, true },
	{ "quit\n", "QUIT", true, true },
	{ "QUIT  \r\n", "QUIT", true, true },
	{ "QUIT", "QUIT", false, false },
	{ "QUITS\r\n", "QUIT", false, true },
	{ "QUI\r\n", "QUIT", false, true },
	{ "RETR 1\r\nDELE 1\r\nQUIT\r\n", "QUIT", true, true },
	{ "QUIT\r\nNOOP\r\n", "QUIT", false, true },
	{ "QUIT\r\nNOOP", "QUIT", true, false },
	{ "+OK a long line of text\r\n", "+OK", true, true },
	{ "+OK\r\ntext\r\n.\r\n", "+OK", false, true },
	{ "-ERR no\r\n", "-ERR", true, true },
	{ "\r\n", "+OK", false, true },
	{ "\n\n\n+OK\n", "+OK", true, true },
};

static void
the_last_line_through_every_cut(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].said);

		for (size_t a = 0; a <= len; a++)
			for (size_t b = a; b <= len; b++) {
				struct last_line l = { 0 };

				last_line_feed(&l, rows[i].said, a);
				last_line_feed(&l, rows[i].said + a, b - a);
				last_line_feed(&l, rows[i].said + b, len - b);
				UNIT_CHECK(last_line_begins(&l, rows[i].word) == rows[i].begins,
				    rows[i].said);
				UNIT_CHECK(last_line_is_complete(&l) == rows[i].complete,
				    rows[i].said);
			}
	}
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "the_last_line_through_every_cut", the_last_line_through_every_cut },
	};

	return unit_run("last_line", tests, sizeof(tests) / sizeof(tests[0]));
}
