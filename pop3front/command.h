/* command.h - POP3 command lines (RFC 1939 section 3, RFC 2449 section 4).
 *
 * Two pure parts: a line splitter that finds the end of the next command in what has arrived, and a parser that turns one
 * line into a command and its arguments. Neither allocates; both only point into the caller's buffer. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum {
	COMMAND_LINE_MAX = 255,		/* octets with CRLF (RFC 2449 section 4) */
	COMMAND_AUTH_LINE_MAX = 18432,	/* AUTH with an initial response, and SASL responses: in base64, the
					   longest token and names around it */
};

enum command_verb {
	COMMAND_UNKNOWN,
	COMMAND_APOP,
	COMMAND_AUTH,
	COMMAND_CAPA,
	COMMAND_DELE,
	COMMAND_LIST,
	COMMAND_NOOP,
	COMMAND_PASS,
	COMMAND_QUIT,
	COMMAND_RETR,
	COMMAND_RSET,
	COMMAND_STAT,
	COMMAND_STLS,
	COMMAND_TOP,
	COMMAND_UIDL,
	COMMAND_USER,
	COMMAND_UTF8,
};

/* One command line. Text points into the line that was parsed and is not NUL-terminated. */
struct command {
	enum command_verb verb;
	const char *text;	/* everything after the one space behind the verb, verbatim (USER, PASS) */
	size_t text_len;
	unsigned words;		/* arguments separated by blanks; 3 means more than 2 */
	const char *word[2];	/* the first two */
	size_t word_len[2];
};

enum command_fault {	/* why a line is no command */
	COMMAND_FINE,
	COMMAND_HAS_NUL,	/* a NUL anywhere */
	COMMAND_BAD_VERB,	/* not a known keyword */
};

/* Parses LINE (LEN octets, without its line end). */
enum command_fault command_parse(const char *line, size_t len, struct command *out);

/* Looks for a line in DATA (LEN octets): CRLF or bare LF ends it. When there is one, returns the octets it takes with its
 * end and sets *LINE_LEN to its length without. Otherwise returns 0. */
size_t command_find_line(const char *data, size_t len, size_t *line_len);

/* How long a line that begins with DATA (LEN octets) may be, in octets with its end: COMMAND_AUTH_LINE_MAX where it starts
 * with AUTH, or COMMAND_LINE_MAX. */
size_t command_line_limit(const char *data, size_t len);

/* A message number (rule: digits only). Returns 0 or ERR_INVALID. */
int command_number(const char *word, size_t len, uint64_t *out);
