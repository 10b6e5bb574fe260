/* proxy_header.c - see proxy_header.h. Sections are those of the protocol's text. */
#include "gateway/proxy_header.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"

enum {
	V1_LEAST = 15,	    /* octets of "PROXY UNKNOWN", with CRLF */
	V2_FIXED = 16,	    /* octets before the addresses */
	V2_SIGNATURE = 12,
	V2_ADDRESSES4 = 12, /* two addresses, two ports */
	V2_ADDRESSES6 = 36,
	V2_ADDRESSES_UNIX = 216,
};

static const char v1_signature[] = "PROXY ";
static const char v2_signature[] = "\r\n\r\n\0\r\nQUIT\n";

static enum proxy_answer
wants(size_t octets, size_t *more)
{
	*more = octets;
	return PROXY_MORE;
}

/* Whether OCTETS (LEN) are the beginning of SIGNATURE, or begin with it. */
static bool
agrees(const char *octets, size_t len, const char *signature, size_t signature_len)
{
	return memcmp(octets, signature, len < signature_len ? len : signature_len) == 0;
}

static void
set_ipv4(struct sockaddr_storage *out, const void *address, uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };

	memcpy(&in.sin_addr, address, sizeof(in.sin_addr));
	memcpy(out, &in, sizeof(in));
}

/* Networks of the configuration and limits go by family; a mapped address is one of IPv4. */
static void
set_ipv6(struct sockaddr_storage *out, const void *address, uint16_t port)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	memcpy(&in6.sin6_addr, address, sizeof(in6.sin6_addr));
	if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
		set_ipv4(out, in6.sin6_addr.s6_addr + 12, port);
	else
		memcpy(out, &in6, sizeof(in6));
}

/* The next word of LINE (*LEFT octets), ended by one blank or by the end of the line, copied to WORD
 * (ROOM); takes it off LINE. */
static bool
take_word(const char **line, size_t *left, char *word, size_t room)
{
	const char *blank = memchr(*line, ' ', *left);
	size_t len = blank != NULL ? (size_t) (blank - *line) : *left;

	if (len == 0 || len >= room || memchr(*line, '\0', len) != NULL)
		return false;
	memcpy(word, *line, len);
	word[len] = '\0';
	*left -= blank != NULL ? len + 1 : len;
	*line += blank != NULL ? len + 1 : len;
	return true;
}

static bool
take_port(const char **line, size_t *left, uint16_t *port)
{
	char word[8];
	uint64_t number;

	if (!take_word(line, left, word, sizeof(word)) || (word[0] == '0' && word[1] != '\0') ||
	    text_to_number(word, strlen(word), UINT16_MAX, &number) != 0)
		return false;
	*port = (uint16_t) number;
	return true;
}

static bool
take_address(const char **line, size_t *left, int family, unsigned char address[16])
{
	char word[INET6_ADDRSTRLEN];

	return take_word(line, left, word, sizeof(word)) && inet_pton(family, word, address) == 1;
}

/* Section 2.1. LINE (LEN octets) is what stands between "PROXY " and CRLF. */
static enum proxy_answer
parse_v1_line(const char *line, size_t len, struct proxy_header *out)
{
	void (*set)(struct sockaddr_storage *, const void *, uint16_t) = set_ipv4;
	unsigned char source[16], destination[16];
	uint16_t source_port, destination_port;
	int family = AF_INET;
	char word[8];

	if (!take_word(&line, &len, word, sizeof(word)))
		return PROXY_BAD;
	if (strcmp(word, "UNKNOWN") == 0)
		return PROXY_DONE; /* whatever follows is to be ignored */
	if (strcmp(word, "TCP6") == 0) {
		family = AF_INET6;
		set = set_ipv6;
	} else if (strcmp(word, "TCP4") != 0) {
		return PROXY_BAD;
	}
	if (!take_address(&line, &len, family, source) ||
	    !take_address(&line, &len, family, destination) ||
	    !take_port(&line, &len, &source_port) || !take_port(&line, &len, &destination_port) ||
	    len != 0 || line[-1] == ' ')
		return PROXY_BAD;
	set(&out->client, source, source_port);
	set(&out->server, destination, destination_port);
	return PROXY_DONE;
}

