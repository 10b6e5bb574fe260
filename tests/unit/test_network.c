/* Tests of gateway/network.c. */
#include "tests/unit/unit.h"

#include "gateway/network.h"
#include "tests/unit/addresses.h"

static const struct {
	const char *network;
	const char *inside; /* NULL: the text is no network */
	const char *outside;
} networks[] = {
	{ "10.0.0.0/8", "10.255.0.1", "11.0.0.1" },
	{ "10.0.0.0/8", "10.0.0.0", "::a00:0" },
	{ "192.0.2.128/25", "192.0.2.200", "192.0.2.127" },
	{ "192.0.2.7", "192.0.2.7", "192.0.2.6" },
	{ "192.0.2.7/32", "192.0.2.7", "192.0.2.8" },
	{ "0.0.0.0/0", "203.0.113.1", "2001:db8::1" },
	{ "::/0", "2001:db8::1", "203.0.113.1" },
	{ "fd00::/8", "fdff::1", "fe00::1" },
	{ "2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1" },
	{ "::1", "::1", "::2" },
	{ "10.0.0.1/8", NULL, NULL },
	{ "2001:db8::1/64", NULL, NULL },
	{ "10.0.0.0/33", NULL, NULL },
	{ "::/129", NULL, NULL },
	{ "10.0.0.0/", NULL, NULL },
	{ "10.0.0.0/+8", NULL, NULL },
	{ "10.0.0.0/8 ", NULL, NULL },
	{ "10.0.0/8", NULL, NULL },
	{ "/8", NULL, NULL },
	{ "", NULL, NULL },
	{ "example.org", NULL, NULL },
	{ "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/8", NULL, NULL },
};

static void
networks_contain(void)
{
	struct sockaddr_storage address;
	struct network network;
	int rc;

	for (size_t i = 0; i < sizeof(networks) / sizeof(networks[0]); i++) {
		rc = network_parse(networks[i].network, &network);
		if (!UNIT_CHECK((rc == 0) == (networks[i].inside != NULL), networks[i].network) ||
		    rc != 0)
			continue;
		address = address_of(networks[i].inside);
		UNIT_CHECK(network_contains(&network, &address), networks[i].inside);
		address = address_of(networks[i].outside);
		UNIT_CHECK(!network_contains(&network, &address), networks[i].outside);
	}
}

static void
loopback(void)
{
	static const struct {
		const char *address;
		int is;
	} rows[] = { { "127.0.0.1", 1 }, { "127.255.255.254", 1 }, { "::1", 1 }, { "128.0.0.1", 0 },
		{ "126.255.255.255", 0 }, { "::2", 0 }, { "::", 0 }, { "::ffff:127.0.0.1", 0 } };
	struct sockaddr_storage address, none = { 0 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		address = address_of(rows[i].address);
		UNIT_CHECK(network_is_loopback(&address) == rows[i].is, rows[i].address);
	}
	CU_ASSERT_FALSE(network_is_loopback(&none));
}

static void
addresses_as_text(void)
{
	struct sockaddr_storage v4 = address_of("192.0.2.1"), v6 = address_of("2001:db8::1"), none = { 0 };
	char text[ADDRESS_TEXT_MAX];

	network_peer_text(&v4, text);
	CU_ASSERT_STRING_EQUAL(text, "192.0.2.1");
	network_peer_text(&v6, text);
	CU_ASSERT_STRING_EQUAL(text, "2001:db8::1");
	network_peer_text(&none, text);
	CU_ASSERT_STRING_EQUAL(text, "unknown");
}

static void
endpoints(void)
{
	static const struct {
		const char *text;
		int port; /* -1: not an endpoint */
	} rows[] = {
		{ "127.0.0.1:110", 110 },
		{ "[::1]:995", 995 },
		{ "[::]:0", 0 },
		{ "0.0.0.0:65535", 65535 },
		{ "127.0.0.1", -1 },
		{ "127.0.0.1:", -1 },
		{ "127.0.0.1:65536", -1 },
		{ "127.0.0.1:+1", -1 },
		{ "::1:110", -1 },
		{ "[127.0.0.1]:110", -1 },
		{ "[::1:110", -1 },
		{ "[]:110", -1 },
		{ ":110", -1 },
		{ "110", -1 },
		{ "", -1 },
		{ "localhost:110", -1 },
		{ "[", -1 },
		{ "[:1", -1 },
	};
	unsigned port;
	bool is;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		port = 70000;
		is = network_is_endpoint(rows[i].text, &port);
		UNIT_CHECK(is == (rows[i].port >= 0), rows[i].text);
		UNIT_CHECK(!is || (int) port == rows[i].port, rows[i].text);
	}
}

static const struct {
	const char *a;
	const char *b;
	int same;
} pairs[] = {
	{ "192.0.2.1", "192.0.2.1", 1 },
	{ "192.0.2.1", "192.0.2.2", 0 },
	{ "2001:db8:1:2::1", "2001:db8:1:2:ffff::9", 1 },
	{ "2001:db8:1:2::1", "2001:db8:1:3::1", 0 },
	{ "192.0.2.1", "::ffff:192.0.2.1", 0 },
	{ "0.0.0.0", "::", 0 },
	{ "", "", 1 }, /* no address at all */
	{ "", "192.0.2.1", 0 },
};

static void
same_clients(void)
{
	struct sockaddr_storage a, b;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		a = address_of(pairs[i].a);
		b = address_of(pairs[i].b);
		UNIT_CHECK(network_same_client(&a, &b) == (pairs[i].same != 0), pairs[i].b);
		UNIT_CHECK(network_same_client(&b, &a) == (pairs[i].same != 0), pairs[i].a);
	}
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "same clients", same_clients },
		{ "networks contain what they should", networks_contain },
		{ "loopback", loopback },
		{ "addresses as text", addresses_as_text },
		{ "endpoints", endpoints },
	};

	return unit_run("network", tests, sizeof(tests) / sizeof(tests[0]));
}
