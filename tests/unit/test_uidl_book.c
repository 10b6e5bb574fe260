/* Unit tests of mapping/uidl_book.c and uidl_settle.c: whose UIDL is whose, and that no two messages
 * have the same one. */
#include "mapping/uidl_book.h"

#include <stdlib.h>

#include "base/error.h"
#include "books.h"
#include "mapping/uidl_settle.h"
#include "unit.h"

enum { UIDVALIDITY = 9 };

static const struct siphash_key key = { 1, 2 };

static void
expect(const struct uidl_book *book, uint32_t uid, const char *uidl)
{
	char now[UIDL_MAX + 1];

	uidl_book_format(book, UIDVALIDITY, uid, now);
	if (!UNIT_CHECK(strcmp(now, uidl) == 0, uidl))
		printf("    UID %u has %s\n", (unsigned) uid, now);
}

static int
add_text(struct uidl_book *book, uint32_t first, const char *text)
{
	return uidl_book_add_template_text(book, first, text, strlen(text));
}

static void
templates_rule_from_their_first_uid_on(void)
{
	struct uidl_book *book = book_of("a%u");
	uint32_t first;

	CU_ASSERT_PTR_NOT_NULL_FATAL(book);
	CU_ASSERT_TRUE(uidl_book_is_plain(book));
	CU_ASSERT_EQUAL(add_text(book, 10, "b%u"), 0);
	CU_ASSERT_EQUAL(add_text(book, 20, "c%u"), 0);
	CU_ASSERT_EQUAL(add_text(book, 20, "d%u"), 0); /* c has made nothing */
	CU_ASSERT_EQUAL(add_text(book, 19, "e%u"), ERR_INVALID);
	CU_ASSERT_EQUAL(add_text(book, 30, "no uid"), ERR_INVALID);
	expect(book, 1, "a1");
	expect(book, 9, "a9");
	expect(book, 10, "b10");
	expect(book, 19, "b19");
	expect(book, 20, "d20");
	expect(book, UINT32_MAX, "d4294967295");
	CU_ASSERT_STRING_EQUAL(uidl_template_text(uidl_book_last(book, &first)), "d%u");
	CU_ASSERT_EQUAL(first, 20);
	CU_ASSERT_FALSE(uidl_book_has_new_template(book));
	CU_ASSERT_FALSE(uidl_book_is_plain(book));
	uidl_book_clear(book);
	CU_ASSERT_PTR_NULL(uidl_book_last(book, &first));
	CU_ASSERT_EQUAL(add_text(book, 2, "a%u"), ERR_INVALID);
	uidl_book_free(book);
}

static void
exceptions_come_before_templates(void)
{
	static const uint32_t uids[] = { 50, 3, 99, 4, 51, 1 };
	struct uidl_book *book = book_of("a%u");
	char uidl[32];

	CU_ASSERT_PTR_NOT_NULL_FATAL(book);
	for (size_t i = 0; i < sizeof(uids) / sizeof(uids[0]); i++) {
		int len = snprintf(uidl, sizeof(uidl), "x%u", (unsigned) uids[i]);

		CU_ASSERT_EQUAL(uidl_book_add(book, uids[i], uidl, (size_t) len, 1), 0);
	}
	CU_ASSERT_EQUAL(uidl_book_add(book, 3, "again", 5, 1), ERR_INVALID);
	CU_ASSERT_EQUAL(uidl_book_add(book, 0, "zero", 4, 1), ERR_INVALID);
	CU_ASSERT_EQUAL(uidl_book_add(book, 7, "bl ank", 6, 1), ERR_INVALID);
	CU_ASSERT_EQUAL(uidl_book_add(book, 7, "", 0, 1), ERR_INVALID);
	for (size_t i = 0; i < sizeof(uids) / sizeof(uids[0]); i++) {
		snprintf(uidl, sizeof(uidl), "x%u", (unsigned) uids[i]);
		expect(book, uids[i], uidl);
	}
	expect(book, 2, "a2");
	expect(book, 100, "a100");
	CU_ASSERT_EQUAL(uidl_book_new_count(book), 0);
	CU_ASSERT_EQUAL(uidl_book_assign(book, 3, "y3", 2, 0), 0);
	CU_ASSERT_EQUAL(uidl_book_assign(book, 3, "z3", 2, 0), 0);
	CU_ASSERT_EQUAL(uidl_book_new_count(book), 1);
	expect(book, 3, "z3");
	CU_ASSERT_EQUAL(uidl_book_entry_count(book), 6);
	for (size_t i = 1; i < 6; i++)
		CU_ASSERT_TRUE(
		    uidl_book_entry(book, i - 1).uid < uidl_book_entry(book, i).uid);
	uidl_book_free(book);
}

