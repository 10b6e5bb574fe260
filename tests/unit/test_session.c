/* Unit tests of pop3front/session*.c: whole dialogues, octet by octet. */
#include "pop3front/session.h"

#include "pop3_backend.h"

static const struct mail mails[] = {
	MAIL("Subject: one\r\n\r\nline 1\r\nline 2\r\n"),
	MAIL(".dot\n\n.\nend"),
	MAIL("h: 3\r\n\r\n"),
};

#define GREETING "+OK POP3 server ready\r\n"
#define LOGIN "USER user\r\nPASS pass word \r\n"
#define USER_OK "+OK send the password\r\n"
#define LOGIN_OK USER_OK "+OK maildrop has 3 messages\r\n"
#define IN GREETING LOGIN_OK
#define BYE "+OK bye\r\n"
#define MECHANISMS "+OK mechanisms follow\r\nPLAIN\r\nLOGIN\r\n.\r\n"
#define CAPA_ALWAYS                                                                       \
	"+OK capabilities "                                                               \
	"follow\r\nTOP\r\nUIDL\r\nPIPELINING\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nUTF8\r\n" \
	"EXPIRE NEVER\r\n"
#define NUMBER_BAD "-ERR not a message number\r\n"
#define NO_SUCH "-ERR no such message\r\n"
#define MARKED "-ERR message is marked as deleted\r\n"
#define UNKNOWN "-ERR unknown command\r\n"
#define NOT_NOW "-ERR command not possible now\r\n"
#define REJECTED "-ERR [AUTH] user name or password is wrong\r\n"
#define MALFORMED "-ERR malformed response\r\n"
#define NEED_TLS "-ERR TLS is needed to log in: use STLS, or the port for TLS\r\n"

struct dialogue {
	const char *name;
	const char *sent;
	const char *received;
	enum pop3_end end;
};

