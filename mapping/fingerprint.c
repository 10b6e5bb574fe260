/* fingerprint.c - see fingerprint.h. */
#include "mapping/fingerprint.h"

#include <string.h>

enum reader_state {
	LINE_START,
	NAME,
	PASSED_OVER, /* in a line that does not count */
	VALUE,
	END, /* behind the empty line */
};

enum key {
	KEY_NONE,
	KEY_MESSAGE_ID,
	KEY_DATE,
	KEY_X_UIDL,
};

/* The fields that count. Those that a server adds when it stores a message are not among them, but
 * for X-UIDL, which is looked at and not part of the digest. */
static const struct field {
	const char *name;
	bool digested;
	bool strong; /* no two messages share its value by chance */
	enum key key;
} fields[] = {
	{ "received", true, true, KEY_NONE },
	{ "date", true, false, KEY_DATE },
	{ "from", true, false, KEY_NONE },
	{ "sender", true, false, KEY_NONE },
	{ "reply-to", true, false, KEY_NONE },
	{ "to", true, false, KEY_NONE },
	{ "cc", true, false, KEY_NONE },
	{ "subject", true, false, KEY_NONE },
	{ "message-id", true, true, KEY_MESSAGE_ID },
	{ "in-reply-to", true, false, KEY_NONE },
	{ "x-uidl", false, false, KEY_X_UIDL },
};

enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static uint64_t
number_from(const unsigned char *octets)
{
	uint64_t n = 0;

	for (size_t i = 0; i < sizeof(n); i++)
		n = n << 8 | octets[i];
	return n;
}

uint64_t
fingerprint_key(const char *text, size_t len)
{
	unsigned char digest[DIGEST_SIZE];
	struct digest d;
	uint64_t key;

	while (len > 0 && is_blank(text[0]))
		text++, len--;
	while (len > 0 && is_blank(text[len - 1]))
		len--;
	if (len > 2 && text[0] == '<' && text[len - 1] == '>')
		text++, len -= 2;
	digest_begin(&d);
	digest_add(&d, text, len);
	digest_end(&d, digest);
	key = number_from(digest);
	return key != 0 ? key : 1;
}

void
fingerprint_begin(struct fingerprint_reader *r)
{
	memset(r, 0, sizeof(*r));
	r->state = LINE_START;
	r->field = FIELDS;
	digest_begin(&r->digest);
}

/* The value of a field is complete. */
static void
end_field(struct fingerprint_reader *r)
{
	const struct field *f;
	uint64_t *key = NULL;

	if (r->field == FIELDS)
		return;
	f = &fields[r->field];
	if (f->digested) {
		digest_add(&r->digest, "\n", 1);
		r->any = true;
	}
	r->print.strong = r->print.strong || (f->strong && r->value_len > 0);
	if (f->key == KEY_MESSAGE_ID)
		key = &r->print.message_id;
	else if (f->key == KEY_DATE)
		key = &r->print.date;
	else if (f->key == KEY_X_UIDL && r->value_len >= FINGERPRINT_X_UIDL_MIN)
		key = &r->print.x_uidl;
	/* Of several, the first counts: the others are somebody's mistake. */
	if (key != NULL && *key == 0 && r->value_len > 0)
		*key = fingerprint_key(r->value, r->value_len);
	r->field = FIELDS;
}

static void
begin_field(struct fingerprint_reader *r)
{
	const struct field *f;

	end_field(r);
	r->state = PASSED_OVER;
	if (r->name_len > FINGERPRINT_NAME_MAX)
		return;
	r->name[r->name_len] = '\0';
	for (r->field = 0; r->field < FIELDS; r->field++)
		if (strcmp(fields[r->field].name, r->name) == 0)
			break;
	if (r->field == FIELDS)
		return;
	f = &fields[r->field];
	if (f->digested) {
		digest_add(&r->digest, f->name, strlen(f->name));
		digest_add(&r->digest, ":", 1);
	}
	r->state = VALUE;
	r->value_len = 0;
	r->blank = false;
}

static void
add_value(struct fingerprint_reader *r, char c)
{
	if (fields[r->field].digested)
		digest_add(&r->digest, &c, 1);
	if (r->value_len < FINGERPRINT_VALUE_MAX)
		r->value[r->value_len++] = c;
}

/* A character of a value, line ends apart. */
static void
feed_value(struct fingerprint_reader *r, char c)
{
	if (is_blank(c)) {
		r->blank = r->value_len > 0;
		return;
	}
	if (r->blank)
		add_value(r, ' ');
	r->blank = false;
	add_value(r, c);
}

static void
feed_name(struct fingerprint_reader *r, char c)
{
	if (c == ':' && r->name_len > 0) {
		begin_field(r);
	} else if (c <= 0x20 || c > 0x7e || c == ':') {
		/* No field: "From " of an mbox, or rubbish. */
		end_field(r);
		r->state = PASSED_OVER;
	} else {
		if (r->name_len < FINGERPRINT_NAME_MAX)
			r->name[r->name_len] = (char) (c >= 'A' && c <= 'Z' ? c + 32 : c);
		if (r->name_len <= FINGERPRINT_NAME_MAX)
			r->name_len++;
	}
}

static void
feed_line_start(struct fingerprint_reader *r, char c)
{
	/* Folded: a blank goes on with whatever field this is, or with what is passed over. */
	if (is_blank(c)) {
		r->state = r->field == FIELDS ? PASSED_OVER : VALUE;
		if (r->state == VALUE)
			feed_value(r, c);
		return;
	}
	r->state = NAME;
	r->name_len = 0;
	feed_name(r, c);
}

void
fingerprint_feed(struct fingerprint_reader *r, const char *octets, size_t len)
{
	for (size_t i = 0; i < len && r->state != END; i++) {
		char c = octets[i];

		if (c == '\r')
			continue;
		if (c == '\n' && r->state == LINE_START)
			r->state = END;
		else if (c == '\n' && r->state == NAME)
			feed_name(r, c);
		if (c == '\n') {
			r->state = r->state == END ? END : LINE_START;
			continue;
		}
		if (r->state == LINE_START)
			feed_line_start(r, c);
		else if (r->state == NAME)
			feed_name(r, c);
		else if (r->state == VALUE)
			feed_value(r, c);
	}
}

bool
fingerprint_is_complete(const struct fingerprint_reader *r)
{
	return r->state == END;
}

void
fingerprint_end(struct fingerprint_reader *r, struct fingerprint *out)
{
	unsigned char digest[DIGEST_SIZE];

	end_field(r);
	digest_end(&r->digest, digest);
	if (r->any) {
		r->print.headers[0] = number_from(digest);
		r->print.headers[1] = number_from(digest + 8);
	}
	*out = r->print;
}

/* Whether there were fields that count, and all are alike. */
static bool
has_same_headers(const struct fingerprint *a, const struct fingerprint *b)
{
	return (a->headers[0] != 0 || a->headers[1] != 0) && a->headers[0] == b->headers[0] &&
	       a->headers[1] == b->headers[1];
}

bool
fingerprint_agrees(const struct fingerprint *a, const struct fingerprint *b)
{
	return has_same_headers(a, b) || (a->message_id != 0 && a->message_id == b->message_id &&
					     a->date != 0 && a->date == b->date);
}
