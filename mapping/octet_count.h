/* octet_count.h - how many octets a message has for a POP3 client (RFC 1939 section 11): each line
 * ends with CRLF, the last one too, and doubled dots do not count. Pure: no I/O. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* { 0 } has counted nothing. */
struct octet_count {
	uint64_t octets; /* as they came, and the CRs that were missing */
	bool after_cr;
	bool open; /* inside a line */
};

/* Counts the next LEN octets of the message as it is stored; pieces may be cut anywhere. */
void octet_count_feed(struct octet_count *c, const char *octets, size_t len);

/* All of the message, when its last octet was fed. */
uint64_t octet_count_end(const struct octet_count *c);
