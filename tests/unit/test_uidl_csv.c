/* Unit tests of gateway/uidl_csv.c: lines of comma-separated values. */
#include "gateway/uidl_csv.h"

#include "unit.h"

#define TEN(text) text text text text text text text text text text

/* COLUMNS, then LINE; what comes of it as "user|uidl|size|message-id|position", "" for no row, or NULL
 * for an error. */
static const struct {
	const char *name, *columns, *line, *wanted;
} rows[] = {
	{ "two columns", "user,uidl", "jane,1", "jane|1|-||0" },
	{ "all, in any order and case", "Position,UIDL,size,User,Message-ID",
	    "3,abc,77,jane,<1@x>", "jane|abc|77|<1@x>|3" },
	{ "others are passed over", "a,user,b,uidl,c", "1,jane,2,x,3", "jane|x|-||0" },
	{ "too few values", "user,uidl,size", "jane,x", "jane|x|-||0" },
	{ "empty values", "user,uidl,size,position,message-id", "jane,x,,,", "jane|x|-||0" },
	{ "quoted", "user,uidl", "\"jane, or \"\"joe\"\"\",\"x\"", "jane, or \"joe\"|x|-||0" },
	{ "quoted columns", "\"user\",\"uidl\"", "j,x", "j|x|-||0" },
	{ "quoted and empty", "user,uidl,size", "j,x,\"\"", "j|x|-||0" },
	{ "CR at the end", "user,uidl\r", "j,x\r", "j|x|-||0" },
	{ "a byte order mark", "\xEF\xBB\xBFuser,uidl", "j,x", "j|x|-||0" },
	{ "an empty line", "user,uidl", "", "" },
	{ "no user", "user,uidl", ",x", NULL },
	{ "no uidl", "user,uidl", "jane", NULL },
	{ "an open quote", "user,uidl", "jane,\"x", NULL },
	{ "an open quote that ends in two", "user,uidl", "jane,\"x\"\"", NULL },
	{ "a lone quote", "user,uidl", "jane,\"", NULL },
	{ "a quote in the middle", "user,uidl", "ja\"ne,x", NULL },
	{ "text behind a quote", "user,uidl", "\"jane\"y,x", NULL },
	{ "size that is none", "user,uidl,size", "j,x,1k", NULL },
	{ "size below 0", "user,uidl,size", "j,x,-1", NULL },
	{ "position 0", "user,uidl,position", "j,x,0", NULL },
	{ "position over 32 bits", "user,uidl,position", "j,x,4294967296", NULL },
	{ "a user that is no UTF-8", "user,uidl", "j\xFC,x", NULL },
	{ "a user with a control character", "user,uidl", "j\001,x", NULL },
	{ "a user of 250 octets and 6", "user,uidl",
	    TEN("0123456789") TEN("0123456789") TEN("01234") "012345,x", NULL },
	{ "columns without user", "uidl,size", "x,1", NULL },
	{ "columns without uidl", "user,size", "x,1", NULL },
};

static void
lines(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct uidl_csv csv = { 0 };
		struct uidl_csv_row row;
		char found[256] = "", size[24];
		bool is_row;
		int rc;

		rc = uidl_csv_read(&csv, rows[i].columns, strlen(rows[i].columns), &row, &is_row, NULL);
		UNIT_CHECK(!is_row, rows[i].name);
		if (rc == 0)
			rc = uidl_csv_read(
			    &csv, rows[i].line, strlen(rows[i].line), &row, &is_row, NULL);
		if (rc == 0 && is_row) {
			snprintf(size, sizeof(size), "%llu", (unsigned long long) row.size);
			snprintf(found, sizeof(found), "%s|%s|%s|%s|%u", row.user, row.uidl,
			    row.size == UINT64_MAX ? "-" : size, row.message_id,
			    (unsigned) row.position);
		}
		UNIT_CHECK((rc == 0) == (rows[i].wanted != NULL), rows[i].name);
		UNIT_CHECK(rc != 0 || strcmp(found, rows[i].wanted) == 0, rows[i].name);
	}
}

static void
long_lines(void)
{
	static char line[UIDL_CSV_LINE_MAX + 2];
	struct uidl_csv csv = { 0 };
	struct uidl_csv_row row;
	bool is_row;

	memset(line, 'x', sizeof(line));
	memcpy(line, "user,uidl,", 10);
	CU_ASSERT_NOT_EQUAL(uidl_csv_read(&csv, line, UIDL_CSV_LINE_MAX + 1, &row, &is_row, NULL), 0);
	CU_ASSERT_EQUAL(uidl_csv_read(&csv, line, UIDL_CSV_LINE_MAX, &row, &is_row, NULL), 0);
	memset(line, ',', sizeof(line));
	CU_ASSERT_NOT_EQUAL(uidl_csv_read(&csv, line, 64, &row, &is_row, NULL), 0);
	line[3] = '\0';
	CU_ASSERT_NOT_EQUAL(uidl_csv_read(&csv, line, 10, &row, &is_row, NULL), 0);
}

static void
many_columns(void)
{
	struct uidl_csv csv = { 0 };
	struct uidl_csv_row row;
	struct error e = { 0 };
	char line[] = "user,uidl" TEN(",,,,,,") ",,,"; /* 65 columns */
	size_t len = sizeof(line) - 1;
	bool is_row;

	CU_ASSERT_EQUAL(uidl_csv_read(&csv, line, len - 1, &row, &is_row, &e), 0);
	CU_ASSERT_EQUAL(uidl_csv_read(&csv, line, len, &row, &is_row, &e), ERR_INVALID);
	CU_ASSERT_STRING_EQUAL(e.text, "more than 64 columns");
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "lines", lines },
		{ "long lines", long_lines },
		{ "many_columns", many_columns },
	};

	return unit_run("uidl_csv", tests, sizeof(tests) / sizeof(tests[0]));
}
