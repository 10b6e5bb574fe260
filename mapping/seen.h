/* seen.h - which messages a client saw at its last login: UIDs and sizes, as octets.
 *
 * In pieces, each with the messages whose UIDs share all but the last 12 bits: a new message changes
 * one of them. Pure: no I/O. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mapping/snapshot.h"

enum { SEEN_PIECE_BITS = 12, SEEN_PIECES = 1 << (32 - SEEN_PIECE_BITS) };
enum { SEEN_MESSAGE_MAX = 2 + 9 }; /* octets of a message */

/* The piece that message UID is in. */
uint32_t seen_piece(uint32_t uid);

/* A digest of the UIDs of MESSAGES (COUNT), which are in ascending order; stable over builds. */
uint64_t seen_digest(const struct snapshot_message *messages, size_t count);

/* Writes the piece that MESSAGES (COUNT, at least 1, ascending) begin with into OUT, which has room for
 * SEEN_MESSAGE_MAX octets a message of it. Returns how many messages that were; *LEN is set. */
size_t seen_encode(
    const struct snapshot_message *messages, size_t count, unsigned char *out, size_t *len);

/* How many of MESSAGES (COUNT, at least 1, ascending) are in the piece of the first. */
size_t seen_in_piece(const struct snapshot_message *messages, size_t count);

/* Reads a piece, which may be foreign octets. */
struct seen_reader {
	const unsigned char *at, *end;
	uint32_t uid; /* of the last message */
	uint32_t last; /* that the piece may have */
};

void seen_reader_init(
    struct seen_reader *r, uint32_t piece, const unsigned char *octets, size_t len);

/* The next message. Returns 0; ERR_GONE: there are no more; ERR_INVALID: the octets are no piece. */
int seen_next(struct seen_reader *r, uint32_t *uid, uint64_t *size);
