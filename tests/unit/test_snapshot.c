/* Unit tests of mapping/snapshot.c. */
#include "mapping/snapshot.h"

#include "base/error.h"
#include "unit.h"

static struct uidl_template *template;

/* A snapshot of messages with the given UIDs, each of size 10 x UID. */
static struct snapshot *
make(const uint32_t *uids, size_t count)
{
	struct snapshot *s;

	if (snapshot_new(77, template, count / 2, &s) != 0)
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
	CU_ASSERT_EQUAL(snapshot_uidvalidity(s), 77);
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
	CU_ASSERT_EQUAL(snapshot_marked_uids(s, &marked), 0);
	CU_ASSERT_EQUAL(uidset_size(&marked), 1);
	CU_ASSERT_TRUE(uidset_contains(&marked, 2));
	uidset_clear(&marked);
	snapshot_unmark_all(s);
	CU_ASSERT_EQUAL(snapshot_lookup(s, 2, &m), 0);
	CU_ASSERT_EQUAL(snapshot_left_octets(s), 60);
	CU_ASSERT_EQUAL(snapshot_marked_uids(s, &marked), 0);
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
	CU_ASSERT_EQUAL(snapshot_retrieved_uids(s, &retrieved), 0);
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

	CU_ASSERT_EQUAL_FATAL(snapshot_new(1, template, SIZE_MAX / 32, &s), 0);
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
	};
	size_t at;
	int result;

	if (uidl_template_parse(UIDL_DEFAULT_TEMPLATE, &template, &at) != 0)
		return 2;
	result = unit_run("snapshot", tests, sizeof(tests) / sizeof(tests[0]));
	uidl_template_free(template);
	return result;
}
