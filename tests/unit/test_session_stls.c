/* Unit tests of STLS in pop3front/session_auth.c: what counts before, between and after. */
#include "pop3front/session.h"

#include <fcntl.h>
#include <openssl/ssl.h>

#include "identities.h"
#include "pop3_backend.h"

static const struct mail mails[] = { MAIL("h: 1\r\n\r\nb\r\n") };

#define GREETING "+OK POP3 server ready\r\n"
#define REFUSED "-ERR STLS is not possible now\r\n"
#define BEGIN "+OK begin TLS\r\n"

static struct files files;
static struct identity mail;
static struct tls_server *server;

static void
stls_begin(struct talk *t)
{
	static const struct identity_form form = { .common_name = "mail", .names = "DNS:mail.test" };

	make_files(&files);
	mail = new_identity(&form);
	write_certificate(files.certificate, mail.certificate);
	write_key(files.key, mail.key, NULL);
	CU_ASSERT_EQUAL_FATAL(load_server(files.certificate, files.key, &server, NULL), 0);
	talk_begin(t, mails, 1);
	t->settings.tls = server;
}

static void
stls_end(struct talk *t)
{
	talk_end(t);
	tls_server_unref(server);
	free_identity(&mail);
	remove_files(&files);
}

/* Forgets what was received so far. */
static void
talk_forget(struct talk *t)
{
	t->len = 0;
}

/* The client's side of TLS, without blocking. */
static SSL *
shake_hands(struct talk *t)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(context);

	SSL_CTX_free(context);
	fcntl(t->client, F_SETFL, O_NONBLOCK);
	SSL_set_fd(ssl, t->client);
	while (t->stream != NULL && SSL_connect(ssl) != 1)
		uv_run(&loop, UV_RUN_NOWAIT);
	return ssl;
}

/* Says TEXT and wants ANSWER. */
static void
exchange(struct talk *t, SSL *ssl, const char *text, const char *answer)
{
	char got[1024];
	size_t len = 0;

	CU_ASSERT_EQUAL_FATAL(SSL_write(ssl, text, (int) strlen(text)), (int) strlen(text));
	while (len < strlen(answer)) {
		bool over = t->stream == NULL;
		int n = SSL_read(ssl, got + len, (int) (sizeof(got) - len));

		if (n <= 0 && over)
			break;
		len += n > 0 ? (size_t) n : 0;
		run_a_little();
	}
	UNIT_CHECK(len == strlen(answer) && memcmp(got, answer, len) == 0, text);
}

static void
rule_22_after_tls_all_starts_anew(void)
{
	struct talk t;
	SSL *ssl;

	stls_begin(&t);
	t.settings.plaintext_login = false;
	talk_say(&t, "USER user\r\nSTLS\r\n");
	CU_ASSERT_TRUE(strstr(t.received, "-ERR TLS is needed") != NULL && strstr(t.received, BEGIN) != NULL);
	ssl = shake_hands(&t);
	exchange(&t, ssl, "PASS pass word \r\n", "-ERR USER comes first\r\n");
	exchange(&t, ssl, "STLS\r\n", REFUSED);
	exchange(&t, ssl, "USER user\r\nPASS pass word \r\nSTAT\r\n",
	    "+OK send the password\r\n+OK maildrop has 1 messages\r\n+OK 1 11\r\n");
	exchange(&t, ssl, "RETR 1\r\nQUIT\r\n", "+OK 11 octets\r\nh: 1\r\n\r\nb\r\n.\r\n+OK bye\r\n");
	CU_ASSERT_EQUAL(t.report.end, POP3_END_QUIT);
	SSL_free(ssl);
	stls_end(&t);
}

static void
rule_22_octets_behind_stls_end_the_session(void)
{
	static const char *const sent[] = { "STLS\r\nUSER user\r\n", "STLS\r\n\r\n", "STLS\nx",
		"CAPA\r\nSTLS\r\nQUIT\r\n" };

	for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++) {
		struct talk t;

		stls_begin(&t);
		run_a_little();
		talk_receive(&t);
		talk_forget(&t);
		talk_say(&t, sent[i]);
		talk_wait(&t);
		UNIT_CHECK(t.len == 0, sent[i]);
		CU_ASSERT_EQUAL(t.report.end, POP3_END_BAD_COMMANDS);
		CU_ASSERT_STRING_EQUAL(t.report.error.text, "octets after STLS");
		stls_end(&t);
	}
}

