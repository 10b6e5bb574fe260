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

static const struct {
	const char *name;
	const char *text; /* what is remembered of it */
} names[] = {
	{ "dovecot", UIDL_DEFAULT_TEMPLATE },
	{ "dovecot-0.99", "%v.%u" },
	{ "cyrus", "%v.%u" },
	{ "cyrus-uid", "%u" },
	{ "cyrus-courier", "%v-%u" },
	{ "cyrus-dovecot", UIDL_DEFAULT_TEMPLATE },
	{ "uw", "%08Xv%08Xu" },
	{ "courier", "UID%u-%v" },
	{ "hmailserver", "%u" },
	{ "citadel", "%u" },
	{ "stalwart", "%v%u" },
	{ "gmail", "gmail" },
	{ "message-id", "message-id" },
	{ "emailid", "emailid" },
	{ "x-guid", "x-guid" },
};

static void
names_stand_for_templates(void)
{
	size_t count = 0, at;

	while (uidl_presets[count].name != NULL)
		count++;
	CU_ASSERT_EQUAL(count, sizeof(names) / sizeof(names[0]));
	for (size_t i = 0; i < count; i++) {
		struct uidl_template *t, *again;

		if (!UNIT_CHECK(uidl_template_parse(names[i].name, &t, &at) == 0, names[i].name))
			continue;
		UNIT_CHECK(
		    strcmp(uidl_template_text(t), names[i].text) == 0, names[i].name);
		/* What is remembered is understood again. */
		if (UNIT_CHECK(uidl_template_restore(names[i].text, strlen(names[i].text),
				   &again) == 0,
			names[i].name)) {
			UNIT_CHECK(uidl_template_attribute(t) == uidl_template_attribute(again),
			    names[i].name);
			uidl_template_free(again);
		}
		uidl_template_free(t);
	}
}

static const struct {
	const char *template;
	const char *value;
	const char *uidl; /* NULL: none */
} values[] = {
	{ "gmail", "1278455344230334865", "GmailId11bdfc5cae0c8191" },
	{ "gmail", "18446744073709551615", "GmailIdffffffffffffffff" },
	{ "gmail", "18446744073709551616", NULL },
	{ "gmail", "x", NULL },
	{ "gmail", "", NULL },
	{ "message-id", " <a@b.c>\r\n", "a@b.c" },
	{ "message-id", "message-id: <a@b.c>\r\n\r\n", "a@b.c" },
	{ "message-id", "Message-ID:\r\n <a@b.c> (folded)\r\n", "a@b.c" },
	{ "message-id", "Message-ID: <a@b.c>\r\nMessage-ID: <d@e.f>\r\n\r\n", "a@b.c" },
	{ "message-id", "\r\n", NULL },
	{ "message-id", "a@b.c", "a@b.c" },
	{ "message-id", "<>", NULL },
	{ "message-id", "\t \r\n", NULL },
	{ "message-id", "<a b>", "c8687a08aa5d6ed2044328fa6a697ab8e96dc342" },
	{ "emailid", "M6d99ac3275bb4e", "M6d99ac3275bb4e" },
	{ "emailid", "", NULL },
	{ "x-guid", "1700000000.M1P2.host", "1700000000.M1P2.host" },
	{ "x-guid", "<kept>", "<kept>" },
};

static void
rule_41_attributes_become_uidls(void)
{
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char uidl[UIDL_MAX + 1] = "";
		struct uidl_template *t;
		size_t at;
		int rc;

		if (!UNIT_CHECK(uidl_template_parse(values[i].template, &t, &at) == 0,
			values[i].template))
			continue;
		rc = uidl_from_attribute(t, values[i].value, strlen(values[i].value), uidl);
		if (values[i].uidl == NULL)
			UNIT_CHECK(rc == ERR_INVALID, values[i].value);
		else if (!UNIT_CHECK(rc == 0 && strcmp(uidl, values[i].uidl) == 0,
			     values[i].value))
			printf("    %s\n", uidl);
		uidl_template_free(t);
	}
}

/* Of another mailbox than the first: what is remembered holds the mark. */
static void
marks_are_remembered(void)
{
	struct uidl_template *t, *junk, *again;
	char one[UIDL_MAX + 1], two[UIDL_MAX + 1], value[80];
	size_t at;

	CU_ASSERT_EQUAL_FATAL(uidl_template_parse("x-guid", &t, &at), 0);
	CU_ASSERT_EQUAL_FATAL(uidl_template_mark(t, "Junk", &junk), 0);
	CU_ASSERT_EQUAL_FATAL(uidl_template_restore(uidl_template_text(junk),
				  strlen(uidl_template_text(junk)), &again),
	    0);
	CU_ASSERT_STRING_EQUAL(uidl_template_text(again), uidl_template_text(junk));
	CU_ASSERT_EQUAL(uidl_from_attribute(junk, "g", 1, one), 0);
	CU_ASSERT_EQUAL(uidl_from_attribute(again, "g", 1, two), 0);
	CU_ASSERT_STRING_EQUAL(one, two);
	CU_ASSERT_EQUAL(strlen(one), 1 + 13);
	memset(value, 'x', sizeof(value));
	CU_ASSERT_EQUAL(uidl_from_attribute(junk, value, UIDL_MAX, one), 0); /* no room for both */
	CU_ASSERT_EQUAL(strlen(one), 40 + 13);
	uidl_template_free(again);
	CU_ASSERT_EQUAL(uidl_template_restore("%u .a .b", 8, &again), ERR_INVALID);
	CU_ASSERT_EQUAL(uidl_template_restore("%u\0", 3, &again), ERR_INVALID);
	CU_ASSERT_EQUAL(uidl_template_restore("%u .0123456789abcdef", 20, &again), ERR_INVALID);
	uidl_template_free(junk);
	uidl_template_free(t);
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
		{ "names_stand_for_templates", names_stand_for_templates },
		{ "rule_41_attributes_become_uidls", rule_41_attributes_become_uidls },
		{ "marks_are_remembered", marks_are_remembered },
	};

	return unit_run("uidl", tests, sizeof(tests) / sizeof(tests[0]));
}
