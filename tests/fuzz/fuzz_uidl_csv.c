/* fuzz_uidl_csv.c - files of UIDLs and of users, which are foreign octets.
 *
 * Whatever the input holds: no crash; a row has a user and a UIDL; a list has names. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/uidl_csv.h"
#include "gateway/user_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
read_csv(const char *text, size_t len)
{
	struct uidl_csv csv = { 0 };
	struct uidl_csv_row row;
	bool is_row;

	while (len > 0) {
		const char *lf = memchr(text, '\n', len);
		size_t line = lf != NULL ? (size_t) (lf - text) : len;

		if (uidl_csv_read(&csv, text, line, &row, &is_row, NULL) == 0 && is_row &&
		    (row.user[0] == '\0' || row.uidl[0] == '\0'))
			abort();
		line += lf != NULL;
		text += line;
		len -= line;
	}
}

static void
find_twice(const struct user_list *list)
{
	const struct listed_user *first, *second;
	int rc = user_list_find_twice(list->users, list->count, &first, &second);

	if (rc != 0 && (first >= second || strcmp(first->name, second->name) != 0))
		abort();
	for (size_t i = 1; i < list->count && rc == 0; i++)
		if (strcmp(list->users[i - 1].name, list->users[i].name) == 0)
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct user_list list;
	char *text = malloc(len + 1);

	if (text == NULL)
		abort();
	read_csv((const char *) data, len);
	memcpy(text, data, len);
	if (user_list_parse(&list, text, len, NULL) == 0) {
		for (size_t i = 0; i < list.count; i++)
			if (list.users[i].name[0] == '\0')
				abort();
		find_twice(&list);
	}
	user_list_clear(&list);
	return 0;
}