/* The octets behind STLS do not come with it, but are there before the answer is. */
static void
rule_22_octets_that_still_wait_in_the_socket_count(void)
{
	enum { BEFORE = 512 - 6 }; /* what the line buffer holds at rest, but for STLS */
	char sent[BEFORE + 6 + 6];
	struct talk t;

	stls_begin(&t);
	memset(sent, ' ', sizeof(sent));
	memcpy(sent, "UTF8", 4);
	memcpy(sent + 251, "\r\nUTF8", 6);
	memcpy(sent + BEFORE - 2, "\r\nSTLS\r\nNOOP\r\n", 14);
	talk_send(&t, sent, sizeof(sent));
	talk_wait(&t);
	CU_ASSERT_EQUAL(t.report.commands, 3);
	CU_ASSERT_EQUAL(t.report.end, POP3_END_BAD_COMMANDS);
	CU_ASSERT_STRING_EQUAL(t.report.error.text, "octets after STLS");
	stls_end(&t);
}

static void
rule_22_stls_after_user_is_refused(void)
{
	struct talk t;

	stls_begin(&t);
	talk_say(&t, "CAPA\r\n");
	CU_ASSERT_PTR_NOT_NULL(strstr(t.received, "\r\nSTLS\r\n"));
	talk_forget(&t);
	talk_say(&t, "USER user\r\nSTLS\r\nCAPA\r\n");
	CU_ASSERT_PTR_NOT_NULL(strstr(t.received, REFUSED));
	CU_ASSERT_PTR_NULL(strstr(t.received, "\r\nSTLS\r\n"));
	hold(&t, "QUIT\r\n", 6);
	stls_end(&t);
}

static void
rule_22_what_is_no_handshake_ends_the_session(void)
{
	struct talk t;

	stls_begin(&t);
	talk_say(&t, "STLS\r\n");
	CU_ASSERT_STRING_EQUAL(t.received, GREETING BEGIN);
	talk_say(&t, "USER user\r\nPASS pass word \r\n");
	talk_wait(&t);
	CU_ASSERT_PTR_NULL(strstr(t.received + strlen(GREETING BEGIN), "+OK"));
	CU_ASSERT_EQUAL(t.report.end, POP3_END_TLS_FAILED);
	CU_ASSERT_EQUAL(t.report.error.code, ERR_TLS);
	stls_end(&t);
}

static void
rule_17_a_handshake_that_does_not_come(void)
{
	struct talk t;

	stls_begin(&t);
	t.settings.login_ms = 30;
	talk_say(&t, "STLS\r\n");
	talk_wait(&t);
	CU_ASSERT_EQUAL(t.report.end, POP3_END_TLS_FAILED);
	CU_ASSERT_EQUAL(t.report.error.code, ERR_TIMEOUT);
	stls_end(&t);
}

static void
a_cancelled_handshake(void)
{
	struct talk t;

	stls_begin(&t);
	talk_say(&t, "STLS\r\n");
	fiber_cancel(t.fiber);
	CU_ASSERT_PTR_NULL(t.stream);
	CU_ASSERT_EQUAL(t.report.end, POP3_END_SHUTDOWN);
	stls_end(&t);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "rule_22_after_tls_all_starts_anew", rule_22_after_tls_all_starts_anew },
		{ "rule_22_octets_behind_stls_end_the_session", rule_22_octets_behind_stls_end_the_session },
		{ "rule_22_octets_that_still_wait_in_the_socket_count",
		    rule_22_octets_that_still_wait_in_the_socket_count },
		{ "rule_22_stls_after_user_is_refused", rule_22_stls_after_user_is_refused },
		{ "rule_22_what_is_no_handshake_ends_the_session",
		    rule_22_what_is_no_handshake_ends_the_session },
		{ "rule_17_a_handshake_that_does_not_come", rule_17_a_handshake_that_does_not_come },
		{ "a_cancelled_handshake", a_cancelled_handshake },
	};

	return unit_run("session stls", tests, sizeof(tests) / sizeof(tests[0]));
}
