/* network.c - networks in CIDR notation, and client addresses. */
#include "gateway/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"

enum { TEXT_MAX = INET6_ADDRSTRLEN };

/* Reads an address of either family from TEXT (LEN octets). */
static bool
parse_address(const char *text, size_t len, struct network *out)
{
	char copy[TEXT_MAX];

	memset(out, 0, sizeof(*out));
	if (len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	out->family = strchr(copy, ':') != NULL ? AF_INET6 : AF_INET;
	out->bits = out->family == AF_INET6 ? 128 : 32;
	return inet_pton(out->family, copy, out->address) == 1;
}

/* Whether the first BITS bits of A and B are equal. */
static bool
same_prefix(const unsigned char *a, const unsigned char *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

/* The address with all bits behind BITS cleared. */
static void
masked(const struct network *network, unsigned char out[16])
{
	memset(out, 0, 16);
	for (unsigned bit = 0; bit < network->bits; bit++)
		out[bit / 8] |= (unsigned char) (network->address[bit / 8] & 0x80U >> bit % 8);
}

int
network_parse(const char *text, struct network *out)
{
	const char *slash = strchr(text, '/');
	unsigned char kept[16];
	uint64_t bits;

	if (!parse_address(text, slash != NULL ? (size_t) (slash - text) : strlen(text), out))
		return ERR_INVALID;
	if (slash == NULL)
		return 0;
	if (text_to_number(slash + 1, strlen(slash + 1), out->bits, &bits) != 0)
		return ERR_INVALID;
	out->bits = (unsigned) bits;
	masked(out, kept);
	return memcmp(kept, out->address, sizeof(kept)) == 0 ? 0 : ERR_INVALID;
}

/* The octets of PEER's address, or NULL. */
static const unsigned char *
peer_octets(const struct sockaddr_storage *peer, struct sockaddr_in6 *room)
{
	struct sockaddr_in in;

	if (peer->ss_family == AF_INET) {
		memcpy(&in, peer, sizeof(in));
		memcpy(&room->sin6_addr, &in.sin_addr, sizeof(in.sin_addr));
	} else if (peer->ss_family == AF_INET6) {
		memcpy(room, peer, sizeof(*room));
	} else {
		return NULL;
	}
	return room->sin6_addr.s6_addr;
}

bool
network_contains(const struct network *network, const struct sockaddr_storage *peer)
{
	struct sockaddr_in6 room;
	const unsigned char *octets = peer_octets(peer, &room);

	return octets != NULL && network->family == peer->ss_family &&
	       same_prefix(network->address, octets, network->bits);
}

bool
network_list_contains(const struct network_list *list, const struct sockaddr_storage *peer)
{
	for (size_t i = 0; i < list->count; i++)
		if (network_contains(&list->items[i], peer))
			return true;
	return false;
}

bool
network_same_client(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	struct sockaddr_in6 room_a, room_b;
	const unsigned char *octets_a = peer_octets(a, &room_a), *octets_b = peer_octets(b, &room_b);

	if (octets_a == NULL || octets_b == NULL || a->ss_family != b->ss_family)
		return octets_a == octets_b;
	return memcmp(octets_a, octets_b, a->ss_family == AF_INET6 ? 8 : 4) == 0;
}

bool
network_is_loopback(const struct sockaddr_storage *peer)
{
	static const struct network loopback4 = { AF_INET, 8, { 127 } };
	static const struct network loopback6 = { AF_INET6, 128, { [15] = 1 } };

	return network_contains(&loopback4, peer) || network_contains(&loopback6, peer);
}

void
network_peer_text(const struct sockaddr_storage *peer, char out[ADDRESS_TEXT_MAX])
{
	struct sockaddr_in6 room;
	const unsigned char *octets = peer_octets(peer, &room);

	if (octets == NULL || inet_ntop(peer->ss_family, octets, out, ADDRESS_TEXT_MAX) == NULL)
		snprintf(out, ADDRESS_TEXT_MAX, "unknown");
}

unsigned
network_peer_port(const struct sockaddr_storage *peer)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (peer->ss_family == AF_INET) {
		memcpy(&in, peer, sizeof(in));
		return ntohs(in.sin_port);
	}
	if (peer->ss_family == AF_INET6) {
		memcpy(&in6, peer, sizeof(in6));
		return ntohs(in6.sin6_port);
	}
	return 0;
}

bool
network_is_endpoint(const char *text, unsigned *port)
{
	const char *colon = strrchr(text, ':');
	bool bracketed = text[0] == '[';
	struct network address;
	uint64_t number;
	size_t len;

	if (colon == NULL || text_to_number(colon + 1, strlen(colon + 1), 65535, &number) != 0)
		return false;
	if (port != NULL)
		*port = (unsigned) number;
	len = (size_t) (colon - text);
	if (!bracketed)
		return parse_address(text, len, &address) && address.family == AF_INET;
	return len > 2 && text[len - 1] == ']' && parse_address(text + 1, len - 2, &address) &&
	       address.family == AF_INET6;
}
