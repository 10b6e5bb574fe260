/* Tests of gateway/auth_message.c. */
#include "tests/unit/unit.h"

#include <stdlib.h>

#include "base/error.h"
#include "gateway/auth_message.h"

static void
questions(void)
{
	static char user[] = "j\303\274rgen x%\t\177@example.org", password[] = "a b\001c%d:e";
	static const char *const wanted[AUTH_FIELDS] = { "Auth-Method: plain",
		"Auth-User: j\303\274rgen%20x%25%09%7F@example.org", "Auth-Pass: a%20b%01c%25d:e",
		"Auth-Protocol: imap", "Auth-Login-Attempt: 3", "Client-IP: 192.0.2.7" };
	struct credentials c = { .user = user, .password = password, .password_len = 9 };
	struct auth_question q = { &c, "imap", "192.0.2.7", 3 };
	char *fields[AUTH_FIELDS];

	CU_ASSERT_EQUAL_FATAL(auth_question_fields(&q, fields), 0);
	for (size_t i = 0; i < AUTH_FIELDS; i++)
		UNIT_CHECK(strcmp(fields[i], wanted[i]) == 0, wanted[i]);
	auth_fields_free(fields);
	CU_ASSERT_PTR_NULL(fields[0]);
	c.kind = CREDENTIALS_XOAUTH2;
	CU_ASSERT_EQUAL_FATAL(auth_question_fields(&q, fields), 0);
	CU_ASSERT_STRING_EQUAL(fields[0], "Auth-Method: xoauth2");
	auth_fields_free(fields);
	c = (struct credentials){ .kind = CREDENTIALS_CERTIFICATE, .user = user };
	CU_ASSERT_EQUAL_FATAL(auth_question_fields(&q, fields), 0);
	CU_ASSERT_STRING_EQUAL(fields[0], "Auth-Method: external");
	CU_ASSERT_STRING_EQUAL(fields[2], "Auth-Pass: ");
	auth_fields_free(fields);
}

#define LONG "0123456789012345678901234567890123456789012345678901234567890123456789"

static const struct row {
	const char *name, *lines; /* parted by newlines */
	enum auth_outcome outcome;
	const char *server, *user;
	unsigned port, wait;
} rows[] = {
	{ "as nginx's documentation has it",
	    "HTTP/1.0 200 OK\r\nAuth-Status: OK\r\nAuth-Server: 198.51.100.1\r\nAuth-Port: 143\r\n\r\n",
	    AUTH_ACCEPTED, "198.51.100.1", "", 143, 0 },
	{ "rejected with a wait",
	    "HTTP/1.0 200 OK\r\nAuth-Status: Invalid login or password\r\nAuth-Wait: 3\r\n\r\n",
	    AUTH_REJECTED, "", "", 0, 3 },
	{ "rejected for good", "Auth-Status: Invalid login or password\n", AUTH_REJECTED, "", "", 0, 0 },
	{ "names have no case", "AUTH-STATUS:OK\nauth-server:\t::1  \nauth-user: joe x\n", AUTH_ACCEPTED,
	    "::1", "joe x", 0, 0 },
	{ "the status has", "Auth-Status: ok\n", AUTH_REJECTED, "", "", 0, 0 },
	{ "other fields", "Server: x\nAuth-Status: OK\nAuth-Statusx: no\nAuth: no\n: no\nno\n",
	    AUTH_ACCEPTED, "", "", 0, 0 },
	{ "nothing", "", AUTH_FAULTY, "", "", 0, 0 },
	{ "an error page", "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", AUTH_FAULTY, "", "", 0,
	    0 },
	{ "an empty status", "Auth-Status:\n", AUTH_FAULTY, "", "", 0, 0 },
	{ "twice", "Auth-Status: OK\nAuth-Status: OK\n", AUTH_FAULTY, "", "", 0, 0 },
	{ "two servers", "Auth-Status: OK\nAuth-Server: 10.0.0.1\nAuth-Server: 10.0.0.2\n", AUTH_FAULTY,
	    "10.0.0.1", "", 0, 0 },
	{ "a name", "Auth-Status: OK\nAuth-Server: evil.example\n", AUTH_FAULTY, "evil.example", "", 0, 0 },
	{ "a long name", "Auth-Status: OK\nAuth-Server: " LONG "\n", AUTH_FAULTY, "", "", 0, 0 },
	{ "port 0", "Auth-Status: OK\nAuth-Port: 0\n", AUTH_FAULTY, "", "", 0, 0 },
	{ "port 65536", "Auth-Status: OK\nAuth-Port: 65536\n", AUTH_FAULTY, "", "", 0, 0 },
	{ "port +1", "Auth-Status: OK\nAuth-Port: +1\n", AUTH_FAULTY, "", "", 0, 0 },
	{ "two ports", "Auth-Status: OK\nAuth-Port: 1\nAuth-Port: 2\n", AUTH_FAULTY, "", "", 1, 0 },
	{ "a long wait", "Auth-Status: no\nAuth-Wait: 86400\n", AUTH_REJECTED, "", "", 0, AUTH_WAIT_MAX_S },
	{ "a wait of words", "Auth-Status: no\nAuth-Wait: soon\n", AUTH_FAULTY, "", "", 0, 0 },
	{ "a control character", "Auth-Status: OK\nAuth-User: a\001b\n", AUTH_FAULTY, "", "", 0, 0 },
	{ "half a character", "Auth-Status: OK\nAuth-User: a\303\n", AUTH_FAULTY, "", "", 0, 0 },
	{ "a long user", "Auth-Status: OK\nAuth-User: " LONG LONG LONG LONG "\n", AUTH_FAULTY, "", "", 0, 0 },
	{ "a long status", "Auth-Status: " LONG LONG "\n", AUTH_FAULTY, "", "", 0, 0 },
};

static void
replies(void)
{
	for (const struct row *r = rows; r < rows + sizeof(rows) / sizeof(rows[0]); r++) {
		struct auth_reply reply = { 0 };
		const char *line = r->lines, *end;

		for (; *line != '\0'; line = end) {
			end = strchr(line, '\n') + 1;
			auth_reply_read(&reply, line, (size_t) (end - line));
		}
		UNIT_CHECK(auth_reply_outcome(&reply) == r->outcome, r->name);
		UNIT_CHECK(strcmp(reply.server, r->server) == 0, r->name);
		UNIT_CHECK(strcmp(reply.user, r->user) == 0, r->name);
		UNIT_CHECK(reply.port == r->port && reply.wait_s == r->wait, r->name);
		UNIT_CHECK((r->outcome == AUTH_FAULTY && reply.status[0] != '\0') ==
			       (reply.fault != NULL) || reply.status[0] == '\0',
		    r->name);
	}
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "questions", questions },
		{ "replies", replies },
	};

	return unit_run("auth_message", tests, sizeof(tests) / sizeof(tests[0]));
}