static const struct dialogue dialogues[] = {
	{ "nothing is said", "", GREETING, POP3_END_CLIENT_CLOSED },
	{ "QUIT before login", "QUIT\r\n", GREETING BYE, POP3_END_QUIT },
	{ "login and QUIT", LOGIN "QUIT\r\n", IN BYE, POP3_END_QUIT },
	{ "rule 16: no QUIT", LOGIN "DELE 1\r\n", IN "+OK message marked\r\n",
	    POP3_END_CLIENT_CLOSED },
	{ "rule 29: any case, bare LF, trailing blanks",
	    "user user\npass pass word \nStat \t\nqUIT  \n", IN "+OK 3 51\r\n" BYE, POP3_END_QUIT },
	{ "rule 21: CAPA before and after", "CAPA\r\n" LOGIN "CAPA\r\nQUIT\r\n",
	    GREETING CAPA_ALWAYS
	    "USER\r\nSASL PLAIN LOGIN\r\nIMPLEMENTATION popgate\r\n.\r\n" LOGIN_OK CAPA_ALWAYS
	    "IMPLEMENTATION popgate\r\n.\r\n" BYE,
	    POP3_END_QUIT },
	{ "STAT, LIST, UIDL, NOOP",
	    LOGIN "STAT\r\nLIST\r\nLIST 2\r\nUIDL\r\nUIDL 3\r\nNOOP\r\nQUIT\r\n",
	    IN "+OK 3 51\r\n+OK 3 messages\r\n1 32\r\n2 11\r\n3 8\r\n.\r\n+OK 2 11\r\n"
	       "+OK 3 messages\r\n1 u10\r\n2 u20\r\n3 u30\r\n.\r\n+OK 3 u30\r\n+OK\r\n" BYE,
	    POP3_END_QUIT },
	{ "RETR", LOGIN "RETR 1\r\nRETR 2\r\nRETR 3\r\nQUIT\r\n",
	    IN
	    "+OK 32 octets\r\nSubject: one\r\n\r\nline 1\r\nline 2\r\n.\r\n"
	    "+OK 11 octets\r\n..dot\r\n\r\n..\r\nend\r\n.\r\n+OK 8 octets\r\nh: 3\r\n\r\n.\r\n" BYE,
	    POP3_END_QUIT },
	{ "rule 3: TOP",
	    LOGIN "TOP 1 0\r\nTOP 1 1\r\nTOP 2 1\r\nTOP 3 18446744073709551615\r\nQUIT\r\n",
	    IN "+OK top of the message follows\r\nSubject: one\r\n\r\n.\r\n"
	       "+OK top of the message follows\r\nSubject: one\r\n\r\nline 1\r\n.\r\n"
	       "+OK top of the message follows\r\n..dot\r\n\r\n..\r\n.\r\n"
	       "+OK top of the message follows\r\nh: 3\r\n\r\n.\r\n" BYE,
	    POP3_END_QUIT },
	{ "rules 8, 11, 12: DELE and RSET",
	    LOGIN "DELE 2\r\nDELE 2\r\nRETR 2\r\nTOP 2 0\r\nLIST 2\r\nUIDL 2\r\nSTAT\r\n"
		  "LIST\r\nUIDL\r\nRSET\r\nSTAT\r\n",
	    IN "+OK message marked\r\n" MARKED MARKED MARKED MARKED MARKED "+OK 2 40\r\n"
	       "+OK 2 messages\r\n1 32\r\n3 8\r\n.\r\n+OK 2 messages\r\n1 u10\r\n3 u30\r\n.\r\n"
	       "+OK no message is marked\r\n+OK 3 51\r\n",
	    POP3_END_CLIENT_CLOSED },
	{ "rule 13: message numbers",
	    LOGIN
	    "RETR 0\r\nDELE 4\r\nLIST -1\r\nUIDL +1\r\nTOP 1x 0\r\nRETR 4294967297\r\nTOP 1 -1\r\n"
	    "RETR 18446744073709551617\r\nDELE 0x1\r\nRETR 99999999999999999999\r\n"
	    "RETR 1.0\r\nNOOP\r\n",
	    IN NO_SUCH NO_SUCH NUMBER_BAD NUMBER_BAD NUMBER_BAD NO_SUCH
	    "-ERR not a number of lines\r\n" NUMBER_BAD NUMBER_BAD NUMBER_BAD NUMBER_BAD "+OK\r\n",
	    POP3_END_CLIENT_CLOSED },
	{ "rule 29: trailing blanks of a name", "USER user \t\r\nPASS pass word \r\n", IN,
	    POP3_END_CLIENT_CLOSED },
	{ "rule 25: PASS without USER", "PASS x\r\n" LOGIN,
	    GREETING "-ERR USER comes first\r\n" LOGIN_OK, POP3_END_CLIENT_CLOSED },
	{ "rule 25: empty password", "USER user\r\nPASS \r\nPASS pass word \r\n",
	    GREETING USER_OK "-ERR password is empty or malformed\r\n-ERR USER comes first\r\n",
	    POP3_END_CLIENT_CLOSED },
	{ "rule 25: CR in a name", "USER us\rer\r\n", GREETING "-ERR not a user name\r\n",
	    POP3_END_CLIENT_CLOSED },
	{ "rules 24, 27: rejected credentials",
	    "USER nobody\r\nPASS x\r\nUSER user\r\nPASS pass word\r\n" LOGIN,
	    GREETING USER_OK REJECTED USER_OK REJECTED LOGIN_OK, POP3_END_CLIENT_CLOSED },
	{ "a rejected name is forgotten", "USER user\r\nPASS x\r\nPASS pass word \r\n",
	    GREETING USER_OK REJECTED "-ERR USER comes first\r\n", POP3_END_CLIENT_CLOSED },
	{ "AUTH forgets the name of USER", "USER user\r\nAUTH X\r\nPASS pass word \r\n",
	    GREETING USER_OK "-ERR mechanism not supported\r\n-ERR USER comes first\r\n",
	    POP3_END_CLIENT_CLOSED },
	{ "three rejected logins",
	    "USER a\r\nPASS x\r\nUSER b\r\nPASS x\r\nAUTH PLAIN AGEAYg==\r\nNOOP\r\n",
	    GREETING USER_OK REJECTED USER_OK REJECTED REJECTED, POP3_END_AUTH_FAILURES },
	{ "rule 26: AUTH alone", "AUTH\r\n", GREETING MECHANISMS, POP3_END_CLIENT_CLOSED },
	{ "rule 26: PLAIN, initial response", "AUTH PLAIN AHVzZXIAcGFzcyB3b3JkIA==\r\nSTAT\r\n",
	    GREETING "+OK maildrop has 3 messages\r\n+OK 3 51\r\n", POP3_END_CLIENT_CLOSED },
	{ "rule 26: PLAIN without", "AUTH PLAIN\r\nAHVzZXIAcGFzcyB3b3JkIA==\r\nSTAT\r\n",
	    GREETING "+ \r\n+OK maildrop has 3 messages\r\n+OK 3 51\r\n", POP3_END_CLIENT_CLOSED },
	{ "rule 26: LOGIN", "auth login\r\ndXNlcg==\r\ncGFzcyB3b3JkIA==\r\n",
	    GREETING "+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n+OK maildrop has 3 messages\r\n",
	    POP3_END_CLIENT_CLOSED },
	{ "rule 26: cancelled",
	    "AUTH PLAIN\r\n*\r\nAUTH LOGIN dXNlcg==\r\n*\r\nPASS pass word \r\n",
	    GREETING "+ \r\n-ERR authentication cancelled\r\n"
		     "+ UGFzc3dvcmQ6\r\n-ERR authentication cancelled\r\n"
		     "-ERR USER comes first\r\n",
	    POP3_END_CLIENT_CLOSED },
	{ "rule 26: malformed", "AUTH PLAIN !!!!\r\nAUTH PLAIN =\r\nAUTH X\r\n",
	    GREETING MALFORMED MALFORMED "-ERR mechanism not supported\r\n",
	    POP3_END_BAD_COMMANDS },
	{ "an end within AUTH", "AUTH PLAIN\r\nAHVzZXIA", GREETING "+ \r\n",
	    POP3_END_CLIENT_CLOSED },
	{ "RFC 6856: UTF8", "UTF8\r\n" LOGIN "UTF8\r\n",
	    GREETING "+OK messages are sent as they are\r\n" LOGIN_OK NOT_NOW,
	    POP3_END_CLIENT_CLOSED },
	{ "rule 36: no APOP", "APOP user 0123\r\n", GREETING NOT_NOW, POP3_END_CLIENT_CLOSED },
	{ "no STLS without a certificate", "STLS\r\n", GREETING "-ERR STLS is not possible now\r\n",
	    POP3_END_CLIENT_CLOSED },
	{ "commands of the other state", LOGIN "USER x\r\nPASS x\r\nAUTH\r\nSTLS\r\n",
	    IN NOT_NOW NOT_NOW NOT_NOW NOT_NOW, POP3_END_CLIENT_CLOSED },
	{ "rule 30: three bad commands", "STAT\r\nXYZZY\r\nQUIT now\r\nCAPA\r\n",
	    GREETING NOT_NOW UNKNOWN "-ERR too many arguments\r\n", POP3_END_BAD_COMMANDS },
	{ "rule 30: ten bad commands",
	    LOGIN "\r\nx\r\nRETR\r\nTOP 1\r\n STAT\r\n1\r\n2\r\n3\r\n4\r\n5\r\nNOOP\r\n",
	    IN UNKNOWN UNKNOWN "-ERR argument missing\r\n-ERR argument missing\r\n" UNKNOWN UNKNOWN
		UNKNOWN UNKNOWN UNKNOWN UNKNOWN,
	    POP3_END_BAD_COMMANDS },
	{ "rule 30: bad commands before login do not count after it",
	    "1\r\n2\r\n" LOGIN "1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\r\n8\r\n9\r\nNOOP\r\n",
	    GREETING UNKNOWN UNKNOWN LOGIN_OK UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN UNKNOWN
		UNKNOWN UNKNOWN UNKNOWN "+OK\r\n",
	    POP3_END_CLIENT_CLOSED },
	{ "rule 30: HTTP", "POST / HTTP/1.1\r\nUSER x\r\n", GREETING "-ERR this is not HTTP\r\n",
	    POP3_END_BAD_COMMANDS },
};

