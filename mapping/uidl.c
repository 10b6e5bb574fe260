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
	char *text; /* and a blank and the mark, if there is one */
	enum uidl_attribute attribute;
	char mark[MARK + 1]; /* behind all else; "": none */
	size_t length; /* pieces used */
	struct piece pieces[];
};

/* The forms were read in the sources of the servers, and seen. */
const struct uidl_preset uidl_presets[] = {
	{ "dovecot", "%08Xu%08Xv", UIDL_OF_NUMBERS },
	{ "dovecot-0.99", "%v.%u", UIDL_OF_NUMBERS },
	{ "cyrus", "%v.%u", UIDL_OF_NUMBERS },
	{ "cyrus-uid", "%u", UIDL_OF_NUMBERS },
	{ "cyrus-courier", "%v-%u", UIDL_OF_NUMBERS },
	{ "cyrus-dovecot", "%08Xu%08Xv", UIDL_OF_NUMBERS },
	{ "uw", "%08Xv%08Xu", UIDL_OF_NUMBERS },
	{ "courier", "UID%u-%v", UIDL_OF_NUMBERS },
	{ "hmailserver", "%u", UIDL_OF_NUMBERS },
	{ "citadel", "%u", UIDL_OF_NUMBERS },
	{ "stalwart", "%v%u", UIDL_OF_NUMBERS },
	{ "gmail", NULL, UIDL_OF_GMAIL_ID },
	{ "message-id", NULL, UIDL_OF_MESSAGE_ID },
	{ "emailid", NULL, UIDL_OF_EMAILID },
	{ "x-guid", NULL, UIDL_OF_GUID },
	{ NULL, NULL, UIDL_OF_NUMBERS },
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

/* An empty template with room for the pieces of TEXT; NULL without memory. */
static struct uidl_template *
template_new(const char *text)
{
	size_t size = strlen(text) + 1;
	struct uidl_template *t = calloc(1, sizeof(*t) + size * sizeof(t->pieces[0]));

	if (t == NULL || (t->text = malloc(size)) == NULL) {
		free(t);
		return NULL;
	}
	memcpy(t->text, text, size);
	return t;
}

static const struct uidl_preset *
find_preset(const char *name)
{
	for (const struct uidl_preset *p = uidl_presets; p->name != NULL; p++)
		if (strcmp(p->name, name) == 0)
			return p;
	return NULL;
}

int
uidl_template_parse(const char *text, struct uidl_template **out, size_t *at)
{
	const struct uidl_preset *preset = find_preset(text);
	struct uidl_template *t;
	bool has_uid = false;
	size_t length;

	*at = 0;
	if (preset != NULL && preset->template != NULL)
		text = preset->template;
	if ((t = template_new(text)) == NULL)
		return ERR_NO_MEMORY;
	if (preset != NULL && preset->template == NULL) {
		t->attribute = preset->attribute;
		*out = t;
		return 0;
	}
	length = strlen(text);
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
	uidl_template_free(t);
	return ERR_INVALID;
}

void
uidl_template_free(struct uidl_template *t)
{
	if (t == NULL)
		return;
	free(t->text);
	free(t);
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

/* Gives T a mark. */
static int
set_mark(struct uidl_template *t, const char *mark)
{
	size_t room = strlen(t->text) + MARK + 2;
	char *text = malloc(room);

	if (text == NULL)
		return ERR_NO_MEMORY;
	snprintf(t->mark, sizeof(t->mark), "%s", mark);
	snprintf(text, room, "%s %s", t->text, t->mark);
	free(t->text);
	t->text = text;
	return 0;
}

int
uidl_template_mark(const struct uidl_template *t, const char *name, struct uidl_template **out)
{
	char hex[DIGEST_HEX + 1], mark[MARK + 1];
	size_t at;
	int rc;

	digest_hex(name, strlen(name), hex);
	snprintf(mark, sizeof(mark), ".%.*s", MARK - 1, hex);
	if ((rc = uidl_template_parse(t->text, out, &at)) != 0)
		return rc;
	if ((rc = set_mark(*out, mark)) != 0)
		uidl_template_free(*out);
	return rc;
}

int
uidl_template_restore(const char *text, size_t len, struct uidl_template **out)
{
	char *copy = malloc(len + 1), *mark;
	size_t at;
	int rc;

	if (copy == NULL)
		return ERR_NO_MEMORY;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if ((mark = strchr(copy, ' ')) != NULL)
		*mark++ = '\0';
	if (strlen(copy) + (mark != NULL ? strlen(mark) + 1 : 0) != len ||
	    (mark != NULL && !is_valid(mark, strlen(mark), MARK)))
		rc = ERR_INVALID;
	else
		rc = uidl_template_parse(copy, out, &at);
	if (rc == 0 && mark != NULL && (rc = set_mark(*out, mark)) != 0)
		uidl_template_free(*out);
	free(copy);
	return rc;
}

const char *
uidl_template_text(const struct uidl_template *t)
{
	return t->text;
}

enum uidl_attribute
uidl_template_attribute(const struct uidl_template *t)
{
	return t->attribute;
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

bool
uidl_is_valid(const char *text, size_t len)
{
	return is_valid(text, len, UIDL_MAX);
}

/* What stands in for a UIDL that RFC 1939 does not allow. */
static size_t
format_digest(const char *name, size_t len, char buf[UIDL_MAX + 1])
{
	char hex[DIGEST_HEX + 1];

	digest_hex(name, len, hex);
	memcpy(buf, hex, HASH_UIDL);
	return HASH_UIDL;
}

/* Made from UIDVALIDITY and UID alone, so that it stays the same over restarts. */
static size_t
format_hash(uint32_t uidvalidity, uint32_t uid, char buf[UIDL_MAX + 1])
{
	char name[32];

	snprintf(name, sizeof(name), "%u.%u", (unsigned) uidvalidity, (unsigned) uid);
	return format_digest(name, strlen(name), buf);
}

void
uidl_format(
    const struct uidl_template *t, uint32_t uidvalidity, uint32_t uid, char buf[UIDL_MAX + 1])
{
	bool marked = t->mark[0] != '\0';
	size_t len = 0, room = marked ? UIDL_MAX - MARK : UIDL_MAX;

	for (size_t i = 0; i < t->length; i++) /* of none comes nothing, which is no UIDL */
		format_piece(&t->pieces[i], uidvalidity, uid, buf, room, &len);
	if (!is_valid(buf, len, room))
		len = format_hash(uidvalidity, uid, buf);
	if (marked)
		memcpy(buf + len, t->mark, sizeof(t->mark));
	else
		buf[len] = '\0';
}

/* The name of the field, blanks around it and one pair of angle brackets are no part of a Message-ID; nor is
 * a second one. */
static void
trim_message_id(const char **value, size_t *len)
{
	static const char name[] = "Message-ID:";
	const char *end;

	if (*len >= sizeof(name) - 1 && text_is_word(*value, sizeof(name) - 1, name)) {
		*value += sizeof(name) - 1;
		*len -= sizeof(name) - 1;
	}
	if ((end = memchr(*value, '>', *len)) != NULL)
		*len = (size_t) (end - *value) + 1;
	while (*len > 0 && strchr(" \t\r\n", (*value)[*len - 1]) != NULL)
		(*len)--;
	while (*len > 0 && strchr(" \t\r\n", **value) != NULL) {
		(*value)++;
		(*len)--;
	}
	if (*len >= 2 && **value == '<' && (*value)[*len - 1] == '>') {
		(*value)++;
		*len -= 2;
	}
}

/* The id as Gmail's own POP3 writes it. */
static int
format_gmail_id(const char *value, size_t len, char buf[UIDL_MAX + 1], size_t *used)
{
	uint64_t number;

	if (text_to_number(value, len, UINT64_MAX, &number) != 0)
		return ERR_INVALID;
	*used = (size_t) snprintf(
	    buf, UIDL_MAX + 1, "GmailId%llx", (unsigned long long) number);
	return 0;
}

int
uidl_from_attribute(
    const struct uidl_template *t, const char *value, size_t len, char buf[UIDL_MAX + 1])
{
	size_t mark = strlen(t->mark), room = UIDL_MAX - mark, used = len;

	if (t->attribute == UIDL_OF_MESSAGE_ID)
		trim_message_id(&value, &len);
	if (len == 0)
		return ERR_INVALID;
	if (t->attribute == UIDL_OF_GMAIL_ID) {
		if (format_gmail_id(value, len, buf, &used) != 0)
			return ERR_INVALID;
	} else if (is_valid(value, len, room)) {
		memcpy(buf, value, len);
		used = len;
	} else {
		used = format_digest(value, len, buf);
	}
	memcpy(buf + used, t->mark, mark + 1);
	return 0;
}
