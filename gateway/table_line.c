/* table_line.c - see table_line.h. */
#include "gateway/table_line.h"

#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Takes the next field from *TEXT (*LEN octets). Returns its length; 0: there is none. */
static size_t
next_field(const char **text, size_t *len, const char **field)
{
	size_t taken = 0;

	for (; *len > 0 && is_blank(**text); (*len)--)
		(*text)++;
	*field = *text;
	while (taken < *len && !is_blank((*text)[taken]))
		taken++;
	*text += taken;
	*len -= taken;
	return taken;
}

void
table_fold(const char *user, size_t len, char out[USER_NAME_MAX + 1])
{
	if (len > USER_NAME_MAX)
		len = USER_NAME_MAX;
	for (size_t i = 0; i < len; i++)
		out[i] = (char) (user[i] >= 'A' && user[i] <= 'Z' ? user[i] | 0x20 : user[i]);
	out[len] = '\0';
}

/* Labels of at most 64 octets, as many as a route may have. */
static bool
are_labels(const char *text, size_t len)
{
	size_t count = 1, begin = 0;

	for (size_t i = 0; i <= len; i++) {
		if (i < len && text[i] != ',')
			continue;
		if (i == begin || i - begin > 64)
			return false;
		begin = i + 1;
		count += i < len;
	}
	return count <= ROUTE_UPSTREAMS_MAX;
}

/* Copies FIELD (LEN octets) to OUT (ROOM octets); "-" is nothing. Returns whether it fits. */
static bool
copy_field(const char *field, size_t len, char *out, size_t room)
{
	if (len == 1 && field[0] == '-')
		len = 0;
	if (len >= room)
		return false;
	memcpy(out, field, len);
	out[len] = '\0';
	return true;
}

static bool
has_control(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((unsigned char) text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f)
			return true;
	return false;
}

static const char *
parse_fields(const char *text, size_t len, struct table_line *out)
{
	const char *field;
	size_t got;

	if ((got = next_field(&text, &len, &field)) == 0 || field[0] == '#')
		return NULL;
	if (got > USER_NAME_MAX)
		return "the user's name is too long";
	table_fold(field, got, out->user);
	if ((got = next_field(&text, &len, &field)) == 0)
		return "the upstream is missing";
	if (!are_labels(field, got) || !copy_field(field, got, out->upstreams, sizeof(out->upstreams)))
		return "the upstream is no label, nor up to 8 labels parted by commas";
	got = next_field(&text, &len, &field);
	if (!copy_field(field, got, out->login, sizeof(out->login)))
		return "the login name is too long";
	got = next_field(&text, &len, &field);
	while (len > 0 && is_blank(text[len - 1]))
		len--;
	if (!copy_field(field, got + len, out->mailbox, sizeof(out->mailbox)))
		return "the mailbox's name is too long";
	mailbox_name_settle(out->mailbox);
	return NULL;
}

int
table_line_parse(const char *text, size_t len, struct table_line *out, const char **what)
{
	out->user[0] = out->upstreams[0] = out->login[0] = out->mailbox[0] = '\0';
	if (len > 0 && text[len - 1] == '\r')
		len--;
	*what = has_control(text, len)	  ? "a control character"
		: !text_is_utf8(text, len) ? "not UTF-8"
					   : parse_fields(text, len, out);
	return *what == NULL ? 0 : ERR_INVALID;
}
