/* user_list.c - see user_list.h. */
#include "gateway/user_list.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/credentials.h"
#include "base/text.h"

void
user_list_clear(struct user_list *list)
{
	if (list->text != NULL)
		OPENSSL_cleanse(list->text, list->len);
	free(list->text);
	free(list->users);
	*list = (struct user_list){ 0 };
}

static struct listed_user *
add_user(struct user_list *list, size_t *room)
{
	if (list->count == *room) {
		size_t more = *room == 0 ? 64 : 2 * *room;
		struct listed_user *users = realloc(list->users, more * sizeof(*users));

		if (users == NULL)
			return NULL;
		list->users = users;
		*room = more;
	}
	return &list->users[list->count++];
}

/* Cuts LINE, NUL-terminated, into what it says. */
static void
split(char *line, struct listed_user *user)
{
	char *tab = strchr(line, '\t'), *at = tab != NULL ? tab : strchr(line, ' ');

	*user = (struct listed_user){ .name = line };
	if (at == NULL)
		return;
	*at++ = '\0';
	user->old_password = user->new_password = at;
	if (tab != NULL && (tab = strchr(at, '\t')) != NULL) {
		*tab = '\0';
		user->new_password = tab + 1;
	}
	if (*user->old_password == '\0')
		user->old_password = NULL;
	if (*user->new_password == '\0')
		user->new_password = NULL;
}

/* What is wrong with USER; NULL: nothing. */
static const char *
find_fault(const struct listed_user *user)
{
	const char *passwords[] = { user->old_password, user->new_password };
	const char *fault = NULL;
	struct credentials c = { 0 };

	if (user->name[0] == '\0')
		fault = "a blank where the user's name should begin";
	else if (credentials_check_user(user->name, strlen(user->name)) != 0)
		fault = "the user's name is too long, has control characters or is not UTF-8";
	for (unsigned i = 0; i < 2 && fault == NULL; i++)
		if (passwords[i] != NULL &&
		    credentials_set_password(&c, passwords[i], strlen(passwords[i])) != 0)
			fault = "the password is too long or has a CR";
	credentials_clear(&c);
	return fault;
}

int
user_list_parse(struct user_list *list, char *text, size_t len, struct error *e)
{
	char *line = text + text_mark(text, len), *end = text + len;
	unsigned number = 0;
	size_t room = 0;

	*list = (struct user_list){ .text = text, .len = len };
	while (line < end) {
		char *lf = memchr(line, '\n', (size_t) (end - line));
		char *last = lf != NULL ? lf : end - 1, *next = last + 1;
		struct listed_user *user;
		const char *fault;

		number++;
		if (memchr(line, '\0', (size_t) (next - line)) != NULL || lf == NULL)
			return error_set(e, ERR_INVALID, "line %u: %s", number,
			    lf == NULL ? "the last line has no end" : "a NUL");
		if (last > line && last[-1] == '\r')
			last--;
		*last = '\0';
		if (*line != '\0' && *line != '#') {
			if ((user = add_user(list, &room)) == NULL)
				return error_set(e, ERR_NO_MEMORY, "out of memory");
			split(line, user);
			user->line = number;
			if ((fault = find_fault(user)) != NULL)
				return error_set(e, ERR_INVALID, "line %u: %s", number, fault);
		}
		line = next;
	}
	return 0;
}

/* By name, then by place. */
static int
compare_places(const void *a, const void *b)
{
	const struct listed_user *x = *(const struct listed_user *const *) a;
	const struct listed_user *y = *(const struct listed_user *const *) b;
	int order = strcmp(x->name, y->name);

	return order != 0 ? order : (x > y) - (x < y);
}

int
user_list_find_twice(const struct listed_user *users, size_t count,
    const struct listed_user **first, const struct listed_user **second)
{
	const struct listed_user **sorted = calloc(count + 1, sizeof(*sorted));
	int rc = 0;

	if (sorted == NULL)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++)
		sorted[i] = &users[i];
	qsort(sorted, count, sizeof(*sorted), compare_places);
	for (size_t i = 1; i < count && rc == 0; i++) {
		if (strcmp(sorted[i - 1]->name, sorted[i]->name) != 0)
			continue;
		*first = sorted[i - 1];
		*second = sorted[i];
		rc = ERR_INVALID;
	}
	free(sorted);
	return rc;
}
