/* Tests of gateway/census.c, and of the hash that it stands on. */
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "gateway/census.h"
#include "gateway/siphash.h"

static struct sockaddr_storage
address(const char *text)
{
	struct sockaddr_storage out = { 0 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		memcpy(&out, &in, sizeof(in));
	else if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1)
		memcpy(&out, &in6, sizeof(in6));
	return out;
}

static struct census *
census_of(size_t sessions, size_t per_address, size_t per_user)
{
	struct census_limits limits = { sessions, per_address, per_user };
	struct census *census = NULL;

	CU_ASSERT_EQUAL_FATAL(census_new(&limits, &census), 0);
	return census;
}

static enum census_answer
enter(struct census *census, const char *from)
{
	struct sockaddr_storage peer = address(from);

	return census_enter(census, &peer);
}

static void
leave(struct census *census, const char *from)
{
	struct sockaddr_storage peer = address(from);

	census_leave(census, &peer);
}

static void
limit_of_all(void)
{
	struct census *census = census_of(3, 3, 1);

	CU_ASSERT_EQUAL(enter(census, "192.0.2.1"), CENSUS_ADMITTED);
	CU_ASSERT_EQUAL(enter(census, "192.0.2.2"), CENSUS_ADMITTED);
	CU_ASSERT_EQUAL(enter(census, "192.0.2.3"), CENSUS_ADMITTED);
	CU_ASSERT_EQUAL(enter(census, "192.0.2.4"), CENSUS_FULL);
	CU_ASSERT_EQUAL(census_count(census), 3);
	leave(census, "192.0.2.2");
	CU_ASSERT_EQUAL(enter(census, "192.0.2.4"), CENSUS_ADMITTED);
	census_free(census);
}

static void
limit_of_an_address(void)
{
	struct census *census = census_of(100, 2, 1);

	CU_ASSERT_EQUAL(enter(census, "192.0.2.1"), CENSUS_ADMITTED);
	CU_ASSERT_EQUAL(enter(census, "192.0.2.1"), CENSUS_ADMITTED);
	CU_ASSERT_EQUAL(enter(census, "192.0.2.1"), CENSUS_ADDRESS_FULL);
	CU_ASSERT_EQUAL(census_count(census), 2);
	CU_ASSERT_EQUAL(enter(census, "192.0.2.9"), CENSUS_ADMITTED);
	leave(census, "192.0.2.1");
	CU_ASSERT_EQUAL(enter(census, "192.0.2.1"), CENSUS_ADMITTED);
	census_free(census);
}

static void
ipv6_counts_by_64_bits(void)
{
	struct census *census = census_of(100, 1, 1);

	CU_ASSERT_EQUAL(enter(census, "2001:db8:1:2::1"), CENSUS_ADMITTED);
	CU_ASSERT_EQUAL(enter(census, "2001:db8:1:2:ffff::2"), CENSUS_ADDRESS_FULL);
	CU_ASSERT_EQUAL(enter(census, "2001:db8:1:3::1"), CENSUS_ADMITTED);
	leave(census, "2001:db8:1:2::77");
	CU_ASSERT_EQUAL(enter(census, "2001:db8:1:2::5"), CENSUS_ADMITTED);
	census_free(census);
}

static void
limit_of_a_user(void)
{
	struct census *census = census_of(100, 100, 2);

	CU_ASSERT_EQUAL(census_enter_user(census, "a:993", "jane"), 0);
	CU_ASSERT_EQUAL(census_enter_user(census, "a:993", "JANE"), 0);
	CU_ASSERT_EQUAL(census_enter_user(census, "a:993", "jane"), ERR_LIMIT);
	CU_ASSERT_EQUAL(census_enter_user(census, "b:993", "jane"), 0);
	CU_ASSERT_EQUAL(census_enter_user(census, "a:993", "jan"), 0);
	CU_ASSERT_EQUAL(census_enter_user(census, "a:993j", "ane"), 0);
	census_leave_user(census, "a:993", "Jane");
	CU_ASSERT_EQUAL(census_enter_user(census, "a:993", "jane"), 0);
	CU_ASSERT_EQUAL(census_count(census), 0);
	census_free(census);
}

static void
new_limits_are_for_those_who_come(void)
{
	struct census *census = census_of(2, 2, 2);
	struct census_limits wider = { 3, 3, 3 }, narrower = { 1, 1, 1 };

	enter(census, "192.0.2.1");
	enter(census, "192.0.2.1");
	census_set_limits(census, &narrower);
	CU_ASSERT_EQUAL(census_count(census), 2);
	CU_ASSERT_EQUAL(enter(census, "192.0.2.2"), CENSUS_FULL);
	census_set_limits(census, &wider);
	CU_ASSERT_EQUAL(enter(census, "192.0.2.1"), CENSUS_ADMITTED);
	census_free(census);
}

/* Many come and go: the counts are those of an array next to it. */
static void
counts_stay_right(void)
{
	enum { ADDRESSES = 200, LIMIT = 3, TURNS = 20000 };
	struct census *census = census_of(400, LIMIT, 1);
	unsigned counts[ADDRESSES] = { 0 }, total = 0, wrong = 0;
	enum census_answer expected;
	unsigned seed = 1;
	char text[32];

	for (int turn = 0; turn < TURNS; turn++) {
		seed = seed * 1103515245 + 12345;
		unsigned who = seed / 65536 % ADDRESSES;
		snprintf(text, sizeof(text), "10.0.0.%u", who);
		if (seed / 256 % 3 == 0 && counts[who] > 0) {
			leave(census, text);
			counts[who]--;
			total--;
			continue;
		}
		expected = counts[who] == LIMIT ? CENSUS_ADDRESS_FULL
			   : total == 400	? CENSUS_FULL
						: CENSUS_ADMITTED;
		wrong += enter(census, text) != expected;
		counts[who] += expected == CENSUS_ADMITTED;
		total += expected == CENSUS_ADMITTED;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(census_count(census), total);
	census_free(census);
}

/* From the test vectors of the SipHash paper's authors: key 00..0f, input 00..(length - 1). */
static void
siphash_vectors(void)
{
	static const struct {
		size_t len;
		uint64_t hash;
	} rows[] = {
		{ 0, 0x726fdb47dd0e0e31 },
		{ 1, 0x74f839c593dc67fd },
		{ 8, 0x93f5f5799a932462 },
		{ 15, 0xa129ca6149be45e5 },
	};
	struct siphash_key key = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
	unsigned char in[16];
	char message[32];

	for (unsigned i = 0; i < sizeof(in); i++)
		in[i] = (unsigned char) i;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(message, sizeof(message), "%zu octets", rows[i].len);
		UNIT_CHECK(siphash(&key, in, rows[i].len) == rows[i].hash, message);
	}
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "all sessions are limited", limit_of_all },
		{ "sessions of an address are limited", limit_of_an_address },
		{ "IPv6 counts by its first 64 bits", ipv6_counts_by_64_bits },
		{ "sessions of a user are limited", limit_of_a_user },
		{ "new limits are for those who come", new_limits_are_for_those_who_come },
		{ "counts stay right when many come and go", counts_stay_right },
		{ "SipHash-2-4 gives its authors' values", siphash_vectors },
	};

	return unit_run("census", tests, sizeof(tests) / sizeof(tests[0]));
}
