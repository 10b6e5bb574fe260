/* Unit tests of fiberio/tls_tickets.c: how long a key lives, and what it opens. */
#include "fiberio/tls_tickets.h"

#include "tls_parties.h"

static void
a_key_is_current_then_previous_then_gone(void)
{
	static struct tls_tickets tickets;
	struct tls_ticket_key first, second, found;

	CU_ASSERT_EQUAL_FATAL(tls_tickets_rotate(&tickets), 0);
	tls_tickets_current(&tickets, &first);
	CU_ASSERT_EQUAL(tls_tickets_find(&tickets, first.name, &found), TLS_TICKET_CURRENT);
	CU_ASSERT_EQUAL(memcmp(&found, &first, sizeof(found)), 0);
	for (int i = 0; i < 7; i++) {
		CU_ASSERT_EQUAL(tls_tickets_rotate(&tickets), 0);
		tls_tickets_current(&tickets, &second);
		CU_ASSERT_NOT_EQUAL(memcmp(&second, &first, sizeof(second)), 0);
		CU_ASSERT_EQUAL(
		    tls_tickets_find(&tickets, first.name, &found), TLS_TICKET_PREVIOUS);
		CU_ASSERT_EQUAL(memcmp(&found, &first, sizeof(found)), 0);
		first = second;
	}
	CU_ASSERT_EQUAL(tls_tickets_rotate(&tickets), 0);
	CU_ASSERT_EQUAL(tls_tickets_rotate(&tickets), 0);
	CU_ASSERT_EQUAL(tls_tickets_find(&tickets, first.name, &found), TLS_TICKET_UNKNOWN);
}

/* What is no longer needed is not there for whoever reads the memory later. */
static void
old_keys_are_overwritten(void)
{
	static const struct tls_ticket_key none;
	static struct tls_tickets tickets;
	struct tls_ticket_key key;
	int empty;

	for (int i = 0; i < 5; i++) {
		CU_ASSERT_EQUAL(tls_tickets_rotate(&tickets), 0);
		empty = 0;
		for (int slot = 0; slot < TLS_TICKET_SLOTS; slot++)
			empty += memcmp(&tickets.keys[slot], &none, sizeof(none)) == 0;
		CU_ASSERT_EQUAL(empty, i == 0 ? 2 : 1);
	}
	tls_tickets_clear(&tickets);
	for (int slot = 0; slot < TLS_TICKET_SLOTS; slot++)
		CU_ASSERT_EQUAL(memcmp(&tickets.keys[slot], &none, sizeof(none)), 0);
	CU_ASSERT_EQUAL(tls_tickets_find(&tickets, none.name, &key), TLS_TICKET_UNKNOWN);
}

static void
before_the_first_nothing_is_known(void)
{
	static const unsigned char zeros[16];
	static struct tls_tickets tickets;
	struct tls_ticket_key key;

	CU_ASSERT_EQUAL(tls_tickets_find(&tickets, zeros, &key), TLS_TICKET_UNKNOWN);
	CU_ASSERT_EQUAL(tls_tickets_rotate(&tickets), 0);
	CU_ASSERT_EQUAL(tls_tickets_find(&tickets, zeros, &key), TLS_TICKET_UNKNOWN);
}

/* ---- handshakes ---- */

static void
check_meeting(struct tls_server *at, bool resumption, const char *label)
{
	bool resumed;

	UNIT_CHECK(meet(client, at, "mail.test", &resumed) == 0, label);
	UNIT_CHECK(resumed == resumption, label);
}

/* As another worker has it, or this one behind a reload. */
static void
servers_share_their_tickets(void)
{
	static struct tls_tickets tickets;
	struct tls_server *second, *stranger;

	begin_tls();
	second = new_tolerant_server(files.certificate);
	stranger = new_tolerant_server(files.certificate);
	CU_ASSERT_EQUAL_FATAL(tls_tickets_rotate(&tickets), 0);
	tls_server_use_tickets(server, &tickets);
	tls_server_use_tickets(second, &tickets);
	for (int version = 0; version < 2; version++) {
		if (version == 1) {
			SSL_CTX_set_max_proto_version(server->context, TLS1_2_VERSION);
			SSL_CTX_set_max_proto_version(second->context, TLS1_2_VERSION);
			SSL_CTX_set_max_proto_version(stranger->context, TLS1_2_VERSION);
		}
		tls_sessions_clear(&client->sessions);
		check_meeting(server, false, "first");
		check_meeting(second, true, "second of the same");
		check_meeting(server, true, "first again");
		check_meeting(stranger, false, "has keys of its own");
	}
	tls_server_unref(second);
	tls_server_unref(stranger);
	end_tls();
}

