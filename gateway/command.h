/* command.h - the commands of popgate's command line. */
#pragma once

/* What a command was called with. */
struct command_line {
	const char *config;  /* the configuration file */
	int password_fd;     /* -1: not given */
	const char *upstream; /* the label of one; NULL: not given */
	const char *operand; /* NULL: none */
};

/* Each returns an exit status of sysexits.h. */
int command_serve(const struct command_line *line);
int command_check(const struct command_line *line);
int command_probe(const struct command_line *line);
int command_settings(const struct command_line *line);
int command_worker(const struct command_line *line);

/* Commands with commands of their own take the words behind the program's name. */
int command_guard(int argc, char **argv);
int command_uidl(int argc, char **argv);
int command_state(int argc, char **argv);
int command_table(int argc, char **argv);
