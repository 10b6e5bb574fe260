/* Tests of gateway/auth_message.c. */
#include "tests/unit/unit.h"

#include <stdlib.h>

#include "base/error.h"
#include "gateway/auth_message.h"

static void
questions(void)
{
	static char user[] = "j\303\274rgen x%\t\177@example.org", password[] = "a b\001c%d:e";
	static const char *const wanted[] = { "Auth-Method: plain",
		"Auth-User: j\303\274rgen%20x%25%09%7F@example.org", "Auth-Pass: a%20b%01c%25d:e",
		"Auth-Protocol: imap", "Auth-Login-Attempt: 3", "Client-IP: 192.0.2.7", "Auth-SSL: on",
		"Auth-SSL-Protocol: TLSv1.3", "Auth-SSL-Cipher: TLS_AES_256_GCM_SHA384" };
	struct credentials c = { .user = user, .password = password, .password_len = 9 };
	struct auth_question q = { &c, "imap", "192.0.2.7", 3, "TLSv1.3",
		"TLS_AES_256_GCM_SHA384" };
	char *fields[AUTH_FIELDS_MAX];
	size_t count;

	CU_ASSERT_EQUAL_FATAL(auth_question_fields(&q, fields, &count), 0);
	CU_ASSERT_EQUAL_FATAL(count, sizeof(wanted) / sizeof(wanted[0]));
	for (size_t i = 0; i < count; i++)
		UNIT_CHECK(strcmp(fields[i], wanted[i]) == 0, wanted[i]);
	auth_fields_free(fields, count);
	CU_ASSERT_PTR_NULL(fields[0]);
	c.kind = CREDENTIALS_XOAUTH2;
	q.tls_version = "";
	CU_ASSERT_EQUAL_FATAL(auth_question_fields(&q, fields, &count), 0);
	CU_ASSERT_EQUAL(count, 6); /* nothing of TLS */
	CU_ASSERT_STRING_EQUAL(fields[0], "Auth-Method: xoauth2");
	auth_fields_free(fields, count);
	c = (struct credentials){ .kind = CREDENTIALS_CERTIFICATE, .user = user };
	CU_ASSERT_EQUAL_FATAL(auth_question_fields(&q, fields, &count), 0);
	CU_ASSERT_STRING_EQUAL(fields[0], "Auth-Method: external");
	CU_ASSERT_STRING_EQUAL(fields[2], "Auth-Pass: ");
	auth_fields_free(fields, count);
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
	{ "two users", "Auth-Status: OK\nAuth-User: a\nAuth-User: b\n", AUTH_FAULTY, "", "a", 0, 0 },
	{ "no user", "Auth-Status: OK\nAuth-User:\nAuth-Pass: \n", AUTH_ACCEPTED, "", "", 0, 0 },
	{ "two passwords", "Auth-Status: OK\nAuth-Pass: a\nAuth-Pass: b\n", AUTH_FAULTY, "", "", 0, 0 },
	{ "half a line", "Auth-Status: OK\nAuth-Pass: a\rb\n", AUTH_FAULTY, "", "", 0, 0 },
	{ "later", "Auth-Status: WAIT\nAuth-Wait: 2\n", AUTH_LATER, "", "", 0, 2 },
	{ "later, but when", "Auth-Status: WAIT\n", AUTH_FAULTY, "", "", 0, 0 },
	{ "a long status", "Auth-Status: " LONG LONG "\n", AUTH_FAULTY, "", "", 0, 0 },
};

/* Reads LINES one by one. */
static void
read_reply(struct auth_reply *reply, const char *lines)
{
	for (const char *end; *lines != '\0'; lines = end) {
		end = strchr(lines, '\n') + 1;
		auth_reply_read(reply, lines, (size_t) (end - lines));
	}
}

static void
replies(void)
{
	for (const struct row *r = rows; r < rows + sizeof(rows) / sizeof(rows[0]); r++) {
		struct auth_reply reply = { 0 };

		read_reply(&reply, r->lines);
		UNIT_CHECK(auth_reply_outcome(&reply) == r->outcome, r->name);
		UNIT_CHECK(strcmp(reply.server, r->server) == 0, r->name);
		UNIT_CHECK(strcmp(reply.login.user != NULL ? reply.login.user : "", r->user) == 0,
		    r->name);
		UNIT_CHECK(reply.port == r->port && reply.wait_s == r->wait, r->name);
		UNIT_CHECK(reply.fault == NULL || r->outcome == AUTH_FAULTY, r->name);
		auth_reply_clear(&reply);
		UNIT_CHECK(reply.login.user == NULL && reply.login.password == NULL, r->name);
	}
}

/* Taken as they are, but for what HTTP takes away around them. */
static void
passwords(void)
{
	static const struct {
		const char *line, *password; /* NULL: none */
	} said[] = {
		{ "Auth-Pass: p %20:\303\377 q\t \r\n", "p %20:\303\377 q" },
		{ "auth-pass:x\n", "x" },
		{ "Auth-Pass: \r\n", NULL },
		{ "Auth-Passw: x\n", NULL },
		{ "Auth-Pass: a\rb\n", NULL },
	};

	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		struct auth_reply reply = { 0 };
		const char *got;

		read_reply(&reply, said[i].line);
		got = reply.login.password;
		UNIT_CHECK((got == NULL) == (said[i].password == NULL), said[i].line);
		UNIT_CHECK(got == NULL || (strcmp(got, said[i].password) == 0 &&
					      strlen(got) == reply.login.password_len),
		    said[i].line);
		auth_reply_clear(&reply);
		UNIT_CHECK(reply.login.password == NULL, said[i].line);
	}
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "questions", questions },
		{ "replies", replies },
		{ "passwords", passwords },
	};

	return unit_run("auth_message", tests, sizeof(tests) / sizeof(tests[0]));
}
