/* Unit tests of mapping/prefetch.c: when messages are asked for ahead, and how many. */
#include "mapping/prefetch.h"

#include "books.h"
#include "unit.h"

static struct uidl_book *book;

/* COUNT messages of SIZE octets; message N has UID 10 x N. */
static struct snapshot *
make(size_t count, uint64_t size)
{
	struct snapshot *s;

	CU_ASSERT_EQUAL_FATAL(snapshot_new(77, book, count, &s), 0);
	for (uint32_t i = 1; i <= count; i++)
		CU_ASSERT_EQUAL(snapshot_add(s, 10 * i, size, 100000), 0);
	CU_ASSERT_EQUAL(snapshot_seal(s), 0);
	return s;
}

/* Plans for NUMBER; checks that as many messages as were announced are in the set, from NUMBER on.
 */
static size_t
plan_in(struct prefetch *p, const struct snapshot *s, size_t number, uint32_t part, uint64_t room,
    uint64_t *octets)
{
	struct uidset set = { 0 };
	size_t count = prefetch_plan(p, s, number, part, room, &set, octets);

	CU_ASSERT_EQUAL(uidset_size(&set), count == 1 ? 0 : count);
	if (count > 1)
		CU_ASSERT_TRUE(uidset_contains(&set, (uint32_t) number * 10));
	CU_ASSERT_TRUE(*octets <= room);
	uidset_clear(&set);
	return count;
}

static size_t
plan(struct prefetch *p, const struct snapshot *s, size_t number)
{
	uint64_t octets;

	return plan_in(p, s, number, 0, UINT64_MAX, &octets);
}

static void
a_series_grows(void)
{
	struct snapshot *s = make(10000, 100);
	struct prefetch p = { 0 };

	CU_ASSERT_EQUAL(plan(&p, s, 1), 1); /* no pattern yet */
	CU_ASSERT_EQUAL(plan(&p, s, 2), 4);
	for (size_t n = 3; n <= 5; n++)
		prefetch_hit(&p, n);
	CU_ASSERT_EQUAL(plan(&p, s, 6), 32);
	for (size_t n = 7; n <= 37; n++)
		prefetch_hit(&p, n);
	CU_ASSERT_EQUAL(plan(&p, s, 38), 256);
	for (size_t n = 39, count = 256; n < 8000; n += count) {
		prefetch_hit(&p, n + count - 2);
		count = plan(&p, s, n + count - 1);
		CU_ASSERT_TRUE(count <= 1024);
	}
	snapshot_free(s);
}

static void
a_jump_ends_it(void)
{
	struct snapshot *s = make(100, 100);
	struct prefetch p = { 0 };

	plan(&p, s, 1);
	CU_ASSERT_EQUAL(plan(&p, s, 2), 4);
	CU_ASSERT_EQUAL(plan(&p, s, 50), 1);
	CU_ASSERT_EQUAL(plan(&p, s, 51), 4); /* from the beginning */
	prefetch_miss(&p);
	CU_ASSERT_EQUAL(plan(&p, s, 52), 1);
	CU_ASSERT_EQUAL(plan(&p, s, 51), 1); /* backwards is no series */
	CU_ASSERT_EQUAL(plan(&p, s, 51), 1); /* nor is the same again */
	snapshot_free(s);
}

static void
marked_messages_are_passed_over(void)
{
	struct snapshot *s = make(10, 100);
	struct prefetch p = { 0 };
	struct uidset set = { 0 };
	uint64_t octets;

	plan(&p, s, 1);
	CU_ASSERT_EQUAL(snapshot_mark(s, 1), 0); /* DELE after each RETR */
	CU_ASSERT_EQUAL(snapshot_mark(s, 2), 0);
	CU_ASSERT_EQUAL(snapshot_mark(s, 4), 0);
	CU_ASSERT_EQUAL(prefetch_plan(&p, s, 3, 0, UINT64_MAX, &set, &octets), 4);
	CU_ASSERT_TRUE(uidset_contains(&set, 30) && !uidset_contains(&set, 40));
	CU_ASSERT_TRUE(uidset_contains(&set, 50) && uidset_contains(&set, 70));
	CU_ASSERT_EQUAL(octets, 400);
	uidset_clear(&set);
	snapshot_free(s);
}

