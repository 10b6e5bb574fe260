/* user_names.c - see user_names.h. */
#include "pop3front/user_names.h"

#include <string.h>

#include "base/error.h"

/* Whether C can stand in a set: a visible character of ASCII. */
static bool
is_visible(char c)
{
	return c > ' ' && c <= '~';
}

int
character_set_parse(const char *text, struct character_set *out, size_t *at)
{
	*out = (struct character_set){ 0 };
	for (const char *p = text; *p != '\0'; p++) {
		char first = *p, last = *p;

		if (first == ' ')
			continue;
		*at = (size_t) (p - text);
		/* A "-" is itself where nothing stands on one of its sides. */
		if (p[1] == '-' && p[2] != '\0' && p[2] != ' ') {
			last = p[2];
			p += 2;
		}
		if (!is_visible(first) || !is_visible(last) || last < first)
			return ERR_INVALID;
		out->given = true;
		for (int c = first; c <= last; c++)
			out->holds[c] = true;
	}
	return 0;
}

static bool
is_allowed(const struct user_names *names, const char *name)
{
	size_t len = strlen(name);

	if (names->max_length != 0 && len > names->max_length)
		return false;
	for (size_t i = 0; i < len && names->characters.given; i++)
		if ((unsigned char) name[i] > 127 ||
		    !names->characters.holds[(unsigned char) name[i]])
			return false;
	return true;
}

/* "user*master" becomes user and master. More than one separator, or nothing on one of its sides,
 * leaves it open who is meant; and next to a master given otherwise there must be none. */
static int
split(char separator, struct credentials *c)
{
	const char *mark = strchr(c->user, separator);
	int rc;

	if (mark == NULL)
		return c->master != NULL && strchr(c->master, separator) != NULL ? ERR_AUTH : 0;
	if (c->kind != CREDENTIALS_PASSWORD || c->master != NULL || mark == c->user ||
	    mark[1] == '\0' || strchr(mark + 1, separator) != NULL)
		return ERR_AUTH;
	if ((rc = credentials_set_master(c, mark + 1, strlen(mark + 1))) == 0)
		c->user[mark - c->user] = '\0';
	return rc;
}

int
user_names_resolve(const struct user_names *names, struct credentials *c)
{
	int rc;

	if (names->master_separator != '\0' && (rc = split(names->master_separator, c)) != 0)
		return rc;
	if (!is_allowed(names, c->user) || (c->master != NULL && !is_allowed(names, c->master)))
		return ERR_AUTH;
	return 0;
}
