/* Unit tests of imapback/guard.c and its parts: tables of what comes in, what the parser sees and
 * which events come out, each row through every cut of its input. */
#include "imapback/guard.h"

#include <stdlib.h>

#include "base/error.h"
#include "unit.h"

enum { BUDGET = 1000000 };

struct row {
	const char *name;
	enum guard_expectation expectation;
	const char *in;
	const char *out;     /* what the parser sees */
	const char *events;  /* b12@5+0 body of 12 octets from 0 on for UID 5; (...) its octets; e
			      * end; l7=12D message  7 has 12 octets, deleted; s7 search hit; v3:5
			      * UIDs 3 to 5 have vanished; t7=x message 7 has the value x;
			      * a:1:OK:CODE:text the answer */
	const char *refused; /* the reason, or NULL */
};

static const struct row rows[] = {
	{ "greeting", GUARD_EXPECT_GREETING, "* OK hello\r\n", "* OK \r\n", "", NULL },
	{ "greeting without a text", GUARD_EXPECT_GREETING, "* OK\r\n", "* OK \r\n", "", NULL },
	{ "greeting with capabilities", GUARD_EXPECT_GREETING,
	    "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] x\r\n",
	    "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN]\r\n", "", NULL },
	{ "other codes in a greeting", GUARD_EXPECT_GREETING, "* OK [UIDVALIDITY 1] x\r\n",
	    "* OK \r\n", "", NULL },
	{ "nothing behind a greeting", GUARD_EXPECT_GREETING, "* OK x\r\n* CAPABILITY X\r\n",
	    "* OK \r\n", "", NULL },
	{ "PREAUTH", GUARD_EXPECT_GREETING, "* PREAUTH hello\r\n", "", "",
	    "PREAUTH: whose account is this?" },
	{ "PREAUTH later", GUARD_EXPECT_RESPONSE, "* preauth hello\r\n", "", "",
	    "PREAUTH: whose account is this?" },
	{ "BYE for a greeting", GUARD_EXPECT_GREETING, "* BYE no\r\n", "", "",
	    "the server says BYE" },
	{ "BYE later", GUARD_EXPECT_LIST, "* BYE [UNAVAILABLE] x\r\n", "", "",
	    "the server says BYE" },
	{ "no greeting", GUARD_EXPECT_GREETING, "* NO hello\r\n", "", "", "not a greeting" },
	{ "numbers for a greeting", GUARD_EXPECT_GREETING, "* 1 EXISTS\r\n", "", "",
	    "not a greeting" },
	{ "a tag for a greeting", GUARD_EXPECT_GREETING, "1 OK x\r\n", "", "", "not a greeting" },
	{ "a continuation for a greeting", GUARD_EXPECT_GREETING, "+ OK\r\n", "", "",
	    "not a greeting" },
	{ "HTTP for a greeting", GUARD_EXPECT_GREETING, "HTTP/1.1 200 OK\r\n", "", "",
	    "not a greeting" },

	{ "OK", GUARD_EXPECT_RESPONSE, "1 OK done\r\n", "1 OK \r\n", "a:1:OK::done", NULL },
	{ "NO", GUARD_EXPECT_RESPONSE, "22 no x\r\n", "22 no \r\n", "a:22:NO::x", NULL },
	{ "BAD", GUARD_EXPECT_RESPONSE, "A3 BAD\r\n", "A3 BAD \r\n", "a:A3:BAD::", NULL },
	{ "nothing behind an answer", GUARD_EXPECT_BODY, "1 OK x\r\n* 3 FETCH (BODY[] {3}\r\nabc",
	    "1 OK \r\n", "a:1:OK::x", NULL },
	{ "continuation", GUARD_EXPECT_RESPONSE, "+ go ahead\r\n+\r\n", "+ \r\n+ \r\n", "", NULL },
	{ "challenge", GUARD_EXPECT_CHALLENGE, "+ e30=\r\n+\r\n+ a\"{9}\\b\r\n1 NO x\r\n",
	    "+ e30=\r\n+\r\n+ a9}b\r\n1 NO \r\n", "a:1:NO::x", NULL },
	{ "text is free", GUARD_EXPECT_RESPONSE, "* OK it's \"((( {5}\r\n1 OK {9999999999}\r\n",
	    "1 OK \r\n", "a:1:OK::{9999999999}", NULL },
	{ "a code", GUARD_EXPECT_RESPONSE, "1 NO [AUTHENTICATIONFAILED] x\r\n", "1 NO \r\n",
	    "a:1:NO:AUTHENTICATIONFAILED: x", NULL },
	{ "the code of another line", GUARD_EXPECT_RESPONSE, "* NO [UNAVAILABLE] x\r\n1 NO y\r\n",
	    "1 NO \r\n", "a:1:NO::y", NULL },
	{ "a code with arguments", GUARD_EXPECT_RESPONSE,
	    "1 NO [REFERRAL imap://evil/\"({3}] x\r\n", "1 NO \r\n", "a:1:NO:REFERRAL: x", NULL },
	{ "a code that the parser gets", GUARD_EXPECT_RESPONSE, "1 OK [READ-ONLY] x\r\n",
	    "1 OK [READ-ONLY]\r\n", "a:1:OK:READ-ONLY: x", NULL },
	{ "a code without a text", GUARD_EXPECT_RESPONSE, "1 OK [READ-WRITE]\r\n",
	    "1 OK [READ-WRITE]\r\n", "a:1:OK:READ-WRITE:", NULL },
	{ "a code too long", GUARD_EXPECT_RESPONSE,
	    "1 NO [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa] x\r\n",
	    "1 NO \r\n", "a:1:NO:: x", NULL },
	{ "numbers in codes", GUARD_EXPECT_RESPONSE, "* OK [UIDVALIDITY 4294967295] x\r\n",
	    "* OK [UIDVALIDITY 4294967295]\r\n", "", NULL },
	{ "numbers in codes of NO", GUARD_EXPECT_RESPONSE, "* NO [UIDNEXT 7]\r\n",
	    "* OK [UIDNEXT 7]\r\n", "", NULL },
	{ "numbers too large in codes", GUARD_EXPECT_RESPONSE, "* OK [UIDNEXT 4294967296] x\r\n",
	    "* OK [UIDNEXT 429496729", "", "number over 32 bits" },
	{ "no number in a code", GUARD_EXPECT_RESPONSE, "* OK [UIDNEXT ] x\r\n", "* OK [UIDNEXT ",
	    "", "malformed response code" },
	{ "a code without its argument", GUARD_EXPECT_RESPONSE, "* OK [UIDNEXT] x\r\n", "", "",
	    "malformed response code" },
	{ "codes nobody needs", GUARD_EXPECT_RESPONSE,
	    "* OK [HIGHESTMODSEQ 99999999999] x\r\n* OK [COPYUID 1 2:3 4:5] y\r\n* NO [BADCHARSET "
	    "({3} x)] z\r\n* OK [] x\r\n* OK [ALERT\r\n1 OK\r\n",
	    "1 OK \r\n", "a:1:OK::", NULL },
	{ "a code without an end", GUARD_EXPECT_RESPONSE, "* OK [CAPABILITY x\r\n",
	    "* OK [CAPABILITY x", "", "malformed response code" },
	{ "permanent flags", GUARD_EXPECT_RESPONSE,
	    "* OK [PERMANENTFLAGS (\\Deleted $Junk \\Seen [x] \\*)] x\r\n",
	    "* OK [PERMANENTFLAGS (\\Draft \\Deleted \\Seen \\*)]\r\n", "", NULL },
	{ "UIDs without sizes", GUARD_EXPECT_UIDS, "* 1 FETCH (UID 7)\r\n* 2 FETCH (FLAGS ())\r\n",
	    "", "l7=0", NULL },
	{ "no permanent flags", GUARD_EXPECT_RESPONSE, "* OK [PERMANENTFLAGS ()] x\r\n",
	    "* OK [PERMANENTFLAGS (\\Draft)]\r\n", "", NULL },
	{ "capabilities", GUARD_EXPECT_RESPONSE, "* CAPABILITY  A \"B({c\t\xc3\xa4  AUTH=D \r\n",
	    "* CAPABILITY A Bc AUTH=D\r\n", "", NULL },
	{ "no capabilities", GUARD_EXPECT_RESPONSE, "* CAPABILITY\r\n", "* CAPABILITY\r\n", "",
	    NULL },

	{ "what SELECT needs", GUARD_EXPECT_RESPONSE, "* 3 EXISTS\r\n* 0 recent\r\n* 2 EXPUNGE\r\n",
	    "* 3 EXISTS\r\n", "", NULL },
	{ "what nobody needs is swallowed", GUARD_EXPECT_RESPONSE,
	    "* FLAGS (\\Seen x)\r\n* LIST (\\Noselect) \"/\" {3}\r\na\rb\r\n* VANISHED 1:3\r\n* 5 "
	    "FEECH (a)\r\n"
	    "* 5 FETCH (FLAGS (\\Seen) BODYSTRUCTURE ((((\"a\")))))\r\n* ID (\"a\" ~{1}\r\nb)\r\n* "
	    "SEARCH 1 2\r\n"
	    "* STATUS \"a\\\"(\" (X 1)\r\n1 OK\r\n",
	    "1 OK \r\n", "a:1:OK::", NULL },
	{ "ID has structure", GUARD_EXPECT_ID, "* ID (\"name\" {3}\r\nabc \"x\\\"y\" NIL)\r\n",
	    "* ID (\"name\" {3}\r\nabc \"x\\\"y\" NIL)\r\n", "", NULL },
	{ "numbers over 32 bits", GUARD_EXPECT_RESPONSE, "* 4294967296 EXISTS\r\n", "", "",
	    "number over 32 bits" },
	{ "a literal of 2^32 + 5", GUARD_EXPECT_ID, "* ID ({4294967301}\r\n", "* ID ({42949", "",
	    "literal too large" },
	{ "a swallowed literal of 2^32 + 5", GUARD_EXPECT_RESPONSE, "* X ({4294967301}\r\n", "", "",
	    "literal too large" },
	{ "a non-synchronising literal", GUARD_EXPECT_ID, "* ID ({3+}\r\n", "* ID ({3", "",
	    "malformed literal" },
	{ "a binary literal", GUARD_EXPECT_ID, "* ID (~{3}\r\n", "* ID (", "", "binary literal" },
	{ "unbalanced", GUARD_EXPECT_ID, "* ID )\r\n", "* ID ", "",
	    "closing parenthesis without an opening one" },
	{ "never closed", GUARD_EXPECT_ID, "* ID (\r\n", "* ID (", "",
	    "line end inside parentheses" },
	{ "CR in a string", GUARD_EXPECT_ID, "* ID (\"a\r\n", "* ID (\"a", "",
	    "line end in a quoted string" },
	{ "bare LF", GUARD_EXPECT_RESPONSE, "1 OK x\n", "1 OK ", "", "line end that is not CRLF" },
	{ "bare CR", GUARD_EXPECT_RESPONSE, "1 OK x\ry", "1 OK \r", "",
	    "line end that is not CRLF" },
	{ "an empty line", GUARD_EXPECT_RESPONSE, "\r\n", "", "", "line that is no response" },
	{ "a blank first", GUARD_EXPECT_RESPONSE, " OK\r\n", "", "", "line that is no response" },
	{ "8 bits first", GUARD_EXPECT_RESPONSE, "\xc3\xa4 OK\r\n", "", "",
	    "line that begins with no tag" },
	{ "a tag alone", GUARD_EXPECT_RESPONSE, "1\r\n", "", "", "line that is no response" },
	{ "a tag with something else", GUARD_EXPECT_RESPONSE, "1 HELLO x\r\n", "", "",
	    "tagged line without a status" },
	{ "a tag that is none", GUARD_EXPECT_RESPONSE, "a*b OK x\r\n", "", "",
	    "line that begins with no tag" },
	{ "a tag too long", GUARD_EXPECT_RESPONSE, "0123456789abcdef OK x\r\n", "", "",
	    "line that begins with no tag" },
	{ "something behind EXISTS", GUARD_EXPECT_RESPONSE, "* 1 EXISTS x\r\n", "* 1 EXISTS ", "",
	    "octets behind the end of a response" },

	{ "a listing", GUARD_EXPECT_LIST,
	    "* 1 FETCH (UID 1 RFC822.SIZE 21 FLAGS ())\r\n"
	    "* 2 FETCH (FLAGS (\\Seen $x \\Deleted weird{ \"q]) UID 7 RFC822.SIZE 4294967296 "
	    "MODSEQ (12345678901))\r\n"
	    "* 3 fetch (internaldate \" 1-Jan (\\\"\" X ({2}\r\n)) NIL) rfc822.size 0 uid "
	    "4294967295)\r\n1 OK\r\n",
	    "1 OK \r\n", "l1=21l7=4294967296Dl4294967295=0a:1:OK::", NULL },
	{ "news of flags in a listing", GUARD_EXPECT_LIST,
	    "* 2 FETCH (FLAGS (\\Deleted))\r\n* 3 FETCH (UID 9 FLAGS (\\Seen))\r\n* 4 FETCH "
	    "(RFC822.SIZE 9)\r\n* 5 FETCH (UID 0 RFC822.SIZE 1)\r\n",
	    "", "", NULL },
	{ "news of flags elsewhere", GUARD_EXPECT_RESPONSE,
	    "* 2 FETCH (FLAGS (\\Deleted) UID 9 RFC822.SIZE 7)\r\n", "", "", NULL },
	{ "a size over 63 bits", GUARD_EXPECT_LIST,
	    "* 1 FETCH (RFC822.SIZE 9223372036854775808)\r\n", "", "", "number out of range" },
	{ "a UID over 32 bits", GUARD_EXPECT_LIST, "* 1 FETCH (UID 4294967296 RFC822.SIZE 1)\r\n",
	    "", "", "number out of range" },
	{ "a negative size", GUARD_EXPECT_LIST, "* 1 FETCH (UID 1 RFC822.SIZE -1)\r\n", "", "",
	    "malformed FETCH response" },
	{ "a body in a listing", GUARD_EXPECT_LIST, "* 1 FETCH (BODY[] {3}\r\nabc)\r\n", "", "",
	    "body that nobody asked for" },
	{ "nothing in a listing", GUARD_EXPECT_LIST, "* 1 FETCH ()\r\n", "", "",
	    "malformed FETCH response" },
	{ "a listing that ends early", GUARD_EXPECT_LIST, "* 1 FETCH (UID 1\r\n", "", "",
	    "malformed FETCH response" },
	{ "flags that end early", GUARD_EXPECT_LIST, "* 1 FETCH (FLAGS (\r\n", "", "",
	    "malformed list of flags" },

	{ "a body is diverted", GUARD_EXPECT_BODY,
	    "* 3 FETCH (FLAGS (\\Seen) UID 5 BODY[] {12}\r\nSubject: x\r\n FLAGS (x) INTERNALDATE "
	    "\"a\" Y {1}\r\nb)\r\n1 OK x\r\n",
	    "* 1 FETCH (UID 5 BODY[] {0}\r\n)\r\n1 OK \r\n", "b12@5+0(Subject: x\r\n)ea:1:OK::x",
	    NULL },
	{ "UID behind a part", GUARD_EXPECT_PART, "* 3 fetch (body[]<7> {3}\r\n)\r\n uid 5)\r\n",
	    "* 1 FETCH (BODY[]<7> {0}\r\n UID 5)\r\n", "b3@0+7()\r\n)e", NULL },
	{ "a part without its origin", GUARD_EXPECT_PART, "* 3 FETCH (UID 5 BODY[] {1}\r\na)\r\n",
	    "* 1 FETCH (UID 5 BODY[] {0}\r\n)\r\n", "b1@5+0(a)e", NULL },
	{ "a part where all was asked for", GUARD_EXPECT_BODY,
	    "* 3 FETCH (UID 5 BODY[]<0> {1}\r\na)\r\n", "", "",
	    "another part of the message than was asked for" },
	{ "a section", GUARD_EXPECT_BODY, "* 1 FETCH (BODY[HEADER] {3}\r\nabc)\r\n", "", "",
	    "another part of the message than was asked for" },
	{ "an origin that is none", GUARD_EXPECT_PART, "* 1 FETCH (BODY[]<> {3}\r\nabc)\r\n", "",
	    "", "another part of the message than was asked for" },
	{ "news of flags with a body", GUARD_EXPECT_BODY,
	    "* 2 FETCH (UID 4 FLAGS (\\Seen))\r\n* 3 FETCH (BODY[] {1}\r\na UID 5)\r\n* 4 FETCH "
	    "(MODSEQ (7))\r\n",
	    "* 1 FETCH (BODY[] {0}\r\n UID 5)\r\n", "b1@0+0(a)e", NULL },
	{ "an empty body", GUARD_EXPECT_BODY, "* 3 FETCH (UID 5 BODY[] {0}\r\n)\r\n",
	    "* 1 FETCH (UID 5 BODY[] {0}\r\n)\r\n", "b0@5+0()e", NULL },
	{ "a quoted body stays", GUARD_EXPECT_BODY, "* 3 FETCH (UID 5 BODY[] \"a\\\"b\")\r\n",
	    "* 1 FETCH (UID 5 BODY[] \"a\\\"b\")\r\n", "", NULL },
	{ "NIL stays", GUARD_EXPECT_BODY, "* 3 FETCH (BODY[] nil UID 5)\r\n",
	    "* 1 FETCH (BODY[] nil UID 5)\r\n", "", NULL },
	{ "what is not NIL", GUARD_EXPECT_BODY, "* 3 FETCH (BODY[] NILL UID 5)\r\n",
	    "* 1 FETCH (BODY[] NILL", "", "malformed FETCH response" },
	{ "a second body", GUARD_EXPECT_BODY,
	    "* 3 FETCH (BODY[] {1}\r\na)\r\n* 3 FETCH (BODY[] {1}\r\nb)\r\n",
	    "* 1 FETCH (BODY[] {0}\r\n)\r\n", "b1@0+0(a)e", "body that nobody asked for" },
	{ "a body behind a quoted one", GUARD_EXPECT_BODY,
	    "* 3 FETCH (BODY[] \"a\")\r\n* 3 FETCH (BODY[] {1}\r\nb)\r\n",
	    "* 1 FETCH (BODY[] \"a\")\r\n", "", "body that nobody asked for" },
	{ "two bodies in one response", GUARD_EXPECT_BODY,
	    "* 3 FETCH (BODY[] NIL BODY[] {1}\r\nb)\r\n", "* 1 FETCH (BODY[] NIL", "",
	    "two bodies in one response" },
	{ "a body of 2^63", GUARD_EXPECT_BODY, "* 3 FETCH (BODY[] {9223372036854775808}\r\n",
	    "* 1 FETCH (BODY[] {", "", "literal too large" },
	{ "a body without a size", GUARD_EXPECT_BODY, "* 3 FETCH (BODY[] {}\r\n",
	    "* 1 FETCH (BODY[] {", "", "malformed literal" },
	{ "a binary body", GUARD_EXPECT_BODY, "* 3 FETCH (BODY[] ~{1}\r\n", "* 1 FETCH (BODY[] ",
	    "", "malformed FETCH response" },

	{ "search results", GUARD_EXPECT_SEARCH, "* SEARCH 1 22 4294967295\r\n1 OK x\r\n",
	    "1 OK \r\n", "s1s22s4294967295a:1:OK::x", NULL },
	{ "search results with MODSEQ", GUARD_EXPECT_SEARCH, "* SEARCH 7 (MODSEQ 917162500)\r\n",
	    "", "s7", NULL },
	{ "no search results", GUARD_EXPECT_SEARCH, "* SEARCH\r\n* search \r\n", "", "", NULL },
	{ "search results that are none", GUARD_EXPECT_SEARCH, "* SEARCH 1 x\r\n", "", "s1",
	    "search result that is no number" },
	{ "search results too large", GUARD_EXPECT_SEARCH, "* SEARCH 4294967296\r\n", "", "",
	    "number over 32 bits" },

	{ "what has vanished", GUARD_EXPECT_VANISHED,
	    "* VANISHED (EARLIER) 1,3:5,9:7,4294967295\r\n* 2 FETCH (UID 8 MODSEQ (5))\r\n1 OK\r\n",
	    "1 OK \r\n", "v1:1v3:5v7:9v4294967295:4294967295a:1:OK::", NULL },
	{ "what vanishes meanwhile", GUARD_EXPECT_VANISHED, "* VANISHED 3:5\r\n* vanished 7\r\n",
	    "", "", NULL },
	{ "what vanished, unasked", GUARD_EXPECT_LIST, "* VANISHED (EARLIER) 3:5,7\r\n", "", "",
	    NULL },
	{ "nothing has vanished", GUARD_EXPECT_VANISHED,
	    "* VANISHED (EARLIER)\r\n* VANISHED (EARLIER) \r\n* VANISHED\r\n", "", "", NULL },
	{ "vanished otherwise", GUARD_EXPECT_VANISHED, "* VANISHED (LATER) 3\r\n", "", "", NULL },
	{ "UID 0 has vanished", GUARD_EXPECT_VANISHED, "* VANISHED (EARLIER) 1,0\r\n", "", "v1:1",
	    "malformed VANISHED" },
	{ "a range from 0", GUARD_EXPECT_VANISHED, "* VANISHED (EARLIER) 0:4\r\n", "", "",
	    "malformed VANISHED" },
	{ "a range of three", GUARD_EXPECT_VANISHED, "* VANISHED (EARLIER) 1:2:3\r\n", "", "",
	    "malformed VANISHED" },
	{ "a range without an end", GUARD_EXPECT_VANISHED, "* VANISHED (EARLIER) 1:\r\n", "", "",
	    "malformed VANISHED" },
	{ "all have vanished", GUARD_EXPECT_VANISHED, "* VANISHED (EARLIER) 1:*\r\n", "", "",
	    "malformed VANISHED" },
	{ "attribute, an atom", GUARD_EXPECT_ATTRIBUTE,
	    "* 3 FETCH (UID 7 X-ID 1278455344230334865)\r\n", "", "t7=1278455344230334865", NULL },
	{ "attribute, before the UID", GUARD_EXPECT_ATTRIBUTE,
	    "* 3 FETCH (x-id a.b_c FLAGS (\\Seen) UID 7)\r\n", "", "t7=a.b_c", NULL },
	{ "attribute, in parentheses", GUARD_EXPECT_ATTRIBUTE,
	    "* 3 FETCH (X-ID (M6d99) UID 7)\r\n", "", "t7=M6d99", NULL },
	{ "attribute, quoted", GUARD_EXPECT_ATTRIBUTE,
	    "* 3 FETCH (X-ID \"a \\\"b\" UID 7)\r\n", "", "t7=a \"b", NULL },
	{ "attribute, quoted in parentheses", GUARD_EXPECT_ATTRIBUTE,
	    "* 3 FETCH (X-ID (\"a\") UID 7)\r\n", "", "t7=a", NULL },
	{ "attribute, a literal", GUARD_EXPECT_ATTRIBUTE,
	    "* 3 FETCH (UID 7 X-ID {5}\r\na\r\n)b)\r\n", "", "t7=a\r\n)b", NULL },
	{ "attribute, an empty literal", GUARD_EXPECT_ATTRIBUTE,
	    "* 3 FETCH (UID 7 X-ID {0}\r\n)\r\n", "", "t7=", NULL },
	{ "attribute, NIL", GUARD_EXPECT_ATTRIBUTE, "* 3 FETCH (UID 7 X-ID nil)\r\n", "",
	    "t7=", NULL },
	{ "attribute, cut", GUARD_EXPECT_ATTRIBUTE,
	    "* 3 FETCH (UID 7 X-ID 0123456789012345678901234567890123456789)\r\n", "",
	    "t7=01234567890123456789012345678901", NULL },
	{ "attribute, a part of the header", GUARD_EXPECT_ATTRIBUTE,
	    "* 3 FETCH (UID 7 BODY[HEADER.FIELDS (MESSAGE-ID)]<0> {8}\r\nX: <a>\r\n)\r\n", "",
	    "t7=X: <a>\r\n", NULL },
	{ "attribute, a part of the header, quoted", GUARD_EXPECT_ATTRIBUTE,
	    "* 3 FETCH (BODY[HEADER.FIELDS (\"MESSAGE-ID\")] \"x\" UID 7)\r\n", "", "t7=x",
	    NULL },
	{ "attribute, no UID", GUARD_EXPECT_ATTRIBUTE, "* 3 FETCH (X-ID a)\r\n", "", "", NULL },
	{ "attribute, none", GUARD_EXPECT_ATTRIBUTE, "* 3 FETCH (UID 7 FLAGS ())\r\n", "", "",
	    NULL },
	{ "attribute, twice", GUARD_EXPECT_ATTRIBUTE, "* 3 FETCH (X-ID a X-ID b UID 7)\r\n", "",
	    "", "two values in one response" },
	{ "attribute, nested", GUARD_EXPECT_ATTRIBUTE, "* 3 FETCH (X-ID ((a)) UID 7)\r\n", "", "",
	    "malformed FETCH response" },
	{ "attribute, two in parentheses", GUARD_EXPECT_ATTRIBUTE,
	    "* 3 FETCH (X-ID (a b) UID 7)\r\n", "", "", "malformed FETCH response" },
	{ "attribute, nothing", GUARD_EXPECT_ATTRIBUTE, "* 3 FETCH (X-ID  UID 7)\r\n", "", "",
	    "malformed FETCH response" },
	{ "attribute, a line's end", GUARD_EXPECT_ATTRIBUTE, "* 3 FETCH (X-ID a\r\n", "", "",
	    "malformed FETCH response" },
	{ "attribute, and a body", GUARD_EXPECT_ATTRIBUTE,
	    "* 3 FETCH (X-ID a UID 7 BODY[] {1}\r\nx)\r\n", "", "",
	    "body that nobody asked for" },
	{ "attribute, not asked for", GUARD_EXPECT_LIST,
	    "* 3 FETCH (X-ID \"a\" UID 7 RFC822.SIZE 5)\r\n", "", "l7=5", NULL },

	{ "vanished, too large", GUARD_EXPECT_VANISHED, "* VANISHED (EARLIER) 4294967296\r\n", "",
	    "", "malformed VANISHED" },
	{ "nonsense that nobody asked for", GUARD_EXPECT_RESPONSE,
	    "* VANISHED 1:*\r\n* VANISHED (EARLIER 3) 4\r\n* VANISHED 4294967296,0 x {3}\r\na\rb\r\n1 "
	    "OK\r\n",
	    "1 OK \r\n", "a:1:OK::", NULL },
	{ "vanished, unbalanced", GUARD_EXPECT_VANISHED, "* VANISHED (EARLIER 1\r\n", "", "",
	    "malformed VANISHED" },
	{ "vanished, twice", GUARD_EXPECT_VANISHED, "* VANISHED 1 (EARLIER) 2\r\n", "", "",
	    "malformed VANISHED" },
	{ "MODSEQ", GUARD_EXPECT_RESPONSE,
	    "* OK [HIGHESTMODSEQ 9223372036854775807] x\r\n* OK [HIGHESTMODSEQ] x\r\n* OK "
	    "[HIGHESTMODSEQ x] x\r\n* OK [NOMODSEQ] x\r\n1 OK\r\n",
	    "1 OK \r\n", "a:1:OK::", NULL },
	{ "MODSEQ too large", GUARD_EXPECT_RESPONSE, "* OK [HIGHESTMODSEQ 9223372036854775808] x\r\n",
	    "", "", "number out of range" },

	/* The plainest form of a line of a listing is read all at once, if it is whole. */
	{ "a plain listing", GUARD_EXPECT_LIST,
	    "* 1 FETCH (UID 1 RFC822.SIZE 1)\r\n* 2 FETCH (FLAGS (\\deleted) RFC822.SIZE "
	    "999999999999999999 UID 4294967295)\r\n* 3 FETCH (UID 3 FLAGS (\\Deletedx x\\Deleted "
	    "\\Deleted\\Deleted) RFC822.SIZE 3)\r\n* 4 FETCH (UID 4 FLAGS (a  \\Deleted ) RFC822.SIZE "
	    "4)\r\n1 OK\r\n",
	    "1 OK \r\n", "l1=1l4294967295=999999999999999999Dl3=3l4=4Da:1:OK::", NULL },
	{ "a listing that is nearly plain", GUARD_EXPECT_LIST,
	    "* 1 FETCH (UID 1 UID 2 RFC822.SIZE 1)\r\n* 01 FETCH (RFC822.SIZE 1 RFC822.SIZE 02 UID "
	    "3)\r\n* 2 FETCH (UID 4 RFC822.SIZE 9223372036854775807)\r\n* 2 FETCH (UID 5 RFC822.SIZE 5 "
	    ")\r\n",
	    "", "l2=1l3=2l4=9223372036854775807", "malformed FETCH response" },
	{ "a sequence number over 32 bits", GUARD_EXPECT_LIST,
	    "* 4294967296 FETCH (UID 1 RFC822.SIZE 1)\r\n", "", "", "number over 32 bits" },
	{ "LF in a listing", GUARD_EXPECT_LIST, "* 1 FETCH (UID 1 RFC822.SIZE 1)\n", "", "l1=1",
	    "line end that is not CRLF" },
	{ "LF in flags", GUARD_EXPECT_LIST, "* 1 FETCH (UID 1 RFC822.SIZE 1 FLAGS (\n))\r\n", "", "",
	    "line end that is not CRLF" },
};

