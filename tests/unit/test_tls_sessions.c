/* Unit tests of fiberio/tls_sessions.c: which handshakes are resumptions, and which must not be. */
#include "tls_parties.h"

static void
check_meeting(struct tls_client *to, struct tls_server *at, const char *name, int wanted,
    bool resumption, const char *label)
{
	bool resumed;

	UNIT_CHECK(meet(to, at, name, &resumed) == wanted, label);
	UNIT_CHECK(resumed == resumption, label);
}

/* A server with the names NAMES, whose certificate is AUTHORITY's or its own. */
static struct tls_server *
new_server(const char *names, const struct identity *issuer)
{
	struct identity_form form = { .common_name = "other", .names = names, .issuer = issuer };
	struct identity other = new_identity(&form);
	struct tls_server *made;

	write_certificate(files.other, other.certificate);
	write_key(files.key, other.key, NULL);
	made = new_tolerant_server(files.other);
	free_identity(&other);
	return made;
}

static void
the_second_handshake_is_a_resumption(void)
{
	begin_tls();
	for (int version = 0; version < 2; version++) {
		if (version == 1)
			SSL_CTX_set_max_proto_version(server->context, TLS1_2_VERSION);
		tls_sessions_clear(&client->sessions);
		check_meeting(client, server, "mail.test", 0, false, "first");
		for (int i = 0; i < 5; i++)
			check_meeting(client, server, "mail.test", 0, true, "further");
	}
	end_tls();
}

/* More at a time than there are sessions kept, and none of them for ever. */
static void
no_more_are_kept_than_the_limit(void)
{
	begin_tls();
	SSL_CTX_set_num_tickets(server->context, 2 * TLS_SESSIONS_MAX);
	check_meeting(client, server, "mail.test", 0, false, "first");
	CU_ASSERT_EQUAL(client->sessions.count, TLS_SESSIONS_MAX);
	check_meeting(client, server, "mail.test", 0, true, "second");
	CU_ASSERT(client->sessions.count <= TLS_SESSIONS_MAX);
	end_tls();
}

static void
a_session_is_for_its_name_only(void)
{
	struct tls_server *both;

	begin_tls();
	both = new_server("DNS:a.test,DNS:b.test,IP:127.0.0.1,IP:::1", &authority);
	check_meeting(client, both, "a.test", 0, false, "a first");
	check_meeting(client, both, "b.test", 0, false, "b first");
	check_meeting(client, both, "127.0.0.1", 0, false, "address first");
	check_meeting(client, both, "::1", 0, false, "IPv6 address first");
	check_meeting(client, both, "c.test", ERR_TLS, false, "not its name");
	check_meeting(client, both, "a.test", 0, false, "a after a failure");
	check_meeting(client, both, "a.test", 0, true, "a again");
	check_meeting(client, both, "127.0.0.1", 0, false, "address after a failure");
	check_meeting(client, both, "127.0.0.1", 0, true, "address again");
	tls_server_unref(both);
	end_tls();
}

static void
a_session_is_for_its_settings_only(void)
{
	struct tls_client *other;

	begin_tls();
	CU_ASSERT_EQUAL_FATAL(load_client(files.authority, &other, NULL), 0);
	check_meeting(client, server, "mail.test", 0, false, "first");
	check_meeting(other, server, "mail.test", 0, false, "other settings");
	check_meeting(client, server, "mail.test", 0, true, "the same again");
	tls_client_unref(other);
	end_tls();
}

static void
resumption_can_be_forbidden(void)
{
	begin_tls();
	check_meeting(client, server, "mail.test", 0, false, "first");
	tls_client_forbid_resumption(client);
	check_meeting(client, server, "mail.test", 0, false, "forbidden");
	check_meeting(client, server, "mail.test", 0, false, "forbidden still");
	end_tls();
}

/* Whoever cannot read the ticket has to show a certificate. */
static void
another_server_is_judged_anew(void)
{
	struct tls_server *good, *stranger;

	begin_tls();
	good = new_server("DNS:mail.test", &authority);
	stranger = new_server("DNS:mail.test", NULL);
	check_meeting(client, server, "mail.test", 0, false, "first");
	check_meeting(client, good, "mail.test", 0, false, "another good one");
	check_meeting(client, stranger, "mail.test", ERR_TLS, false, "a bad one");
	check_meeting(client, server, "mail.test", 0, false, "back again");
	check_meeting(client, server, "mail.test", 0, true, "and again");
	tls_server_unref(good);
	tls_server_unref(stranger);
	end_tls();
}

/* The certificate is looked at again when the hour is over, be the tickets as fresh as they may. */
static void
a_verification_does_not_count_for_ever(void)
{
	begin_tls();
	check_meeting(client, server, "mail.test", 0, false, "first");
	for (size_t i = 0; i < client->sessions.count; i++)
		client->sessions.kept[i].verified -= 3590;
	check_meeting(client, server, "mail.test", 0, true, "in time");
	for (size_t i = 0; i < client->sessions.count; i++)
		client->sessions.kept[i].verified -= 10;
	check_meeting(client, server, "mail.test", 0, false, "an hour later");
	end_tls();
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "the_second_handshake_is_a_resumption", the_second_handshake_is_a_resumption },
		{ "no_more_are_kept_than_the_limit", no_more_are_kept_than_the_limit },
		{ "a_session_is_for_its_name_only", a_session_is_for_its_name_only },
		{ "a_session_is_for_its_settings_only", a_session_is_for_its_settings_only },
		{ "resumption_can_be_forbidden", resumption_can_be_forbidden },
		{ "another_server_is_judged_anew", another_server_is_judged_anew },
		{ "a_verification_does_not_count_for_ever",
		    a_verification_does_not_count_for_ever },
	};

	return unit_run("tls_sessions", tests, sizeof(tests) / sizeof(tests[0]));
}
