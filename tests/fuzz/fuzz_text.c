/* fuzz_text.c - the small questions about pieces of text, against other ways to answer them. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROOM_MAX = 64 };

static void
check(int ok)
{
	if (!ok)
		abort();
}

/* As strtoull reads it, which takes signs and blanks as well. */
static void
check_number(const char *text, size_t len, uint64_t max)
{
	char *copy = strndup(text, len);
	uint64_t number = 0, wanted;
	int rc = text_to_number(text, len, max, &number), digits;

	if (copy == NULL)
		exit(2);
	errno = 0;
	wanted = strtoull(copy, NULL, 10);
	digits = len > 0 && strspn(copy, "0123456789") == len;
	check((rc == ERR_INVALID) == !digits || rc == ERR_LIMIT);
	if (digits)
		check(errno == ERANGE || wanted > max ? rc == ERR_LIMIT : rc == 0 && number == wanted);
	free(copy);
}

static void
check_back(uint64_t number)
{
	char ours[TEXT_NUMBER_MAX], theirs[TEXT_NUMBER_MAX + 1];
	int len = snprintf(theirs, sizeof(theirs), "%llu", (unsigned long long) number);

	check(text_from_number(number, 10, ours) == (size_t) len && memcmp(ours, theirs, (size_t) len) == 0);
	len = snprintf(theirs, sizeof(theirs), "%llx", (unsigned long long) number);
	check(text_from_number(number, 16, ours) == (size_t) len && memcmp(ours, theirs, (size_t) len) == 0);
}

/* How long the character at TEXT is that the table of RFC 3629 section 4 allows; 0: none. */
static size_t
character(const unsigned char *t, size_t len)
{
	static const struct {
		unsigned char first, last, low, high; /* of the first octet and of the second */
		size_t len;
	} table[] = {
		{ 0x00, 0x7f, 0, 0, 1 },
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		size_t at = 2;

		if (t[0] < table[i].first || t[0] > table[i].last || table[i].len > len)
			continue;
		if (table[i].len == 1)
			return 1;
		if (t[1] < table[i].low || t[1] > table[i].high)
			return 0;
		while (at < table[i].len && (t[at] & 0xc0) == 0x80)
			at++;
		return at == table[i].len ? at : 0;
	}
	return 0;
}

static void
check_utf8(const char *text, size_t len)
{
	size_t at = 0, more = 1;

	while (at < len && more > 0) {
		more = character((const unsigned char *) text + at, len - at);
		at += more;
	}
	check(text_is_utf8(text, len) == (at == len && more > 0));
}

static void
check_escaped(const char *text, size_t len, size_t room)
{
	char shown[ROOM_MAX];

	text_escape(text, len, shown, room);
	check(strlen(shown) < room);
	for (const char *p = shown; *p != '\0'; p++)
		check(*p >= 0x20 && *p <= 0x7e);
}

/* Whether a terminal takes a character of TEXT for more than a sign, by its number and not by its octets. */
static int
steers(const unsigned char *text, size_t len)
{
	for (size_t i = 0; i < len; i += character(text + i, len - i)) {
		unsigned number = text[i];

		if (character(text + i, len - i) == 2)
			number = (number & 0x1fu) << 6 | (text[i + 1] & 0x3fu);
		else if (number >= 0x80)
			continue;
		if (number < 0x20 || (number >= 0x7f && number < 0xa0))
			return 1;
	}
	return 0;
}

static void
check_legible(const char *text, size_t len, size_t room)
{
	char shown[ROOM_MAX], escaped[ROOM_MAX];

	text_copy_legible(text, len, shown, room);
	text_escape(text, len, escaped, room);
	if (len < room && text_is_utf8(text, len) && !steers((const unsigned char *) text, len))
		check(strlen(shown) == len && memcmp(shown, text, len) == 0);
	else
		check(strcmp(shown, escaped) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *) data + 1;
	size_t len = size - 1, plain = 0;
	uint64_t number = 0;

	if (size == 0)
		return 0;
	check_number(text, len, UINT64_MAX);
	check_number(text, len, UINT32_MAX);
	check_number(text, len, data[0]);
	memcpy(&number, text, len < sizeof(number) ? len : sizeof(number));
	check_back(number);
	check_back(number & 0xff);
	check_utf8(text, len);
	check_escaped(text, len, 5 + data[0] % (ROOM_MAX - 5));
	check_legible(text, len, 5 + data[0] % (ROOM_MAX - 5));
	check(text_mark(text, len) == (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0));
	while (plain < len && text[plain] > ' ' && text[plain] <= '~' &&
	    strchr("(){%*\"\\]", text[plain]) == NULL)
		plain++;
	check(text_is_atom(text, len) == (len > 0 && plain == len));
	check(text_is_word(text, len, "QuIt") == (len == 4 && strncasecmp(text, "quit", 4) == 0));
	return 0;
}