static bool
ended_as(const struct talk *t, const struct dialogue *d)
{
	return t->len == strlen(d->received) && memcmp(t->received, d->received, t->len) == 0 &&
	       t->report.end == d->end;
}

static void
run_dialogues(size_t piece, size_t mail_piece)
{
	for (size_t i = 0; i < sizeof(dialogues) / sizeof(dialogues[0]); i++) {
		struct talk t;

		talk_begin(&t, mails, 3);
		t.backend.piece = mail_piece;
		hold(&t, dialogues[i].sent, piece);
		if (!UNIT_CHECK(ended_as(&t, &dialogues[i]), dialogues[i].name))
			printf("%s: end %u, received:\n%s\n", dialogues[i].name,
			    (unsigned) t.report.end, t.received);
		talk_end(&t);
	}
}

static void
rule_31_dialogues_in_one_packet(void)
{
	run_dialogues(100000, 0);
}

static void
dialogues_octet_by_octet(void)
{
	run_dialogues(1, 1);
}

static void
dialogues_in_odd_pieces(void)
{
	run_dialogues(7, 5);
}

/* ---- ends of lines and limits ---- */

static void
rule_29_over_long_lines_are_answered_once(void)
{
	static const struct {
		const char *start;
		size_t len;
		const char *answer;
	} rows[] = {
		{ "USER ", 256, GREETING "-ERR line too long\r\n" },
		{ "USER ", 5000, GREETING "-ERR line too long\r\n" },
		{ "AUTH PLAIN ", 20000, GREETING "-ERR line too long\r\n" },
		{ "AUTH PLAIN\r\n", 20000, GREETING "+ \r\n-ERR line too long\r\n" },
		{ "AUTH PLAIN ", 12344, GREETING MALFORMED },
		{ "AUTH PLAIN ", 18400, GREETING MALFORMED },
		{ "USER ", 255, GREETING USER_OK },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		static char line[20001];
		struct talk t;

		memset(line, 'u', sizeof(line));
		memcpy(line, rows[i].start, strlen(rows[i].start));
		memcpy(line + rows[i].len - 2, "\r\n", 3);
		talk_begin(&t, mails, 3);
		hold(&t, line, sizeof(line));
		UNIT_CHECK(strcmp(t.received, rows[i].answer) == 0, rows[i].start);
		talk_end(&t);
	}
}

