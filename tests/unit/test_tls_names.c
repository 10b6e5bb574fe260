/* Unit tests of fiberio/tls_names.c. */
#include "fiberio/tls_names.h"

#include "unit.h"

static const struct row {
	const char *pattern, *name;
	enum tls_name_match match;
} rows[] = {
	{ "mail.test", "mail.test", TLS_NAME_EXACT },
	{ "mail.test", "MAIL.Test", TLS_NAME_EXACT },
	{ "Mail.TEST", "mail.test", TLS_NAME_EXACT },
	{ "mail.test", "mail.test.", TLS_NAME_OTHER },
	{ "mail.test", "a.mail.test", TLS_NAME_OTHER },
	{ "mail.test", "ail.test", TLS_NAME_OTHER },
	{ "mail.test", "", TLS_NAME_OTHER },
	{ "", "", TLS_NAME_OTHER },
	{ "*.test", "mail.test", TLS_NAME_WILDCARD },
	{ "*.Test", "mail.tesT", TLS_NAME_WILDCARD },
	{ "*.test", "a.b.test", TLS_NAME_OTHER },
	{ "*.test", ".test", TLS_NAME_OTHER },
	{ "*.test", "test", TLS_NAME_OTHER },
	{ "*.test", "mail.test.", TLS_NAME_OTHER },
	{ "m*.test", "mail.test", TLS_NAME_OTHER },
	{ "*l.test", "mail.test", TLS_NAME_OTHER },
	{ "a.*.test", "a.b.test", TLS_NAME_OTHER },
	{ "*.*.test", "a.b.test", TLS_NAME_OTHER },
	{ "*", "test", TLS_NAME_OTHER },
	{ "*", "*", TLS_NAME_EXACT },
	{ "*.", "a.", TLS_NAME_WILDCARD },
	{ "127.0.0.1", "127.0.0.1", TLS_NAME_EXACT },
};

static void
names_are_compared(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		UNIT_CHECK(tls_name_match(rows[i].pattern, rows[i].name) == rows[i].match,
		    rows[i].pattern);
		UNIT_CHECK(tls_name_match(rows[i].pattern, rows[i].name) == rows[i].match,
		    rows[i].name);
	}
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "names_are_compared", names_are_compared },
	};

	return unit_run("tls_names", tests, sizeof(tests) / sizeof(tests[0]));
}