/* What a run of the guard made of its input. */
struct outcome {
	char out[4096];
	size_t out_len;
	char events[4096];
	size_t events_len;
	const char *refused;
	bool in_body;
};

static void
add_event(struct outcome *o, const char *text, size_t len)
{
	if (o->events_len + len < sizeof(o->events)) {
		memcpy(o->events + o->events_len, text, len);
		o->events_len += len;
	}
	o->events[o->events_len] = '\0';
}

static void
take_event(struct outcome *o, const struct guard *g, const struct guard_event *event)
{
	char text[64];

	switch (event->kind) {
	case GUARD_NOTHING:
		return;
	case GUARD_BODY_BEGIN:
		snprintf(text, sizeof(text), "b%llu@%u+%u(", (unsigned long long) event->number,
		    (unsigned) event->uid, (unsigned) event->origin);
		break;
	case GUARD_BODY_CHUNK:
		add_event(o, event->data, event->len);
		return;
	case GUARD_BODY_END:
		snprintf(text, sizeof(text), ")e");
		break;
	case GUARD_LISTED:
		snprintf(text, sizeof(text), "l%u=%llu%s", (unsigned) event->uid,
		    (unsigned long long) event->number, event->deleted ? "D" : "");
		break;
	case GUARD_SEARCH_HIT:
		snprintf(text, sizeof(text), "s%llu", (unsigned long long) event->number);
		break;
	case GUARD_VANISHED:
		snprintf(text, sizeof(text), "v%u:%llu", (unsigned) event->uid,
		    (unsigned long long) event->number);
		break;
	case GUARD_ATTRIBUTE:
		snprintf(text, sizeof(text), "t%u=%.*s", (unsigned) event->uid, (int) event->len,
		    event->data);
		break;
	case GUARD_REFUSED:
		o->refused = guard_reason(g);
		return;
	}
	add_event(o, text, strlen(text));
}

