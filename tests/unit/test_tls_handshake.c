/* Unit tests of fiberio/stream_tls.c: whom it shakes hands with, and whom not. */
#include "tls_parties.h"

/* ---- whom we believe ---- */

struct judgement {
	const char *label;
	struct identity_form form;
	enum { BY_AUTHORITY, BY_STRANGER, BY_ITSELF } signer;
	const char *name;      /* whom the client wants to reach */
	const char *complaint; /* NULL: accepted */
};

static const struct judgement judgements[] = {
	{ "good name", { .names = "DNS:mail.test" }, BY_AUTHORITY, "mail.test", NULL },
	{ "good name in capitals", { .names = "DNS:mail.test" }, BY_AUTHORITY, "MAIL.test", NULL },
	{ "second of two names", { .names = "DNS:a.test,DNS:b.test" }, BY_AUTHORITY, "b.test",
	    NULL },
	{ "wildcard", { .names = "DNS:*.mail.test" }, BY_AUTHORITY, "a.mail.test", NULL },
	{ "address", { .names = "IP:127.0.0.1" }, BY_AUTHORITY, "127.0.0.1", NULL },
	{ "IPv6 address", { .names = "IP:::1" }, BY_AUTHORITY, "::1", NULL },
	{ "other name", { .names = "DNS:evil.test" }, BY_AUTHORITY, "mail.test",
	    "hostname mismatch" },
	{ "longer name", { .names = "DNS:mail.test" }, BY_AUTHORITY, "a.mail.test",
	    "hostname mismatch" },
	{ "wildcard is one label", { .names = "DNS:*.test" }, BY_AUTHORITY, "a.b.test",
	    "hostname mismatch" },
	{ "partial wildcard", { .names = "DNS:m*.mail.test" }, BY_AUTHORITY, "mx.mail.test",
	    "hostname mismatch" },
	{ "common name only", { .common_name = "mail.test" }, BY_AUTHORITY, "mail.test",
	    "hostname mismatch" },
	{ "other address", { .names = "IP:127.0.0.2" }, BY_AUTHORITY, "127.0.0.1",
	    "IP address mismatch" },
	{ "address as a name", { .names = "DNS:127.0.0.1" }, BY_AUTHORITY, "127.0.0.1",
	    "IP address mismatch" },
	{ "address as common name", { .common_name = "127.0.0.1" }, BY_AUTHORITY, "127.0.0.1",
	    "IP address mismatch" },
	{ "self-signed", { .names = "DNS:mail.test" }, BY_ITSELF, "mail.test", "self-signed" },
	{ "unknown authority", { .names = "DNS:mail.test" }, BY_STRANGER, "mail.test",
	    "unable to get" },
	{ "expired", { .names = "DNS:mail.test", .from = -7200, .until = -3600 }, BY_AUTHORITY,
	    "mail.test", "expired" },
	{ "of tomorrow", { .names = "DNS:mail.test", .from = 86400, .until = 172800 }, BY_AUTHORITY,
	    "mail.test", "not yet valid" },
	{ "not for servers", { .names = "DNS:mail.test", .purpose = "clientAuth" }, BY_AUTHORITY,
	    "mail.test", "purpose" },
	{ "no name wanted", { .names = "DNS:mail.test" }, BY_AUTHORITY, "",
	    "cannot verify the name" },
};