static enum proxy_answer
parse_v1(const char *octets, size_t len, struct proxy_header *out, size_t *more)
{
	const size_t begin = sizeof(v1_signature) - 1;
	const char *end;

	if (len < V1_LEAST)
		return wants(V1_LEAST - len, more);
	end = memchr(octets, '\n', len < PROXY_HEADER_V1_MAX ? len : PROXY_HEADER_V1_MAX);
	if (end == NULL && len >= PROXY_HEADER_V1_MAX)
		return PROXY_BAD;
	if (end == NULL) /* behind anything but CR there come CR and LF at least */
		return wants(octets[len - 1] == '\r' || len + 1 == PROXY_HEADER_V1_MAX ? 1 : 2, more);
	if ((size_t) (end - octets) <= begin || end[-1] != '\r' ||
	    memchr(octets, '\r', (size_t) (end - octets)) != end - 1)
		return PROXY_BAD;
	out->len = (size_t) (end - octets) + 1;
	return parse_v1_line(octets + begin, (size_t) (end - 1 - octets) - begin, out);
}

static uint16_t
big_endian16(const unsigned char *octets)
{
	return (uint16_t) (octets[0] << 8 | octets[1]);
}

/* Section 2.2. What follows the addresses (TLVs) is of no interest here: no claim of a proxy about
 * TLS or names is believed. */
static enum proxy_answer
parse_v2_addresses(const unsigned char *octets, size_t len, unsigned family, unsigned transport,
    struct proxy_header *out)
{
	switch (family) {
	case 0: /* AF_UNSPEC */
		return transport <= 2 ? PROXY_DONE : PROXY_BAD;
	case 1:
		if (transport != 1 || len < V2_ADDRESSES4)
			return PROXY_BAD;
		set_ipv4(&out->client, octets, big_endian16(octets + 8));
		set_ipv4(&out->server, octets + 4, big_endian16(octets + 10));
		return PROXY_DONE;
	case 2:
		if (transport != 1 || len < V2_ADDRESSES6)
			return PROXY_BAD;
		set_ipv6(&out->client, octets, big_endian16(octets + 32));
		set_ipv6(&out->server, octets + 16, big_endian16(octets + 34));
		return PROXY_DONE;
	case 3: /* AF_UNIX */
		return transport == 1 && len >= V2_ADDRESSES_UNIX ? PROXY_DONE : PROXY_BAD;
	default:
		return PROXY_BAD;
	}
}

static enum proxy_answer
parse_v2(const char *text, size_t len, struct proxy_header *out, size_t *more)
{
	const unsigned char *octets = (const unsigned char *) text;
	unsigned version, command;

	if (len < V2_FIXED)
		return wants(V2_FIXED - len, more);
	version = octets[12] >> 4;
	command = octets[12] & 15U;
	out->len = V2_FIXED + (size_t) big_endian16(octets + 14);
	if (version != 2 || command > 1 || out->len > PROXY_HEADER_MAX)
		return PROXY_BAD;
	if (len < out->len)
		return wants(out->len - len, more);
	if (command == 0) /* LOCAL: family and addresses are to be ignored */
		return PROXY_DONE;
	return parse_v2_addresses(octets + V2_FIXED, out->len - V2_FIXED, octets[13] >> 4,
	    octets[13] & 15U, out);
}

enum proxy_answer
proxy_header_parse(const void *octets, size_t len, struct proxy_header *out, size_t *more)
{
	memset(out, 0, sizeof(*out));
	if (len == 0)
		return wants(V2_SIGNATURE, more);
	if (agrees(octets, len, v2_signature, V2_SIGNATURE))
		return parse_v2(octets, len, out, more);
	if (agrees(octets, len, v1_signature, sizeof(v1_signature) - 1))
		return parse_v1(octets, len, out, more);
	return PROXY_BAD;
}