static void
rule_29_nul_ends_the_session(void)
{
	struct talk t;

	talk_begin(&t, mails, 3);
	talk_send(&t, "USER a\0b\r\nCAPA\r\n", 16);
	talk_wait(&t);
	CU_ASSERT_STRING_EQUAL(t.received, GREETING "-ERR NUL in a command line\r\n");
	CU_ASSERT_EQUAL(t.report.end, POP3_END_BAD_COMMANDS);
	talk_end(&t);
}

/* The client is not at fault: it is neither delayed nor sent away. */
static void
rule_27_other_failures_are_no_rejections(void)
{
	struct talk t;

	talk_begin(&t, mails, 3);
	t.settings.auth_failure_delay_ms = 3600 * 1000;
	t.backend.open_error = ERR_TEMPORARY;
	hold(&t, LOGIN LOGIN LOGIN LOGIN "QUIT\r\n", 1000);
	CU_ASSERT_EQUAL(t.report.end, POP3_END_QUIT);
	CU_ASSERT_EQUAL(t.report.commands, 9);
	talk_end(&t);
}

static void
rule_23_plain_text_logins_are_refused(void)
{
	struct talk t;

	talk_begin(&t, mails, 3);
	t.settings.plaintext_login = false;
	hold(&t, "CAPA\r\n" LOGIN "AUTH PLAIN AGEAYg==\r\nAUTH\r\nQUIT\r\n", 1000);
	CU_ASSERT_STRING_EQUAL(t.received, GREETING CAPA_ALWAYS
	    "IMPLEMENTATION popgate\r\n.\r\n" NEED_TLS NEED_TLS NEED_TLS NEED_TLS BYE);
	talk_end(&t);
}

