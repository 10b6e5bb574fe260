/* Unit tests of base/uidset.c, the operations compared with a plain table of members. */
#include "base/uidset.h"

#include <stdlib.h>

#include "base/error.h"
#include "unit.h"

enum { UNIVERSE = 64 };

static void
fill(struct uidset *set, const bool member[UNIVERSE + 1], unsigned order)
{
	for (uint32_t i = 0; i < UNIVERSE; i++) {
		uint32_t uid = (i * order) % UNIVERSE + 1;

		if (member[uid])
			CU_ASSERT_EQUAL(uidset_add(set, uid), 0);
	}
}

/* SET has exactly the given members, and its ranges are in their one normal form. */
static void
check_members(const struct uidset *set, const bool member[UNIVERSE + 1])
{
	uint64_t size = 0;
	size_t at = 0;

	for (uint32_t uid = 1; uid <= UNIVERSE; uid++) {
		CU_ASSERT_EQUAL(uidset_contains(set, uid), member[uid]);
		CU_ASSERT_EQUAL(uidset_contains_next(set, &at, uid), member[uid]);
		size += member[uid];
	}
	CU_ASSERT_EQUAL(uidset_size(set), size);
	for (size_t i = 0; i < set->count; i++) {
		CU_ASSERT_TRUE(set->ranges[i].first <= set->ranges[i].last);
		CU_ASSERT_TRUE(i == 0 || set->ranges[i - 1].last + 1 < set->ranges[i].first);
	}
}

static void
operations_agree_with_a_table(void)
{
	unsigned seed = 1;

	for (int round = 0; round < 400; round++) {
		bool a[UNIVERSE + 1] = { 0 }, b[UNIVERSE + 1] = { 0 };
		bool minus[UNIVERSE + 1] = { 0 }, both[UNIVERSE + 1] = { 0 };
		bool either[UNIVERSE + 1] = { 0 };
		struct uidset x = { 0 }, y = { 0 }, z = { 0 }, again = { 0 };

		for (uint32_t uid = 1; uid <= UNIVERSE; uid++) {
			seed = seed * 1103515245u + 12345u;
			a[uid] = (seed >> 16) % 3 != 0;
			b[uid] = (seed >> 20) % 4 == 0;
			minus[uid] = a[uid] && !b[uid];
			both[uid] = a[uid] && b[uid];
			either[uid] = a[uid] || b[uid];
		}
		fill(&x, a, 1);
		fill(&again, a, 37); /* odd: every UID comes once, in another order */
		fill(&y, b, 29);
		check_members(&x, a);
		check_members(&again, a);
		CU_ASSERT_TRUE(uidset_equal(&x, &again));
		CU_ASSERT_EQUAL(uidset_subtract(&x, &y, &z), 0);
		check_members(&z, minus);
		uidset_clear(&z);
		CU_ASSERT_EQUAL(uidset_intersect(&x, &y, &z), 0);
		check_members(&z, both);
		CU_ASSERT_EQUAL(uidset_add_set(&z, &y), 0);
		check_members(&z, b);
		CU_ASSERT_EQUAL(uidset_add_set(&x, &y), 0);
		check_members(&x, either);
		uidset_clear(&x);
		uidset_clear(&y);
		uidset_clear(&z);
		uidset_clear(&again);
	}
}

static void
edges_of_the_range(void)
{
	struct uidset set = { 0 }, most = { 0 }, rest = { 0 };

	CU_ASSERT_EQUAL(uidset_add(&set, 0), ERR_INVALID);
	CU_ASSERT_EQUAL(uidset_add(&set, UINT32_MAX), 0);
	CU_ASSERT_EQUAL(uidset_add(&set, UINT32_MAX), 0);
	CU_ASSERT_EQUAL(uidset_add(&set, UINT32_MAX - 1), 0);
	CU_ASSERT_EQUAL(uidset_add(&set, 1), 0);
	CU_ASSERT_EQUAL(set.count, 2);
	CU_ASSERT_EQUAL(uidset_size(&set), 3);
	CU_ASSERT_EQUAL(uidset_add(&most, UINT32_MAX), 0);
	CU_ASSERT_EQUAL(uidset_subtract(&set, &most, &rest), 0);
	CU_ASSERT_EQUAL(uidset_size(&rest), 2);
	CU_ASSERT_FALSE(uidset_contains(&rest, UINT32_MAX));
	CU_ASSERT_FALSE(uidset_equal(&set, &rest));
	uidset_clear(&set);
	uidset_clear(&most);
	uidset_clear(&rest);
}

