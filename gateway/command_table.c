/* command_table.c - "popgate table build": the index of a table of users. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/error.h"
#include "gateway/command.h"
#include "gateway/table_file.h"

static void
print_usage(FILE *out)
{
	fprintf(out,
	    "usage: popgate table build FILE\n\n"
	    "  make the index of the table FILE of users, in FILE" TABLE_INDEX_SUFFIX "\n\n"
	    "A running popgate takes it from the next login on. A line of the table:\n"
	    "  user upstream[,upstream]...|- [login-name|-] [mailbox]\n");
}

static int
table_command_build(const char *file)
{
	struct error e = { 0 };
	uint64_t users;
	int rc;

	if ((rc = table_build(file, stderr, &users, &e)) == 0) {
		printf("%" PRIu64 " users\n", users);
		return 0;
	}
	fprintf(stderr, "popgate table: %s: %s\n", file, e.text);
	return rc == ERR_INVALID ? EX_DATAERR : EX_IOERR;
}

/* The message, and where there is more; an exit status. */
static int
usage_error(const char *message)
{
	fprintf(stderr, "popgate table: %s\nTry \"popgate table --help\".\n", message);
	return EX_USAGE;
}

static bool
is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

int
command_table(int argc, char **argv)
{
	if ((argc >= 2 && is_help(argv[1])) || (argc >= 3 && is_help(argv[2]))) {
		print_usage(stdout);
		return 0;
	}
	if (argc < 2 || strcmp(argv[1], "build") != 0)
		return usage_error("expected build");
	if (argc < 3)
		return usage_error("build takes the FILE of a table");
	if (argc > 3)
		return usage_error("too many arguments");
	if (argv[2][0] == '-')
		return usage_error("build takes no options; a FILE like that is written ./-...");
	return table_command_build(argv[2]);
}