static void
many_exceptions_in_any_order(void)
{
	struct uidl_book *book = book_of("a%u");
	char uidl[32];

	CU_ASSERT_PTR_NOT_NULL_FATAL(book);
	for (uint32_t i = 0; i < 2000; i++) {
		uint32_t uid = 1 + i * 7919 % 2003;
		int len = snprintf(uidl, sizeof(uidl), "exception-%u", (unsigned) uid);

		CU_ASSERT_EQUAL(uidl_book_add(book, uid, uidl, (size_t) len, 1), 0);
	}
	for (uint32_t i = 0; i < 2000; i++) {
		uint32_t uid = 1 + i * 7919 % 2003;

		snprintf(uidl, sizeof(uidl), "exception-%u", (unsigned) uid);
		expect(book, uid, uidl);
	}
	uidl_book_free(book);
}

static const struct snapshot_message four[] = { { .uid = 1 }, { .uid = 2 }, { .uid = 3 },
	{ .uid = 4 } };

static int
settle(struct uidl_book *book, uint32_t shown)
{
	const struct uidl_part part = { book, UIDVALIDITY, four, 4, shown };

	return uidl_settle(&part, 1, 0, &key);
}

static void
rule_42_duplicates_get_a_mark_that_stays(void)
{
	struct uidl_book *book = book_of("message-id");

	CU_ASSERT_PTR_NOT_NULL_FATAL(book);
	for (uint32_t uid = 1; uid <= 4; uid++)
		CU_ASSERT_EQUAL(uidl_book_assign(book, uid, uid == 3 ? "other" : "same@x",
				    uid == 3 ? 5 : 6, 0),
		    0);
	CU_ASSERT_EQUAL(settle(book, 0), 0);
	expect(book, 1, "same@x");
	expect(book, 2, "same@x.2");
	expect(book, 3, "other");
	expect(book, 4, "same@x.4");
	CU_ASSERT_EQUAL(settle(book, 0), 0); /* once more changes nothing */
	expect(book, 2, "same@x.2");
	uidl_book_free(book);
}

static void
rule_39_what_was_shown_keeps_its_uidl_where_two_want_it(void)
{
	struct uidl_book *book = book_of("%u");

	CU_ASSERT_PTR_NOT_NULL_FATAL(book);
	/* 2 was shown by the template; an import says that 4 is "2", and that 3 is "1" */
	CU_ASSERT_EQUAL(uidl_book_add(book, 3, "1", 1, 1), 0);
	CU_ASSERT_EQUAL(uidl_book_add(book, 4, "2", 1, 1), 0);
	CU_ASSERT_EQUAL(settle(book, 2), 0);
	expect(book, 1, "1");
	expect(book, 2, "2");
	expect(book, 3, "1.3");
	expect(book, 4, "2.4");
	CU_ASSERT_EQUAL(uidl_book_new_count(book), 2);
	uidl_book_free(book);
}

static void
what_an_import_gave_comes_before_a_template(void)
{
	struct uidl_book *book = book_of("%u");

	CU_ASSERT_PTR_NOT_NULL_FATAL(book);
	CU_ASSERT_EQUAL(uidl_book_add(book, 4, "1", 1, 1), 0);
	CU_ASSERT_EQUAL(settle(book, 0), 0);
	expect(book, 1, "1.1");
	expect(book, 4, "1");
	CU_ASSERT_EQUAL(uidl_book_new_count(book), 1);
	uidl_book_free(book);
}

