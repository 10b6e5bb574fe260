/* command_table.c - "popgate table build": the index of a table of users. */
#include <inttypes.h>
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

int
command_table(int argc, char **argv)
{
	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		print_usage(stdout);
		return 0;
	}
	if (argc == 3 && strcmp(argv[1], "build") == 0 && argv[2][0] != '-')
		return table_command_build(argv[2]);
	print_usage(stderr);
	return EX_USAGE;
}
