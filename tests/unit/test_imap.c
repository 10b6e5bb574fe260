/* Unit tests of imapback/imap.h but for messages: connections, logins, mailboxes. What real servers
 * do is in tests/integration. */
#include "imapback/imap.h"

#include "base/credentials.h"
#include "imap_dialogue.h"

static int
do_select(struct client *c)
{
	struct imap_mailbox m = { 0 };
	int rc = imap_select(c->imap, "Entw\xc3\xbcrfe \"a\\b\"", &m, &c->e);

	if (rc == 0)
		note(c, "%u messages, validity %u, next %u%s%s", (unsigned) m.exists,
		    (unsigned) m.uidvalidity, (unsigned) m.uidnext,
		    m.deleted_permanent ? "" : ", read-only", m.seen_permanent ? ", seen" : "");
	return rc;
}

static int
do_has_mailbox(struct client *c)
{
	bool there = false;
	int rc = imap_has_mailbox(c->imap, "Tr&sh", &there, &c->e);

	note(c, "%s", there ? "there" : "not there");
	return rc;
}

/* One mailbox, then another, with what comes late of the first one. */
static int
do_select_twice(struct client *c)
{
	struct imap_mailbox m;
	int rc;

	if ((rc = imap_select(c->imap, "INBOX", &m, &c->e)) != 0)
		return rc;
	return do_select(c);
}

static int
on_listed(void *ctx, uint32_t uid, uint64_t size, bool deleted)
{
	note(ctx, "%u=%llu%s ", (unsigned) uid, (unsigned long long) size, deleted ? "D" : "");
	return uid == 666 ? ERR_LIMIT : 0;
}

static int
do_list(struct client *c)
{
	struct imap_mailbox m;
	int rc;

	if ((rc = imap_select(c->imap, "INBOX", &m, &c->e)) != 0)
		return rc;
	return imap_list(c->imap, on_listed, c, &c->e);
}

static int
do_list_from(struct client *c)
{
	struct uidset found = { 0 };
	struct imap_mailbox m;
	int rc;

	if ((rc = imap_select(c->imap, "INBOX", &m, &c->e)) != 0 ||
	    (rc = imap_search_all(c->imap, &found, &c->e)) != 0)
		return rc;
	note(c, "%zu ", (size_t) uidset_size(&found));
	uidset_clear(&found);
	return imap_list_from(c->imap, 4000000000, on_listed, c, &c->e);
}

static const struct uid_range ranges[] = { { 1, 3 }, { 5, 5 }, { 4000000000, 4294967295 } };

static int
do_search(struct client *c)
{
	struct uidset found = { 0 };
	int rc = imap_search_uids(c->imap, ranges, 3, &found, &c->e);

	for (size_t i = 0; i < found.count; i++)
		note(
		    c, "%u:%u ", (unsigned) found.ranges[i].first, (unsigned) found.ranges[i].last);
	uidset_clear(&found);
	return rc;
}

static int
do_select_and_search(struct client *c)
{
	struct imap_mailbox m;
	int rc = imap_select(c->imap, "INBOX", &m, &c->e);

	return rc != 0 ? rc : do_search(c);
}

static int
do_delete(struct client *c)
{
	int rc;

	if ((rc = imap_store(c->imap, ranges, 3, IMAP_FLAGS_ADD, IMAP_FLAG_DELETED, &c->e)) != 0)
		return rc;
	if ((rc = imap_uid_expunge(c->imap, ranges, 3, &c->e)) != 0)
		return rc;
	if ((rc = imap_move(c->imap, ranges + 1, 1, "Tr&sh", &c->e)) != 0)
		return rc;
	if ((rc = imap_store(c->imap, ranges + 1, 1, IMAP_FLAGS_REMOVE,
		 IMAP_FLAG_DELETED | IMAP_FLAG_SEEN, &c->e)) != 0)
		return rc;
	return imap_expunge(c->imap, &c->e);
}

static int
do_noop(struct client *c)
{
	return imap_noop(c->imap, &c->e);
}

static int
do_id(struct client *c)
{
	static const struct imap_id_field fields[] = { { "name", "popgate" }, { "version", "1" } };
	char server[64];
	int rc = imap_id(c->imap, fields, 2, server, sizeof(server), &c->e);

	note(c, "%s", server);
	return rc;
}

