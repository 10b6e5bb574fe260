/* user_list_read.c - lists of users from files (user_list.h): the part that is not pure. */
#include "gateway/user_list.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

enum { READ_FIRST = 65536 };

/* All of FILE to *TEXT, behind which there is room for a line's end. */
static int
read_all(FILE *file, char **text, size_t *len)
{
	size_t room = READ_FIRST;
	char *more;

	*len = 0;
	if ((*text = malloc(room)) == NULL)
		return ERR_NO_MEMORY;
	while (!feof(file) && !ferror(file)) {
		*len += fread(*text + *len, 1, room - 1 - *len, file);
		if (*len + 1 < room)
			continue;
		/* Not realloc: what it leaves behind holds passwords. */
		if (room > SIZE_MAX / 2 || (more = malloc(2 * room)) == NULL)
			return ERR_NO_MEMORY;
		memcpy(more, *text, *len);
		OPENSSL_cleanse(*text, *len);
		free(*text);
		*text = more;
		room *= 2;
	}
	return ferror(file) ? ERR_PERMANENT : 0;
}

int
user_list_read(struct user_list *list, const char *path, struct error *e)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char *text = NULL;
	size_t len = 0;
	int rc;

	*list = (struct user_list){ 0 };
	if (file == NULL)
		return error_set(e, ERR_PERMANENT, "%s", strerror(errno));
	setvbuf(file, NULL, _IONBF, 0); /* a buffer that nobody would cleanse */
	rc = read_all(file, &text, &len);
	if (file != stdin)
		fclose(file);
	if (rc != 0) {
		*list = (struct user_list){ .text = text, .len = len };
		return error_set(e, rc, "%s", rc == ERR_NO_MEMORY ? "out of memory" : "cannot be read");
	}
	if (len > 0 && text[len - 1] != '\n')
		text[len++] = '\n';
	return user_list_parse(list, text, len, e);
}
