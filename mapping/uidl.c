/* uidl.c - see uidl.h. */
#include "mapping/uidl.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/text.h"

enum piece_kind {
	PIECE_TEXT,
	PIECE_UID,
	PIECE_UIDVALIDITY,
};

enum {
	WIDTH_MAX = 32,
	HASH_UIDL = 40, /* hex digits of a hash form: 160 bits */
	MARK = 13,	/* octets of a mark */
};

struct piece {
	enum piece_kind kind;
	bool hex;
	bool zeroes; /* padded with "0" rather than blanks */
	unsigned width;
	char text; /* PIECE_TEXT: one character */
};

struct uidl_template {
	size_t length; /* pieces used */
	char mark[MARK + 1]; /* behind them all; "": none */
	struct piece pieces[];
};

/* Reads "%[0][width][X|x]u|v" behind the percent sign at *AT; leaves *AT behind it, or at what
 * cannot stand there. */
static int
parse_conversion(const char *text, size_t *at, struct piece *piece)
{
	size_t i = *at;

	*piece = (struct piece){ 0 };
	if (text[i] == '0') {
		piece->zeroes = true;
		i++;
	}
	for (; text[i] >= '0' && text[i] <= '9'; i++) {
		piece->width = piece->width * 10 + (unsigned) (text[i] - '0');
		if (piece->width > WIDTH_MAX)
			break;
	}
	if (text[i] == 'X' || text[i] == 'x') {
		piece->hex = true;
		i++;
	}
	*at = i;
	if (piece->width > WIDTH_MAX || (text[i] != 'u' && text[i] != 'v'))
		return ERR_INVALID;
	piece->kind = text[i] == 'u' ? PIECE_UID : PIECE_UIDVALIDITY;
	*at = i + 1;
	return 0;
}

/* Reads the piece at *AT. */
static int
parse_piece(const char *text, size_t *at, struct piece *piece)
{
	bool percent = text[*at] == '%';

	if (percent && text[*at + 1] != '%') {
		(*at)++;
		return parse_conversion(text, at, piece);
	}
	if (text[*at] < 0x21 || text[*at] > 0x7e)
		return ERR_INVALID;
	*piece = (struct piece){ .kind = PIECE_TEXT, .text = text[*at] };
	*at += percent ? 2 : 1;
	return 0;
}

int
uidl_template_parse(const char *text, struct uidl_template **out, size_t *at)
{
	size_t length = strlen(text);
	struct uidl_template *t;
	bool has_uid = false;

	*at = 0;
	if ((t = malloc(sizeof(*t) + (length + 1) * sizeof(t->pieces[0]))) == NULL)
		return ERR_NO_MEMORY;
	t->length = 0;
	t->mark[0] = '\0';
	while (*at < length) {
		struct piece *piece = &t->pieces[t->length++];

		if (parse_piece(text, at, piece) != 0)
			goto invalid;
		has_uid = has_uid || piece->kind == PIECE_UID;
	}
	if (!has_uid)
		goto invalid;
	*out = t;
	return 0;
invalid:
	free(t);
	return ERR_INVALID;
}

void
uidl_template_free(struct uidl_template *t)
{
	free(t);
}

int
uidl_template_mark(const struct uidl_template *t, const char *name, struct uidl_template **out)
{
	size_t size = sizeof(*t) + t->length * sizeof(t->pieces[0]);
	char hex[DIGEST_HEX + 1];

	if ((*out = malloc(size)) == NULL)
		return ERR_NO_MEMORY;
	memcpy(*out, t, size);
	digest_hex(name, strlen(name), hex);
	snprintf((*out)->mark, sizeof((*out)->mark), ".%.*s", MARK - 1, hex);
	return 0;
}

/* Writes one piece at *LEN, never beyond ROOM; *LEN grows by what the whole piece would take. */
static void
format_piece(const struct piece *piece, uint32_t uidvalidity, uint32_t uid, char *buf, size_t room,
    size_t *len)
{
	uint32_t number = piece->kind == PIECE_UID ? uid : uidvalidity;
	char digits[TEXT_NUMBER_MAX];
	size_t n;

	if (piece->kind == PIECE_TEXT) {
		if (*len < room)
			buf[*len] = piece->text;
		(*len)++;
		return;
	}
	n = text_from_number(number, piece->hex ? 16 : 10, digits);
	for (size_t i = n; i < piece->width; i++, (*len)++)
		if (*len < room)
			buf[*len] = piece->zeroes ? '0' : ' ';
	for (size_t i = 0; i < n; i++, (*len)++)
		if (*len < room)
			buf[*len] = digits[i];
}

static bool
is_valid(const char *buf, size_t len, size_t room)
{
	if (len == 0 || len > room)
		return false;
	for (size_t i = 0; i < len; i++)
		if (buf[i] < 0x21 || buf[i] > 0x7e)
			return false;
	return true;
}

/* What stands in for a UIDL that RFC 1939 does not allow: made from UIDVALIDITY and UID alone, so
 * that it stays the same over restarts. */
static size_t
format_hash(uint32_t uidvalidity, uint32_t uid, char buf[UIDL_MAX + 1])
{
	char name[32], hex[DIGEST_HEX + 1];

	snprintf(name, sizeof(name), "%u.%u", (unsigned) uidvalidity, (unsigned) uid);
	digest_hex(name, strlen(name), hex);
	memcpy(buf, hex, HASH_UIDL);
	return HASH_UIDL;
}

void
uidl_format(
    const struct uidl_template *t, uint32_t uidvalidity, uint32_t uid, char buf[UIDL_MAX + 1])
{
	size_t len = 0, mark = strlen(t->mark), room = UIDL_MAX - mark;

	for (size_t i = 0; i < t->length; i++)
		format_piece(&t->pieces[i], uidvalidity, uid, buf, room, &len);
	if (!is_valid(buf, len, room))
		len = format_hash(uidvalidity, uid, buf);
	memcpy(buf + len, t->mark, mark + 1);
}
