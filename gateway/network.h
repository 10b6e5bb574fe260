/* network.h - networks in CIDR notation, and client addresses. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct network {
	int family;		   /* AF_INET or AF_INET6 */
	unsigned bits;		   /* how many first bits of ADDRESS count */
	unsigned char address[16]; /* network order; 4 octets count for AF_INET */
};

struct network_list {
	struct network *items;
	size_t count;
};

/* Reads TEXT: "10.0.0.0/8", "fd00::/8", or a single address. Returns 0, or ERR_INVALID: not a
 * network, or bits are set behind those that count. */
int network_parse(const char *text, struct network *out);

/* Whether PEER is in the network. */
bool network_contains(const struct network *network, const struct sockaddr_storage *peer);

/* Whether PEER is in one of LIST. */
bool network_list_contains(const struct network_list *list, const struct sockaddr_storage *peer);

/* Whether A and B count as one where limits go by address: one IPv4 address, or one IPv6 /64. */
bool network_same_client(const struct sockaddr_storage *a, const struct sockaddr_storage *b);

/* Whether PEER is this machine: 127.0.0.0/8 or ::1. */
bool network_is_loopback(const struct sockaddr_storage *peer);

enum { ADDRESS_TEXT_MAX = 64 }; /* octets of an address as text, with NUL */

/* The port of PEER; 0 where it has none. */
unsigned network_peer_port(const struct sockaddr_storage *peer);

/* The address of PEER without its port, e.g. "192.0.2.1"; "unknown" where it has none. */
void network_peer_text(const struct sockaddr_storage *peer, char out[ADDRESS_TEXT_MAX]);

/* Whether TEXT is an address to listen on: "127.0.0.1:110" or "[::1]:110". PORT (may be NULL) gets
 * the port. */
bool network_is_endpoint(const char *text, unsigned *port);