/* Writes the batch from FIRST as a command would, to compare lengths. */
static size_t
written_length(const struct uidset *set, size_t first, size_t count)
{
	char text[64];
	size_t length = 0;

	for (size_t i = first; i < first + count; i++) {
		const struct uid_range *r = &set->ranges[i];
		int n = r->first == r->last
			    ? snprintf(text, sizeof(text), "%u", (unsigned) r->first)
			    : snprintf(text, sizeof(text), "%u:%u", (unsigned) r->first,
				  (unsigned) r->last);

		length += (size_t) n + (i > first);
	}
	return length;
}

static void
batches_cover_all_and_fit(void)
{
	struct uidset set = { 0 };
	size_t at = 0, batches = 0;

	for (uint32_t uid = 1; uid < 3000000; uid += uid % 5 == 0 ? 1 : 997)
		CU_ASSERT_EQUAL_FATAL(uidset_add(&set, uid), 0);
	while (at < set.count) {
		size_t count = uidset_batch(&set, at, 300);

		CU_ASSERT_TRUE_FATAL(count >= 1);
		CU_ASSERT_TRUE(written_length(&set, at, count) <= 300);
		if (at + count < set.count)
			CU_ASSERT_TRUE(written_length(&set, at, count + 1) > 300);
		at += count;
		batches++;
	}
	CU_ASSERT_EQUAL(at, set.count);
	CU_ASSERT_TRUE(batches > 10);
	CU_ASSERT_EQUAL(uidset_batch(&set, 0, 0), 1); /* always some progress */
	CU_ASSERT_EQUAL(uidset_batch(&set, set.count, 300), 0);
	uidset_clear(&set);
}

/* Ranges as a server may send them, against a table of their members. */
static void
ranges_in_any_order(void)
{
	unsigned seed = 1;

	for (int round = 0; round < 400; round++) {
		size_t count = (size_t) round % 12;
		struct uid_range *ranges = calloc(count + 1, sizeof(*ranges));
		bool member[UNIVERSE + 1] = { 0 };
		struct uidset set = { 0 };

		CU_ASSERT_PTR_NOT_NULL_FATAL(ranges);
		for (size_t i = 0; i < count; i++) {
			seed = seed * 1103515245u + 12345u;
			ranges[i].first = (seed >> 16) % UNIVERSE + 1;
			ranges[i].last = ranges[i].first + (seed >> 24) % 5;
			if (ranges[i].last > UNIVERSE)
				ranges[i].last = UNIVERSE;
			for (uint32_t uid = ranges[i].first; uid <= ranges[i].last; uid++)
				member[uid] = true;
		}
		CU_ASSERT_EQUAL(uidset_take_ranges(&set, ranges, count), 0);
		check_members(&set, member);
		uidset_clear(&set);
	}
}

static void
ranges_that_are_none(void)
{
	struct uid_range zero[] = { { 3, 4 }, { 0, 4 } }, backwards[] = { { 5, 4 } };
	struct uidset set = { 0 };

	CU_ASSERT_EQUAL(uidset_take_ranges(&set, zero, 2), ERR_INVALID);
	CU_ASSERT_EQUAL(uidset_take_ranges(&set, backwards, 1), ERR_INVALID);
	CU_ASSERT_EQUAL(uidset_take_ranges(&set, NULL, 0), 0);
	CU_ASSERT_EQUAL(set.count, 0);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "operations_agree_with_a_table", operations_agree_with_a_table },
		{ "ranges_in_any_order", ranges_in_any_order },
		{ "ranges_that_are_none", ranges_that_are_none },
		{ "edges_of_the_range", edges_of_the_range },
		{ "batches_cover_all_and_fit", batches_cover_all_and_fit },
	};

	return unit_run("uidset", tests, sizeof(tests) / sizeof(tests[0]));
}
