/* user_list.h - users and passwords from a file, for commands that log in as many users.
 *
 * A line for each user: the name alone (somebody who may log in for all users does it then), or name,
 * blank, password; or name, tab, password at the old server, tab, password at the new one. Empty lines
 * and those that begin with "#" say nothing, nor does a byte order mark. The parser is pure. */
#pragma once
#include <stddef.h>

#include "base/error.h"

struct listed_user {
	const char *name;
	const char *old_password, *new_password; /* NULL: none */
	unsigned line; /* of the list; 0: from elsewhere */
};

struct user_list { /* { 0 } is an empty one */
	char *text;
	size_t len;
	struct listed_user *users;
	size_t count;
};

/* Makes LIST of TEXT (LEN octets, allocated by malloc), which is LIST's from now on, whatever is
 * returned: 0, ERR_INVALID with a text that names the line, or ERR_NO_MEMORY. */
int user_list_parse(struct user_list *list, char *text, size_t len, struct error *e);

/* Whether a user is among USERS (COUNT) twice: *FIRST and *SECOND, as they stand there. Returns 0 where
 * nobody is, ERR_INVALID or ERR_NO_MEMORY. */
int user_list_find_twice(const struct listed_user *users, size_t count,
    const struct listed_user **first, const struct listed_user **second);

/* Reads the file at PATH ("-": standard input). Errors as above; ERR_PERMANENT: it cannot be read.
 * Blocks. */
int user_list_read(struct user_list *list, const char *path, struct error *e);

/* Cleanses and frees. */
void user_list_clear(struct user_list *list);
