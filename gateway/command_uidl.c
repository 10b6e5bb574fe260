/* command_uidl.c - "popgate uidl ...": what is said on the command line. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "base/text.h"
#include "gateway/command.h"
#include "gateway/privacy.h"
#include "gateway/uidl_options.h"

enum { JOBS_USUAL = 10, JOBS_MAX = 1000, PER_MINUTE_MAX = 1000000 };

static const struct uidl_command {
	const char *name;
	int (*run)(const struct uidl_options *o);
	const char *options; /* those it takes, of enum below */
	const char *help;
} commands[] = {
	{ "import", uidl_import, "cuonfjrRtah",
	    "usage: popgate uidl import [OPTION]... [USER]...\n\n"
	    "  take over what the old POP3 server calls the messages\n\n"
	    "  -c, --config FILE     the configuration; default " CONFIG_DEFAULT_FILE "\n"
	    "      --users FILE      users and passwords, one a line; \"-\": standard input\n"
	    "      --old UPSTREAM    the old server; default: that of each user's upstream\n"
	    "      --new UPSTREAM    the new server; default: by the routes\n"
	    "      --file CSV        read UIDLs from this file instead of the old server\n"
	    "      --jobs N          users at the same time; default 10\n"
	    "      --rate N          begin at most N users a minute\n"
	    "      --report FILE     write what became of each user, as JSON\n"
	    "      --thorough        compare the headers of all messages\n"
	    "      --again           also users who were imported before\n" },
	{ "verify", uidl_verify, "cuonjrtdCHh",
	    "usage: popgate uidl verify [OPTION]... [USER]...\n\n"
	    "  say what clients would see now against what they saw before\n\n"
	    "  -c, --config FILE     the configuration; default " CONFIG_DEFAULT_FILE "\n"
	    "      --users FILE      users and passwords, one a line; \"-\": standard input\n"
	    "      --old UPSTREAM    the old server; default: that of each user's upstream\n"
	    "      --new UPSTREAM    the new server; default: by the routes\n"
	    "      --jobs N          users at the same time; default 10\n"
	    "      --rate N          begin at most N users a minute\n"
	    "      --readiness       sum up for all users whether they can be moved\n"
	    "      --csv FILE        write a line for each user\n"
	    "      --html FILE       write a page with a chart\n" },
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static const char overview[] =
    "usage: popgate uidl import [OPTION]... [USER]...\n"
    "       popgate uidl verify [OPTION]... [USER]...\n\n"
    "  import: take over what the old POP3 server calls the messages\n"
    "  verify: say what clients would see now against what they saw before\n\n"
    "\"popgate uidl import --help\" and \"popgate uidl verify --help\" tell more.\n";

static int
usage_error(void)
{
	fprintf(stderr,
	    "popgate uidl: expected import or verify\nTry \"popgate uidl --help\".\n");
	return EX_USAGE;
}

static bool
is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* OPTION's name, of OPTIONS. */
static const char *
option_name(const struct option *options, int option)
{
	while (options->val != option)
		options++;
	return options->name;
}

static int
number(const struct uidl_options *o, const char *name, const char *text, uint64_t most, unsigned *out)
{
	uint64_t value;

	if (text_to_number(text, strlen(text), most, &value) != 0 || value == 0) {
		fprintf(stderr, "%s: %s: expected a number from 1 to %llu\n", o->command, name,
		    (unsigned long long) most);
		return EX_USAGE;
	}
	*out = (unsigned) value;
	return 0;
}

static int
take(struct uidl_options *o, int option, char *value)
{
	switch (option) {
	case 'c':
		o->config = value;
		break;
	case 'u':
		o->users = value;
		break;
	case 'o':
		o->old = value;
		break;
	case 'n':
		o->new = value;
		break;
	case 'f':
		o->file = value;
		break;
	case 'R':
		o->report = value;
		break;
	case 'C':
		o->csv = value;
		break;
	case 'H':
		o->html = value;
		break;
	case 't':
		o->depth = MATCH_THOROUGH;
		break;
	case 'a':
		o->again = true;
		break;
	case 'd':
		o->readiness = true;
		break;
	case 'j':
		return number(o, "--jobs", value, JOBS_MAX, &o->jobs);
	default:
		return number(o, "--rate", value, PER_MINUTE_MAX, &o->per_minute);
	}
	return 0;
}

static int
run(const struct uidl_command *c, struct uidl_options *o, int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "users", required_argument, NULL, 'u' },
		{ "old", required_argument, NULL, 'o' },
		{ "new", required_argument, NULL, 'n' },
		{ "file", required_argument, NULL, 'f' },
		{ "jobs", required_argument, NULL, 'j' },
		{ "rate", required_argument, NULL, 'r' },
		{ "report", required_argument, NULL, 'R' },
		{ "thorough", no_argument, NULL, 't' },
		{ "again", no_argument, NULL, 'a' },
		{ "readiness", no_argument, NULL, 'd' },
		{ "csv", required_argument, NULL, 'C' },
		{ "html", required_argument, NULL, 'H' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option, status;

	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if (option == '?' || strchr(c->options, option) == NULL) {
			if (option != '?')
				fprintf(stderr, "%s: takes no --%s\n", o->command,
				    option_name(options, option));
			fprintf(stderr, "Try \"%s --help\".\n", o->command);
			return EX_USAGE;
		}
		if (option == 'h') {
			fputs(c->help, stdout);
			return 0;
		}
		if ((status = take(o, option, optarg)) != 0)
			return status;
	}
	o->operands = argv + optind;
	o->operand_count = (size_t) (argc - optind);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error, not the end */
	umask(077);
	privacy_begin();
	return c->run(o);
}

int
command_uidl(int argc, char **argv)
{
	struct uidl_options o = { .config = CONFIG_DEFAULT_FILE, .jobs = JOBS_USUAL };
	char name[64];

	if (argc < 2)
		return usage_error();
	if (is_help(argv[1]))
		return fputs(overview, stdout) < 0 ? EX_IOERR : 0;
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		snprintf(name, sizeof(name), "popgate uidl %s", argv[1]);
		o.command = argv[1] = name;
		return run(&commands[i], &o, argc - 1, argv + 1);
	}
	return usage_error();
}