static void
rule_27_every_failure_of_a_login_has_its_code(void)
{
	static const struct {
		int error;
		const char *start;
	} rows[] = {
		{ ERR_AUTH, "-ERR [AUTH] " },
		{ ERR_AUTH_DENIED, "-ERR [AUTH] " },
		{ ERR_AUTH_EXPIRED, "-ERR [AUTH] " },
		{ ERR_AUTH_PRIVACY, "-ERR [AUTH] " },
		{ ERR_IN_USE, "-ERR [IN-USE] " },
		{ ERR_PERMANENT, "-ERR [SYS/PERM] " },
		{ ERR_READ_ONLY, "-ERR [SYS/PERM] " },
		{ ERR_TEMPORARY, "-ERR [SYS/TEMP] " },
		{ ERR_TIMEOUT, "-ERR [SYS/TEMP] " },
		{ ERR_CLOSED, "-ERR [SYS/TEMP] " },
		{ ERR_PROTOCOL, "-ERR [SYS/TEMP] " },
		{ ERR_TLS, "-ERR [SYS/TEMP] " },
		{ ERR_NO_MEMORY, "-ERR [SYS/TEMP] " },
		{ ERR_LIMIT, "-ERR [SYS/TEMP] " },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct talk t;
		const char *answer;

		talk_begin(&t, mails, 3);
		t.backend.open_error = rows[i].error;
		hold(&t, LOGIN, 1000);
		answer = t.received + strlen(GREETING USER_OK);
		UNIT_CHECK(
		    strncmp(answer, rows[i].start, strlen(rows[i].start)) == 0, rows[i].start);
		CU_ASSERT_PTR_NULL(strstr(t.received, "told"));
		CU_ASSERT_EQUAL(t.report.error.code, rows[i].error);
		CU_ASSERT_FALSE(t.report.logged_in);
		talk_end(&t);
	}
}

/* ---- QUIT ---- */

static void
rules_14_to_16_what_quit_removes(void)
{
	static const struct {
		const char *name, *sent;
		unsigned commits;
		uint64_t removed;
	} rows[] = {
		{ "a whole QUIT", LOGIN "DELE 1\r\nDELE 3\r\nQUIT\r\n", 1, 2 },
		{ "QUIT without CR", LOGIN "DELE 1\r\nQUIT\n", 1, 1 },
		{ "part of QUIT", LOGIN "DELE 1\r\nQUI", 0, 0 },
		{ "QUIT without its end", LOGIN "DELE 1\r\nQUIT\r", 0, 0 },
		{ "no QUIT", LOGIN "DELE 1\r\n", 0, 0 },
		{ "QUIT after RSET", LOGIN "DELE 1\r\nRSET\r\nQUIT\r\n", 1, 0 },
		{ "QUIT with an argument", LOGIN "DELE 1\r\nQUIT 1\r\n", 0, 0 },
	};

	/* In the odd rounds the client vanishes at once, without reading anything. */
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		const char *sent = rows[i / 2].sent;
		struct talk t;

		talk_begin(&t, mails, 3);
		if (i % 2 == 0)
			hold(&t, sent, 1);
		else {
			talk_say(&t, LOGIN);
			(void) !write(t.client, sent + strlen(LOGIN), strlen(sent + strlen(LOGIN)));
			talk_hang_up(&t);
			talk_wait(&t);
		}
		UNIT_CHECK(t.backend.commits == rows[i / 2].commits, rows[i / 2].name);
		UNIT_CHECK(
		    uidset_size(&t.backend.removed) == rows[i / 2].removed, rows[i / 2].name);
		talk_end(&t);
	}
}

static void
rule_15_answers_nobody_reads_do_not_stop_quit(void)
{
	struct talk t;

	talk_begin(&t, mails, 3);
	talk_say(&t, LOGIN "DELE 2\r\nQU");
	/* Its answer meets a closed connection; what comes behind was sent before. */
	(void) !write(t.client, "IT", 2);
	(void) !write(t.client, "\r\n", 2);
	talk_hang_up(&t);
	talk_wait(&t);
	CU_ASSERT_TRUE(uidset_contains(&t.backend.removed, 20));
	CU_ASSERT_EQUAL(t.report.end, POP3_END_QUIT);
	talk_end(&t);
	talk_begin(&t, mails, 3);
	talk_say(&t, LOGIN);
	(void) !write(t.client, "DELE 2\r\nRETR 1\r\nQUIT\r\n", 22);
	talk_hang_up(&t);
	talk_wait(&t);
	CU_ASSERT_EQUAL(
	    t.backend.commits, 0); /* who left within a RETR did not mean what follows it */
	CU_ASSERT_EQUAL(t.report.end, POP3_END_CLIENT_CLOSED);
	talk_end(&t);
}

