/* sizing.h - what a session finds out about the sizes in a maildrop and about its kept listing
 * (docs/behaviour.md, rule 4).
 *
 * What the server calls the size of a message (RFC822.SIZE) need not be what a client gets: some
 * servers estimate, and lines may end with a bare LF. With size_mode = learn, messages are counted
 * as they are handed over; with exact, before the maildrop opens. What was counted goes into the
 * kept listing, and is shown from the next session on. A kept listing that turns out to be wrong is
 * removed. */
#pragma once
#include "base/sink.h"
#include "gateway/listing.h"
#include "mapping/octet_count.h"

/* A message whose octets were counted. */
struct sized_message {
	uint32_t uid;
	uint64_t octets;
};

struct sizing {
	const struct listing *listing;
	struct sized_message *learned; /* not in the kept listing yet */
	size_t count, room;
	bool estimates; /* the server's sizes are no more than that */
	bool wrong;	/* the kept listing is */
};

/* Passes a message on to TO, and knows how much it was. */
struct sized_sink {
	struct octet_sink sink; /* first, so that it leads here */
	struct octet_sink *to;	/* NULL: nobody wants it */
	bool counts;
	uint64_t announced; /* octets that the server promised */
	struct octet_count count;
};

/* Begins to find out about the maildrop of LISTING, which must outlive SIZING. */
void sizing_begin(struct sizing *s, const struct listing *listing);

/* A sink for one message on its way to TO. Returns what is to be poured into. */
struct octet_sink *sizing_watch(
    const struct sizing *s, struct sized_sink *w, struct octet_sink *to);

/* Notes that message M went through W, with this outcome of the retrieval. */
void sizing_note(
    struct sizing *s, const struct snapshot_message *m, const struct sized_sink *w, int outcome);

/* With size_mode = exact: counts the messages of SNAPSHOT, sealed and not shown yet, whose exact
 * size is not known, and keeps the sizes, now and then on the way too. A message that cannot be had
 * keeps the server's size. Suspends, for as long as it takes to fetch them all. Errors as
 * imap_fetch where the connection is lost; ERR_NO_MEMORY. */
int sizing_measure(struct sizing *s, struct snapshot *snapshot, struct error *e);

/* Writes what the session found out, and that the messages REMOVED (may be NULL) are gone, to the
 * kept listing, or removes that. The maildrop must still be locked. Suspends. */
void sizing_end(struct sizing *s, const struct uidset *removed);