static void
rule_42_what_is_known_from_before_keeps_its_uidl(void)
{
	struct uidl_book *book = book_of("%u");

	CU_ASSERT_PTR_NOT_NULL_FATAL(book);
	/* UIDVALIDITY has changed: 4 was shown as "1"; nobody knows what was shown as "2" and "3" */
	CU_ASSERT_EQUAL(uidl_book_keep(book, 4, "1", 1, 4), 0);
	CU_ASSERT_EQUAL(uidl_book_reserve(book, "2"), 0);
	CU_ASSERT_EQUAL(uidl_book_reserve(book, "3"), 0);
	CU_ASSERT_EQUAL(settle(book, 0), 0);
	expect(book, 1, "1.1");
	expect(book, 2, "2.2");
	expect(book, 3, "3.3");
	expect(book, 4, "1");
	CU_ASSERT_EQUAL(uidl_book_new_count(book), 4);
	uidl_book_free(book);
}

static void
rule_42_what_nobody_knows_is_reserved_for_nobody(void)
{
	struct uidl_book *book = book_of("%u");

	CU_ASSERT_PTR_NOT_NULL_FATAL(book);
	for (unsigned i = 0; i < 100; i++)
		CU_ASSERT_EQUAL(uidl_book_reserve(book, i == 99 ? "3" : "gone"), 0);
	CU_ASSERT_FALSE(uidl_book_is_plain(book));
	CU_ASSERT_EQUAL(settle(book, 0), 0);
	expect(book, 2, "2");
	expect(book, 3, "3.3");
	uidl_book_clear(book);
	CU_ASSERT_EQUAL(uidl_book_reserved_count(book), 0);
	uidl_book_free(book);
}

static void
rule_42_what_a_message_had_that_is_gone_is_no_new_ones(void)
{
	struct uidl_book *book = book_of("%u");
	const struct uidl_part left = { book, UIDVALIDITY, four + 1, 3, 2 };

	CU_ASSERT_PTR_NOT_NULL_FATAL(book);
	/* An import: 1 was 3 on the old server, and 2 was 4. Then 1 is deleted, and 3 and 4 come. */
	CU_ASSERT_EQUAL(uidl_book_add(book, 1, "3", 1, 1), 0);
	CU_ASSERT_EQUAL(uidl_book_add(book, 2, "4", 1, 1), 0);
	CU_ASSERT_EQUAL(uidl_settle(&left, 1, 0, &key), 0);
	expect(book, 2, "4");
	expect(book, 3, "3.3");
	expect(book, 4, "4.4");
	uidl_book_free(book);
}

static void
a_message_that_comes_back_is_known_by_its_attribute(void)
{
	struct uidl_book *book = book_of("message-id");
	const struct uidl_part left = { book, UIDVALIDITY, four + 1, 3, 3 };

	CU_ASSERT_PTR_NOT_NULL_FATAL(book);
	for (uint32_t uid = 1; uid <= 3; uid++)
		CU_ASSERT_EQUAL(uidl_book_add(book, uid, (const char *[]){ "a@x", "b@x", "c@x" }[uid - 1],
				    3, 0),
		    0);
	CU_ASSERT_EQUAL(uidl_book_assign(book, 4, "a@x", 3, 0), 0); /* 1, moved away and back */
	CU_ASSERT_EQUAL(uidl_settle(&left, 1, 0, &key), 0);
	expect(book, 4, "a@x");
	uidl_book_free(book);
}

static void
long_duplicates_become_a_digest(void)
{
	char uidl[UIDL_MAX + 1], now[UIDL_MAX + 1];
	struct uidl_book *book = book_of("message-id");

	CU_ASSERT_PTR_NOT_NULL_FATAL(book);
	memset(uidl, 'x', UIDL_MAX);
	uidl[UIDL_MAX] = '\0';
	for (uint32_t uid = 1; uid <= 4; uid++)
		CU_ASSERT_EQUAL(uidl_book_assign(book, uid, uidl, UIDL_MAX, 0), 0);
	CU_ASSERT_EQUAL(settle(book, 0), 0);
	expect(book, 1, uidl);
	uidl_book_format(book, UIDVALIDITY, 2, now);
	CU_ASSERT_EQUAL(strlen(now), 40);
	uidl_book_free(book);
}