/* The first answers meet a closed connection before the session has read all that was sent. */
static void
rule_15_a_closed_connection_is_read_to_its_end(void)
{
	enum { NOOPS = 1000 };
	static char sent[6 * NOOPS + 16];
	struct talk t;

	for (size_t i = 0; i < NOOPS; i++)
		memcpy(sent + 6 * i, "NOOP\r\n", 6);
	memcpy(sent + 6 * NOOPS, "DELE 2\r\nQUIT\r\n", 14);
	talk_begin(&t, mails, 3);
	talk_say(&t, LOGIN);
	CU_ASSERT_EQUAL(write(t.client, sent, 6 * NOOPS + 14), 6 * NOOPS + 14);
	talk_hang_up(&t);
	talk_wait(&t);
	CU_ASSERT_TRUE(uidset_contains(&t.backend.removed, 20));
	CU_ASSERT_EQUAL(t.report.commands, 2 + NOOPS + 2);
	CU_ASSERT_EQUAL(t.report.end, POP3_END_QUIT);
	talk_end(&t);
}

static void
rule_14_the_answer_to_quit_is_the_truth(void)
{
	static const struct {
		const char *sent;
		int error;
		uint64_t not_removed;
		const char *answer;
		enum pop3_end end;
	} rows[] = {
		{ "DELE 1\r\nDELE 2\r\nQUIT\r\n", 0, 0, BYE, POP3_END_QUIT },
		{ "DELE 1\r\nDELE 2\r\nQUIT\r\n", ERR_INCOMPLETE, 1,
		    "-ERR [SYS/TEMP] 1 of 2 messages not removed\r\n", POP3_END_QUIT_FAILED },
		{ "DELE 1\r\nDELE 2\r\nQUIT\r\n", ERR_CLOSED, 0,
		    "-ERR [SYS/TEMP] 2 of 2 messages not removed\r\n", POP3_END_QUIT_FAILED },
		{ "RETR 3\r\nQUIT\r\n", ERR_TEMPORARY, 0, BYE, POP3_END_QUIT },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].answer);
		struct talk t;

		talk_begin(&t, mails, 3);
		t.backend.commit_error = rows[i].error;
		t.backend.not_removed = rows[i].not_removed;
		talk_say(&t, LOGIN);
		hold(&t, rows[i].sent, 1000);
		UNIT_CHECK(t.len > len && strcmp(t.received + t.len - len, rows[i].answer) == 0,
		    rows[i].answer);
		UNIT_CHECK(t.report.end == rows[i].end, rows[i].answer);
		CU_ASSERT_EQUAL(t.report.error.code, rows[i].error);
		talk_end(&t);
	}
}

static void
rule_19_read_only_maildrops_refuse_dele(void)
{
	struct talk t;

	talk_begin(&t, mails, 3);
	t.backend.read_only = true;
	hold(&t, LOGIN "DELE 1\r\nDELE 9\r\nQUIT\r\n", 1000);
	CU_ASSERT_STRING_EQUAL(t.received,
	    IN "-ERR [SYS/PERM] messages of this mailbox cannot be deleted\r\n" NO_SUCH BYE);
	CU_ASSERT_EQUAL(uidset_size(&t.backend.removed), 0);
	talk_end(&t);
}

static void
the_report_tells_what_happened(void)
{
	struct talk t;

	talk_begin(&t, mails, 3);
	hold(&t,
	    "USER nobody\r\nPASS x\r\n" LOGIN "RETR 1\r\nRETR 3\r\nTOP 1 0\r\nDELE 2\r\nQUIT\r\n",
	    1000);
	CU_ASSERT_STRING_EQUAL(t.report.user, "user");
	CU_ASSERT_TRUE(t.report.logged_in);
	CU_ASSERT_EQUAL(t.report.commands, 9);
	CU_ASSERT_EQUAL(t.report.retrieved, 2);
	CU_ASSERT_EQUAL(t.report.octets, 32 + 8 + 16);
	CU_ASSERT_EQUAL(t.report.deleted.marked, 1);
	CU_ASSERT_EQUAL(t.report.deleted.remaining, 0);
	CU_ASSERT_EQUAL(t.report.error.code, ERR_OK);
	CU_ASSERT_EQUAL(uidset_size(&t.backend.seen), 2);
	CU_ASSERT_TRUE(
	    uidset_contains(&t.backend.seen, 10) && uidset_contains(&t.backend.seen, 30));
	CU_ASSERT_STRING_EQUAL(pop3_end_name(t.report.end), "quit");
	talk_end(&t);
}