/* Feeds IN (LEN octets) with at most ROOM octets of output at a time. */
static void
feed(struct guard *g, const char *in, size_t len, size_t room, struct outcome *o)
{
	size_t at = 0;

	while (o->refused == NULL) {
		struct guard_event event;
		size_t written, used;
		char out[64];

		used = guard_feed(g, in + at, len - at, out, room, &written, &event);
		at += used;
		memcpy(o->out + o->out_len, out, written);
		o->out_len += written;
		o->out[o->out_len] = '\0';
		take_event(o, g, &event);
		if (used == 0 && written == 0 && event.kind == GUARD_NOTHING)
			return;
	}
}

/* The answer, once it is complete, as the last of the events. */
static void
add_answer(struct outcome *o, const struct guard *g)
{
	static const char *const names[] = { "", "OK", "NO", "BAD", "BYE" };
	const struct guard_answer *answer = guard_answer(g);
	char text[256];

	if (!guard_is_halted(g) || answer->status == GUARD_NO_ANSWER)
		return;
	snprintf(text, sizeof(text), "a:%s:%s:%s:%.*s", answer->tag, names[answer->status],
	    answer->code, (int) answer->text_len, answer->text);
	add_event(o, text, strlen(text));
}

static bool
is_as_expected(const struct row *row, const struct outcome *o)
{
	if (strcmp(o->events, row->events) != 0)
		return false;
	if (row->refused == NULL)
		return o->refused == NULL && strcmp(o->out, row->out) == 0;
	return o->refused != NULL && strcmp(o->refused, row->refused) == 0 &&
	       strncmp(o->out, row->out, o->out_len) == 0;
}

