/* mailbox_name.c - see mailbox_name.h. */
#include "imapback/mailbox_name.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"

/* What is written, and the bits of UTF-16 that do not fill a base64 symbol yet. */
struct encoder {
	char *out;
	size_t room, len;
	bool shifted; /* inside "&...-" */
	uint32_t bits;
	unsigned bit_count;
};

static void
put(struct encoder *e, char c)
{
	if (e->len < e->room)
		e->out[e->len] = c;
	e->len++;
}

static void
put_symbols(struct encoder *e)
{
	/* "," stands for "/", the separator of hierarchies in many servers. */
	static const char alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

	while (e->bit_count >= 6) {
		e->bit_count -= 6;
		put(e, alphabet[e->bits >> e->bit_count & 63]);
	}
}

static void
put_unit(struct encoder *e, uint32_t unit)
{
	if (!e->shifted)
		put(e, '&');
	e->shifted = true;
	e->bits = (e->bits & 63) << 16 | unit;
	e->bit_count += 16;
	put_symbols(e);
}

static void
unshift(struct encoder *e)
{
	if (!e->shifted)
		return;
	if (e->bit_count > 0) {
		e->bits <<= 6 - e->bit_count;
		e->bit_count = 6;
		put_symbols(e);
	}
	put(e, '-');
	e->shifted = false;
}

static void
put_character(struct encoder *e, uint32_t c)
{
	if (c >= 0x20 && c <= 0x7e) {
		unshift(e);
		put(e, (char) c);
		if (c == '&')
			put(e, '-');
	} else if (c < 0x10000) {
		put_unit(e, c);
	} else {
		put_unit(e, 0xd800 + ((c - 0x10000) >> 10));
		put_unit(e, 0xdc00 + ((c - 0x10000) & 0x3ff));
	}
}

/* The character at *P, of UTF-8 known to be well-formed; *P moves behind it. */
static uint32_t
next_character(const unsigned char **p)
{
	unsigned char first = *(*p)++;
	unsigned more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
	uint32_t c = more == 0 ? first : first & (0x3fu >> more);

	while (more-- > 0)
		c = c << 6 | (*(*p)++ & 0x3f);
	return c;
}

int
mailbox_name_encode(const char *name, char *out, size_t room)
{
	const unsigned char *p = (const unsigned char *) name;
	struct encoder e = { .out = out, .room = room };

	if (name[0] == '\0' || !text_is_utf8(name, strlen(name)))
		return ERR_INVALID;
	while (*p != '\0') {
		uint32_t c = next_character(&p);

		if (c < 0x20 || c == 0x7f)
			return ERR_INVALID;
		put_character(&e, c);
	}
	unshift(&e);
	put(&e, '\0');
	return e.len <= room ? 0 : ERR_LIMIT;
}
