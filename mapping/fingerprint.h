/* fingerprint.h - what tells a message by its header, wherever it is stored (RFC 5322 section 2.2).
 *
 * A message that is moved from one server to another keeps its header fields but for those that
 * servers themselves write: Status, X-UIDL, Delivered-To and the like. They may be folded anew. So
 * the fingerprint is a digest of the fields that come from sender and transport, in their order,
 * unfolded, with each run of blanks as one. Pure: no I/O, no allocation, and a header of any length
 * takes the same memory. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"

/* Numbers that are 0 mean that there was no such field. */
struct fingerprint {
	uint64_t headers[2]; /* of all fields that count; both 0: there was none */
	uint64_t message_id; /* fingerprint_key of Message-ID */
	uint64_t date;	     /* fingerprint_key of Date */
	uint64_t x_uidl;     /* fingerprint_key of X-UIDL, where it can be a UIDL of any worth */
	bool strong;	     /* two messages alike in headers are the same: Message-ID or Received */
};

enum {
	FINGERPRINT_NAME_MAX = 12,   /* octets of the longest field name that counts */
	FINGERPRINT_VALUE_MAX = 250, /* of a value that becomes a key: Message-IDs are shorter */
	FINGERPRINT_X_UIDL_MIN = 10, /* a shorter X-UIDL may be the number of anything */
};

/* Reads a header, however it is cut. */
struct fingerprint_reader {
	struct fingerprint print;
	struct digest digest;
	unsigned state; /* enum of fingerprint.c */
	unsigned field; /* the row of the field whose value is read */
	bool blank;	/* the value goes on behind blanks */
	bool any;	/* a field that counts was there */
	size_t name_len, value_len;
	char name[FINGERPRINT_NAME_MAX + 1];
	char value[FINGERPRINT_VALUE_MAX];
};

void fingerprint_begin(struct fingerprint_reader *r);

/* The next LEN octets. Lines end in LF or CRLF; what follows an empty line is passed over. */
void fingerprint_feed(struct fingerprint_reader *r, const char *octets, size_t len);

/* Whether the empty line behind the header was read. */
bool fingerprint_is_complete(const struct fingerprint_reader *r);

/* The header has ended, by an empty line or because there is no more. */
void fingerprint_end(struct fingerprint_reader *r, struct fingerprint *out);

/* The key of TEXT (LEN octets), never 0: of a UIDL, a Message-ID (with or without its angle
 * brackets) or the like. Equal texts have equal keys; different ones do not, for all that can be
 * expected of 64 bits of SHA-256. Blanks at both ends do not count. */
uint64_t fingerprint_key(const char *text, size_t len);

/* Whether both tell of the same message: all fields are alike, or at least Message-ID and Date are
 * there and alike. */
bool fingerprint_agrees(const struct fingerprint *a, const struct fingerprint *b);
