/* snapshot.h - the maildrop as one POP3 session sees it (RFC 1939 section 5).
 *
 * Fixed when the session begins: message numbers 1..n in ascending order of UID, sizes and UIDLs
 * never change, numbers are never reused. DELE marks live here until QUIT. Pure: no I/O; 16 octets
 * a message.
 *
 * A maildrop may show several mailboxes, one behind the other. Each is a part of the snapshot, with
 * a UIDVALIDITY of its own; parts are numbered from 0. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uidset.h"
#include "mapping/uidl_book.h"

struct snapshot;

struct snapshot_message {
	uint64_t size; /* octets, as the server says (RFC822.SIZE) or as counted */
	uint32_t uid;
	bool deleted : 1;   /* marked by DELE */
	bool retrieved : 1; /* its last octet was handed to the client */
	bool exact : 1;	    /* the size was counted */
	bool broken : 1;    /* its retrieval was cut: must not be deleted in this session */
	uint8_t part;	    /* of the snapshot: the mailbox that has it */
};

enum { SNAPSHOT_PARTS_MAX = UINT8_MAX + 1 };

/* Begins an empty snapshot with room for EXPECTED messages (a hint). UIDLS must outlive it, and be
 * complete before the session shows anything. Returns 0 or ERR_NO_MEMORY. */
int snapshot_new(uint32_t uidvalidity, const struct uidl_book *uidls, size_t expected,
    struct snapshot **out);
void snapshot_free(struct snapshot *s); /* NULL is allowed */

/* Adds a message while listing, in any order. Returns 0, ERR_INVALID (UID 0), ERR_LIMIT (over
 * MAX_MESSAGES), ERR_PROTOCOL (more octets in all than 2^63-1) or ERR_NO_MEMORY. */
int snapshot_add(struct snapshot *s, uint32_t uid, uint64_t size, size_t max_messages);

/* The size of message NUMBER (in the order in which messages were added, or after the listing
 * valid) was counted: OCTETS. Only before the session shows it. Errors as snapshot_add. */
int snapshot_set_exact(struct snapshot *s, size_t number, uint64_t octets);

/* Ends the listing: messages get their numbers. Returns 0, or ERR_PROTOCOL when a UID came twice.
 */
int snapshot_seal(struct snapshot *s);

/* None of the messages can be marked: their mailbox does not let us delete. */
void snapshot_forbid_marks(struct snapshot *s);

/* Puts the messages of MORE behind those of S, as its next part. Both are sealed and bear no marks;
 * MORE has one part, and is freed in any case. Returns 0, ERR_LIMIT (over MAX_MESSAGES, or too many
 * parts), ERR_PROTOCOL (more octets in all than 2^63-1) or ERR_NO_MEMORY. */
int snapshot_append(struct snapshot *s, struct snapshot *more, size_t max_messages);

uint32_t snapshot_uidvalidity(const struct snapshot *s, size_t part);

/* Messages with a number, marked or not. */
size_t snapshot_count(const struct snapshot *s);

/* Messages and octets not marked: what STAT shows. */
size_t snapshot_left(const struct snapshot *s);
uint64_t snapshot_left_octets(const struct snapshot *s);

/* How many are marked. */
size_t snapshot_marked(const struct snapshot *s);

/* Message NUMBER (1-based). Returns 0; ERR_INVALID when there is none with that number; ERR_GONE
 * when it is marked. *OUT is valid as long as the snapshot. */
int snapshot_lookup(const struct snapshot *s, uint64_t number, const struct snapshot_message **out);

/* Message NUMBER whatever its marks, for walking 1..snapshot_count. */
const struct snapshot_message *snapshot_at(const struct snapshot *s, size_t number);

/* The number of M, which snapshot_lookup or snapshot_at gave. */
size_t snapshot_number(const struct snapshot *s, const struct snapshot_message *m);

/* The UIDL of message NUMBER (valid, 1-based). */
void snapshot_uidl(const struct snapshot *s, size_t number, char buf[UIDL_MAX + 1]);

/* DELE: marks an unmarked message. Errors as snapshot_lookup; ERR_READ_ONLY where marks are
 * forbidden; ERR_PERMANENT for a broken one. */
int snapshot_mark(struct snapshot *s, uint64_t number);

/* RSET: takes all marks back. */
void snapshot_unmark_all(struct snapshot *s);

/* Notes that message NUMBER (valid) was handed over completely, or that its retrieval was cut. */
void snapshot_set_retrieved(struct snapshot *s, size_t number);
void snapshot_set_broken(struct snapshot *s, size_t number);

/* The UIDs of all marked, or of all retrieved messages of PART, into SET (empty before). Returns 0
 * or ERR_NO_MEMORY. */
int snapshot_marked_uids(const struct snapshot *s, size_t part, struct uidset *set);
int snapshot_retrieved_uids(const struct snapshot *s, size_t part, struct uidset *set);