#define OK3 "+OK maildrop has 3 messages\r\n"
#define XFAILED "+ eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIn0=\r\n"
#define OFAILED "+ eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\r\n"
#define PASSWORDS_REFUSED "-ERR passwords are not taken here: use AUTH\r\n"

/* With tokens alone. */
static const struct dialogue token_dialogues[] = {
	{ "rule 21: CAPA", "CAPA\r\nUSER user\r\nPASS x\r\n",
	    GREETING CAPA_ALWAYS
	    "SASL XOAUTH2 OAUTHBEARER\r\nIMPLEMENTATION popgate\r\n.\r\n" PASSWORDS_REFUSED
	    "-ERR USER comes first\r\n",
	    POP3_END_CLIENT_CLOSED },
	{ "XOAUTH2 with an initial response", "AUTH XOAUTH2 %s\r\nSTAT\r\n",
	    GREETING OK3 "+OK 3 51\r\n", POP3_END_CLIENT_CLOSED },
	{ "XOAUTH2 without", "AUTH XOAUTH2\r\n%s\r\nSTAT\r\n", GREETING "+ \r\n" OK3 "+OK 3 51\r\n",
	    POP3_END_CLIENT_CLOSED },
	{ "OAUTHBEARER", "auth oauthbearer\r\n%s\r\nSTAT\r\n", GREETING "+ \r\n" OK3 "+OK 3 51\r\n",
	    POP3_END_CLIENT_CLOSED },
	{ "a rejected XOAUTH2", "AUTH XOAUTH2 %s\r\n\r\nAUTH\r\n",
	    GREETING XFAILED REJECTED "+OK mechanisms follow\r\nXOAUTH2\r\nOAUTHBEARER\r\n.\r\n",
	    POP3_END_CLIENT_CLOSED },
	{ "a rejected OAUTHBEARER", "AUTH OAUTHBEARER %s\r\nAQ==\r\nNOOP\r\n",
	    GREETING OFAILED REJECTED NOT_NOW, POP3_END_CLIENT_CLOSED },
	{ "cancelled, and cancelled after the failure",
	    "AUTH XOAUTH2\r\n*\r\nAUTH OAUTHBEARER %s\r\n*\r\nNOOP\r\n",
	    GREETING "+ \r\n-ERR authentication cancelled\r\n" OFAILED REJECTED NOT_NOW,
	    POP3_END_CLIENT_CLOSED },
	{ "an end in place of the answer", "AUTH OAUTHBEARER %s\r\n", GREETING OFAILED,
	    POP3_END_CLIENT_CLOSED },
	{ "passwords", "AUTH PLAIN\r\nAUTH LOGIN\r\nAUTH EXTERNAL\r\n",
	    GREETING "-ERR mechanism not supported\r\n-ERR mechanism not supported\r\n"
		     "-ERR mechanism not supported\r\n",
	    POP3_END_BAD_COMMANDS },
};

/* The message that stands for %s above. */
static const char *const token_messages[] = { "",
	"dXNlcj11c2VyAWF1dGg9QmVhcmVyIHRva2VuAQE=", "dXNlcj11c2VyAWF1dGg9QmVhcmVyIHRva2VuAQE=",
	"bixhPXVzZXIsAWhvc3Q9aAFwb3J0PTExMAFhdXRoPUJlYXJlciB0b2tlbgEB",
	"dXNlcj11c2VyAWF1dGg9QmVhcmVyIG5vcGUBAQ==", "bixhPXVzZXIsAWF1dGg9QmVhcmVyIHgBAQ==",
	"bixhPXVzZXIsAWF1dGg9QmVhcmVyIHgBAQ==", "bixhPXVzZXIsAWF1dGg9QmVhcmVyIHgBAQ==", "" };

