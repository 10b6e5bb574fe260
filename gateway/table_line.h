/* table_line.h - one line of a table of users: which upstream has a user, by which name, with which
 * mailbox. Pure.
 *
 *	# a comment
 *	joe@example.org    new
 *	jane@example.org   new,old   jane
 *	@example.net       old       -      Sent Items
 *
 * Fields are parted by blanks and tabs; the mailbox is the rest of the line. "-" or nothing: what the
 * route says. A user "@example.net" stands for whoever of that domain has no line. */
#pragma once
#include <stddef.h>

#include "base/credentials.h"
#include "gateway/route.h"

enum { TABLE_LINE_MAX = 4096 }; /* octets, without the line's end */
enum { TABLE_UPSTREAMS_TEXT = ROUTE_UPSTREAMS_MAX * 65 }; /* octets of a list of labels, with NUL */

struct table_line {
	char user[USER_NAME_MAX + 1]; /* ASCII letters in lower case; "": there is nothing in the line */
	char upstreams[TABLE_UPSTREAMS_TEXT]; /* labels, parted by commas; "": none is given */
	char login[USER_NAME_MAX + 1];	      /* "": none is given */
	char mailbox[MAILBOX_NAME_MAX + 1];   /* the same; UTF-8 */
};

/* Reads TEXT (LEN octets without line end). Returns 0, or ERR_INVALID with what is wrong in *WHAT. */
int table_line_parse(const char *text, size_t len, struct table_line *out, const char **what);

/* Writes what USER is called in a table to OUT: at most USER_NAME_MAX octets. */
void table_fold(const char *user, size_t len, char out[USER_NAME_MAX + 1]);