static void
check(const struct row *row, size_t cut, size_t piece, size_t room)
{
	static struct outcome o;
	struct guard g;
	char value[32];
	size_t len = strlen(row->in);

	memset(&o, 0, sizeof(o));
	guard_init(&g);
	guard_expect(&g, row->expectation, BUDGET);
	if (row->expectation == GUARD_EXPECT_ATTRIBUTE)
		guard_collect(&g,
		    strstr(row->in, "HEADER.FIELDS") != NULL ? "BODY[HEADER.FIELDS" : "X-ID",
		    value, sizeof(value));
	feed(&g, row->in, cut, room, &o);
	for (size_t at = cut; at < len; at += piece)
		feed(&g, row->in + at, len - at < piece ? len - at : piece, room, &o);
	add_answer(&o, &g);
	if (!UNIT_CHECK(is_as_expected(row, &o), row->name))
		printf("    %s, cut at %zu: out \"%s\", events \"%s\", refused %s\n", row->name,
		    cut, o.out, o.events, o.refused == NULL ? "not" : o.refused);
}

static void
rows_through_every_cut(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t cut = 0; cut <= strlen(rows[i].in); cut++) {
			check(&rows[i], cut, SIZE_MAX / 2, 64);
			check(&rows[i], cut, SIZE_MAX / 2, 1);
		}
		check(&rows[i], 0, 1, 64);
		check(&rows[i], 0, 1, 1);
	}
}

