/* Tests of gateway/log.c and log_line.c. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/log.h"
#include "gateway/log_line.h"

static char line[LOG_LINE_MAX];

static const char *
write_line(enum log_format format, enum log_heading heading, const char *session,
    const struct log_field *fields)
{
	struct log_line l = {
		.format = format,
		.heading = heading,
		.level = LOG_LEVEL_INFO,
		.time = { .tv_sec = 1714564800, .tv_nsec = 7000000 },
		.session_id = session,
		.message = "session ended",
	};

	CU_ASSERT_EQUAL(log_line_write(&l, fields, NULL, line), strlen(line));
	return line;
}

static const struct row {
	const char *value;
	const char *plain; /* as it stands behind "user=" */
	const char *json;  /* and behind "\"user\":" */
} rows[] = {
	{ "jane", "jane", "\"jane\"" },
	{ "", "\"\"", "\"\"" },
	{ "two words", "\"two words\"", "\"two words\"" },
	{ "a=b", "\"a=b\"", "\"a=b\"" },
	{ "x\" session=forged", "\"x\\\" session=forged\"", "\"x\\\" session=forged\"" },
	{ "a\r\nb", "a\\x0d\\x0ab", "\"a\\\\x0d\\\\x0ab\"" },
	{ "\033[31mred", "\\x1b[31mred", "\"\\\\x1b[31mred\"" },
	{ "back\\slash", "back\\x5cslash", "\"back\\\\x5cslash\"" },
	{ "m\303\274ller", "m\\xc3\\xbcller", "\"m\\\\xc3\\\\xbcller\"" },
	{ "\x7f\x80\xff", "\\x7f\\x80\\xff", "\"\\\\x7f\\\\x80\\\\xff\"" },
};

static void
values_are_escaped(void)
{
	char expected[512];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(expected, sizeof(expected), "session ended user=%s\n", rows[i].plain);
		write_line(
		    LOG_PLAIN, LOG_HEADING_NONE, NULL, LOG_FIELDS(LOG_TEXT("user", rows[i].value)));
		UNIT_CHECK(strcmp(line, expected) == 0, rows[i].plain);
		snprintf(expected, sizeof(expected),
		    "{\"time\":\"2024-05-01T12:00:00.007Z\",\"level\":\"info\",\"event\":\"session "
		    "ended\",\"user\":%s}\n",
		    rows[i].json);
		write_line(
		    LOG_JSON, LOG_HEADING_NONE, NULL, LOG_FIELDS(LOG_TEXT("user", rows[i].value)));
		UNIT_CHECK(strcmp(line, expected) == 0, rows[i].json);
	}
}

/* Every octet in every format: a line is one line of printable ASCII. */
static void
no_octet_gets_through(void)
{
	static const enum log_format formats[] = { LOG_PLAIN, LOG_JSON };
	char value[4] = "a?b", message[32];
	size_t len;
	int bad;

	for (int octet = 1; octet < 256; octet++) {
		value[1] = (char) octet;
		for (int f = 0; f < 2; f++) {
			write_line(formats[f], LOG_HEADING_TIME, NULL,
			    LOG_FIELDS(LOG_TEXT("user", value)));
			len = strlen(line);
			bad = len == 0 || line[len - 1] != '\n';
			for (size_t i = 0; i + 1 < len; i++)
				bad |= line[i] < 0x20 || line[i] > 0x7e;
			snprintf(message, sizeof(message), "octet %d", octet);
			UNIT_CHECK(!bad, message);
		}
	}
}

static void
headings(void)
{
	CU_ASSERT_STRING_EQUAL(write_line(LOG_PLAIN, LOG_HEADING_TIME, "abc", NULL),
	    "2024-05-01T12:00:00.007Z info session ended session=abc\n");
	CU_ASSERT_STRING_EQUAL(write_line(LOG_PLAIN, LOG_HEADING_PRIORITY_AND_TIME, "abc", NULL),
	    "<6>2024-05-01T12:00:00.007Z info session ended session=abc\n");
	CU_ASSERT_STRING_EQUAL(
	    write_line(LOG_PLAIN, LOG_HEADING_NONE, "abc", NULL), "session ended session=abc\n");
	CU_ASSERT_STRING_EQUAL(write_line(LOG_JSON, LOG_HEADING_PRIORITY_AND_TIME, "abc", NULL),
	    "<6>{\"time\":\"2024-05-01T12:00:00.007Z\",\"level\":\"info\",\"event\":\"session "
	    "ended\","
	    "\"session\":\"abc\"}\n");
}

static void
fields_are_typed(void)
{
	write_line(LOG_JSON, LOG_HEADING_NONE, NULL,
	    LOG_FIELDS(LOG_NUMBER("octets", UINT64_MAX), LOG_TEXT("user", NULL),
		LOG_NUMBER("messages", 0)));
	CU_ASSERT_PTR_NOT_NULL(strstr(line, "\"octets\":18446744073709551615,\"messages\":0}"));
	CU_ASSERT_PTR_NULL(strstr(line, "user"));
}