static void
a_ticket_lives_for_two_keys(void)
{
	static struct tls_tickets tickets;

	begin_tls();
	CU_ASSERT_EQUAL_FATAL(tls_tickets_rotate(&tickets), 0);
	tls_server_use_tickets(server, &tickets);
	for (int version = 0; version < 2; version++) {
		if (version == 1)
			SSL_CTX_set_max_proto_version(server->context, TLS1_2_VERSION);
		tls_sessions_clear(&client->sessions);
		check_meeting(server, false, "first");
		CU_ASSERT_EQUAL(tls_tickets_rotate(&tickets), 0);
		check_meeting(server, true, "by the key before");
		/* Our client keeps what a handshake has brought, and renews with TLS 1.3 only. */
		for (int i = 0; i < 4 && version == 0; i++) {
			CU_ASSERT_EQUAL(tls_tickets_rotate(&tickets), 0);
			check_meeting(server, true, "renewed each time");
		}
		CU_ASSERT_EQUAL(tls_tickets_rotate(&tickets), 0);
		CU_ASSERT_EQUAL(tls_tickets_rotate(&tickets), 0);
		check_meeting(server, false, "its key is gone");
	}
	end_tls();
}

static void
a_ticket_is_for_the_same_terms(void)
{
	static struct tls_tickets tickets;
	const struct tls_pair pair = { .certificate = files.certificate, .key = files.key };
	const struct tls_server_options options = { .pairs = &pair,
		.pair_count = 1,
		.terms = { .groups = "X25519:P-256" } };
	struct tls_server *other;

	begin_tls();
	CU_ASSERT_EQUAL_FATAL(tls_server_new(&options, &other, NULL), 0);
	SSL_CTX_set_alpn_select_cb(other->context, NULL, NULL);
	CU_ASSERT_EQUAL_FATAL(tls_tickets_rotate(&tickets), 0);
	tls_server_use_tickets(server, &tickets);
	tls_server_use_tickets(other, &tickets);
	check_meeting(server, false, "first");
	check_meeting(other, false, "other terms");
	tls_server_unref(other);
	end_tls();
}

/* A certificate is judged at each handshake: no ticket leads past that, be it from a listener with the
 * same keys that does not ask for one. */
static void
no_ticket_stands_for_a_client_certificate(void)
{
	static struct tls_tickets tickets;
	struct tls_server *curious;

	begin_tls();
	curious = new_tolerant_server(files.certificate);
	CU_ASSERT_EQUAL_FATAL(
	    tls_server_verify_clients(curious, files.authority, TLS_CLIENT_REQUEST, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(tls_tickets_rotate(&tickets), 0);
	tls_server_use_tickets(server, &tickets);
	tls_server_use_tickets(curious, &tickets);
	for (int version = 0; version < 2; version++) {
		if (version == 1) {
			SSL_CTX_set_max_proto_version(server->context, TLS1_2_VERSION);
			SSL_CTX_set_max_proto_version(curious->context, TLS1_2_VERSION);
		}
		tls_sessions_clear(&client->sessions);
		check_meeting(server, false, "nobody asks");
		check_meeting(server, true, "nobody asks again");
		check_meeting(curious, false, "it asks");
		check_meeting(curious, false, "it asks again");
	}
	tls_server_unref(curious);
	end_tls();
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "a_key_is_current_then_previous_then_gone",
		    a_key_is_current_then_previous_then_gone },
		{ "old_keys_are_overwritten", old_keys_are_overwritten },
		{ "before_the_first_nothing_is_known", before_the_first_nothing_is_known },
		{ "servers_share_their_tickets", servers_share_their_tickets },
		{ "a_ticket_lives_for_two_keys", a_ticket_lives_for_two_keys },
		{ "a_ticket_is_for_the_same_terms", a_ticket_is_for_the_same_terms },
		{ "no_ticket_stands_for_a_client_certificate",
		    no_ticket_stands_for_a_client_certificate },
	};

	return unit_run("tls_tickets", tests, sizeof(tests) / sizeof(tests[0]));
}