static void
it_ends_with_the_mailbox(void)
{
	struct snapshot *s = make(10, 100);
	struct prefetch p = { 0 };
	struct uidset set = { 0 };
	uint64_t octets;

	CU_ASSERT_EQUAL_FATAL(snapshot_append(s, make(20, 100), 100), 0);
	p.messages = 1024;
	p.last = 7;
	CU_ASSERT_EQUAL(plan(&p, s, 8), 3);
	for (size_t n = 9; n <= 10; n++)
		prefetch_hit(&p, n);
	p.messages = 1;
	CU_ASSERT_EQUAL(prefetch_plan(&p, s, 11, 0, UINT64_MAX, &set, &octets), 8);
	CU_ASSERT_TRUE(uidset_contains(&set, 10) && uidset_contains(&set, 80));
	uidset_clear(&set);
	p.last = 9;
	CU_ASSERT_EQUAL(plan(&p, s, 10), 1); /* the last of its mailbox */
	snapshot_free(s);
}

static void
octets_are_bounded(void)
{
	struct snapshot *small = make(10000, 5000), *large = make(10, PREFETCH_MESSAGE_MAX + 1);
	struct prefetch p = { 0 };
	uint64_t octets;

	plan(&p, small, 1);
	p.messages = 1024;
	CU_ASSERT_EQUAL(plan_in(&p, small, 2, 0, UINT64_MAX, &octets), PREFETCH_OCTETS_MAX / 5000);
	CU_ASSERT_TRUE(octets <= PREFETCH_OCTETS_MAX);
	plan(&p, small, 5);
	CU_ASSERT_EQUAL(plan_in(&p, small, 6, 0, 12000, &octets), 2);
	plan(&p, small, 7);
	CU_ASSERT_EQUAL(plan_in(&p, small, 8, 0, 9999, &octets), 1); /* two do not fit */
	CU_ASSERT_EQUAL(octets, 0);
	plan(&p, small, 7);
	CU_ASSERT_EQUAL(plan_in(&p, small, 8, 0, 0, &octets), 1);
	plan(&p, large, 1);
	CU_ASSERT_EQUAL(plan(&p, large, 2), 1);
	snapshot_free(small);
	snapshot_free(large);
}

static void
parts_are_a_series_of_their_own(void)
{
	struct snapshot *s = make(100, 1 << 20);
	struct prefetch p = { 0 };
	uint64_t octets;

	CU_ASSERT_EQUAL(plan_in(&p, s, 1, 4096, UINT64_MAX, &octets), 1);
	CU_ASSERT_EQUAL(plan_in(&p, s, 2, 4096, UINT64_MAX, &octets), 4);
	CU_ASSERT_EQUAL(octets, 4 * 4096);
	CU_ASSERT_EQUAL(plan_in(&p, s, 3, 8192, UINT64_MAX, &octets), 1); /* TOP with more lines */
	CU_ASSERT_EQUAL(plan(&p, s, 4), 1);				  /* RETR after TOP */
	snapshot_free(s);
}

static void
the_end_of_the_maildrop(void)
{
	struct snapshot *s = make(3, 100);
	struct prefetch p = { 0 };

	plan(&p, s, 1);
	CU_ASSERT_EQUAL(plan(&p, s, 2), 2);
	CU_ASSERT_EQUAL(plan(&p, s, 3), 1);
	snapshot_free(s);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "a series grows", a_series_grows },
		{ "a jump ends it", a_jump_ends_it },
		{ "marked messages are passed over", marked_messages_are_passed_over },
		{ "it ends with the mailbox", it_ends_with_the_mailbox },
		{ "octets are bounded", octets_are_bounded },
		{ "parts are a series of their own", parts_are_a_series_of_their_own },
		{ "the end of the maildrop", the_end_of_the_maildrop },
	};
	int result;

	if ((book = book_of(UIDL_DEFAULT_TEMPLATE)) == NULL)
		return 2;
	result = unit_run("prefetch", tests, sizeof(tests) / sizeof(tests[0]));
	uidl_book_free(book);
	return result;
}
