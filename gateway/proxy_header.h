/* proxy_header.h - the PROXY protocol, versions 1 and 2: what a proxy says about the client behind it
 * ("The PROXY protocol", HAProxy Technologies).
 *
 * A header stands before everything else on a connection, and what follows it may be in the same
 * packet. So the parser says how many octets still belong to the header for certain: who never reads
 * more than that takes nothing of what follows. Pure. */
#pragma once
#include <stddef.h>
#include <sys/socket.h>

enum {
	PROXY_HEADER_MAX = 536,	   /* octets of a header; TLVs of version 2 have room for a while */
	PROXY_HEADER_V1_MAX = 107, /* of version 1, CRLF included */
};

enum proxy_answer {
	PROXY_MORE, /* so far it is the beginning of a header */
	PROXY_DONE, /* a whole header */
	PROXY_BAD,  /* no header, or one that nobody should send */
};

struct proxy_header {
	size_t len; /* octets that it took */
	/* Who connected where. ss_family is AF_UNSPEC in both where the header names nobody: LOCAL
	 * (the proxy speaks for itself), UNKNOWN, AF_UNSPEC or a Unix socket. An IPv4 address in
	 * IPv6's clothes is given as IPv4. */
	struct sockaddr_storage client;
	struct sockaddr_storage server;
};

/* Reads OCTETS, the LEN first ones of a connection. PROXY_DONE: OUT is filled, and octets behind
 * out->len are not the header's. PROXY_MORE: *MORE (at least 1) octets can be read on without
 * reading past the header's end; LEN + *MORE is at most PROXY_HEADER_MAX. */
enum proxy_answer proxy_header_parse(
    const void *octets, size_t len, struct proxy_header *out, size_t *more);
