/* Tests of gateway/table_file.c and gateway/table_line.c. */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "gateway/table_file.h"

#define LONG64 "0123456789012345678901234567890123456789012345678901234567890123"

/* Files that were brought to the disk, and folders. */
static unsigned file_syncs, folder_syncs;

int fsync(int fd);

int
fsync(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		folder_syncs++;
	else
		file_syncs++;
	return (int) syscall(SYS_fsync, fd);
}

static void
lines(void)
{
	static const char no_labels[] =
	    "the upstream is no label, nor up to 8 labels parted by commas";
	static const struct {
		const char *text, *user, *upstreams, *login, *mailbox, *what;
	} rows[] = {
		{ "joe new", "joe", "new", "", "", NULL },
		{ " Joe@Example.ORG\tnew,old \tjane\tSent Items \r", "joe@example.org", "new,old", "jane",
		    "Sent Items", NULL },
		{ "@example.org new - Lists", "@example.org", "new", "", "Lists", NULL },
		{ "joe new - -", "joe", "new", "", "", NULL },
		{ "joe - jane", "joe", "", "jane", "", NULL },
		{ "joe new - inbox", "joe", "new", "", "INBOX", NULL },
		{ "j\303\234 new", "j\303\234", "new", "", "", NULL },
		{ "", "", "", "", "", NULL },
		{ "   ", "", "", "", "", NULL },
		{ "  # joe new", "", "", "", "", NULL },
		{ "joe", "joe", "", "", "", "the upstream is missing" },
		{ "joe a,,b", "joe", "", "", "", no_labels },
		{ "joe ,a", "joe", "", "", "", no_labels },
		{ "joe a,b,c,d,e,f,g,h,i", "joe", "", "", "", no_labels },
		{ "joe x" LONG64, "joe", "", "", "", no_labels },
		{ LONG64 LONG64 LONG64 LONG64 " a", "", "", "", "", "the user's name is too long" },
		{ "joe a " LONG64 LONG64 LONG64 LONG64, "joe", "a", "", "", "the login name is too long" },
		{ "joe a\001", "", "", "", "", "a control character" },
		{ "jo\303 a", "", "", "", "", "not UTF-8" },
	};
	struct table_line line;
	const char *what;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int rc = table_line_parse(rows[i].text, strlen(rows[i].text), &line, &what);

		UNIT_CHECK(rc == (rows[i].what != NULL ? ERR_INVALID : 0), rows[i].text);
		UNIT_CHECK(rows[i].what == NULL ? what == NULL : strcmp(what, rows[i].what) == 0,
		    rows[i].text);
		UNIT_CHECK(strcmp(line.user, rows[i].user) == 0, rows[i].text);
		UNIT_CHECK(strcmp(line.login, rows[i].login) == 0, rows[i].text);
		UNIT_CHECK(strcmp(line.mailbox, rows[i].mailbox) == 0, rows[i].text);
		UNIT_CHECK(rc != 0 || strcmp(line.upstreams, rows[i].upstreams) == 0, rows[i].text);
	}
}

static char path[256], index_name[300];

static void
write_file(const char *name, const char *text)
{
	FILE *out = fopen(name, "w");

	CU_ASSERT_FATAL(out != NULL);
	fputs(text, out);
	fclose(out);
}

/* Builds the index of TEXT; what is remarked is in REMARKS. */
static int
build(const char *text, uint64_t *count, char remarks[512])
{
	FILE *memory = fmemopen(remarks, 512, "w");
	struct error e = { 0 };
	int rc;

	write_file(path, text);
	rc = table_build(path, memory, count, &e);
	fputc('\0', memory);
	fclose(memory);
	return rc;
}

static void
begin(void)
{
	char folder[] = "/tmp/test_table_file.XXXXXX";

	CU_ASSERT_FATAL(mkdtemp(folder) != NULL);
	snprintf(path, sizeof(path), "%s/users", folder);
	snprintf(index_name, sizeof(index_name), "%s" TABLE_INDEX_SUFFIX, path);
}

static void
end(void)
{
	unlink(index_name);
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
}

