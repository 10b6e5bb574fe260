/* text.c - see text.h. */
#include "base/text.h"

#include <string.h>

#include "base/error.h"

int
text_to_number(const char *text, size_t len, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;

	if (len == 0)
		return ERR_INVALID;
	for (size_t i = 0; i < len; i++) {
		unsigned digit = (unsigned char) text[i] - (unsigned) '0';

		if (digit > 9)
			return ERR_INVALID;
	}
	for (size_t i = 0; i < len; i++) {
		unsigned digit = (unsigned char) text[i] - (unsigned) '0';

		if (digit > max || value > (max - digit) / 10)
			return ERR_LIMIT;
		value = value * 10 + digit;
	}
	*out = value;
	return 0;
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char) (c + ('a' - 'A')) : c;
}

size_t
text_from_number(uint64_t number, unsigned base, char out[TEXT_NUMBER_MAX])
{
	char digits[TEXT_NUMBER_MAX];
	size_t at = sizeof(digits);

	/* The bases by themselves: a division by a constant is no division to a machine. */
	do {
		unsigned digit = (unsigned) (base == 10 ? number % 10 : number & 15);

		digits[--at] = "0123456789abcdef"[digit];
		number = base == 10 ? number / 10 : number >> 4;
	} while (number != 0);
	memcpy(out, digits + at, sizeof(digits) - at);
	return sizeof(digits) - at;
}

bool
text_is_word(const char *text, size_t len, const char *word)
{
	if (strlen(word) != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (lower(text[i]) != lower(word[i]))
			return false;
	return true;
}

/* How many octets the UTF-8 character at P (LEFT octets, at least 1) takes; 0 when it is malformed.
 * The bounds of the second octet are the table of RFC 3629 section 4: they exclude overlong forms,
 * surrogates and what lies beyond U+10FFFF. */
static size_t
utf8_character(const unsigned char *p, size_t left)
{
	unsigned low = 0x80, high = 0xbf;
	size_t size;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	size = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (size > left)
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < size; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return size;
}

size_t
text_mark(const char *text, size_t len)
{
	static const char mark[] = { '\xEF', '\xBB', '\xBF' };

	return len >= sizeof(mark) && memcmp(text, mark, sizeof(mark)) == 0 ? sizeof(mark) : 0;
}

bool
text_is_utf8(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *) text;

	while (len > 0) {
		size_t size = utf8_character(p, len);

		if (size == 0)
			return false;
		p += size;
		len -= size;
	}
	return true;
}

bool
text_is_atom(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~' || strchr("(){%*\"\\]", text[i]) != NULL)
			return false;
	return len > 0;
}

void
text_escape(const char *text, size_t len, char *out, size_t room)
{
	static const char digits[] = "0123456789abcdef";
	size_t at = 0, cut = 0; /* CUT: the last place where "..." and NUL still fit */

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char) text[i];
		bool plain = c >= 0x20 && c <= 0x7e && c != '\\';
		size_t size = plain ? 1 : 4;

		if (at + 4 <= room)
			cut = at;
		if (at + size + 1 > room) {
			memcpy(out + cut, "...", 4);
			return;
		}
		if (plain) {
			out[at++] = (char) c;
			continue;
		}
		out[at++] = '\\';
		out[at++] = 'x';
		out[at++] = digits[c >> 4];
		out[at++] = digits[c & 15];
	}
	out[at] = '\0';
}

/* In well-formed UTF-8, where U+0080 to U+009F, which steer a terminal as ESC does, are 0xC2 and one
 * octet more. */
static bool
has_control_character(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *) text;

	for (size_t i = 0; i < len; i++)
		if (p[i] < 0x20 || p[i] == 0x7f || (p[i] == 0xc2 && i + 1 < len && p[i + 1] < 0xa0))
			return true;
	return false;
}

void
text_copy_legible(const char *text, size_t len, char *out, size_t room)
{
	if (len >= room || !text_is_utf8(text, len) || has_control_character(text, len)) {
		text_escape(text, len, out, room);
		return;
	}
	memcpy(out, text, len);
	out[len] = '\0';
}