/* BEFORE, COUNT times C, and AFTER, as one response; whether it is refused, and why. */
static const char *
refusal_of(enum guard_expectation expectation, const char *before, char c, size_t count,
    const char *after, uint64_t budget)
{
	size_t len = strlen(before) + count + strlen(after);
	char *in = malloc(len + 1);
	struct guard_event event = { 0 };
	struct guard g;
	size_t at = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(in);
	memcpy(in, before, strlen(before));
	memset(in + strlen(before), c, count);
	memcpy(in + strlen(before) + count, after, strlen(after) + 1);
	guard_init(&g);
	guard_expect(&g, expectation, budget);
	while (at < len && event.kind != GUARD_REFUSED) {
		char out[64];
		size_t written;

		at += guard_feed(&g, in + at, len - at, out, sizeof(out), &written, &event);
	}
	free(in);
	return event.kind == GUARD_REFUSED ? guard_reason(&g) : NULL;
}

static void
limits_are_met_exactly(void)
{
	const enum guard_expectation any = GUARD_EXPECT_RESPONSE, id = GUARD_EXPECT_ID,
				     list = GUARD_EXPECT_LIST;
	char most[32], more[32];

	/* a line: "1 OK " and CRLF are 7 octets */
	CU_ASSERT_PTR_NULL(refusal_of(any, "1 OK ", 'x', GUARD_LINE_MAX - 7, "\r\n", BUDGET));
	CU_ASSERT_PTR_NOT_NULL(refusal_of(any, "1 OK ", 'x', GUARD_LINE_MAX - 6, "\r\n", BUDGET));
	/* parentheses */
	CU_ASSERT_PTR_NULL(refusal_of(id, "* ID ", '(', GUARD_DEPTH_MAX, "", BUDGET));
	CU_ASSERT_PTR_NOT_NULL(refusal_of(id, "* ID ", '(', GUARD_DEPTH_MAX + 1, "", BUDGET));
	CU_ASSERT_PTR_NULL(refusal_of(list, "* 1 FETCH (X ", '(', GUARD_DEPTH_MAX, "", BUDGET));
	CU_ASSERT_PTR_NOT_NULL(
	    refusal_of(list, "* 1 FETCH (X ", '(', GUARD_DEPTH_MAX + 1, "", BUDGET));
	CU_ASSERT_PTR_NOT_NULL(refusal_of(any, "* LIST ", '(', 20000, "", BUDGET));
	/* literals */
	snprintf(most, sizeof(most), "* ID ({%d}\r\n", GUARD_LITERAL_MAX);
	snprintf(more, sizeof(more), "* ID ({%d}\r\n", GUARD_LITERAL_MAX + 1);
	CU_ASSERT_PTR_NULL(refusal_of(id, most, 'x', GUARD_LITERAL_MAX, ")\r\n", BUDGET));
	CU_ASSERT_PTR_NOT_NULL(refusal_of(id, more, 'x', GUARD_LITERAL_MAX + 1, ")\r\n", BUDGET));
	/* the budget */
	CU_ASSERT_PTR_NULL(refusal_of(any, "1 OK ", 'x', 93, "\r\n", 100));
	CU_ASSERT_PTR_NOT_NULL(refusal_of(any, "1 OK ", 'x', 94, "\r\n", 100));
	/* neither counts for bodies and results */
	CU_ASSERT_PTR_NULL(refusal_of(
	    GUARD_EXPECT_BODY, "* 1 FETCH (BODY[] {500000}\r\n", '\0', 500000, ")\r\n", 100));
	CU_ASSERT_PTR_NULL(
	    refusal_of(GUARD_EXPECT_SEARCH, "* SEARCH 1", ' ', 500000, "\r\n", BUDGET));
}

