/* Unit tests of gateway/user_list.c and user_list_read.c. */
#include "gateway/user_list.h"

#include <stdlib.h>

#include "unit.h"

/* What TEXT yields, as "name/old/new " for each user, or NULL for an error. */
static const struct {
	const char *name, *text, *wanted;
} rows[] = {
	{ "nothing", "", "" },
	{ "a name alone", "jane\n", "jane/-/- " },
	{ "a password", "jane secret\n", "jane/secret/secret " },
	{ "a password with blanks", "jane  a b \n", "jane/ a b / a b  " },
	{ "two passwords", "jane\told one\tnew one\n", "jane/old one/new one " },
	{ "one password by a tab", "jane\tsecret\n", "jane/secret/secret " },
	{ "only the new one", "jane\t\tnew\n", "jane/-/new " },
	{ "only the old one", "jane\told\t\n", "jane/old/- " },
	{ "CRLF, comments, empty lines", "# x\r\n\r\njane a\r\n#\njoe b\n", "jane/a/a joe/b/b " },
	{ "a control character in a name", "ja\001ne x\n", NULL },
	{ "a blank first", " x\n", NULL },
	{ "a byte order mark", "\xEF\xBB\xBFjane a\n", "jane/a/a " },
	{ "a byte order mark alone", "\xEF\xBB\xBF\n", "" },
	{ "a tab first", "\tx\n", NULL },
	{ "a CR in a password", "jane a\rb\n", NULL },
	{ "a CR in the new password", "jane\ta\tb\rc\n", NULL },
	{ "no end", "jane", NULL },
};

static void
lines(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct user_list list;
		char found[256] = "";
		size_t at = 0;
		int rc = user_list_parse(&list, strdup(rows[i].text), strlen(rows[i].text), NULL);

		for (size_t j = 0; j < list.count && rc == 0; j++) {
			const struct listed_user *u = &list.users[j];

			at += (size_t) snprintf(found + at, sizeof(found) - at, "%s/%s/%s ", u->name,
			    u->old_password != NULL ? u->old_password : "-",
			    u->new_password != NULL ? u->new_password : "-");
		}
		UNIT_CHECK((rc == 0) == (rows[i].wanted != NULL), rows[i].name);
		UNIT_CHECK(rc != 0 || strcmp(found, rows[i].wanted) == 0, rows[i].name);
		user_list_clear(&list);
	}
}

static void
faults_name_their_line(void)
{
	static const char text[] = "jane a\n\njoe\001 b\n";
	struct error e = { 0 };
	struct user_list list;

	CU_ASSERT_NOT_EQUAL(user_list_parse(&list, strdup(text), sizeof(text) - 1, &e), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "line 3:"));
	user_list_clear(&list);
}

static void
who_is_there_twice(void)
{
	static const char text[] = "jane a\n# x\njoe b\njim c\njoe d\n";
	const struct listed_user *first = NULL, *second = NULL;
	struct user_list list;

	CU_ASSERT_EQUAL_FATAL(user_list_parse(&list, strdup(text), sizeof(text) - 1, NULL), 0);
	CU_ASSERT_EQUAL(user_list_find_twice(list.users, 3, &first, &second), 0);
	CU_ASSERT_EQUAL_FATAL(user_list_find_twice(list.users, 4, &first, &second), ERR_INVALID);
	CU_ASSERT_EQUAL(first->line, 3);
	CU_ASSERT_EQUAL(second->line, 5);
	user_list_clear(&list);
}

/* Larger than what is read at once, and without a line end at its end. */
static void
files(void)
{
	enum { USERS = 20000 };
	char path[] = "/tmp/popgate-users-XXXXXX", name[32];
	int fd = mkstemp(path);
	struct user_list list;
	struct error e = { 0 };
	FILE *file;

	CU_ASSERT_FATAL(fd >= 0 && (file = fdopen(fd, "w")) != NULL);
	for (unsigned i = 0; i < USERS; i++)
		fprintf(file, "%suser%u secret%u", i > 0 ? "\n" : "", i, i);
	fclose(file);
	CU_ASSERT_EQUAL(user_list_read(&list, path, &e), 0);
	CU_ASSERT_EQUAL_FATAL(list.count, USERS);
	for (unsigned i = 0; i < USERS; i++) {
		snprintf(name, sizeof(name), "user%u", i);
		if (!UNIT_CHECK(strcmp(list.users[i].name, name) == 0, name))
			break;
	}
	CU_ASSERT_STRING_EQUAL(list.users[USERS - 1].old_password, "secret19999");
	user_list_clear(&list);
	remove(path);
	CU_ASSERT_EQUAL(user_list_read(&list, "/nowhere/at/all", &e), ERR_PERMANENT);
	user_list_clear(&list);
	CU_ASSERT_EQUAL(user_list_read(&list, "/", &e), ERR_PERMANENT);
	user_list_clear(&list);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "lines", lines },
		{ "faults name their line", faults_name_their_line },
		{ "files", files },
		{ "who_is_there_twice", who_is_there_twice },
	};

	return unit_run("user_list", tests, sizeof(tests) / sizeof(tests[0]));
}
