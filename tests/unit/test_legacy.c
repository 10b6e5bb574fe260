/* Unit tests of gateway/legacy.c: the fence, and who is counted behind it. */
#include "gateway/legacy.h"

#include <arpa/inet.h>
#include <time.h>

#include "base/error.h"
#include "unit.h"

static int64_t
at(int year, int month, int day, int hour, int minute, int second)
{
	struct tm tm = { .tm_year = year - 1900,
		.tm_mon = month - 1,
		.tm_mday = day,
		.tm_hour = hour,
		.tm_min = minute,
		.tm_sec = second };

	return (int64_t) timegm(&tm);
}

static void
the_last_day_counts(void)
{
	uint64_t until = (uint64_t) at(2027, 6, 30, 0, 0, 0) / 86400;

	CU_ASSERT_FALSE(legacy_is_over(until, 0));
	CU_ASSERT_FALSE(legacy_is_over(until, -1));
	CU_ASSERT_FALSE(legacy_is_over(until, at(2026, 11, 26, 12, 0, 0)));
	CU_ASSERT_FALSE(legacy_is_over(until, at(2027, 6, 30, 0, 0, 0)));
	CU_ASSERT_FALSE(legacy_is_over(until, at(2027, 6, 30, 23, 59, 59)));
	CU_ASSERT_TRUE(legacy_is_over(until, at(2027, 7, 1, 0, 0, 0)));
	CU_ASSERT_TRUE(legacy_is_over(until, at(2036, 2, 29, 0, 0, 0)));
}

static void
the_fence_holds(void)
{
	struct network networks[2];
	struct config_listener l = {
		.legacy = true,
		.legacy_networks = { networks, 2 },
		.legacy_until = (uint64_t) at(2027, 6, 30, 0, 0, 0) / 86400,
	};
	static const struct {
		const char *address;
		bool inside;
	} rows[] = {
		{ "192.0.2.7", true },
		{ "192.0.3.7", false },
		{ "127.0.0.1", false },
		{ "2001:db8::1", true },
		{ "2001:db9::1", false },
		{ "::1", false },
	};
	struct sockaddr_storage peer;

	CU_ASSERT_EQUAL(network_parse("192.0.2.0/24", &networks[0]), 0);
	CU_ASSERT_EQUAL(network_parse("2001:db8::/32", &networks[1]), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(&peer, 0, sizeof(peer));
		if (strchr(rows[i].address, ':') != NULL) {
			struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) &peer;

			in6->sin6_family = AF_INET6;
			inet_pton(AF_INET6, rows[i].address, &in6->sin6_addr);
		} else {
			struct sockaddr_in *in = (struct sockaddr_in *) &peer;

			in->sin_family = AF_INET;
			inet_pton(AF_INET, rows[i].address, &in->sin_addr);
		}
		UNIT_CHECK(legacy_admits(&l, &peer, at(2027, 6, 30, 12, 0, 0)) == rows[i].inside,
		    rows[i].address);
		UNIT_CHECK(!legacy_admits(&l, &peer, at(2027, 7, 1, 0, 0, 0)), rows[i].address);
	}
	memset(&peer, 0, sizeof(peer));
	CU_ASSERT_FALSE(legacy_admits(&l, &peer, 0));
}

static void
clients_are_told_by_their_sessions(void)
{
	static struct legacy_usage usage;
	char text[128];

	CU_ASSERT_EQUAL(legacy_usage_format(&usage, text, sizeof(text)), 0);
	CU_ASSERT_STRING_EQUAL(text, "");
	for (int i = 0; i < 3; i++)
		legacy_usage_add(&usage, "192.0.2.9");
	legacy_usage_add(&usage, "192.0.2.8");
	for (int i = 0; i < 12; i++)
		legacy_usage_add(&usage, "192.0.2.7");
	CU_ASSERT_EQUAL(usage.sessions, 16);
	CU_ASSERT_EQUAL(legacy_usage_format(&usage, text, sizeof(text)), 3);
	CU_ASSERT_STRING_EQUAL(text, "192.0.2.7 (12), 192.0.2.9 (3), 192.0.2.8 (1)");
	CU_ASSERT_EQUAL(legacy_usage_format(&usage, text, 20), 1);
	CU_ASSERT_STRING_EQUAL(text, "192.0.2.7 (12)");
	CU_ASSERT_EQUAL(legacy_usage_format(&usage, text, 14), 0);
	CU_ASSERT_STRING_EQUAL(text, "");
	legacy_usage_report(&usage, NULL);
	CU_ASSERT_EQUAL(usage.count, 0);
	CU_ASSERT_EQUAL(usage.sessions, 0);
}

static void
any_number_of_clients_takes_the_same_room(void)
{
	static struct legacy_usage usage;
	char address[32];

	for (unsigned i = 0; i < 10000; i++) {
		snprintf(address, sizeof(address), "10.0.%u.%u", i / 256, i % 256);
		legacy_usage_add(&usage, address);
	}
	CU_ASSERT_EQUAL(usage.count, LEGACY_CLIENTS_MAX);
	CU_ASSERT_EQUAL(usage.sessions, 10000);
	CU_ASSERT_EQUAL(usage.others, 10000 - LEGACY_CLIENTS_MAX);
	legacy_usage_add(&usage, "10.0.0.0");
	CU_ASSERT_EQUAL(usage.clients[0].sessions, 2);
	CU_ASSERT_EQUAL(usage.others, 10000 - LEGACY_CLIENTS_MAX);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "the_last_day_counts", the_last_day_counts },
		{ "the_fence_holds", the_fence_holds },
		{ "clients_are_told_by_their_sessions", clients_are_told_by_their_sessions },
		{ "any_number_of_clients_takes_the_same_room",
		    any_number_of_clients_takes_the_same_room },
	};

	return unit_run("legacy", tests, sizeof(tests) / sizeof(tests[0]));
}
