/* Unit tests of pop3front/user_names.c. */
#include "pop3front/user_names.h"

#include "base/error.h"
#include "unit.h"

static void
sets_are_read(void)
{
	static const struct {
		const char *text, *holds, *lacks;
	} rows[] = {
		{ "a-c", "abc", "d-ABC" },
		{ "a-z 0-9 . _ @ + -", "amz059._@+-", "A*=, " },
		{ "abc-", "abc-", "d" },
		{ "-abc", "-abc", "d" },
		{ "a - c", "a-c", "b" },
		{ "!-~", "!a~-", "" },
		{ "*", "*", "+" },
	};
	static const char *const bad[] = { "z-a", "\303\274", "a-\303\274", "a\tb", "x\177" };
	struct character_set set;
	size_t at;

	CU_ASSERT_EQUAL(character_set_parse("", &set, &at), 0);
	CU_ASSERT_FALSE(set.given);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		UNIT_CHECK(character_set_parse(rows[i].text, &set, &at) == 0, rows[i].text);
		CU_ASSERT_TRUE(set.given);
		for (const char *p = rows[i].holds; *p != '\0'; p++)
			UNIT_CHECK(set.holds[(int) *p], rows[i].text);
		for (const char *p = rows[i].lacks; *p != '\0'; p++)
			UNIT_CHECK(!set.holds[(int) *p], rows[i].text);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		UNIT_CHECK(character_set_parse(bad[i], &set, &at) == ERR_INVALID, bad[i]);
	CU_ASSERT_EQUAL(character_set_parse("a-z z-a", &set, &at), ERR_INVALID);
	CU_ASSERT_EQUAL(at, 4);
}

static int
resolve(const struct user_names *names, const char *user, const char *master, struct credentials *c)
{
	credentials_clear(c);
	if (credentials_set_user(c, user, strlen(user)) != 0 ||
	    (master != NULL && credentials_set_master(c, master, strlen(master)) != 0))
		return -1;
	return user_names_resolve(names, c);
}

static void
masters_are_split_off(void)
{
	static const struct {
		const char *user, *given;
		const char *becomes, *master; /* NULL: refused, or nobody */
		char separator;
	} rows[] = {
		{ "jane", NULL, "jane", NULL, '*' },
		{ "jane*boss", NULL, "jane", "boss", '*' },
		{ "jane*boss", NULL, "jane*boss", NULL, '\0' },
		{ "jane*boss", NULL, "jane*boss", NULL, '/' },
		{ "*boss", NULL, NULL, NULL, '*' },
		{ "jane*", NULL, NULL, NULL, '*' },
		{ "*", NULL, NULL, NULL, '*' },
		{ "jane*boss*root", NULL, NULL, NULL, '*' },
		{ "jane**boss", NULL, NULL, NULL, '*' },
		{ "jane", "boss", "jane", "boss", '*' },
		{ "jane*x", "boss", NULL, NULL, '*' },
		{ "jane", "boss*x", NULL, NULL, '*' },
	};
	struct credentials c = { 0 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct user_names names = { { .given = false }, 255, rows[i].separator };
		int rc = resolve(&names, rows[i].user, rows[i].given, &c);

		UNIT_CHECK(rc == (rows[i].becomes == NULL ? ERR_AUTH : 0), rows[i].user);
		if (rc != 0)
			continue;
		UNIT_CHECK(strcmp(c.user, rows[i].becomes) == 0, rows[i].user);
		UNIT_CHECK((c.master == NULL) == (rows[i].master == NULL), rows[i].user);
		UNIT_CHECK(c.master == NULL || strcmp(c.master, rows[i].master) == 0, rows[i].user);
	}
	/* A token or a certificate is nobody else's. */
	credentials_clear(&c);
	CU_ASSERT_EQUAL(credentials_set_user(&c, "jane*boss", 9), 0);
	c.kind = CREDENTIALS_XOAUTH2;
	CU_ASSERT_EQUAL(
	    user_names_resolve(&(struct user_names){ { .given = false }, 255, '*' }, &c), ERR_AUTH);
	credentials_clear(&c);
}

static void
lengths_are_judged(void)
{
	const struct user_names names = { { .given = false }, 4, '*' };
	struct credentials c = { 0 };

	CU_ASSERT_EQUAL(resolve(&names, "jane", NULL, &c), 0);
	CU_ASSERT_EQUAL(resolve(&names, "janes", NULL, &c), ERR_AUTH);
	CU_ASSERT_EQUAL(resolve(&names, "jane*boss", NULL, &c), 0);
	CU_ASSERT_EQUAL(resolve(&names, "jane*bosss", NULL, &c), ERR_AUTH);
	CU_ASSERT_EQUAL(resolve(&names, "j\303\274r", NULL, &c), 0);
	CU_ASSERT_EQUAL(resolve(&names, "j\303\274rg", NULL, &c), ERR_AUTH);
	credentials_clear(&c);
}

/* What may log in is a subset of what may be said, and of the list. */
static void
accepted_names_are_on_the_list(void)
{
	static const char list[] = "abcdefghijklmnopqrstuvwxyz0123456789._@-";
	struct user_names names = { .max_length = 20 };
	struct credentials c = { 0 };
	unsigned long random = 1, accepted = 0;
	size_t at;

	CU_ASSERT_EQUAL(character_set_parse("a-z 0-9 . _ @ -", &names.characters, &at), 0);
	for (int i = 0; i < 200000; i++) {
		char name[32];
		size_t len;

		random = random * 6364136223846793005ul + 1442695040888963407ul;
		len = random >> 59;
		for (size_t j = 0; j < len; j++) {
			random = random * 6364136223846793005ul + 1442695040888963407ul;
			/* Mostly what is allowed, or nothing would ever be accepted. */
			name[j] = (random >> 40) % 16 == 0
				      ? (char) (random >> 56)
				      : list[(random >> 33) % (sizeof(list) - 1)];
		}
		if (credentials_set_user(&c, name, len) != 0 || user_names_resolve(&names, &c) != 0)
			continue;
		accepted++;
		CU_ASSERT_EQUAL(strspn(c.user, list), len);
		CU_ASSERT_TRUE(len >= 1 && len <= 20);
		CU_ASSERT_PTR_NULL(c.master);
	}
	CU_ASSERT_TRUE(accepted > 1000 && accepted < 190000);
	/* One octet at a time, none is forgotten. */
	for (unsigned octet = 1; octet < 256; octet++) {
		char name[4] = { 'a', (char) octet, 'b', '\0' };

		if (credentials_set_user(&c, name, 3) == 0)
			CU_ASSERT_EQUAL(
			    user_names_resolve(&names, &c) == 0, strchr(list, (int) octet) != NULL);
	}
	credentials_clear(&c);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "sets_are_read", sets_are_read },
		{ "masters_are_split_off", masters_are_split_off },
		{ "lengths_are_judged", lengths_are_judged },
		{ "accepted_names_are_on_the_list", accepted_names_are_on_the_list },
	};

	return unit_run("user_names", tests, sizeof(tests) / sizeof(tests[0]));
}