static void
check_judgement(const struct judgement *j, const struct identity *stranger)
{
	struct identity_form form = j->form;
	struct identity made;
	struct tls_server *judged;
	static struct party s, c;
	int fds[2];

	form.issuer = j->signer == BY_AUTHORITY	 ? &authority
		      : j->signer == BY_STRANGER ? stranger
						 : NULL;
	made = new_identity(&form);
	write_certificate(files.other, made.certificate);
	write_key(files.key, made.key, NULL);
	judged = new_tolerant_server(files.other);
	unix_pair(fds);
	init_party(&s, AS_SERVER, fds[0]);
	init_party(&c, AS_CLIENT, fds[1]);
	s.server = judged;
	s.ms = 60000; /* who is slow is not refused */
	c.name = j->name;
	spawn(shake_main, &c);
	spawn(shake_main, &s);
	while (!c.done)
		uv_run(&loop, UV_RUN_ONCE);
	stream_close(c.s);
	run_all();
	if (j->complaint == NULL) {
		UNIT_CHECK(c.rc == 0, j->label);
		UNIT_CHECK(c.rc == 0, c.e.text);
		UNIT_CHECK(s.rc == 0, s.e.text);
	} else {
		UNIT_CHECK(
		    c.rc == ERR_TLS || (c.rc == ERR_INVALID && j->name[0] == '\0'), j->label);
		UNIT_CHECK(strstr(c.e.text, j->complaint) != NULL, c.e.text);
		UNIT_CHECK(s.rc != 0, j->label);
	}
	stream_close(s.s);
	tls_server_unref(judged);
	free_identity(&made);
}

static void
certificates_are_judged(void)
{
	struct identity stranger;

	begin_tls();
	stranger =
	    new_identity(&(struct identity_form){ .common_name = "stranger", .authority = true });
	for (size_t i = 0; i < sizeof(judgements) / sizeof(judgements[0]); i++)
		check_judgement(&judgements[i], &stranger);
	free_identity(&stranger);
	end_tls();
}

/* ---- what else is agreed on ---- */

static void
our_server_speaks_pop3_or_nothing(void)
{
	static const struct {
		const char *offered; /* as the wire has it; "": no ALPN at all */
		bool accepted;
	} rows[] = {
		{ "", true },
		{ "\x04pop3", true },
		{ "\x04imap\x04pop3", true },
		{ "\x04imap", false },
		{ "\x02h2\x08http/1.1", false },
	};
	static struct party p;
	struct tls_server *strict;

	begin_tls();
	CU_ASSERT_EQUAL_FATAL(load_server(files.certificate, files.key, &strict, NULL), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct peer peer;
		int fds[2];

		unix_pair(fds);
		init_party(&p, AS_SERVER, fds[0]);
		p.server = strict;
		init_peer(&peer, AS_CLIENT, fds[1], TLS1_3_VERSION, NULL);
		if (rows[i].offered[0] != '\0')
			SSL_CTX_set_alpn_protos(peer.context,
			    (const unsigned char *) rows[i].offered,
			    (unsigned) strlen(rows[i].offered));
		start_peer(&peer);
		spawn(shake_main, &p);
		run_all();
		UNIT_CHECK((p.rc == 0) == rows[i].accepted, rows[i].offered);
		UNIT_CHECK(p.rc == 0 || p.rc == ERR_TLS, rows[i].offered);
		stream_close(p.s);
		finish_peer(&peer);
		UNIT_CHECK((peer.shaken == 1) == rows[i].accepted, rows[i].offered);
	}
	tls_server_unref(strict);
	end_tls();
}

static void
our_client_speaks_imap(void)
{
	static struct party p;

	begin_tls();
	for (int i = 0; i < 2; i++) {
		struct peer peer;
		int fds[2];

		unix_pair(fds);
		init_party(&p, AS_CLIENT, fds[0]);
		init_peer(&peer, AS_SERVER, fds[1], TLS1_3_VERSION, read_script);
		if (i == 1)
			memcpy(peer.chosen, "\x04pop3", 5); /* though we did not offer it */
		start_peer(&peer);
		spawn(shake_main, &p);
		run_all();
		CU_ASSERT_EQUAL(p.rc, i == 0 ? 0 : ERR_TLS);
		stream_close(p.s);
		finish_peer(&peer);
	}
	end_tls();
}

static void
names_are_sent_and_addresses_are_not(void)
{
	static const struct {
		const char *name, *sent;
	} rows[] = {
		{ "mail.test", "mail.test" },
		{ "127.0.0.1", "" },
		{ "::1", "" },
	};
	static struct party p;

	begin_tls();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct peer peer;
		int fds[2];

		unix_pair(fds);
		init_party(&p, AS_CLIENT, fds[0]);
		p.name = rows[i].name;
		init_peer(&peer, AS_SERVER, fds[1], TLS1_3_VERSION, NULL);
		start_peer(&peer);
		spawn(shake_main, &p);
		run_all();
		stream_close(p.s);
		finish_peer(&peer);
		CU_ASSERT_STRING_EQUAL(peer.server_name, rows[i].sent);
	}
	end_tls();
}

