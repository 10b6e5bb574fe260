/* Unit tests of imapback/mailbox_name.c: modified UTF-7. */
#include "imapback/mailbox_name.h"

#include "base/error.h"
#include "unit.h"

static const struct {
	const char *name;
	const char *encoded;
} rows[] = {
	{ "INBOX", "INBOX" }, { "a b\"c\\d", "a b\"c\\d" }, { "R&D", "R&-D" }, { "&", "&-" },
	/* the example of RFC 3501 section 5.1.3 */
	{ "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
	    "~peter/mail/&U,BTFw-/&ZeVnLIqe-" },
	{ "Entw\xc3\xbcrfe", "Entw&APw-rfe" }, { "\xc3\xbc&\xc3\xbc", "&APw-&-&APw-" },
	{ "\xf0\x9f\x93\xac", "&2D3c7A-" }, /* beyond the BMP: a surrogate pair */
	{ "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac", "&IKwgrCCs-" }, /* no bits left over */
};

static void
names_in_modified_utf7(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char out[128];

		UNIT_CHECK(mailbox_name_encode(rows[i].name, out, sizeof(out)) == 0, rows[i].name);
		UNIT_CHECK(strcmp(out, rows[i].encoded) == 0, rows[i].encoded);
		/* just enough room, and one octet less */
		UNIT_CHECK(mailbox_name_encode(rows[i].name, out, strlen(rows[i].encoded) + 1) == 0,
		    rows[i].name);
		UNIT_CHECK(
		    mailbox_name_encode(rows[i].name, out, strlen(rows[i].encoded)) == ERR_LIMIT,
		    rows[i].name);
	}
}

static void
no_names(void)
{
	static const char *const names[] = { "", "a\rb", "a\nb", "tab\t", "del\x7f", "\xff",
		"cut\xe2\x82", "\xed\xa0\x80" };
	char out[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		UNIT_CHECK(
		    mailbox_name_encode(names[i], out, sizeof(out)) == ERR_INVALID, names[i]);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "names_in_modified_utf7", names_in_modified_utf7 },
		{ "no_names", no_names },
	};

	return unit_run("mailbox_name", tests, sizeof(tests) / sizeof(tests[0]));
}
