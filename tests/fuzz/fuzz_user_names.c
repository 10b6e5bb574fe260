/* fuzz_user_names.c - which user names may log in, and which of them are two names.
 *
 * The first line is a set of characters as it stands in a configuration, the second a name, the third a master where there is
 * one; the first octet chooses among greatest lengths and separators. What is let in has characters of the set alone, is no
 * longer than allowed, and has no separator left in it; what was split in two stood there so. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "pop3front/user_names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(int ok)
{
	if (!ok)
		abort();
}

/* Takes the line away from *TEXT that it begins with. Returns its length. */
static size_t
next_line(const char **text, size_t *len, const char **line)
{
	const char *end = *len == 0 ? NULL : memchr(*text, '\n', *len);
	size_t taken = end == NULL ? *len : (size_t) (end - *text);

	*line = *text;
	*text += taken + (end != NULL);
	*len -= taken + (end != NULL);
	return taken;
}

static int
read_set(const char *line, size_t len, struct character_set *out)
{
	char *text = strndup(line, len);
	size_t at = 0;
	int rc;

	if (text == NULL)
		exit(2);
	rc = character_set_parse(text, out, &at);
	check(rc == 0 || (rc == ERR_INVALID && at < strlen(text)));
	check(rc != 0 || out->given == (strspn(text, " ") < strlen(text)));
	for (const char *p = text; rc == 0 && *p != '\0'; p++)
		check(*p == ' ' || *p == '-' || out->holds[(unsigned char) *p]);
	free(text);
	return rc;
}

static void
check_allowed(const struct user_names *names, const char *name)
{
	size_t len = strlen(name);

	check(len >= 1 && (names->max_length == 0 || len <= names->max_length));
	check(names->master_separator == '\0' || strchr(name, names->master_separator) == NULL);
	for (size_t i = 0; i < len && names->characters.given; i++)
		check((unsigned char) name[i] < 128 && names->characters.holds[(unsigned char) name[i]]);
}

static void
check_names(const struct user_names *names, const char *name, size_t len, struct credentials *c)
{
	int had_master = c->master != NULL, rc = user_names_resolve(names, c);

	check(rc == 0 || rc == ERR_AUTH);
	if (rc != 0)
		return;
	check_allowed(names, c->user);
	check(strlen(c->user) <= len && memcmp(c->user, name, strlen(c->user)) == 0);
	if (c->master == NULL)
		return;
	check_allowed(names, c->master);
	if (had_master)
		return;
	check(strlen(c->user) + 1 + strlen(c->master) == len);
	check(name[strlen(c->user)] == names->master_separator);
	check(memcmp(name + strlen(c->user) + 1, c->master, strlen(c->master)) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t lengths[] = { 0, 1, 8, USER_NAME_MAX };
	static const char separators[] = { '\0', '*', '%', '~' };
	struct user_names names = { 0 };
	struct credentials c = { 0 };
	const char *text = (const char *) data + 1, *line;
	size_t left = size - 1, len;

	if (size == 0)
		return 0;
	names.max_length = lengths[data[0] & 3];
	names.master_separator = separators[data[0] >> 2 & 3];
	c.kind = (data[0] & 16) != 0 ? CREDENTIALS_XOAUTH2 : CREDENTIALS_PASSWORD;
	len = next_line(&text, &left, &line);
	if (read_set(line, len, &names.characters) != 0)
		return 0;
	len = next_line(&text, &left, &line);
	if (credentials_set_user(&c, line, len) == 0 &&
	    (left == 0 || credentials_set_master(&c, text, left) == 0))
		check_names(&names, line, len, &c);
	credentials_clear(&c);
	return 0;
}
