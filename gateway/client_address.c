/* client_address.c - see client_address.h. */
#include "gateway/client_address.h"

#include <string.h>

#include "fiberio/stream.h"
#include "gateway/config.h"
#include "gateway/proxy_header.h"

void
client_address_begin(
    struct client_address *a, int fd, const struct sockaddr_storage *hop, bool proxied)
{
	socklen_t size = sizeof(a->server);

	memset(a, 0, sizeof(*a));
	a->hop = *hop;
	a->client = *hop;
	a->proxied = proxied;
	if (getsockname(fd, (struct sockaddr *) &a->server, &size) != 0)
		a->server.ss_family = AF_UNSPEC;
}

int
client_address_read(
    struct client_address *a, struct stream *client, uint64_t deadline, struct error *e)
{
	char octets[PROXY_HEADER_MAX];
	struct proxy_header header;
	enum proxy_answer answer;
	size_t len = 0, more, got;
	int rc;

	while ((answer = proxy_header_parse(octets, len, &header, &more)) == PROXY_MORE) {
		if ((rc = stream_read(client, octets + len, more, &got, deadline)) != 0)
			return error_set(e, rc, "%s", len == 0 ? "nothing came" : "a part came");
		len += got;
	}
	if (answer == PROXY_BAD)
		return error_set(e, ERR_PROTOCOL, "not a PROXY header");
	a->named = header.client.ss_family != AF_UNSPEC;
	if (a->named) {
		a->client = header.client;
		a->server = header.server;
	}
	return 0;
}

static bool
is_plaintext_network(const struct config *config, const struct sockaddr_storage *address)
{
	return network_list_contains(&config->plaintext_networks, address);
}

bool
client_address_allows_plaintext(const struct client_address *a, const struct config *config)
{
	bool hop = (network_is_loopback(&a->hop) && config->plaintext_loopback) ||
		   is_plaintext_network(config, &a->hop);

	if (!a->proxied)
		return hop;
	return hop && a->named && is_plaintext_network(config, &a->client);
}