/* The parser holds all it gets of an answer. */
static void
the_parser_gets_so_much_and_no_more(void)
{
	static const char line[] = "* 1 EXISTS\r\n";
	struct guard_event event = { 0 };
	struct guard g;
	size_t total = 0;

	guard_init(&g);
	guard_expect(&g, GUARD_EXPECT_LIST, UINT64_MAX);
	for (size_t i = 0; i < 100000 && event.kind != GUARD_REFUSED; i++) {
		char out[64];
		size_t written;

		guard_feed(&g, line, sizeof(line) - 1, out, sizeof(out), &written, &event);
		total += written;
	}
	CU_ASSERT_EQUAL(event.kind, GUARD_REFUSED);
	CU_ASSERT_TRUE(total <= GUARD_PARSED_MAX && total > GUARD_PARSED_MAX / 2);
	/* what it does not get may be any number of lines */
	guard_init(&g);
	guard_expect(&g, GUARD_EXPECT_LIST, UINT64_MAX);
	for (size_t i = 0; i < 100000; i++) {
		char out[64];
		size_t written;

		guard_feed(&g, "* OK still here\r\n", 17, out, sizeof(out), &written, &event);
		CU_ASSERT_EQUAL_FATAL(event.kind, GUARD_NOTHING);
		CU_ASSERT_EQUAL_FATAL(written, 0);
	}
}

