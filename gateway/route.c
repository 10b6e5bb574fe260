/* route.c - see route.h. */
#include "gateway/route.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"

static bool
same_octet(char a, char b)
{
	return strncasecmp(&a, &b, 1) == 0;
}

/* The octet behind the character at TEXT (UTF-8), which is not the end. */
static const char *
behind_character(const char *text)
{
	do
		text++;
	while (((unsigned char) *text & 0xc0) == 0x80);
	return text;
}

/* Where a part behind a "*" does not fit, that "*" takes one octet more. An earlier one need not be
 * asked again: whatever it took, the parts up to the later one fit. */
int
pattern_fits(const char *pattern, const char *text)
{
	const char *star = NULL, *resume = NULL;

	for (;;) {
		if (*pattern == '*') {
			star = ++pattern;
			resume = text;
		} else if (*text == '\0') {
			return *pattern == '\0';
		} else if (*pattern == '?') {
			pattern++;
			text = behind_character(text);
		} else if (*pattern != '\0' && same_octet(*pattern, *text)) {
			pattern++;
			text++;
		} else if (star != NULL) {
			pattern = star;
			text = resume = behind_character(resume);
		} else {
			return 0;
		}
	}
}

static enum route_fit
item_fit(const char *item, const struct route_name *name)
{
	if (strpbrk(item, "*?") != NULL)
		return pattern_fits(item, name->user) ? ROUTE_BY_PATTERN : ROUTE_UNFIT;
	if (item[0] == '@')
		return name->domain != NULL && strcasecmp(item + 1, name->domain) == 0
			   ? ROUTE_BY_DOMAIN
			   : ROUTE_UNFIT;
	return strcasecmp(item, name->user) == 0 ? ROUTE_BY_NAME : ROUTE_UNFIT;
}

enum route_fit
route_fit(const struct route *r, const char *account)
{
	enum route_fit best = ROUTE_UNFIT, fit;
	struct route_name name;

	if (r->users.count == 0)
		return ROUTE_FOR_ALL;
	route_read(r, account, &name);
	for (size_t i = 0; i < r->users.count; i++)
		if ((fit = item_fit(r->users.items[i], &name)) > best)
			best = fit;
	return best;
}

const struct route *
route_next(const struct route *routes, size_t count, const char *account,
    const struct route *previous)
{
	enum route_fit before = previous != NULL ? route_fit(previous, account) : ROUTE_BY_NAME;
	enum route_fit best = ROUTE_UNFIT, fit;
	const struct route *found = NULL;

	for (const struct route *r = routes; r < routes + count; r++) {
		fit = route_fit(r, account);
		if (fit <= best || fit > before || (fit == before && previous != NULL && r <= previous))
			continue;
		best = fit;
		found = r;
	}
	return found;
}

static const char *
domain_of(const char *user)
{
	const char *at = strrchr(user, '@');

	return at != NULL ? at + 1 : NULL;
}

void
route_read(const struct route *r, const char *account, struct route_name *out)
{
	const char *domain = domain_of(account), *separator = NULL;
	size_t local = domain != NULL ? (size_t) (domain - 1 - account) : strlen(account);
	size_t user;

	if (r->folder_separator != NULL && r->folder_separator[0] != '\0' && local > 0)
		separator = memchr(account + 1, r->folder_separator[0], local - 1);
	user = separator != NULL ? (size_t) (separator - account) : local;
	out->folder[0] = '\0';
	if (separator != NULL)
		snprintf(out->folder, sizeof(out->folder), "%.*s", (int) (local - user - 1),
		    separator + 1);
	snprintf(out->user, sizeof(out->user), "%.*s%s", (int) user, account, account + local);
	out->domain = domain_of(out->user);
}

/* What stands for LETTER in NAME, and its length; NULL: nothing does. */
static const char *
part_of(const struct route_name *name, char letter, size_t *len)
{
	const char *part = letter == 'd' ? name->domain : letter == 'f' ? name->folder : name->user;

	if (part == NULL)
		return NULL;
	*len = letter == 'n' && name->domain != NULL ? (size_t) (name->domain - 1 - name->user)
						     : strlen(part);
	return part;
}

int
route_expand(const char *template, const struct route_name *name, char *out, size_t room)
{
	const char *part;
	size_t at = 0, len;

	for (const char *p = template; *p != '\0'; p++) {
		part = p;
		len = 1;
		if (*p == '%' && *++p != '%' && (part = part_of(name, *p, &len)) == NULL)
			return ERR_INVALID;
		if (len >= room - at)
			return ERR_LIMIT;
		memcpy(out + at, part, len);
		at += len;
	}
	out[at] = '\0';
	return 0;
}

int
route_template_check(const char *template, const char *letters, size_t *at)
{
	for (const char *p = template; *p != '\0'; p++) {
		if (*p != '%' || *++p == '%')
			continue;
		if (*p != '\0' && strchr(letters, *p) != NULL)
			continue;
		*at = (size_t) (p - template);
		return ERR_INVALID;
	}
	return 0;
}

void
mailbox_name_settle(char *mailbox)
{
	if (strncasecmp(mailbox, "INBOX", 5) == 0 &&
	    (mailbox[5] == '\0' || strchr("/.\\", mailbox[5]) != NULL))
		memcpy(mailbox, "INBOX", 5);
}