static int
log_in(struct client *c, const char *user, const char *password)
{
	struct credentials who = { 0 };
	int rc;

	CU_ASSERT_EQUAL_FATAL(credentials_set_user(&who, user, strlen(user)), 0);
	CU_ASSERT_EQUAL_FATAL(credentials_set_password(&who, password, strlen(password)), 0);
	rc = imap_login(c->imap, &who, &c->e);
	note(c, "%s %s", imap_mechanism(c->imap), imap_capability_line(c->imap));
	credentials_clear(&who);
	return rc;
}

static int
do_login(struct client *c)
{
	return log_in(c, "user", "secret");
}

static int
do_odd_login(struct client *c)
{
	return log_in(c, "a \"q\\", "p\xc3\xa4ss");
}

static int
do_bad_login(struct client *c)
{
	struct credentials who = {
		.user = (char[]){ "a\r\nb" }, .password = (char[]){ "x" }, .password_len = 1
	};

	return imap_login(c->imap, &who, &c->e);
}

static int
log_in_with(struct client *c, struct credentials who)
{
	int rc = imap_login(c->imap, &who, &c->e);

	note(c, "%s", imap_mechanism(c->imap));
	return rc;
}

static int
do_xoauth2(struct client *c)
{
	return log_in_with(
	    c, (struct credentials){ CREDENTIALS_XOAUTH2, "user", NULL, "token", 5 });
}

static int
do_oauthbearer(struct client *c)
{
	return log_in_with(
	    c, (struct credentials){ CREDENTIALS_OAUTHBEARER, "user", NULL, "token", 5 });
}

static int
do_master(struct client *c)
{
	return log_in_with(
	    c, (struct credentials){ CREDENTIALS_PASSWORD, "user", "boss", "secret", 6 });
}

#define ODD_SELECT "SELECT \"Entw&APw-rfe \\\"a\\\\b\\\"\""
#define SELECT                                                                        \
	{                                                                             \
		"SELECT \"INBOX\"",                                                   \
		    "* 3 EXISTS\r\n* OK [UIDVALIDITY 1]\r\n{tag} OK [READ-WRITE]\r\n" \
	}
#define LIST "UID FETCH 1:* (UID RFC822.SIZE FLAGS)"
#define FETCH_UIDS "UID FETCH 1:3,5,4000000000:4294967295 (UID RFC822.SIZE)"
#define SEARCH "UID SEARCH UID 1:3,5,4000000000:4294967295"
#define BLOB "AHVzZXIAc2VjcmV0"

#define NO_PLAIN "* OK [CAPABILITY IMAP4rev1] hello\r\n"
#define NO_LOGIN "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=GSSAPI] hello\r\n"
#define TOKENS "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 AUTH=OAUTHBEARER] hello\r\n"
#define TOKENS_IR "* OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2 AUTH=OAUTHBEARER SASL-IR] hello\r\n"
#define TOKEN "dXNlcj11c2VyAWF1dGg9QmVhcmVyIHRva2VuAQE="
#define IR "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hello\r\n"

static const struct dialogue openings[] = {
	{ "PREAUTH", "* PREAUTH welcome\r\n", { { NULL, NULL } }, NULL, ERR_PERMANENT, DEAD, "" },
	{ "BYE", "* BYE come back later\r\n", { { NULL, NULL } }, NULL, ERR_TEMPORARY, DEAD, "" },
	{ "NO", "* NO way\r\n", { { NULL, NULL } }, NULL, ERR_PROTOCOL, DEAD, "" },
	{ "another protocol", "+OK POP3\r\n", { { NULL, NULL } }, NULL, ERR_PROTOCOL, DEAD, "" },
	{ "nothing", "", { { NULL, NULL } }, NULL, ERR_CLOSED, DEAD, "" },
	{ "no capabilities", "* OK\r\n", { { "CAPABILITY", "* CAPABILITY A\r\n{tag} OK\r\n" } },
	    NULL, 0, ALIVE, "" },
};

static const struct dialogue silence[] = {
	{ "silence", "", { { END, "" } }, NULL, ERR_TIMEOUT, DEAD, "" },
};

