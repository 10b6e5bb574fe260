/* main.c - popgate's command line: a table of commands, and what each takes. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/failpoint.h"
#include "base/text.h"
#include "gateway/command.h"
#include "gateway/config.h"
#include "gateway/suggestion.h"

struct command {
	const char *name;
	int (*run)(const struct command_line *line);
	const char *synopsis; /* behind the name */
	const char *summary; /* NULL: not for people, and in no list */
	bool takes_config;
	bool takes_login; /* --password-fd and --upstream */
	const char *operand; /* what it is called; NULL: the command takes none */
	int (*run_words)(int argc, char **argv); /* one that has commands of its own; NULL: run */
};

static const struct command commands[] = {
	{ "serve", command_serve, "[--config FILE]", "serve POP3 clients until SIGTERM", true,
	    false, NULL, NULL },
	{ "check-config", command_check, "[--config FILE]",
	    "say everything that is wrong with a configuration", true, false, NULL, NULL },
	{ "probe", command_probe, "[--config FILE] [--upstream LABEL] [--password-fd N] USER",
	    "log in to the mail server as USER and say what is there", true, true, "USER", NULL },
	{ "settings", command_settings, "", "list all settings with their defaults", false, false,
	    NULL, NULL },
	{ "guard", NULL, "[list|show|approve] ...",
	    "whose logins are stopped, as they would download everything again", false, false, NULL,
	    command_guard },
	{ "uidl", NULL, "import|verify ...", "take over UIDLs of an old server, and check them", false,
	    false, NULL, command_uidl },
	{ "state", NULL, "[show|set|unset] ...", "who is served by the old server, and who by the new",
	    false, false, NULL, command_state },
	{ "table", NULL, "build FILE", "make the index of a table of users",
	    false, false, NULL, command_table },
	{ "worker", command_worker, "[--config FILE]", NULL, true, false, NULL, NULL },
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

enum { FD_LARGEST = 65535 };

static void
print_option_help(const struct command *c)
{
	if (c == NULL || c->takes_config)
		printf(
		    "  -c, --config FILE     the configuration; default " CONFIG_DEFAULT_FILE "\n");
	if (c != NULL && c->takes_login)
		printf("      --upstream LABEL  at this server; without it, where a login of USER "
		       "goes\n"
		       "      --password-fd N   read the password from descriptor N, up to a "
		       "line's end;\n"
		       "                        without it, from the terminal\n");
	printf("  -h, --help            this text\n");
}

static void
print_command_help(const struct command *c)
{
	printf("usage: popgate %s%s%s\n\n  %s\n\n", c->name, c->synopsis[0] != '\0' ? " " : "",
	    c->synopsis, c->summary != NULL ? c->summary : "what \"popgate serve\" starts");
	print_option_help(c);
}

static void
print_help(void)
{
	printf("usage: popgate COMMAND [OPTION]...\n\npopgate serves POP3 clients from an IMAP "
	       "server.\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		if (commands[i].summary != NULL)
			printf("  %-14s %s\n", commands[i].name, commands[i].summary);
	printf("\n");
	print_option_help(NULL);
	printf("      --version         popgate's version\n\n"
	       "\"popgate COMMAND --help\" tells more; popgate(8) and popgate.conf(5) tell all.\n");
}

static int
usage_error(const struct command *c, const char *message)
{
	fprintf(stderr, "popgate %s: %s\nTry \"popgate %s --help\".\n", c->name, message, c->name);
	return EX_USAGE;
}

/* Reads what stands behind the command's name. Returns whether the command is to be run; *STATUS is
 * set otherwise. */
static bool
parse_command_line(
    const struct command *c, int argc, char **argv, struct command_line *line, int *status)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "password-fd", required_argument, NULL, 'p' },
		{ "upstream", required_argument, NULL, 'u' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	uint64_t fd;
	int option;

	*status = EX_USAGE;
	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if (option == 'h') {
			print_command_help(c);
			*status = 0;
			return false;
		}
		if (option == '?') {
			fprintf(stderr, "Try \"popgate %s --help\".\n", c->name);
			return false;
		}
		if (option == 'c' && c->takes_config) {
			line->config = optarg;
		} else if (option == 'u' && c->takes_login) {
			line->upstream = optarg;
		} else if (option == 'p' && c->takes_login) {
			if (text_to_number(optarg, strlen(optarg), FD_LARGEST, &fd) != 0) {
				usage_error(
				    c, "--password-fd: expected the number of a descriptor");
				return false;
			}
			line->password_fd = (int) fd;
		} else {
			usage_error(c, option == 'c' ? "takes no --config"
				    : option == 'p'  ? "takes no --password-fd"
						     : "takes no --upstream");
			return false;
		}
	}
	if (c->operand != NULL && optind < argc)
		line->operand = argv[optind++];
	else if (c->operand != NULL)
		usage_error(c, "USER is missing");
	if (optind < argc)
		usage_error(c, "too many arguments");
	return optind == argc && (c->operand == NULL || line->operand != NULL);
}

static int
run_command(const struct command *c, int argc, char **argv)
{
	struct command_line line = { .config = CONFIG_DEFAULT_FILE, .password_fd = -1 };
	char name[64];
	int status;

	/* getopt's messages begin with argv[0]. */
	snprintf(name, sizeof(name), "popgate %s", c->name);
	argv[0] = name;
	return parse_command_line(c, argc, argv, &line, &status) ? c->run(&line) : status;
}

static int
unknown_command(const char *name)
{
	struct suggestion nearest;
	char shown[64];

	suggestion_begin(&nearest, name, strlen(name));
	for (size_t i = 0; i < COMMANDS; i++)
		if (commands[i].summary != NULL)
			suggestion_offer(&nearest, commands[i].name);
	text_escape(name, strlen(name), shown, sizeof(shown));
	fprintf(stderr, "popgate: unknown command \"%s\"", shown);
	if (suggestion_best(&nearest) != NULL)
		fprintf(stderr, "; did you mean \"%s\"?", suggestion_best(&nearest));
	fprintf(stderr, "\nTry \"popgate --help\".\n");
	return EX_USAGE;
}

/* GnuTLS asks this while it is loaded (GNUTLS_SKIP_GLOBAL_INIT in gnutls.h). Only libetpan brings it along; what
 * it does there is for nothing, and costs memory. Whoever needs it, as libcurl may, says so by itself. */
__attribute__((visibility("default"))) int _gnutls_global_init_skip(void);

int
_gnutls_global_init_skip(void)
{
	return 1;
}

int
main(int argc, char **argv)
{
	failpoint_setup();
	if (argc < 2) {
		fprintf(stderr, "popgate: a command is missing\nTry \"popgate --help\".\n");
		return EX_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("popgate " POPGATE_VERSION "\n");
		return 0;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_help();
		return 0;
	}
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run_words != NULL
				   ? commands[i].run_words(argc - 1, argv + 1)
				   : run_command(&commands[i], argc - 1, argv + 1);
	return unknown_command(argv[1]);
}