static void
old_versions_are_refused(void)
{
	static struct party p;

	begin_tls();
	for (int i = 0; i < 2; i++) {
		struct peer peer;
		int fds[2];

		unix_pair(fds);
		init_party(&p, i == 0 ? AS_SERVER : AS_CLIENT, fds[0]);
		init_peer(&peer, i == 0 ? AS_CLIENT : AS_SERVER, fds[1], TLS1_1_VERSION, NULL);
		start_peer(&peer);
		spawn(shake_main, &p);
		run_all();
		CU_ASSERT_EQUAL(p.rc, ERR_TLS);
		stream_close(p.s);
		finish_peer(&peer);
		CU_ASSERT_NOT_EQUAL(peer.shaken, 1);
	}
	end_tls();
}

/* ---- handshakes that come to nothing ---- */

static void
a_silent_peer_ends_at_the_deadline(void)
{
	static struct party p;

	begin_tls();
	for (int i = 0; i < 2; i++) {
		int fds[2];

		unix_pair(fds);
		init_party(&p, i == 0 ? AS_SERVER : AS_CLIENT, fds[0]);
		p.ms = 20;
		spawn(shake_main, &p);
		run_all();
		CU_ASSERT_EQUAL(p.rc, ERR_TIMEOUT);
		CU_ASSERT_EQUAL(p.e.code, ERR_TIMEOUT);
		stream_close(p.s);
		close(fds[1]);
	}
	end_tls();
}

static void
a_handshake_is_cancelled(void)
{
	static struct party p;

	begin_tls();
	for (int i = 0; i < 2; i++) {
		struct fiber *fiber;
		int fds[2];

		unix_pair(fds);
		init_party(&p, i == 0 ? AS_SERVER : AS_CLIENT, fds[0]);
		fiber = spawn(shake_main, &p);
		run_a_little();
		CU_ASSERT_FALSE(p.done);
		fiber_cancel(fiber);
		CU_ASSERT_EQUAL(p.rc, ERR_CANCELLED);
		stream_close(p.s);
		close(fds[1]);
	}
	end_tls();
}

static void
garbage_and_silence_are_told_apart(void)
{
	static struct party p;

	begin_tls();
	for (int i = 0; i < 4; i++) {
		int fds[2];

		unix_pair(fds);
		init_party(&p, i % 2 == 0 ? AS_SERVER : AS_CLIENT, fds[0]);
		if (i < 2)
			CU_ASSERT_EQUAL(write(fds[1], "* OK this is plain IMAP\r\n", 25), 25);
		CU_ASSERT_EQUAL(shutdown(fds[1], SHUT_WR), 0);
		spawn(shake_main, &p);
		run_all();
		CU_ASSERT_EQUAL(p.rc, i < 2 ? ERR_TLS : ERR_CLOSED);
		CU_ASSERT_EQUAL(p.e.code, p.rc);
		stream_close(p.s);
		close(fds[1]);
	}
	end_tls();
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "certificates_are_judged", certificates_are_judged },
		{ "our_server_speaks_pop3_or_nothing", our_server_speaks_pop3_or_nothing },
		{ "our_client_speaks_imap", our_client_speaks_imap },
		{ "names_are_sent_and_addresses_are_not", names_are_sent_and_addresses_are_not },
		{ "old_versions_are_refused", old_versions_are_refused },
		{ "a_silent_peer_ends_at_the_deadline", a_silent_peer_ends_at_the_deadline },
		{ "a_handshake_is_cancelled", a_handshake_is_cancelled },
		{ "garbage_and_silence_are_told_apart", garbage_and_silence_are_told_apart },
	};

	return unit_run("tls_handshake", tests, sizeof(tests) / sizeof(tests[0]));
}
