/* Unit tests of mapping/snapshot.c. */
#include "mapping/snapshot.h"

#include "base/error.h"
#include "books.h"
#include "unit.h"

static struct uidl_book *book, *marked_book;

/* A snapshot of messages with the given UIDs, each of size 10 x UID. */
static struct snapshot *
make(const uint32_t *uids, size_t count)
{
	struct snapshot *s;

	if (snapshot_new(77, book, count / 2, &s) != 0)
		return NULL;
	for (size_t i = 0; i < count; i++)
		CU_ASSERT_EQUAL(snapshot_add(s, uids[i], uids[i] * (uint64_t) 10, 1000), 0);
	return s;
}

static void
rule_8_numbers_ascend_by_uid(void)
{
	static const uint32_t uids[] = { 50, 3, 4000000000u, 7 };
	struct snapshot *s = make(uids, 4);
	const struct snapshot_message *m;

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_EQUAL(snapshot_seal(s), 0);
	CU_ASSERT_EQUAL(snapshot_count(s), 4);
	CU_ASSERT_EQUAL(snapshot_at(s, 1)->uid, 3);
	CU_ASSERT_EQUAL(snapshot_at(s, 2)->uid, 7);
	CU_ASSERT_EQUAL(snapshot_at(s, 3)->uid, 50);
	CU_ASSERT_EQUAL(snapshot_lookup(s, 4, &m), 0);
	CU_ASSERT_EQUAL(m->uid, 4000000000u);
	CU_ASSERT_EQUAL(m->size, 40000000000u);
	CU_ASSERT_EQUAL(snapshot_left_octets(s), 40000000600u);
	CU_ASSERT_EQUAL(snapshot_uidvalidity(s, 0), 77);
	snapshot_free(s);
}

static void
rule_4_counted_sizes(void)
{
	static const uint32_t uids[] = { 3, 1, 2 };
	struct snapshot *s = make(uids, 3);

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_EQUAL(snapshot_set_exact(s, 1, 33), 0); /* as added: UID 3 */
	CU_ASSERT_EQUAL(snapshot_seal(s), 0);
	CU_ASSERT_EQUAL(snapshot_at(s, 3)->size, 33);
	CU_ASSERT_TRUE(snapshot_at(s, 3)->exact);
	CU_ASSERT_FALSE(snapshot_at(s, 1)->exact);
	CU_ASSERT_EQUAL(snapshot_set_exact(s, 1, 0), 0); /* as numbered: UID 1 */
	CU_ASSERT_EQUAL(snapshot_left_octets(s), 0 + 20 + 33);
	CU_ASSERT_EQUAL(snapshot_set_exact(s, 2, INT64_MAX), ERR_PROTOCOL);
	CU_ASSERT_EQUAL(snapshot_left_octets(s), 0 + 20 + 33);
	snapshot_free(s);
}

static void
rule_13_other_numbers_do_not_exist(void)
{
	static const uint32_t uids[] = { 1, 2 };
	struct snapshot *s = make(uids, 2);
	const struct snapshot_message *m;

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_EQUAL(snapshot_seal(s), 0);
	CU_ASSERT_EQUAL(snapshot_lookup(s, 0, &m), ERR_INVALID);
	CU_ASSERT_EQUAL(snapshot_lookup(s, 3, &m), ERR_INVALID);
	CU_ASSERT_EQUAL(snapshot_lookup(s, UINT64_MAX, &m), ERR_INVALID);
	CU_ASSERT_EQUAL(snapshot_mark(s, (uint64_t) UINT32_MAX + 2), ERR_INVALID);
	snapshot_free(s);
}

