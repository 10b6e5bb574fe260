/* Unit tests of gateway/reuse_table.c: whose connection is found by whom. */
#include "gateway/reuse_table.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "unit.h"

static const char here, there; /* two servers */

static struct reuse_key
key_of(const struct reuse_table *table, const void *place, const char *user, const char *password)
{
	struct credentials c = { 0 };
	struct reuse_key key;

	CU_ASSERT_EQUAL_FATAL(credentials_set_user(&c, user, strlen(user)), 0);
	CU_ASSERT_EQUAL_FATAL(credentials_set_password(&c, password, strlen(password)), 0);
	CU_ASSERT_EQUAL_FATAL(reuse_key_make(table, place, &c, &key), 0);
	credentials_clear(&c);
	return key;
}

static void
only_the_same_user_and_password_match(void)
{
	static const struct {
		const char *label;
		const void *place;
		const char *user, *password;
		bool found, same;
	} rows[] = {
		{ "the same", &here, "jane", "secret", true, true },
		{ "another password", &here, "jane", "Secret", true, false },
		{ "a longer password", &here, "jane", "secret ", true, false },
		{ "a shorter password", &here, "jane", "secre", true, false },
		{ "another server", &there, "jane", "secret", false, false },
		{ "another user", &here, "joan", "secret", false, false },
		{ "another case", &here, "Jane", "secret", false, false },
		{ "a shorter name", &here, "jan", "esecret", false, false },
		{ "a longer name", &here, "janes", "ecret", false, false },
	};
	struct reuse_slot slot = { 0 };
	struct reuse_table table;
	struct reuse_key key;

	CU_ASSERT_EQUAL_FATAL(reuse_table_init(&table), 0);
	key = key_of(&table, &here, "jane", "secret");
	CU_ASSERT_PTR_NULL(reuse_table_find(&table, &key));
	CU_ASSERT_EQUAL_FATAL(reuse_table_add(&table, &slot, &key), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reuse_slot *found;

		key = key_of(&table, rows[i].place, rows[i].user, rows[i].password);
		found = reuse_table_find(&table, &key);
		UNIT_CHECK(found == (rows[i].found ? &slot : NULL), rows[i].label);
		UNIT_CHECK(
		    (found != NULL && reuse_slot_is(found, &key)) == rows[i].same, rows[i].label);
	}
	reuse_table_remove(&table, &slot);
	reuse_table_clear(&table);
}

/* What one table knows says nothing to another, nor to who may read its memory. */
static void
hashes_are_of_one_table_only(void)
{
	struct reuse_table one, other;
	struct reuse_key a, b;

	CU_ASSERT_EQUAL_FATAL(reuse_table_init(&one), 0);
	CU_ASSERT_EQUAL_FATAL(reuse_table_init(&other), 0);
	a = key_of(&one, &here, "jane", "secret");
	b = key_of(&other, &here, "jane", "secret");
	CU_ASSERT_NOT_EQUAL(memcmp(a.user, b.user, REUSE_HASH), 0);
	CU_ASSERT_NOT_EQUAL(memcmp(a.credentials, b.credentials, REUSE_HASH), 0);
	CU_ASSERT_NOT_EQUAL(memcmp(a.user, a.credentials, REUSE_HASH), 0);
	reuse_table_clear(&one);
	reuse_table_clear(&other);
}

static void
the_oldest_is_first(void)
{
	enum { MANY = 2000 };
	static struct reuse_slot slots[MANY];
	struct reuse_table table;
	struct reuse_key key;
	char user[16];

	CU_ASSERT_EQUAL_FATAL(reuse_table_init(&table), 0);
	for (size_t i = 0; i < MANY; i++) {
		snprintf(user, sizeof(user), "user%zu", i);
		key = key_of(&table, &here, user, "secret");
		CU_ASSERT_EQUAL_FATAL(reuse_table_add(&table, &slots[i], &key), 0);
	}
	CU_ASSERT_EQUAL(table.count, MANY);
	reuse_table_remove(&table, &slots[1]);
	reuse_table_remove(&table, &slots[1]); /* it is out already */
	for (size_t i = 0; i < MANY; i++) {
		if (i == 1)
			continue;
		CU_ASSERT_PTR_EQUAL_FATAL(TAILQ_FIRST(&table.by_age), &slots[i]);
		CU_ASSERT_PTR_EQUAL(reuse_table_find(&table, &slots[i].key), &slots[i]);
		reuse_table_remove(&table, &slots[i]);
		CU_ASSERT_PTR_NULL(reuse_table_find(&table, &slots[i].key));
	}
	CU_ASSERT_EQUAL(table.count, 0);
	reuse_table_clear(&table);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "only_the_same_user_and_password_match", only_the_same_user_and_password_match },
		{ "hashes_are_of_one_table_only", hashes_are_of_one_table_only },
		{ "the_oldest_is_first", the_oldest_is_first },
	};

	return unit_run("reuse_table", tests, sizeof(tests) / sizeof(tests[0]));
}