/* ---- several mailboxes ---- */

/* INBOX and Junk, as one maildrop shows them: UIDLs are Message-IDs, those of Junk with its mark. */
struct pair {
	struct uidl_template *plain, *marked;
	struct uidl_part parts[2];
};

static void
pair_begin(struct pair *p)
{
	size_t at;

	CU_ASSERT_EQUAL_FATAL(uidl_template_parse("message-id", &p->plain, &at), 0);
	CU_ASSERT_EQUAL_FATAL(uidl_template_mark(p->plain, "Junk", &p->marked), 0);
	for (size_t i = 0; i < 2; i++) {
		struct uidl_part *part = &p->parts[i];

		*part = (struct uidl_part){ .uidvalidity = UIDVALIDITY, .messages = four, .count = 0 };
		CU_ASSERT_EQUAL_FATAL(uidl_book_new(&part->book), 0);
		CU_ASSERT_EQUAL(
		    uidl_book_add_template(part->book, 1, i == 0 ? p->plain : p->marked), 0);
	}
}

static void
pair_end(struct pair *p)
{
	for (size_t i = 0; i < 2; i++)
		uidl_book_free(p->parts[i].book);
	uidl_template_free(p->plain);
	uidl_template_free(p->marked);
}

/* The next message of a part has the Message-ID ID; its UIDL is written to UIDL. */
static void
receive(struct pair *p, size_t part, const char *id, char uidl[UIDL_MAX + 1])
{
	struct uidl_part *to = &p->parts[part];
	uint32_t uid = four[to->count++].uid;

	CU_ASSERT_EQUAL(uidl_from_attribute(
			    part == 0 ? p->plain : p->marked, id, strlen(id), uidl),
	    0);
	CU_ASSERT_EQUAL(uidl_book_assign(to->book, uid, uidl, strlen(uidl), 0), 0);
}

/* All messages have UIDLs that differ, and once more nothing changes. */
static void
pair_settle(struct pair *p)
{
	char uidls[2][8][UIDL_MAX + 1];

	for (size_t run = 0; run < 2; run++) {
		size_t n = 0;

		CU_ASSERT_EQUAL(uidl_settle(p->parts, 2, 0, &key), 0);
		for (size_t i = 0; i < 2; i++)
			for (size_t j = 0; j < p->parts[i].count; j++)
				uidl_book_format(
				    p->parts[i].book, UIDVALIDITY, four[j].uid, uidls[run][n++]);
		for (size_t i = 0; i < n; i++) {
			CU_ASSERT(uidl_is_valid(uidls[run][i], strlen(uidls[run][i])));
			CU_ASSERT_STRING_EQUAL(uidls[run][i], uidls[0][i]);
			for (size_t j = 0; j < i; j++)
				CU_ASSERT_STRING_NOT_EQUAL(uidls[run][i], uidls[run][j]);
		}
	}
}

/* The ledger has what was found; the messages that there are were shown. */
static void
pair_show(struct pair *p)
{
	for (size_t i = 0; i < 2; i++) {
		struct uidl_book *before = p->parts[i].book;

		CU_ASSERT_EQUAL_FATAL(uidl_book_new(&p->parts[i].book), 0);
		CU_ASSERT_EQUAL(uidl_book_add_template(
				    p->parts[i].book, 1, i == 0 ? p->plain : p->marked),
		    0);
		for (size_t j = 0; j < uidl_book_entry_count(before); j++) {
			struct uidl_entry entry = uidl_book_entry(before, j);

			CU_ASSERT_EQUAL(uidl_book_add(p->parts[i].book, entry.uid, entry.uidl,
					    strlen(entry.uidl), entry.source),
			    0);
		}
		uidl_book_free(before);
		p->parts[i].shown = p->parts[i].count > 0 ? four[p->parts[i].count - 1].uid : 0;
	}
}