static void
an_answer_is_kept_and_then_forgotten(void)
{
	static const char line[] =
	    "7 NO [LIMIT] xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n";
	struct guard_event event;
	struct guard g;
	char out[64];
	size_t written;

	guard_init(&g);
	guard_expect(&g, GUARD_EXPECT_RESPONSE, BUDGET);
	CU_ASSERT_EQUAL(guard_answer(&g)->status, GUARD_NO_ANSWER);
	guard_feed(&g, line, sizeof(line) - 1, out, sizeof(out), &written, &event);
	CU_ASSERT_EQUAL(guard_answer(&g)->status, GUARD_NO);
	CU_ASSERT_STRING_EQUAL(guard_answer(&g)->code, "LIMIT");
	CU_ASSERT_EQUAL(guard_answer(&g)->text_len, GUARD_TEXT_MAX);
	CU_ASSERT_TRUE(guard_is_halted(&g));
	CU_ASSERT_EQUAL(
	    guard_feed(&g, line, sizeof(line) - 1, out, sizeof(out), &written, &event), 0);
	guard_expect(&g, GUARD_EXPECT_RESPONSE, BUDGET);
	CU_ASSERT_EQUAL(guard_answer(&g)->status, GUARD_NO_ANSWER);
	CU_ASSERT_FALSE(guard_is_halted(&g));
}