static void
rule_12_marks_hide_and_rule_11_reset_brings_back(void)
{
	static const uint32_t uids[] = { 1, 2, 3 };
	struct snapshot *s = make(uids, 3);
	struct uidset marked = { 0 };
	const struct snapshot_message *m;

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_EQUAL(snapshot_seal(s), 0);
	CU_ASSERT_EQUAL(snapshot_mark(s, 2), 0);
	CU_ASSERT_EQUAL(snapshot_mark(s, 2), ERR_GONE);
	CU_ASSERT_EQUAL(snapshot_lookup(s, 2, &m), ERR_GONE);
	CU_ASSERT_EQUAL(snapshot_lookup(s, 3, &m), 0);
	CU_ASSERT_EQUAL(snapshot_count(s), 3);
	CU_ASSERT_EQUAL(snapshot_left(s), 2);
	CU_ASSERT_EQUAL(snapshot_left_octets(s), 40);
	CU_ASSERT_EQUAL(snapshot_marked(s), 1);
	CU_ASSERT_EQUAL(snapshot_marked_uids(s, 0, &marked), 0);
	CU_ASSERT_EQUAL(uidset_size(&marked), 1);
	CU_ASSERT_TRUE(uidset_contains(&marked, 2));
	uidset_clear(&marked);
	snapshot_unmark_all(s);
	CU_ASSERT_EQUAL(snapshot_lookup(s, 2, &m), 0);
	CU_ASSERT_EQUAL(snapshot_left_octets(s), 60);
	CU_ASSERT_EQUAL(snapshot_marked_uids(s, 0, &marked), 0);
	CU_ASSERT_EQUAL(marked.count, 0);
	snapshot_free(s);
}

static void
rule_32_a_broken_message_cannot_be_deleted(void)
{
	static const uint32_t uids[] = { 1, 2 };
	struct snapshot *s = make(uids, 2);
	struct uidset retrieved = { 0 };

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_EQUAL(snapshot_seal(s), 0);
	snapshot_set_broken(s, 1);
	snapshot_set_retrieved(s, 2);
	CU_ASSERT_EQUAL(snapshot_mark(s, 1), ERR_PERMANENT);
	CU_ASSERT_EQUAL(snapshot_marked(s), 0);
	CU_ASSERT_EQUAL(snapshot_retrieved_uids(s, 0, &retrieved), 0);
	CU_ASSERT_EQUAL(uidset_size(&retrieved), 1);
	CU_ASSERT_TRUE(uidset_contains(&retrieved, 2));
	uidset_clear(&retrieved);
	snapshot_free(s);
}

static void
faults_of_the_listing(void)
{
	static const uint32_t twice[] = { 5, 9, 5 }, next_to_each_other[] = { 5, 5 };
	struct snapshot *s;

	CU_ASSERT_PTR_NOT_NULL_FATAL(s = make(twice, 3));
	CU_ASSERT_EQUAL(snapshot_seal(s), ERR_PROTOCOL);
	snapshot_free(s);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s = make(next_to_each_other, 2));
	CU_ASSERT_EQUAL(snapshot_seal(s), ERR_PROTOCOL);
	CU_ASSERT_EQUAL(snapshot_add(s, 0, 1, 1000), ERR_INVALID);
	CU_ASSERT_EQUAL(snapshot_add(s, 6, 1, 2), ERR_LIMIT);
	CU_ASSERT_EQUAL(snapshot_add(s, 7, INT64_MAX, 1000), ERR_PROTOCOL);
	CU_ASSERT_EQUAL(snapshot_add(s, 7, UINT64_MAX, 1000), ERR_PROTOCOL);
	snapshot_free(s);
	snapshot_free(NULL);
}

static void
an_absurd_hint_does_not_stop_the_listing(void)
{
	struct snapshot *s;

	CU_ASSERT_EQUAL_FATAL(snapshot_new(1, book, SIZE_MAX / 32, &s), 0);
	CU_ASSERT_EQUAL(snapshot_add(s, 1, 1, 10), 0);
	CU_ASSERT_EQUAL(snapshot_seal(s), 0);
	CU_ASSERT_EQUAL(snapshot_count(s), 1);
	snapshot_free(s);
}

static void
an_empty_maildrop_is_a_maildrop(void)
{
	struct snapshot *s = make(NULL, 0);
	char uidl[UIDL_MAX + 1];
	static const uint32_t one[] = { 16 };

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_EQUAL(snapshot_seal(s), 0);
	CU_ASSERT_EQUAL(snapshot_count(s), 0);
	CU_ASSERT_EQUAL(snapshot_left_octets(s), 0);
	snapshot_free(s);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s = make(one, 1));
	snapshot_uidl(s, 1, uidl);
	CU_ASSERT_STRING_EQUAL(uidl, "000000100000004d");
	snapshot_free(s);
}