static void
long_values_are_cut(void)
{
	char value[2000], expected[LOG_VALUE_MAX + 1];

	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	write_line(LOG_PLAIN, LOG_HEADING_NONE, NULL, LOG_FIELDS(LOG_TEXT("user", value)));
	memset(expected, 'x', LOG_VALUE_MAX - 3);
	memcpy(expected + LOG_VALUE_MAX - 3, "...", 4);
	CU_ASSERT_EQUAL(strlen(line), strlen("session ended user=\n") + LOG_VALUE_MAX);
	CU_ASSERT_PTR_NOT_NULL(strstr(line, expected));
}

static void
full_lines_stay_whole(void)
{
	static const enum log_format formats[] = { LOG_PLAIN, LOG_JSON };
	struct log_field fields[64] = { { NULL, LOG_FIELD_TEXT, NULL, 0 } };
	char value[LOG_VALUE_MAX + 1];
	size_t len;

	memset(value, '"', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	for (int i = 0; i < 63; i++)
		fields[i] = (struct log_field) LOG_TEXT("name", value);
	for (int f = 0; f < 2; f++) {
		write_line(formats[f], LOG_HEADING_TIME, NULL, fields);
		len = strlen(line);
		CU_ASSERT(len > LOG_LINE_MAX / 2 && len < LOG_LINE_MAX);
		CU_ASSERT_STRING_EQUAL(line + len - 2, f == 0 ? "\"\n" : "}\n");
	}
}

static void
write_all_levels(struct log *log)
{
	struct error e = { ERR_TIMEOUT, "connect to\n192.0.2.1" };

	log_event(log, LOG_LEVEL_DEBUG, NULL, "one", NULL);
	log_event(log, LOG_LEVEL_INFO, NULL, "two", NULL);
	log_event(log, LOG_LEVEL_WARNING, NULL, "three", NULL);
	log_error(
	    log, LOG_LEVEL_ERROR, "id", "four", &e, LOG_FIELDS(LOG_TEXT("client", "192.0.2.7")));
	log_event(NULL, LOG_LEVEL_ERROR, NULL, "five", NULL);
}

enum journal {
	JOURNAL_NONE,
	JOURNAL_IS_STDERR,
	JOURNAL_IS_ANOTHER,
};

/* Sets JOURNAL_STREAM as systemd would where FD is, or is not, the journal's. */
static void
set_journal(enum journal journal, int fd)
{
	char stream[64];
	struct stat st;

	unsetenv("JOURNAL_STREAM");
	if (journal == JOURNAL_NONE || fstat(fd, &st) != 0)
		return;
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long) st.st_dev,
	    (unsigned long long) st.st_ino + (journal == JOURNAL_IS_ANOTHER));
	setenv("JOURNAL_STREAM", stream, 1);
}

/* Writes lines of all levels with stderr in a file; returns what came there. */
static const char *
captured(const struct log_options *options, enum journal journal)
{
	static char text[LOG_LINE_MAX];
	char path[] = "/tmp/test_log.XXXXXX";
	int fd = mkstemp(path), saved = dup(STDERR_FILENO);
	struct log *log = NULL;
	ssize_t got;

	unlink(path);
	dup2(fd, STDERR_FILENO);
	set_journal(journal, fd);
	CU_ASSERT_EQUAL_FATAL(log_new(options, &log), 0);
	write_all_levels(log);
	log_free(log);
	dup2(saved, STDERR_FILENO);
	close(saved);
	got = pread(fd, text, sizeof(text) - 1, 0);
	text[got > 0 ? got : 0] = '\0';
	close(fd);
	return text;
}

static void
levels_are_dropped(void)
{
	struct log_options options = { LOG_TO_STDERR, LOG_PLAIN, LOG_LEVEL_WARNING };
	const char *text;

	text = captured(&options, JOURNAL_NONE);
	CU_ASSERT_PTR_NULL(strstr(text, " two"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, " warning three\n"));
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(text, " error four session=id client=192.0.2.7 code=\"timed out\" "
			 "error=\"connect to\\x0a192.0.2.1\"\n"));
	CU_ASSERT_PTR_NULL(strstr(text, "five"));
	options.level = LOG_LEVEL_DEBUG;
	text = captured(&options, JOURNAL_NONE);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, " debug one\n"));
}

static void
journal_gets_priorities(void)
{
	struct log_options options = { LOG_TO_STDERR, LOG_PLAIN, LOG_LEVEL_INFO };

	CU_ASSERT_EQUAL(strncmp(captured(&options, JOURNAL_IS_STDERR), "<6>2", 4), 0);
	CU_ASSERT_NOT_EQUAL(captured(&options, JOURNAL_IS_ANOTHER)[0], '<');
	unsetenv("JOURNAL_STREAM");
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "values are escaped", values_are_escaped },
		{ "no octet gets through", no_octet_gets_through },
		{ "headings", headings },
		{ "fields are typed", fields_are_typed },
		{ "long values are cut", long_values_are_cut },
		{ "full lines stay whole", full_lines_stay_whole },
		{ "less important lines are dropped", levels_are_dropped },
		{ "the journal, and nobody else, gets priorities", journal_gets_priorities },
	};

	return unit_run("log", tests, sizeof(tests) / sizeof(tests[0]));
}
