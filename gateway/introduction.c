/* introduction.c - see introduction.h. */
#include "gateway/introduction.h"

#include <stdio.h>

enum { FIELDS_MAX = 8, PORT_TEXT_MAX = 8 };

struct introduction {
	struct imap_id_field fields[FIELDS_MAX];
	size_t count;
	char client[ADDRESS_TEXT_MAX], client_port[PORT_TEXT_MAX];
	char server[ADDRESS_TEXT_MAX], server_port[PORT_TEXT_MAX];
};

static void
add(struct introduction *i, const char *name, const char *value)
{
	i->fields[i->count++] = (struct imap_id_field){ name, value };
}

/* An address that is not known is left out: what is not an address the server cannot read. */
static void
add_address(struct introduction *i, const struct sockaddr_storage *address, const char *name,
    char text[ADDRESS_TEXT_MAX], const char *port_name, char port[PORT_TEXT_MAX])
{
	if (address->ss_family != AF_INET && address->ss_family != AF_INET6)
		return;
	network_peer_text(address, text);
	snprintf(port, PORT_TEXT_MAX, "%u", network_peer_port(address));
	add(i, name, text);
	add(i, port_name, port);
}

int
introduce(struct imap *imap, const struct upstream *upstream, const struct client_address *client,
    const char *session_id, struct error *e)
{
	struct introduction i = { .count = 0 };
	int rc;

	if (upstream->send_id) {
		add(&i, "name", "popgate");
		add(&i, "version", POPGATE_VERSION);
	}
	if (upstream->forward_client && client != NULL) {
		add_address(&i, &client->client, "x-originating-ip", i.client,
		    "x-originating-port", i.client_port);
		add_address(&i, &client->server, "x-connected-ip", i.server, "x-connected-port",
		    i.server_port);
	}
	if (upstream->forward_client && session_id != NULL)
		add(&i, "x-session-id", session_id);
	if (i.count == 0)
		return 0;
	rc = imap_id(imap, i.fields, i.count, NULL, 0, e);
	return imap_is_dead(imap) ? rc : 0;
}
