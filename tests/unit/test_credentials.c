/* Unit tests of base/credentials.c. */
#include "base/credentials.h"

#include <stdlib.h>

#include "base/error.h"
#include "unit.h"

static void
users_are_checked(void)
{
	struct credentials c = { 0 };
	char name[USER_NAME_MAX + 1];

	memset(name, 'n', sizeof(name));
	CU_ASSERT_EQUAL(credentials_set_user(&c, name, USER_NAME_MAX + 1), ERR_LIMIT);
	CU_ASSERT_PTR_NULL(c.user);
	CU_ASSERT_EQUAL(credentials_set_user(&c, name, USER_NAME_MAX), 0);
	CU_ASSERT_EQUAL(strlen(c.user), USER_NAME_MAX);
	CU_ASSERT_EQUAL(credentials_set_user(&c, "", 0), ERR_INVALID);
	CU_ASSERT_EQUAL(credentials_set_user(&c, "a\xc3", 2), ERR_INVALID);
	CU_ASSERT_EQUAL(credentials_set_user(&c, "j\xc3\xb6rg", 5), 0);
	CU_ASSERT_STRING_EQUAL(c.user, "j\xc3\xb6rg");
	for (unsigned octet = 0; octet < 0x20; octet++) {
		char bad[3] = { 'a', (char) octet, 'b' };

		CU_ASSERT_EQUAL(credentials_set_user(&c, bad, sizeof(bad)), ERR_INVALID);
	}
	CU_ASSERT_EQUAL(credentials_set_user(&c, "del\x7f", 4), ERR_INVALID);
	CU_ASSERT_STRING_EQUAL(c.user, "j\xc3\xb6rg"); /* a refused name changes nothing */
	credentials_clear(&c);
	CU_ASSERT_PTR_NULL(c.user);
}

static void
passwords_are_checked(void)
{
	struct credentials c = { 0 };
	char *longest = malloc(PASSWORD_MAX + 1);

	CU_ASSERT_PTR_NOT_NULL_FATAL(longest);
	memset(longest, 'p', PASSWORD_MAX + 1);
	CU_ASSERT_EQUAL(credentials_set_password(&c, "", 0), ERR_INVALID);
	CU_ASSERT_EQUAL(credentials_set_password(&c, longest, PASSWORD_MAX + 1), ERR_LIMIT);
	CU_ASSERT_EQUAL(credentials_set_password(&c, longest, PASSWORD_MAX), 0);
	CU_ASSERT_EQUAL(c.password_len, PASSWORD_MAX);
	for (unsigned octet = 0; octet < 256; octet++) {
		char text[3] = { 'a', (char) octet, 'b' };
		int forbidden = octet == '\0' || octet == '\r' || octet == '\n';

		CU_ASSERT_EQUAL(credentials_set_password(&c, text, 3), forbidden ? ERR_INVALID : 0);
	}
	CU_ASSERT_EQUAL(credentials_set_password(&c, " inner and trailing ", 20), 0);
	CU_ASSERT_STRING_EQUAL(c.password, " inner and trailing ");
	credentials_forget_password(&c);
	CU_ASSERT_PTR_NULL(c.password);
	CU_ASSERT_EQUAL(c.password_len, 0);
	credentials_clear(&c);
	free(longest);
}

static void
tokens_are_checked(void)
{
	struct credentials c = { 0 };

	CU_ASSERT_EQUAL(credentials_set_token(&c, "", 0), ERR_INVALID);
	for (unsigned octet = 0; octet < 256; octet++) {
		char text[3] = { 'a', (char) octet, 'b' };
		int good = octet > 0x20 && octet < 0x7f;

		CU_ASSERT_EQUAL(credentials_set_token(&c, text, 3), good ? 0 : ERR_INVALID);
	}
	credentials_clear(&c);
}

static void
a_copy_has_everything(void)
{
	struct credentials c = { .kind = CREDENTIALS_XOAUTH2 }, copy = { 0 };

	CU_ASSERT_EQUAL(credentials_copy(&copy, &c), 0);
	CU_ASSERT_PTR_NULL(copy.user);
	CU_ASSERT_EQUAL(credentials_set_user(&c, "user", 4), 0);
	CU_ASSERT_EQUAL(credentials_set_master(&c, "mas\nter", 7), ERR_INVALID);
	CU_ASSERT_EQUAL(credentials_set_master(&c, "master", 6), 0);
	CU_ASSERT_EQUAL(credentials_set_token(&c, "t", 1), 0);
	CU_ASSERT_EQUAL(credentials_copy(&copy, &c), 0);
	credentials_clear(&c);
	CU_ASSERT_EQUAL(c.kind, CREDENTIALS_PASSWORD);
	CU_ASSERT_PTR_NULL(c.master);
	CU_ASSERT_TRUE(credentials_are_token(&copy));
	CU_ASSERT_STRING_EQUAL(copy.user, "user");
	CU_ASSERT_STRING_EQUAL(copy.master, "master");
	CU_ASSERT_STRING_EQUAL(copy.password, "t");
	CU_ASSERT_EQUAL(copy.password_len, 1);
	credentials_clear(&copy);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "users_are_checked", users_are_checked },
		{ "passwords_are_checked", passwords_are_checked },
		{ "tokens_are_checked", tokens_are_checked },
		{ "a_copy_has_everything", a_copy_has_everything },
	};

	return unit_run("credentials", tests, sizeof(tests) / sizeof(tests[0]));
}
