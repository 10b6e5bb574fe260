/* Unit tests of mapping/uidl.c. */
#include "mapping/uidl.h"

#include <stdlib.h>

#include "base/error.h"
#include "unit.h"

static const struct {
	const char *name;
	const char *template;
	uint32_t uidvalidity;
	uint32_t uid;
	const char *uidl;
} forms[] = {
	{ "Dovecot's default", UIDL_DEFAULT_TEMPLATE, 0x5f3a, 0xabc, "00000abc00005f3a" },
	{ "lower-case x means the same", "%08xu%08xv", 0x5f3a, 0xabc, "00000abc00005f3a" },
	{ "Cyrus, Dovecot 0.99", "%v.%u", 1234567890, 42, "1234567890.42" },
	{ "old Cyrus", "%u", 9, 42, "42" },
	{ "Courier mode of Cyrus", "%v-%u", 9, 42, "9-42" },
	{ "UW", "%08Xv%08Xu", 0x10, 0x20, "0000001000000020" },
	{ "Stalwart", "%v%u", 12, 34, "1234" },
	{ "decimal padding", "%05u", 1, 42, "00042" },
	{ "width smaller than the number", "%02u", 1, 12345, "12345" },
	{ "greatest numbers", "%Xu.%u", 1, UINT32_MAX, "ffffffff.4294967295" },
	{ "percent sign", "%%%u", 1, 7, "%7" },
	{ "70 characters", "0123456789012345678901234567890123456789012345678901234567890%08Xu/", 1,
	    1, "012345678901234567890123456789012345678901234567890123456789000000001/" },
};

static void
templates_yield_their_forms(void)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct uidl_template *t;
		char uidl[UIDL_MAX + 1];
		size_t at;

		if (!UNIT_CHECK(
			uidl_template_parse(forms[i].template, &t, &at) == 0, forms[i].name))
			continue;
		uidl_format(t, forms[i].uidvalidity, forms[i].uid, uidl);
		UNIT_CHECK(strcmp(uidl, forms[i].uidl) == 0, forms[i].name);
		uidl_template_free(t);
	}
}

static const struct {
	const char *template;
	size_t at;
} refused[] = {
	{ "", 0 },
	{ "%v", 2 },
	{ "fixed", 5 },
	{ "%u %v", 2 },
	{ "%u\x7f", 2 },
	{ "\xc3\xa4%u", 0 },
	{ "%", 1 },
	{ "%f", 1 },
	{ "%08X", 4 },
	{ "%99u", 2 },
	{ "%%u", 3 },
	{ "%u%s", 3 },
};

static void
bad_templates_are_refused_where_they_are_bad(void)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct uidl_template *t;
		size_t at = 99;

		UNIT_CHECK(uidl_template_parse(refused[i].template, &t, &at) == ERR_INVALID,
		    refused[i].template);
		UNIT_CHECK(at == refused[i].at, refused[i].template);
	}
}

/* Rule 7: whatever the template yields, the UIDL is 1 to 70 characters of 0x21-0x7E, stable and
 * unique. */
static void
rule_7_unfit_forms_become_a_stable_hash(void)
{
	static const char *const templates[] = {
		"%u%32u",	   /* blanks inside */
		"%032u%032u%032u", /* 96 characters */
		"0123456789012345678901234567890123456789012345678901234567890123%08Xu", /* 72 */
	};

	for (size_t i = 0; i < sizeof(templates) / sizeof(templates[0]); i++) {
		struct uidl_template *t;
		char one[UIDL_MAX + 1], again[UIDL_MAX + 1], two[UIDL_MAX + 1];
		size_t at;

		if (!UNIT_CHECK(uidl_template_parse(templates[i], &t, &at) == 0, templates[i]))
			continue;
		uidl_format(t, 7, 1, one);
		uidl_format(t, 7, 1, again);
		uidl_format(t, 7, 2, two);
		UNIT_CHECK(
		    strlen(one) == 40 && strspn(one, "0123456789abcdef") == 40, templates[i]);
		UNIT_CHECK(strcmp(one, again) == 0, templates[i]);
		UNIT_CHECK(strcmp(one, two) != 0, templates[i]);
		/* Written down once, from "7.1": a change would make every client download again.
		 */
		UNIT_CHECK(strcmp(one, "772444a00dc21159ebfb1b6487a9a00977d12a9d") == 0, one);
		uidl_template_free(t);
	}
}

static const struct {
	const char *template;
	const char *unmarked, *junk; /* of UID 1 and UIDVALIDITY 7 */
} marked[] = {
	{ UIDL_DEFAULT_TEMPLATE, "0000000100000007", "0000000100000007.16d70c1cea1f" },
	{ "%u", "1", "1.16d70c1cea1f" },
	/* 57 characters leave room for the mark; with one more the hash takes their place. */
	{ "%032u%024v/", "00000000000000000000000000000001000000000000000000000007/",
	    "00000000000000000000000000000001000000000000000000000007/.16d70c1cea1f" },
	{ "%032u%025v/", "000000000000000000000000000000010000000000000000000000007/",
	    "772444a00dc21159ebfb1b6487a9a00977d12a9d.16d70c1cea1f" },
};

/* UIDLs of two mailboxes never meet, whatever their UIDs and UIDVALIDITY. */
static void
rule_7_further_mailboxes_have_a_mark(void)
{
	for (size_t i = 0; i < sizeof(marked) / sizeof(marked[0]); i++) {
		struct uidl_template *t, *junk, *drafts;
		char uidl[UIDL_MAX + 1], other[UIDL_MAX + 1];
		size_t at;

		CU_ASSERT_EQUAL_FATAL(uidl_template_parse(marked[i].template, &t, &at), 0);
		CU_ASSERT_EQUAL_FATAL(uidl_template_mark(t, "Junk", &junk), 0);
		CU_ASSERT_EQUAL_FATAL(uidl_template_mark(t, "Entw\303\274rfe", &drafts), 0);
		uidl_format(t, 7, 1, uidl);
		UNIT_CHECK(strcmp(uidl, marked[i].unmarked) == 0, uidl);
		uidl_format(junk, 7, 1, uidl);
		/* Written down once: a change would make every client download again. */
		UNIT_CHECK(strcmp(uidl, marked[i].junk) == 0, uidl);
		uidl_format(drafts, 7, 1, other);
		UNIT_CHECK(strlen(other) == strlen(uidl) && strcmp(uidl, other) != 0, other);
		uidl_template_free(t);
		uidl_template_free(junk);
		uidl_template_free(drafts);
	}
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "templates_yield_their_forms", templates_yield_their_forms },
		{ "bad_templates_are_refused_where_they_are_bad",
		    bad_templates_are_refused_where_they_are_bad },
		{ "rule_7_unfit_forms_become_a_stable_hash",
		    rule_7_unfit_forms_become_a_stable_hash },
		{ "rule_7_further_mailboxes_have_a_mark", rule_7_further_mailboxes_have_a_mark },
	};

	return unit_run("uidl", tests, sizeof(tests) / sizeof(tests[0]));
}
