/* client_address.h - who is at the other end: the socket's peer, or the client that a proxy names. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"
#include "gateway/network.h"

struct config;
struct stream;

/* ss_family of an address is AF_UNSPEC where it is not known. */
struct client_address {
	struct sockaddr_storage hop;	/* the socket's peer */
	struct sockaddr_storage client; /* whom limits and the log mean: hop, or whom a proxy named */
	struct sockaddr_storage server; /* where the client connected to */
	bool proxied;			/* the listener takes connections of proxies only */
	bool named;			/* and the proxy named its client */
};

/* Of the socket FD with the peer HOP; PROXIED: by a listener for proxies. */
void client_address_begin(
    struct client_address *a, int fd, const struct sockaddr_storage *hop, bool proxied);

/* Reads the header of a proxy (proxy_header.h) from CLIENT, not an octet more, and notes whom it
 * names. Returns 0, ERR_PROTOCOL, ERR_TIMEOUT at DEADLINE, or another error of stream_read. Suspends.
 */
int client_address_read(
    struct client_address *a, struct stream *client, uint64_t deadline, struct error *e);

/* Whether CONFIG allows passwords without TLS here: wherever they cross a network, that is to be one
 * of plaintext_networks. Behind a proxy there are two ways, from the client to the proxy and on to
 * us. What is excused on this machine is the second of them alone: nobody is on this machine because
 * a header says 127.0.0.1. */
bool client_address_allows_plaintext(
    const struct client_address *a, const struct config *config);
