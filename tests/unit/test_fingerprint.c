/* Unit tests of mapping/fingerprint.c: what makes headers alike, however they are cut. */
#include "mapping/fingerprint.h"

#include "unit.h"

#define HEADER                                                                                     \
	"Received: from a.example by b.example; Mon, 1 Jan 2001 00:00:00 +0000\r\n"                \
	"From: Jane <jane@example.org>\r\nTo: joe@example.org\r\nSubject: hello world\r\n"         \
	"Date: Mon, 1 Jan 2001 00:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n"

static struct fingerprint
print_of(const char *header, size_t cut)
{
	struct fingerprint_reader r;
	struct fingerprint print;
	size_t len = strlen(header);

	fingerprint_begin(&r);
	for (size_t i = 0; i < len; i += cut)
		fingerprint_feed(&r, header + i, len - i < cut ? len - i : cut);
	fingerprint_end(&r, &print);
	return print;
}

static bool
is_alike(const struct fingerprint *a, const struct fingerprint *b)
{
	return a->headers[0] == b->headers[0] && a->headers[1] == b->headers[1];
}

static const struct {
	const char *name;
	const char *header;
	bool alike; /* to HEADER */
	bool agrees;
} headers[] = {
	{ "itself", HEADER "\r\n", true, true },
	{ "without the empty line", HEADER, true, true },
	{ "a body does not count", HEADER "\r\nSubject: another\r\n", true, true },
	{ "bare LF",
	    "Received: from a.example by b.example; Mon, 1 Jan 2001 00:00:00 +0000\n"
	    "From: Jane <jane@example.org>\nTo: joe@example.org\nSubject: hello world\n"
	    "Date: Mon, 1 Jan 2001 00:00:00 +0000\nMessage-ID: <1@example.org>\n\n",
	    true, true },
	{ "folded, other blanks, other case of names",
	    "RECEIVED: from a.example by b.example;\r\n\tMon, 1 Jan 2001 00:00:00 +0000\r\n"
	    "from:Jane\r\n <jane@example.org>\r\nTo:  joe@example.org \r\nsubject: hello\r\n "
	    "world\r\nDate: Mon, 1 Jan 2001 00:00:00 +0000\r\nmessage-id:\r\n <1@example.org>\r\n\r\n",
	    true, true },
	{ "what servers add",
	    "Return-Path: <jane@example.org>\r\nDelivered-To: joe\r\n folded\r\n" HEADER
	    "Status: RO\r\nX-UIDL: 0123456789\r\nContent-Length: 12\r\n\r\n",
	    true, true },
	{ "the line of an mbox", "From jane Mon Jan 1 00:00:00 2001\r\n" HEADER "\r\n", true, true },
	{ "a name that only begins so", HEADER "Subjects: x\r\nMessage-ID-Of-Old: y\r\n\r\n", true,
	    true },
	{ "another subject",
	    "Received: from a.example by b.example; Mon, 1 Jan 2001 00:00:00 +0000\r\n"
	    "From: Jane <jane@example.org>\r\nTo: joe@example.org\r\nSubject: hello, world\r\n"
	    "Date: Mon, 1 Jan 2001 00:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n\r\n",
	    false, true },
	{ "one more Received", "Received: by c.example\r\n" HEADER "\r\n", false, true },
	{ "another Message-ID", "Date: Mon, 1 Jan 2001 00:00:00 +0000\r\nMessage-ID: <2@x>\r\n\r\n",
	    false, false },
	{ "the same Message-ID without Date", "Message-ID: <1@example.org>\r\n\r\n", false, false },
	{ "nothing", "", false, false },
	{ "an empty header", "\r\n" HEADER, false, false },
	{ "rubbish", ":\r\n : \r\n\001\r\nno colon\r\n\r\n", false, false },
};

static void
what_counts(void)
{
	struct fingerprint wanted = print_of(HEADER "\r\n", 4096);

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		struct fingerprint p = print_of(headers[i].header, 4096);

		UNIT_CHECK(is_alike(&p, &wanted) == headers[i].alike, headers[i].name);
		UNIT_CHECK(fingerprint_agrees(&p, &wanted) == headers[i].agrees, headers[i].name);
		UNIT_CHECK(fingerprint_agrees(&wanted, &p) == headers[i].agrees, headers[i].name);
	}
}

static void
cuts_do_not_matter(void)
{
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		struct fingerprint whole = print_of(headers[i].header, 4096);

		for (size_t cut = 1; cut < 20; cut++) {
			struct fingerprint p = print_of(headers[i].header, cut);

			UNIT_CHECK(is_alike(&p, &whole) && p.message_id == whole.message_id &&
				p.date == whole.date && p.x_uidl == whole.x_uidl &&
				p.strong == whole.strong,
			    headers[i].name);
		}
	}
}

static void
fields_of_their_own(void)
{
	struct fingerprint p = print_of(HEADER "X-UIDL:  ab0123456789 \r\nX-UIDL: other56789\r\n", 7);

	CU_ASSERT_EQUAL(p.x_uidl, fingerprint_key("ab0123456789", 12));
	CU_ASSERT_EQUAL(p.message_id, fingerprint_key("1@example.org", 13));
	CU_ASSERT_EQUAL(p.message_id, fingerprint_key(" <1@example.org>", 16));
	CU_ASSERT_TRUE(p.strong);
	p = print_of("X-UIDL: 42\r\nSubject: x\r\n\r\n", 5);
	CU_ASSERT_EQUAL(p.x_uidl, 0); /* the number of anything */
	CU_ASSERT_FALSE(p.strong);
	p = print_of("Message-ID: \r\nReceived:\r\n\r\n", 5);
	CU_ASSERT_FALSE(p.strong);
	CU_ASSERT_EQUAL(p.message_id, 0);
	p = print_of("", 1);
	CU_ASSERT_TRUE(p.headers[0] == 0 && p.headers[1] == 0);
	CU_ASSERT_FALSE(fingerprint_agrees(&p, &p)); /* nothing is like nothing */
}

static void
long_values_take_no_memory(void)
{
	struct fingerprint_reader r;
	struct fingerprint a, b;

	for (unsigned last = 0; last < 2; last++) {
		fingerprint_begin(&r);
		fingerprint_feed(&r, "Subject: ", 9);
		for (unsigned i = 0; i < 100000; i++)
			fingerprint_feed(&r, "0123456789", 10);
		fingerprint_feed(&r, last == 0 ? "a\n" : "b\n", 2);
		CU_ASSERT_FALSE(fingerprint_is_complete(&r));
		fingerprint_feed(&r, "\n", 1);
		CU_ASSERT_TRUE(fingerprint_is_complete(&r));
		fingerprint_end(&r, last == 0 ? &a : &b);
	}
	CU_ASSERT_FALSE(is_alike(&a, &b));
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "what counts", what_counts },
		{ "cuts do not matter", cuts_do_not_matter },
		{ "fields of their own", fields_of_their_own },
		{ "long values take no memory", long_values_take_no_memory },
	};

	return unit_run("fingerprint", tests, sizeof(tests) / sizeof(tests[0]));
}