static void
rule_19_marks_can_be_forbidden(void)
{
	static const uint32_t uids[] = { 1 };
	struct snapshot *s = make(uids, 1);

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_EQUAL(snapshot_seal(s), 0);
	snapshot_forbid_marks(s);
	CU_ASSERT_EQUAL(snapshot_mark(s, 1), ERR_READ_ONLY);
	CU_ASSERT_EQUAL(snapshot_mark(s, 2), ERR_INVALID);
	CU_ASSERT_EQUAL(snapshot_marked(s), 0);
	snapshot_free(s);
}

/* A part with the given UIDs and UIDVALIDITY, its UIDLs bearing a mark. */
static struct snapshot *
make_further(uint32_t uidvalidity, const uint32_t *uids, size_t count)
{
	struct snapshot *s;

	CU_ASSERT_EQUAL_FATAL(snapshot_new(uidvalidity, marked_book, 0, &s), 0);
	for (size_t i = 0; i < count; i++)
		CU_ASSERT_EQUAL(snapshot_add(s, uids[i], 1, 1000), 0);
	CU_ASSERT_EQUAL(snapshot_seal(s), 0);
	return s;
}

/* UIDs 1 and 2 with UIDVALIDITY 77; no message; and UIDs 2 and 9 with 78. */
static struct snapshot *
make_of_three(void)
{
	static const uint32_t first[] = { 2, 1 }, third[] = { 9, 2 };
	struct snapshot *s = make(first, 2);

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_EQUAL_FATAL(snapshot_seal(s), 0);
	CU_ASSERT_EQUAL_FATAL(snapshot_append(s, make_further(5, NULL, 0), 4), 0);
	CU_ASSERT_EQUAL_FATAL(snapshot_append(s, make_further(78, third, 2), 4), 0);
	return s;
}

static void
rule_8_parts_stand_one_behind_the_other(void)
{
	static const struct {
		uint32_t uid;
		uint8_t part;
		const char *uidl;
	} expected[] = {
		{ 1, 0, "000000010000004d" },
		{ 2, 0, "000000020000004d" },
		{ 2, 2, "000000020000004e.16d70c1cea1f" },
		{ 9, 2, "000000090000004e.16d70c1cea1f" },
	};
	struct snapshot *s = make_of_three();
	char uidl[UIDL_MAX + 1];

	CU_ASSERT_EQUAL_FATAL(snapshot_count(s), 4);
	for (size_t i = 0; i < 4; i++) {
		CU_ASSERT_EQUAL(snapshot_at(s, i + 1)->uid, expected[i].uid);
		CU_ASSERT_EQUAL(snapshot_at(s, i + 1)->part, expected[i].part);
		snapshot_uidl(s, i + 1, uidl);
		CU_ASSERT_STRING_EQUAL(uidl, expected[i].uidl);
	}
	CU_ASSERT_EQUAL(snapshot_left_octets(s), 32);
	CU_ASSERT_EQUAL(snapshot_uidvalidity(s, 0), 77);
	CU_ASSERT_EQUAL(snapshot_uidvalidity(s, 1), 5);
	CU_ASSERT_EQUAL(snapshot_uidvalidity(s, 2), 78);
	snapshot_free(s);
}

static void
uids_are_told_by_part(void)
{
	struct snapshot *s = make_of_three();
	struct uidset set = { 0 };

	CU_ASSERT_EQUAL(snapshot_mark(s, 1), 0);
	CU_ASSERT_EQUAL(snapshot_mark(s, 3), 0);
	snapshot_set_retrieved(s, 4);
	CU_ASSERT_EQUAL(snapshot_marked_uids(s, 0, &set), 0);
	CU_ASSERT_TRUE(uidset_size(&set) == 1 && uidset_contains(&set, 1));
	uidset_clear(&set);
	CU_ASSERT_EQUAL(snapshot_marked_uids(s, 1, &set), 0);
	CU_ASSERT_EQUAL(set.count, 0);
	CU_ASSERT_EQUAL(snapshot_marked_uids(s, 2, &set), 0);
	CU_ASSERT_TRUE(uidset_size(&set) == 1 && uidset_contains(&set, 2));
	uidset_clear(&set);
	CU_ASSERT_EQUAL(snapshot_retrieved_uids(s, 0, &set), 0);
	CU_ASSERT_EQUAL(set.count, 0);
	CU_ASSERT_EQUAL(snapshot_retrieved_uids(s, 2, &set), 0);
	CU_ASSERT_TRUE(uidset_size(&set) == 1 && uidset_contains(&set, 9));
	uidset_clear(&set);
	snapshot_free(s);
}