static const struct dialogue upgrades[] = {
	{ "NO", USUAL, { { "STARTTLS", "{tag} NO x\r\n" } }, NULL, ERR_TLS, DEAD, "" },
	{ "BAD", USUAL, { { "STARTTLS", "{tag} BAD x\r\n" } }, NULL, ERR_TLS, DEAD, "" },
	{ "BYE", USUAL, { { "STARTTLS", "* BYE x\r\n" } }, NULL, ERR_TEMPORARY, DEAD, "" },
	{ "octets behind OK", USUAL, { { "STARTTLS", "{tag} OK x\r\n*" }, { END, "" } }, NULL,
	    ERR_PROTOCOL, DEAD, "" },
	{ "lines behind OK", USUAL,
	    { { "STARTTLS", "{tag} OK x\r\n* CAPABILITY AUTH=PLAIN\r\n" }, { END, "" } }, NULL,
	    ERR_PROTOCOL, DEAD, "" },
};

static const struct dialogue logins[] = {
	{ "with a continuation", NULL,
	    { { "AUTHENTICATE PLAIN", "+\r\n" },
		{ BLOB, "{tag} OK [CAPABILITY IMAP4rev1 MOVE] x\r\n" } },
	    do_login, 0, ALIVE, "PLAIN IMAP4rev1 MOVE" },
	{ "with an initial response", IR,
	    { { "AUTHENTICATE PLAIN " BLOB, "* CAPABILITY A B\r\n{tag} OK\r\n" } }, do_login, 0,
	    ALIVE, "PLAIN A B" },
	{ "capabilities are asked for", IR,
	    { { "AUTHENTICATE PLAIN " BLOB, "{tag} OK x\r\n" },
		{ "CAPABILITY", "* CAPABILITY A  B \r\n{tag} OK\r\n" } },
	    do_login, 0, ALIVE, "PLAIN A B" },
	{ "capabilities are not told", IR,
	    { { "AUTHENTICATE PLAIN " BLOB, "{tag} OK x\r\n" }, { "CAPABILITY", "{tag} OK\r\n" } },
	    do_login, ERR_PROTOCOL, DEAD, "PLAIN IMAP4rev1 AUTH=PLAIN SASL-IR" },
	{ "news before the continuation", NULL,
	    { { "AUTHENTICATE PLAIN", "* OK one moment\r\n+ go on\r\n" },
		{ BLOB, "{tag} OK [CAPABILITY X] x\r\n" } },
	    do_login, 0, ALIVE, "PLAIN X" },
	{ "refused", IR, { { "AUTHENTICATE PLAIN " BLOB, "{tag} NO wrong\r\n" } }, do_login,
	    ERR_AUTH, ALIVE, "PLAIN IMAP4rev1 AUTH=PLAIN SASL-IR" },
	{ "refused before the credentials", NULL,
	    { { "AUTHENTICATE PLAIN", "{tag} NO [UNAVAILABLE] x\r\n" } }, do_login, ERR_TEMPORARY,
	    ALIVE, "PLAIN IMAP4rev1 ID AUTH=PLAIN" },
	{ "the code of another line is not the answer's", IR,
	    { { "AUTHENTICATE PLAIN " BLOB, "* NO [UNAVAILABLE] x\r\n{tag} NO y\r\n" } }, do_login,
	    ERR_AUTH, ALIVE, "PLAIN IMAP4rev1 AUTH=PLAIN SASL-IR" },
	{ "BAD says nothing about the credentials", IR,
	    { { "AUTHENTICATE PLAIN " BLOB, "{tag} BAD what?\r\n" } }, do_login, ERR_PROTOCOL, DEAD,
	    "PLAIN IMAP4rev1 AUTH=PLAIN SASL-IR" },
	{ "BYE", IR, { { "AUTHENTICATE PLAIN " BLOB, "* BYE too many\r\n" } }, do_login,
	    ERR_TEMPORARY, DEAD, "PLAIN IMAP4rev1 AUTH=PLAIN SASL-IR" },
	{ "a second step is called off", IR,
	    { { "AUTHENTICATE PLAIN " BLOB, "+ e30=\r\n" },
		{ "*", "{tag} NO [AUTHENTICATIONFAILED] x\r\n" } },
	    do_login, ERR_AUTH, ALIVE, "PLAIN IMAP4rev1 AUTH=PLAIN SASL-IR" },
	{ "a tag that is not ours", IR, { { "AUTHENTICATE PLAIN " BLOB, "999 OK x\r\n" } },
	    do_login, ERR_PROTOCOL, DEAD, "PLAIN IMAP4rev1 AUTH=PLAIN SASL-IR" },
	{ "LOGIN", NO_PLAIN, { { "LOGIN \"user\" \"secret\"", "{tag} OK [CAPABILITY X]\r\n" } },
	    do_login, 0, ALIVE, "LOGIN X" },
	{ "LOGIN with odd letters", NO_PLAIN,
	    { { "LOGIN \"a \\\"q\\\\\" {5}", "+ \r\n" },
		{ "p\xc3\xa4ss", "{tag} OK [CAPABILITY X]\r\n" } },
	    do_odd_login, 0, ALIVE, "LOGIN X" },
	{ "LOGIN that takes no literal", NO_PLAIN,
	    { { "LOGIN \"a \\\"q\\\\\" {5}", "{tag} NO x\r\n" } }, do_odd_login, ERR_AUTH, ALIVE,
	    "LOGIN IMAP4rev1" },
	{ "no way to log in", NO_LOGIN, { { NULL, NULL } }, do_login, ERR_PERMANENT, ALIVE,
	    " IMAP4rev1 LOGINDISABLED AUTH=GSSAPI" },
	{ "XOAUTH2 with a continuation", TOKENS,
	    { { "AUTHENTICATE XOAUTH2", "+ \r\n" }, { TOKEN, "{tag} OK [CAPABILITY X] x\r\n" } },
	    do_xoauth2, 0, ALIVE, "XOAUTH2" },
	{ "XOAUTH2 with an initial response", TOKENS_IR,
	    { { "AUTHENTICATE XOAUTH2 " TOKEN, "{tag} OK [CAPABILITY X] x\r\n" } }, do_xoauth2, 0,
	    ALIVE, "XOAUTH2" },
	{ "a rejected token", TOKENS_IR,
	    { { "AUTHENTICATE XOAUTH2 " TOKEN,
		  "+ eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIn0=\r\n" },
		{ "", "{tag} NO x\r\n" } },
	    do_xoauth2, ERR_AUTH, ALIVE, "XOAUTH2" },
	{ "a token that cannot be judged", TOKENS_IR,
	    { { "AUTHENTICATE XOAUTH2 " TOKEN, "+ eyJzdGF0dXMiOiI1MDMifQ==\r\n" },
		{ "", "{tag} NO x\r\n" } },
	    do_xoauth2, ERR_TEMPORARY, ALIVE, "XOAUTH2" },
	{ "the code of the answer counts more", TOKENS_IR,
	    { { "AUTHENTICATE XOAUTH2 " TOKEN,
		  "+ eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIn0=\r\n" },
		{ "", "{tag} NO [UNAVAILABLE] x\r\n" } },
	    do_xoauth2, ERR_TEMPORARY, ALIVE, "XOAUTH2" },
	{ "a refused token of OAUTHBEARER", TOKENS,
	    { { "AUTHENTICATE OAUTHBEARER", "+\r\n" }, { NULL, NULL } }, do_oauthbearer, ERR_CLOSED,
	    DEAD, "OAUTHBEARER" },
	{ "a challenge without end", TOKENS_IR,
	    { { "AUTHENTICATE XOAUTH2 " TOKEN,
		  "+ eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIn0=\r\n" },
		{ "", "+ \r\n" } },
	    do_xoauth2, ERR_PROTOCOL, DEAD, "XOAUTH2" },
	{ "XOAUTH2 is not offered", IR, { { NULL, NULL } }, do_xoauth2, ERR_PERMANENT, ALIVE, "" },
	{ "nor is OAUTHBEARER, and LOGIN is no way", NO_PLAIN, { { NULL, NULL } }, do_oauthbearer,
	    ERR_PERMANENT, ALIVE, "" },
	{ "a master", IR,
	    { { "AUTHENTICATE PLAIN dXNlcgBib3NzAHNlY3JldA==", "{tag} OK [CAPABILITY X] x\r\n" } },
	    do_master, 0, ALIVE, "PLAIN" },
	{ "a master, by LOGIN", NO_PLAIN, { { NULL, NULL } }, do_master, ERR_PERMANENT, ALIVE, "" },
	{ "an injection", NO_PLAIN, { { NULL, NULL } }, do_bad_login, ERR_INVALID, ALIVE, "" },
};