static void
built_and_found(void)
{
	struct table_file *t;
	struct table_line line;
	struct error e = { 0 };
	char remarks[512];
	uint64_t count;

	begin();
	CU_ASSERT_EQUAL(table_file_check(path), ERR_GONE);
	CU_ASSERT_EQUAL_FATAL(table_file_new(path, &t), 0);
	CU_ASSERT_EQUAL(table_file_find(t, "joe", &line, &e), ERR_TEMPORARY);
	CU_ASSERT_EQUAL(build("joe new\n# x\n@b.org old,new - Lists\nSue@b.org new sue x y\n",
			    &count, remarks),
	    0);
	CU_ASSERT_EQUAL(count, 3);
	CU_ASSERT_STRING_EQUAL(remarks, "");
	CU_ASSERT_EQUAL(table_file_check(path), 0);
	CU_ASSERT_EQUAL(table_file_find(t, "JOE", &line, &e), 0);
	CU_ASSERT_STRING_EQUAL(line.upstreams, "new");
	CU_ASSERT_EQUAL(table_file_find(t, "sue@B.org", &line, &e), 0);
	CU_ASSERT_STRING_EQUAL(line.login, "sue");
	CU_ASSERT_STRING_EQUAL(line.mailbox, "x y");
	CU_ASSERT_EQUAL(table_file_find(t, "jane@b.org", &line, &e), 0);
	CU_ASSERT_STRING_EQUAL(line.upstreams, "old,new");
	CU_ASSERT_STRING_EQUAL(line.mailbox, "Lists");
	CU_ASSERT_EQUAL(table_file_find(t, "jane", &line, &e), ERR_GONE);
	CU_ASSERT_EQUAL(table_file_find(t, "jane@c.org", &line, &e), ERR_GONE);

	/* A faulty table leaves the index as it is; a good one takes its place at once. */
	CU_ASSERT_EQUAL(build("joe new\nJOE old\nsue\n", &count, remarks), ERR_INVALID);
	CU_ASSERT_STRING_EQUAL(
	    remarks, "line 2: the user has a line already\nline 3: the upstream is missing\n");
	CU_ASSERT_EQUAL(table_file_find(t, "jane@b.org", &line, &e), 0);
	CU_ASSERT_EQUAL(table_file_check(path), ERR_INVALID);
	CU_ASSERT_EQUAL(build("joe old\n", &count, remarks), 0);
	CU_ASSERT_EQUAL(table_file_find(t, "joe", &line, &e), 0);
	CU_ASSERT_STRING_EQUAL(line.upstreams, "old");
	CU_ASSERT_EQUAL(table_file_find(t, "jane@b.org", &line, &e), ERR_GONE);
	CU_ASSERT_EQUAL(access("nowhere", F_OK), -1);
	table_file_free(t);
	end();
}

static void
a_mark_of_an_editor_is_no_part_of_a_name(void)
{
	struct table_file *t;
	struct table_line line;
	struct error e = { 0 };
	char remarks[512];
	uint64_t count;

	begin();
	CU_ASSERT_EQUAL_FATAL(table_file_new(path, &t), 0);
	CU_ASSERT_EQUAL(build("\xef\xbb\xbfjoe new\nsue old\n", &count, remarks), 0);
	CU_ASSERT_EQUAL(count, 2);
	CU_ASSERT_EQUAL(table_file_find(t, "joe", &line, &e), 0);
	CU_ASSERT_EQUAL(build("\xef\xbb\xbf# moved users\nsue old\n", &count, remarks), 0);
	CU_ASSERT_EQUAL(count, 1);
	table_file_free(t);
	end();
}

static void
foreign_files_are_not_believed(void)
{
	static const char *const texts[] = { "", "no database at all", "SQLite format 3" };
	struct table_file *t;
	struct table_line line;
	struct error e = { 0 };
	char remarks[512];
	uint64_t count;

	begin();
	CU_ASSERT_EQUAL_FATAL(table_file_new(path, &t), 0);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		write_file(index_name, texts[i]);
		UNIT_CHECK(table_file_find(t, "joe", &line, &e) == ERR_TEMPORARY, texts[i]);
	}
	CU_ASSERT_EQUAL(build("joe old\n", &count, remarks), 0);
	CU_ASSERT_EQUAL(table_file_find(t, "joe", &line, &e), 0);
	table_file_free(t);
	end();
}

static void
two_builds_do_not_mix(void)
{
	struct error e = { 0 };
	char remarks[512];
	uint64_t count;
	FILE *other;

	begin();
	file_syncs = folder_syncs = 0;
	CU_ASSERT_EQUAL(build("joe old\n", &count, remarks), 0);
	CU_ASSERT_EQUAL(file_syncs, 1); /* what is settled is settled for good */
	CU_ASSERT_EQUAL(folder_syncs, 1);
	other = fopen(path, "r");
	CU_ASSERT_FATAL(other != NULL);
	CU_ASSERT_EQUAL(flock(fileno(other), LOCK_EX), 0);
	CU_ASSERT_EQUAL(table_build(path, stderr, &count, &e), ERR_TEMPORARY);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "another build"));
	fclose(other);
	CU_ASSERT_EQUAL(table_build(path, stderr, &count, &e), 0);
	end();
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "lines", lines },
		{ "built and found", built_and_found },
		{ "a mark of an editor is no part of a name",
		    a_mark_of_an_editor_is_no_part_of_a_name },
		{ "foreign files are not believed", foreign_files_are_not_believed },
		{ "two builds do not mix", two_builds_do_not_mix },
	};

	return unit_run("table_file", tests, sizeof(tests) / sizeof(tests[0]));
}
