/* Unit tests of mapping/octet_count.c: what is counted is what POP3 would send, through every cut. */
#include "mapping/octet_count.h"

#include <string.h>

#include "unit.h"

static const struct {
	const char *text;
	uint64_t octets;
} rows[] = {
	{ "", 0 },
	{ "a", 3 },
	{ "a\r", 4 },
	{ "a\n", 3 },
	{ "a\r\n", 3 },
	{ "\n", 2 },
	{ "\n\n", 4 },
	{ "\r\n\n\r\n", 6 },
	{ "\r\r\n", 3 },
	{ "a\rb\n\r", 8 },
	{ ".\r\n..\n", 7 },
	{ "Subject: x\n\nab\r\ncd", 12 + 2 + 4 + 4 },
};

static void
counted_as_sent(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].text);

		for (size_t first = 0; first <= len; first++) {
			for (size_t second = first; second <= len; second++) {
				struct octet_count c = { 0 };

				octet_count_feed(&c, rows[i].text, first);
				octet_count_feed(&c, rows[i].text + first, second - first);
				octet_count_feed(&c, rows[i].text + second, len - second);
				CU_ASSERT_EQUAL(octet_count_end(&c), rows[i].octets);
			}
		}
	}
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "counted_as_sent", counted_as_sent },
	};

	return unit_run("octet_count", tests, sizeof(tests) / sizeof(tests[0]));
}