static const struct dialogue mailboxes[] = {
	{ "SELECT", NULL,
	    { { ODD_SELECT,
		"* FLAGS (\\Deleted x)\r\n* 4294967295 EXISTS\r\n* 0 RECENT\r\n* OK [UNSEEN 9] "
		"x\r\n"
		"* OK [PERMANENTFLAGS (\\Deleted \\Seen [y] \\*)] x\r\n* OK [UIDVALIDITY "
		"4294967295]\r\n* OK [UIDNEXT 9] x\r\n* OK [HIGHESTMODSEQ 99999999999]\r\n{tag} OK "
		"[READ-WRITE] x\r\n" } },
	    do_select, 0, ALIVE, "4294967295 messages, validity 4294967295, next 9, seen" },
	{ "SELECT without flags", NULL,
	    { { ODD_SELECT, "* 0 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n{tag} OK x\r\n" } }, do_select,
	    0, ALIVE, "0 messages, validity 7, next 0, seen" },
	{ "SELECT of what has no permanent flags", NULL,
	    { { ODD_SELECT,
		"* 0 EXISTS\r\n* OK [PERMANENTFLAGS ()] x\r\n* OK [UIDVALIDITY 7] x\r\n{tag} OK "
		"[READ-WRITE]\r\n" } },
	    do_select, 0, ALIVE, "0 messages, validity 7, next 0, read-only" },
	{ "SELECT of what has no \\Deleted", NULL,
	    { { ODD_SELECT,
		"* 0 EXISTS\r\n* OK [PERMANENTFLAGS (\\Seen)] x\r\n* OK [UIDVALIDITY 7] x\r\n{tag} "
		"OK x\r\n" } },
	    do_select, 0, ALIVE, "0 messages, validity 7, next 0, read-only, seen" },
	{ "SELECT of what is read-only", NULL,
	    { { ODD_SELECT,
		"* 0 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n{tag} OK [READ-ONLY] x\r\n" } },
	    do_select, 0, ALIVE, "0 messages, validity 7, next 0, read-only" },
	{ "SELECT without UIDVALIDITY", NULL, { { ODD_SELECT, "* 0 EXISTS\r\n{tag} OK x\r\n" } },
	    do_select, ERR_PROTOCOL, DEAD, "" },
	{ "SELECT of nothing", NULL, { { ODD_SELECT, "{tag} NO [NONEXISTENT] x\r\n" } }, do_select,
	    ERR_PERMANENT, ALIVE, "" },
	{ "SELECT in use", NULL, { { ODD_SELECT, "{tag} NO [INUSE] x\r\n" } }, do_select,
	    ERR_IN_USE, ALIVE, "" },

	{ "SELECT of one after another", NULL,
	    { SELECT,
		{ ODD_SELECT,
		    "* 9 EXISTS\r\n* 1 EXPUNGE\r\n* OK [CLOSED] x\r\n* 2 EXISTS\r\n"
		    "* OK [UIDVALIDITY 7] x\r\n{tag} OK x\r\n" } },
	    do_select_twice, 0, ALIVE, "2 messages, validity 7, next 0, seen" },
	{ "SELECT of one after another, which is not there", NULL,
	    { SELECT, { ODD_SELECT, "* OK [CLOSED] x\r\n{tag} NO x\r\n" } }, do_select_twice,
	    ERR_TEMPORARY, ALIVE, "" },
	{ "a mailbox that is there", NULL,
	    { { "LIST \"\" \"Tr&-sh\"",
		"* LIST (\\HasNoChildren) \"/\" Tr&-sh\r\n{tag} OK x\r\n" } },
	    do_has_mailbox, 0, ALIVE, "there" },
	{ "a mailbox whose name comes as a literal", NULL,
	    { { "LIST \"\" \"Tr&-sh\"",
		"* LIST () NIL {6}\r\nTr&-sh\r\n{tag} OK x\r\n" } },
	    do_has_mailbox, 0, ALIVE, "there" },
	{ "a mailbox that is not there", NULL,
	    { { "LIST \"\" \"Tr&-sh\"", "* LISTEN\r\n* 3 EXISTS\r\n{tag} OK x\r\n" } },
	    do_has_mailbox, 0, ALIVE, "not there" },
	{ "a mailbox that nobody tells of", NULL,
	    { { "LIST \"\" \"Tr&-sh\"", "{tag} NO x\r\n" } }, do_has_mailbox, ERR_TEMPORARY,
	    ALIVE, "there" },

	{ "listing", NULL,
	    { SELECT,
		{ LIST,
		    "* 1 FETCH (UID 7 RFC822.SIZE 12 FLAGS (\\Seen))\r\n* 2 FETCH (FLAGS "
		    "(\\Deleted) RFC822.SIZE 5000000000 UID 9)\r\n"
		    "* 2 FETCH (FLAGS (\\Seen))\r\n* 9 EXPUNGE\r\n* 4 EXISTS\r\n{tag} OK x\r\n" } },
	    do_list, 0, ALIVE, "7=12 9=5000000000D " },
	{ "listing of an empty mailbox", NULL,
	    { { "SELECT \"INBOX\"", "* 0 EXISTS\r\n* OK [UIDVALIDITY 1]\r\n{tag} OK x\r\n" } },
	    do_list, 0, ALIVE, "" },
	{ "listing that is called off", NULL,
	    { SELECT, { LIST, "* 1 FETCH (UID 666 RFC822.SIZE 1 FLAGS ())\r\n* 2 FETCH (UID 667 "
			      "RFC822.SIZE 1 FLAGS ())\r\n{tag} OK x\r\n" } },
	    do_list, ERR_LIMIT, DEAD, "666=1 " },
	{ "listing that is refused", NULL, { SELECT, { LIST, "{tag} NO [NOPERM] x\r\n" } }, do_list,
	    ERR_PERMANENT, ALIVE, "" },
	{ "listing that is cut", NULL,
	    { SELECT,
		{ LIST, "* 1 FETCH (UID 7 RFC822.SIZE 12 FLAGS (\\Seen))\r\n* 2 FETCH (UID" } },
	    do_list, ERR_CLOSED, DEAD, "7=12 " },

	{ "all, and listing of the last ones", NULL,
	    { SELECT, { "UID SEARCH ALL", "* SEARCH 1 5 9\r\n{tag} OK x\r\n" },
		{ "UID FETCH 4000000000:* (UID RFC822.SIZE FLAGS)",
		    "* 3 FETCH (UID 9 RFC822.SIZE 12 FLAGS ())\r\n{tag} OK x\r\n" } },
	    do_list_from, 0, ALIVE, "3 9=12 " },
	{ "search", NULL,
	    { SELECT,
		{ SEARCH,
		    "* SEARCH 9 3 2 4000000000\r\n* SEARCH 2\r\n* SEARCH\r\n{tag} OK x\r\n" } },
	    do_select_and_search, 0, ALIVE, "2:3 9:9 4000000000:4000000000 " },
	{ "search for nothing", NULL, { SELECT, { SEARCH, "* SEARCH\r\n{tag} OK x\r\n" } },
	    do_select_and_search, 0, ALIVE, "" },
	{ "search without an answer", NULL,
	    { SELECT, { SEARCH, "{tag} OK x\r\n" },
		{ FETCH_UIDS, "* 1 FETCH (UID 9 RFC822.SIZE 3)\r\n{tag} OK x\r\n" } },
	    do_select_and_search, 0, ALIVE, "9:9 " },
	{ "search that is refused, and the messages are gone", NULL,
	    { SELECT, { SEARCH, "{tag} NO x\r\n" }, { FETCH_UIDS, "{tag} OK x\r\n" } },
	    do_select_and_search, 0, ALIVE, "" },
	{ "search without any answer", NULL,
	    { SELECT, { SEARCH, "{tag} OK x\r\n" }, { FETCH_UIDS, "{tag} NO x\r\n" } },
	    do_select_and_search, ERR_TEMPORARY, ALIVE, "" },
	{ "SELECT without EXISTS", NULL,
	    { { ODD_SELECT, "* OK [UIDVALIDITY 1]\r\n{tag} OK x\r\n" } }, do_select, ERR_PROTOCOL,
	    DEAD, "" },
	{ "search that fails", NULL, { SELECT, { SEARCH, "* SEARCH 1 2\r\n{tag} NO x\r\n" } },
	    do_select_and_search, ERR_TEMPORARY, ALIVE, "" },
	{ "search that finds UID 0", NULL, { SELECT, { SEARCH, "* SEARCH 1 0\r\n{tag} OK x\r\n" } },
	    do_select_and_search, ERR_PROTOCOL, DEAD, "" },

	{ "deletion", NULL,
	    { { "UID STORE 1:3,5,4000000000:4294967295 +FLAGS.SILENT (\\Deleted)",
		  "* 1 FETCH (FLAGS (\\Deleted) UID 1)\r\n{tag} OK x\r\n" },
		{ "UID EXPUNGE 1:3,5,4000000000:4294967295",
		    "* 3 EXPUNGE\r\n* VANISHED 1:3\r\n{tag} OK [HIGHESTMODSEQ 5] x\r\n" },
		{ "UID MOVE 5 \"Tr&-sh\"",
		    "* OK [COPYUID 1 5 6] x\r\n* 1 EXPUNGE\r\n{tag} OK x\r\n" },
		{ "UID STORE 5 -FLAGS.SILENT (\\Deleted \\Seen)", "{tag} OK x\r\n" },
		{ "EXPUNGE", "* 1 EXPUNGE\r\n{tag} OK x\r\n" } },
	    do_delete, 0, ALIVE, "" },
	{ "deletion that is refused", NULL,
	    { { "UID STORE 1:3,5,4000000000:4294967295 +FLAGS.SILENT (\\Deleted)",
		"{tag} NO [CANNOT] x\r\n" } },
	    do_delete, ERR_PERMANENT, ALIVE, "" },
	{ "NOOP", NULL,
	    { { "NOOP", "* 1 FETCH (FLAGS (\\Seen))\r\n* OK still here\r\n* 7 EXISTS\r\n* X-NEWS "
			"(((\"\")))\r\n{tag} OK x\r\n" } },
	    do_noop, 0, ALIVE, "" },
	{ "NOOP and PREAUTH", NULL, { { "NOOP", "* PREAUTH x\r\n{tag} OK x\r\n" } }, do_noop,
	    ERR_PERMANENT, DEAD, "" },
	{ "ID that is malformed", NULL,
	    { { "ID (\"name\" \"popgate\" \"version\" \"1\")",
		"* ID (\"name\" \"A\"\r\n{tag} OK x\r\n" } },
	    do_id, ERR_PROTOCOL, DEAD, "" },
	{ "ID that is refused", NULL,
	    { { "ID (\"name\" \"popgate\" \"version\" \"1\")", "{tag} BAD x\r\n" } }, do_id, 0,
	    ALIVE, "" },
	{ "ID with strings of both kinds", NULL,
	    { { "ID (\"name\" \"popgate\" \"version\" \"1\")",
		"* ID (\"vendor\" NIL \"name\" \"A\\\"b\" \"version\" {3}\r\n1\x1b"
		"2)\r\n{tag} OK x\r\n" } },
	    do_id, 0, ALIVE, "A\"b 1\\x1b2" },
};

static void
opening(void)
{
	check_all(openings, sizeof(openings) / sizeof(openings[0]), IMAP_TLS_NONE, 10000);
	check_all(silence, 1, IMAP_TLS_NONE, 50);
	check_all(upgrades, sizeof(upgrades) / sizeof(upgrades[0]), IMAP_TLS_STARTTLS, 10000);
}

static void
logging_in(void)
{
	check_all(logins, sizeof(logins) / sizeof(logins[0]), IMAP_TLS_NONE, 10000);
}

static void
mailboxes_and_their_changes(void)
{
	check_all(mailboxes, sizeof(mailboxes) / sizeof(mailboxes[0]), IMAP_TLS_NONE, 10000);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "opening", opening },
		{ "logging_in", logging_in },
		{ "mailboxes_and_their_changes", mailboxes_and_their_changes },
	};

	signal(SIGPIPE, SIG_IGN);
	return unit_run("imap", tests, sizeof(tests) / sizeof(tests[0]));
}