static void
nul_is_refused_everywhere_but_in_bodies(void)
{
	static const char *const befores[] = { "", "*", "* OK x", "* OK [A", "* ID (", "* ID (\"",
		"* ID ({3}\r\n", "* LIST ", "* 1 FETCH (", "* 1 FETCH (FLAGS (", "1 OK" };

	for (size_t i = 0; i < sizeof(befores) / sizeof(befores[0]); i++)
		UNIT_CHECK(
		    refusal_of(GUARD_EXPECT_RESPONSE, befores[i], '\0', 1, "", BUDGET) != NULL,
		    befores[i]);
}

static void
refusals_are_final_and_say_what_they_amount_to(void)
{
	struct guard_event event;
	struct guard g;
	char out[64];
	size_t written;

	guard_init(&g);
	guard_feed(&g, "* PREAUTH x\r\n", 13, out, sizeof(out), &written, &event);
	CU_ASSERT_EQUAL(event.kind, GUARD_REFUSED);
	CU_ASSERT_EQUAL(guard_error(&g), ERR_PERMANENT);
	CU_ASSERT_EQUAL(guard_feed(&g, "* OK x\r\n", 8, out, sizeof(out), &written, &event), 0);
	CU_ASSERT_EQUAL(event.kind, GUARD_REFUSED);
	CU_ASSERT_EQUAL(written, 0);
	guard_init(&g);
	guard_feed(&g, "* BYE x\r\n", 9, out, sizeof(out), &written, &event);
	CU_ASSERT_EQUAL(guard_error(&g), ERR_TEMPORARY);
	guard_init(&g);
	guard_feed(&g, "gibberish\n", 10, out, sizeof(out), &written, &event);
	CU_ASSERT_EQUAL(guard_error(&g), ERR_PROTOCOL);
}

static void
it_is_idle_between_lines_only(void)
{
	static const char line[] = "* OK hello\r\n";
	struct guard_event event;
	struct guard g;
	char out[64];
	size_t written;

	guard_init(&g);
	CU_ASSERT_TRUE(guard_is_idle(&g));
	for (size_t i = 0; i < sizeof(line) - 1; i++) {
		CU_ASSERT_EQUAL(guard_feed(&g, line + i, 1, out, sizeof(out), &written, &event), 1);
		guard_feed(&g, line, 0, out, sizeof(out), &written, &event);
		CU_ASSERT_EQUAL(guard_is_idle(&g), i == sizeof(line) - 2);
	}
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "rows_through_every_cut", rows_through_every_cut },
		{ "limits_are_met_exactly", limits_are_met_exactly },
		{ "the_parser_gets_so_much_and_no_more", the_parser_gets_so_much_and_no_more },
		{ "an_answer_is_kept_and_then_forgotten", an_answer_is_kept_and_then_forgotten },
		{ "nul_is_refused_everywhere_but_in_bodies",
		    nul_is_refused_everywhere_but_in_bodies },
		{ "refusals_are_final_and_say_what_they_amount_to",
		    refusals_are_final_and_say_what_they_amount_to },
		{ "it_is_idle_between_lines_only", it_is_idle_between_lines_only },
	};

	return unit_run("guard", tests, sizeof(tests) / sizeof(tests[0]));
}