static void
rule_42_a_forged_mark_makes_no_duplicate(void)
{
	char real[UIDL_MAX + 1], forged[UIDL_MAX + 1], expected[UIDL_MAX + 3];
	struct pair p;

	/* both are new */
	pair_begin(&p);
	receive(&p, 1, "same@x", real);
	receive(&p, 0, real, forged);
	CU_ASSERT_STRING_EQUAL(real, forged);
	snprintf(expected, sizeof(expected), "%s.1", real);
	pair_settle(&p);
	expect(p.parts[0].book, 1, forged);
	expect(p.parts[1].book, 1, expected);
	pair_end(&p);

	/* what was shown keeps its UIDL, whichever came first, and though there are plain parts */
	for (size_t first = 0; first < 2; first++) {
		pair_begin(&p);
		if (first == 0) {
			uidl_from_attribute(p.marked, "same@x", 6, real);
			receive(&p, 0, real, forged);
			pair_show(&p);
			receive(&p, 1, "same@x", real);
		} else {
			receive(&p, 1, "same@x", real);
			pair_show(&p);
			receive(&p, 0, real, forged);
		}
		pair_settle(&p);
		expect(p.parts[first].book, 1, real);
		expect(p.parts[1 - first].book, 1, expected);
		pair_show(&p);
		CU_ASSERT_EQUAL(uidl_settle(p.parts, 2, 0, &key), 0);
		CU_ASSERT_EQUAL(uidl_book_new_count(p.parts[0].book), 0);
		CU_ASSERT_EQUAL(uidl_book_new_count(p.parts[1].book), 0);
		pair_end(&p);
	}
}

/* Nor does one that forges what would be put in place of it. */
static void
rule_42_forgeries_of_all_lengths(void)
{
	char id[UIDL_MAX + 20], real[UIDL_MAX + 1], uidl[UIDL_MAX + 1], put[UIDL_MAX + 3];
	struct pair p;

	for (size_t len = 1; len < sizeof(id); len++) {
		memset(id, 'x', len);
		id[len] = '\0';
		pair_begin(&p);
		receive(&p, 1, id, real);
		receive(&p, 0, real, uidl);
		pair_settle(&p);
		uidl_book_format(p.parts[1].book, UIDVALIDITY, 1, put);
		pair_end(&p);

		pair_begin(&p);
		receive(&p, 1, id, real);
		receive(&p, 0, real, uidl);
		receive(&p, 0, put, uidl);
		receive(&p, 0, id, uidl);
		receive(&p, 1, id, uidl);
		receive(&p, 1, real, uidl);
		pair_settle(&p);
		expect(p.parts[0].book, 1, real);
		expect(p.parts[0].book, 2, put);
		pair_end(&p);
	}
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "templates_rule_from_their_first_uid_on", templates_rule_from_their_first_uid_on },
		{ "exceptions_come_before_templates", exceptions_come_before_templates },
		{ "many_exceptions_in_any_order", many_exceptions_in_any_order },
		{ "rule_42_duplicates_get_a_mark_that_stays",
		    rule_42_duplicates_get_a_mark_that_stays },
		{ "rule_39_what_was_shown_keeps_its_uidl_where_two_want_it",
		    rule_39_what_was_shown_keeps_its_uidl_where_two_want_it },
		{ "what_an_import_gave_comes_before_a_template",
		    what_an_import_gave_comes_before_a_template },
		{ "rule_42_what_is_known_from_before_keeps_its_uidl",
		    rule_42_what_is_known_from_before_keeps_its_uidl },
		{ "rule_42_what_nobody_knows_is_reserved_for_nobody",
		    rule_42_what_nobody_knows_is_reserved_for_nobody },
		{ "rule_42_what_a_message_had_that_is_gone_is_no_new_ones",
		    rule_42_what_a_message_had_that_is_gone_is_no_new_ones },
		{ "a_message_that_comes_back_is_known_by_its_attribute",
		    a_message_that_comes_back_is_known_by_its_attribute },
		{ "long_duplicates_become_a_digest", long_duplicates_become_a_digest },
		{ "rule_42_a_forged_mark_makes_no_duplicate",
		    rule_42_a_forged_mark_makes_no_duplicate },
		{ "rule_42_forgeries_of_all_lengths", rule_42_forgeries_of_all_lengths },
	};

	return unit_run("uidl_book", tests, sizeof(tests) / sizeof(tests[0]));
}
