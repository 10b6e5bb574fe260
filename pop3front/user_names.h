/* user_names.h - which user names may log in, and who may do so for somebody else. Pure.
 *
 * What is not allowed here is answered like a wrong password, and no server is asked. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/credentials.h"

/* Characters by their octets. All zero is the empty set. */
struct character_set {
	bool holds[128]; /* ASCII alone: with a set, other characters are not allowed */
	bool given;	 /* false: the empty set, which allows every character */
};

/* Reads a set such as "a-z 0-9 . _ @ -": characters, and ranges of two with "-" between; blanks
 * part them and belong to no set. "" is the empty set. Returns 0, or ERR_INVALID with *AT set to
 * the offset of what cannot stand there. */
int character_set_parse(const char *text, struct character_set *out, size_t *at);

struct user_names {
	struct character_set characters; /* that a name may have */
	size_t max_length;		 /* octets; 0: as credentials.h says */
	char master_separator; /* between user and master, as in "user*master"; NUL: no such logins
				*/
};

/* Splits "user*master" where that is allowed (passwords alone), then judges the names in C. Returns
 * 0; ERR_AUTH where a name is not allowed; ERR_NO_MEMORY. */
int user_names_resolve(const struct user_names *names, struct credentials *c);