static void
rule_19_marks_are_forbidden_by_part(void)
{
	static const uint32_t uids[] = { 1, 2 };
	struct snapshot *s = make(uids, 2), *more = make_further(5, uids, 2);

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	snapshot_forbid_marks(more);
	CU_ASSERT_EQUAL(snapshot_append(s, more, 100), 0);
	CU_ASSERT_EQUAL(snapshot_mark(s, 2), 0);
	CU_ASSERT_EQUAL(snapshot_mark(s, 3), ERR_READ_ONLY);
	snapshot_free(s);
}

static void
parts_have_limits(void)
{
	static const uint32_t uids[] = { 1, 2 };
	struct snapshot *s = make(uids, 2), *heavy;

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_EQUAL(snapshot_append(s, make_further(5, uids, 2), 3), ERR_LIMIT);
	CU_ASSERT_EQUAL(snapshot_append(s, make_further(5, uids, 2), 1), ERR_LIMIT);
	CU_ASSERT_EQUAL_FATAL(snapshot_new(5, book, 1, &heavy), 0);
	CU_ASSERT_EQUAL(snapshot_add(heavy, 1, INT64_MAX, 1), 0);
	CU_ASSERT_EQUAL(snapshot_append(s, heavy, 1000), ERR_PROTOCOL);
	CU_ASSERT_EQUAL(snapshot_count(s), 2);
	for (size_t i = 1; i < SNAPSHOT_PARTS_MAX; i++)
		CU_ASSERT_EQUAL(snapshot_append(s, make_further(5, uids, 1), 1000), 0);
	CU_ASSERT_EQUAL(snapshot_append(s, make_further(5, uids, 1), 1000), ERR_LIMIT);
	CU_ASSERT_EQUAL(snapshot_count(s), SNAPSHOT_PARTS_MAX + 1);
	CU_ASSERT_EQUAL(snapshot_at(s, SNAPSHOT_PARTS_MAX + 1)->part, SNAPSHOT_PARTS_MAX - 1);
	snapshot_free(s);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "rule_8_numbers_ascend_by_uid", rule_8_numbers_ascend_by_uid },
		{ "rule_4_counted_sizes", rule_4_counted_sizes },
		{ "rule_13_other_numbers_do_not_exist", rule_13_other_numbers_do_not_exist },
		{ "rule_12_marks_hide_and_rule_11_reset_brings_back",
		    rule_12_marks_hide_and_rule_11_reset_brings_back },
		{ "rule_32_a_broken_message_cannot_be_deleted",
		    rule_32_a_broken_message_cannot_be_deleted },
		{ "faults_of_the_listing", faults_of_the_listing },
		{ "an_absurd_hint_does_not_stop_the_listing",
		    an_absurd_hint_does_not_stop_the_listing },
		{ "an_empty_maildrop_is_a_maildrop", an_empty_maildrop_is_a_maildrop },
		{ "rule_19_marks_can_be_forbidden", rule_19_marks_can_be_forbidden },
		{ "rule_8_parts_stand_one_behind_the_other",
		    rule_8_parts_stand_one_behind_the_other },
		{ "uids_are_told_by_part", uids_are_told_by_part },
		{ "rule_19_marks_are_forbidden_by_part", rule_19_marks_are_forbidden_by_part },
		{ "parts_have_limits", parts_have_limits },
	};
	struct uidl_template *template, *marked;
	size_t at;
	int result;

	book = book_of(UIDL_DEFAULT_TEMPLATE);
	if (uidl_template_parse(UIDL_DEFAULT_TEMPLATE, &template, &at) != 0 ||
	    uidl_template_mark(template, "Junk", &marked) != 0)
		return 2;
	marked_book = book_of(uidl_template_text(marked));
	uidl_template_free(marked);
	uidl_template_free(template);
	if (book == NULL || marked_book == NULL)
		return 2;
	result = unit_run("snapshot", tests, sizeof(tests) / sizeof(tests[0]));
	uidl_book_free(book);
	uidl_book_free(marked_book);
	return result;
}
