/* fuzz_uidl_csv.c - files of UIDLs and of users, which are foreign octets.
 *
 * Whatever the input holds: no crash; a row has a user and a UIDL; a list has names, and is the same from
 * a file. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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

/* A file need not end with a line end; what is parsed must. */
static void
read_list(struct user_list *list, const char *data, size_t len)
{
	char *text = malloc(len + 1);
	bool ended = len == 0 || data[len - 1] == '\n';

	if (text == NULL)
		abort();
	memcpy(text, data, len);
	text[len] = '\n';
	if (user_list_parse(list, text, len + !ended, NULL) != 0)
		list->count = 0;
	for (size_t i = 0; i < list->count; i++)
		if (list->users[i].name[0] == '\0')
			abort();
}

static bool
is_same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void
compare_with_file(const struct user_list *list, const char *data, size_t len)
{
	int fd = memfd_create("users", 0);
	struct user_list other;
	char path[32];

	snprintf(path, sizeof(path), "/dev/fd/%d", fd);
	if (fd < 0 || write(fd, data, len) != (ssize_t) len)
		abort();
	if (user_list_read(&other, path, NULL) != 0)
		other.count = 0;
	close(fd);
	if (other.count != list->count)
		abort();
	for (size_t i = 0; i < list->count; i++)
		if (!is_same(list->users[i].name, other.users[i].name) ||
		    !is_same(list->users[i].old_password, other.users[i].old_password) ||
		    !is_same(list->users[i].new_password, other.users[i].new_password))
			abort();
	user_list_clear(&other);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct user_list list;

	read_csv((const char *) data, len);
	read_list(&list, (const char *) data, len);
	compare_with_file(&list, (const char *) data, len);
	user_list_clear(&list);
	return 0;
}