static void
rule_26_tokens(void)
{
	static const size_t count = sizeof(token_dialogues) / sizeof(token_dialogues[0]);

	for (size_t i = 0; i < count; i++) {
		const struct dialogue *d = &token_dialogues[i];
		char sent[1024];
		const char *mark = strstr(d->sent, "%s");
		struct talk t;

		snprintf(sent, sizeof(sent), "%.*s%s%s", mark != NULL ? (int) (mark - d->sent) : 0,
		    d->sent, token_messages[i], mark != NULL ? mark + 2 : d->sent);
		talk_begin(&t, mails, 3);
		t.settings.mechanisms = SASL_XOAUTH2 | SASL_OAUTHBEARER;
		hold(&t, sent, 1000);
		UNIT_CHECK(strcmp(t.received, d->received) == 0, d->name);
		UNIT_CHECK(t.report.end == d->end, d->name);
		if (strcmp(t.received, d->received) != 0)
			printf("%s\n", t.received);
		talk_end(&t);
	}
}

/* Names that may not log in are answered like wrong passwords, and the backend is not asked. */
static void
user_names_are_judged_first(void)
{
	static const struct {
		const char *sent, *received, *user, *master;
	} rows[] = {
		{ "USER user\r\nPASS pass word \r\n", IN, "user", "" },
		{ "USER user1\r\nPASS pass word \r\n", GREETING USER_OK REJECTED, "user1", NULL },
		{ "USER user*boss\r\nPASS pass word \r\n", IN, "user", "boss" },
		{ "USER user*boss*x\r\nPASS pass word \r\n", GREETING USER_OK REJECTED,
		    "user*boss*x", NULL },
		{ "AUTH PLAIN dXNlcgBib3NzAHBhc3Mgd29yZCA=\r\n", GREETING OK3, "user", "boss" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct talk t;
		size_t at;

		talk_begin(&t, mails, 3);
		CU_ASSERT_EQUAL(character_set_parse("a-z", &t.settings.names.characters, &at), 0);
		t.settings.names.master_separator = '*';
		snprintf(t.backend.master, sizeof(t.backend.master), "(none)");
		hold(&t, rows[i].sent, 1000);
		UNIT_CHECK(strcmp(t.received, rows[i].received) == 0, rows[i].sent);
		UNIT_CHECK(strcmp(t.report.user, rows[i].user) == 0, rows[i].sent);
		UNIT_CHECK(strcmp(t.backend.master,
			       rows[i].master != NULL ? rows[i].master : "(none)") == 0,
		    rows[i].sent);
		talk_end(&t);
	}
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "rule_31_dialogues_in_one_packet", rule_31_dialogues_in_one_packet },
		{ "dialogues_octet_by_octet", dialogues_octet_by_octet },
		{ "dialogues_in_odd_pieces", dialogues_in_odd_pieces },
		{ "rule_29_over_long_lines_are_answered_once",
		    rule_29_over_long_lines_are_answered_once },
		{ "rule_29_nul_ends_the_session", rule_29_nul_ends_the_session },
		{ "rule_23_plain_text_logins_are_refused", rule_23_plain_text_logins_are_refused },
		{ "rule_27_other_failures_are_no_rejections",
		    rule_27_other_failures_are_no_rejections },
		{ "rule_27_every_failure_of_a_login_has_its_code",
		    rule_27_every_failure_of_a_login_has_its_code },
		{ "rules_14_to_16_what_quit_removes", rules_14_to_16_what_quit_removes },
		{ "rule_15_answers_nobody_reads_do_not_stop_quit",
		    rule_15_answers_nobody_reads_do_not_stop_quit },
		{ "rule_15_a_closed_connection_is_read_to_its_end",
		    rule_15_a_closed_connection_is_read_to_its_end },
		{ "rule_14_the_answer_to_quit_is_the_truth",
		    rule_14_the_answer_to_quit_is_the_truth },
		{ "rule_19_read_only_maildrops_refuse_dele",
		    rule_19_read_only_maildrops_refuse_dele },
		{ "the_report_tells_what_happened", the_report_tells_what_happened },
		{ "rule_26_tokens", rule_26_tokens },
		{ "user_names_are_judged_first", user_names_are_judged_first },
	};

	return unit_run("session", tests, sizeof(tests) / sizeof(tests[0]));
}
