/* index.h - what a mailbox held at one time, compactly: its UIDs and sizes (RFC 3501
 * section 2.3.1.1).
 *
 * UIDs are only ever added, from UIDNEXT on. So a mailbox with the UIDVALIDITY, UIDNEXT and number
 * of messages that it had before holds the same messages, and a listing that was kept says all that
 * a new one would. Where something has gone, MODSEQ lets a server with QRESYNC say what (RFC 7162).
 *
 * A size is what the server told, or, where messages were counted octet by octet, exact. Runs of
 * UIDs, then sizes, both in base 128: about three octets a message. Pure: no I/O. What is read is
 * foreign octets. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	INDEX_HEADER = 52,	   /* octets before the first message */
	INDEX_MESSAGE_OCTETS = 20, /* that a message takes at most */
};

struct index_head {
	uint64_t owner; /* whose maildrop, in a form that the caller chooses */
	uint32_t uidvalidity;
	uint32_t uidnext;
	uint32_t count;	 /* messages */
	uint32_t exact;	 /* of these, with an exact size */
	uint64_t modseq; /* HIGHESTMODSEQ at that time; 0: not known */
	bool estimates;	 /* the server's sizes are known to be no more than that */
};

struct index_message {
	uint32_t uid;
	uint64_t size; /* octets */
	bool exact;
};

/* ---- reading ---- */

struct index_reader {
	struct index_head head;
	const unsigned char *run, *run_end; /* the runs and the sizes that are left */
	const unsigned char *size, *size_end;
	uint32_t uid;  /* the last one */
	uint32_t left; /* in the run that is open */
	uint32_t told; /* messages so far */
};

/* Reads the index in OCTETS (LEN), which must outlive the reader. Returns 0 if it is whole to the
 * last octet, else ERR_INVALID. */
int index_read(struct index_reader *r, const void *octets, size_t len);

/* The next message, in ascending order of UID; false behind the last one. */
bool index_next(struct index_reader *r, struct index_message *m);

/* ---- writing ---- */

struct index_octets {
	unsigned char *octets;
	size_t len, room;
};

/* { 0 } is one with nothing in it. */
struct index_writer {
	struct index_octets runs, sizes;
	uint32_t first, last; /* of the run that is open */
	uint32_t before;      /* the last UID of the run before it */
	uint32_t count, exact;
	bool failed; /* no memory, or a UID out of order: there will be no index */
};

/* Adds a message; UIDs must ascend. What fails is kept in W. */
void index_add(struct index_writer *w, const struct index_message *m);

/* The whole index into *OUT (*LEN octets), to be freed by free(). HEAD's count and exact are W's.
 * Returns 0, ERR_INVALID (a UID was out of order, or not below UIDNEXT) or ERR_NO_MEMORY. */
int index_finish(
    struct index_writer *w, const struct index_head *head, unsigned char **out, size_t *len);

/* Frees what W has; W is empty then. */
void index_writer_clear(struct index_writer *w);
