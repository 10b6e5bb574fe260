/* imap_internal.h - what the parts of a connection share. Not for other layers. */
#pragma once
#include <libetpan/libetpan.h>

#include "fiberio/stream.h"
#include "imapback/guard.h"
#include "imapback/imap.h"
#include "imapback/response.h"

/* What the running command wants of the answers that do not stay with the parser. Empty for most.
 */
struct imap_operation {
	struct octet_sink *sink; /* where a body goes */
	uint32_t uid;		 /* whose body it must be */
	uint64_t offset;	 /* where in the message it must begin */
	uint64_t octets;	 /* and how much it may be at most */
	bool body_begun;	 /* sink->begin was called */
	bool body_complete;	 /* all announced octets were poured */
	bool body_nil;		 /* the server answered NIL */
	bool uid_confirmed;	 /* the response with the body bore the UID asked for */
	uint32_t *hits;		 /* search results in the order of the server */
	size_t hit_count, hit_room;
	struct uid_range *vanished; /* in the order of the server */
	size_t vanished_count, vanished_room, vanished_most;
	bool vanished_too_many; /* not all are there */
	imap_list_fn *each;	/* who is told of listed messages */
	imap_attribute_fn *each_attribute;
	const char *wanted; /* see guard_collect */
	char *value;
	size_t value_room;
	void *each_ctx;
};

enum { IMAP_FORESEEN_MAX = 4 };

/* A command that fetches many messages and whose answer is taken piece by piece, see batch.c. */
struct imap_batch {
	bool open;	 /* the answer is not complete yet */
	bool announced;	 /* a body is next */
	bool told;	 /* and the caller knows */
	uint32_t uid;	 /* of that body; 0: not known yet */
	uint64_t octets; /* of that body */
	uint64_t most;	 /* that a body may have */
	uint64_t passed; /* octets of bodies that nobody took */
	char *kept;	 /* for the parser, when all has come */
	size_t kept_at, kept_len, kept_room;
};

struct imap {
	struct imap_options options;
	struct stream *stream;
	mailimap *session; /* libetpan's; its stream reads and writes through driver.c */
	struct guard guard;
	struct imap_operation operation;
	struct imap_batch batch;
	char *foreseen[IMAP_FORESEEN_MAX]; /* commands that go out behind the one before them */
	size_t foreseen_count;
	bool foreseen_sent; /* they are out, and their answers come next */
	bool wants_qresync; /* ENABLE is to come before SELECT */
	bool has_qresync;   /* it has come, and the server obeyed */
	bool dead;
	struct error error; /* what made it dead */

	char *in; /* octets from the server not yet past the guard; NULL at rest */
	size_t in_room, in_at, in_end;

	bool logged_in;
	uint32_t exists;      /* messages when the mailbox was selected; what the server says
				 later does not widen what it may send */
	uint64_t waited;      /* milliseconds for this command, or before login for all of them */
	uint64_t slow_octets; /* received for this command since the rate was last judged */
	uint64_t slow_ms;     /* and how long was waited for them */
	uint64_t slow_time;   /* the same, weighted; see judge_rate */

	unsigned capabilities;
	char *capability_line;
	const char *mechanism;
};

/* ---- driver.c: libetpan's stream, over ours and through the guard ---- */

/* Makes the mailstream of IMAP, or returns NULL. */
mailstream *imap_driver_new(struct imap *imap);

/* Marks the connection dead with CODE, keeping the first reason. Returns the code that is kept. */
int imap_fail(struct imap *imap, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Reads more from the server; what was read before is used up. */
int imap_refill(struct imap *imap);

/* Runs the guard over what has been read: what the parser may see goes to OUT (ROOM octets), and
 * *EVENT says why it ended. A refusal makes the connection dead. */
int imap_guard(
    struct imap *imap, char *out, size_t room, size_t *written, struct guard_event *event);

/* Whether octets of the server wait anywhere on their way to the parser, or in the socket. */
bool imap_has_unread(struct imap *imap);

/* Begins to count anew how long the server takes. The commands of a login count as one. */
void imap_wait_anew(struct imap *imap);

/* Keeps UID as a result of the running command. Returns 0, or the reason of death. */
int imap_keep_hit(struct imap *imap, uint64_t uid);

/* Keeps a range of UIDs that have vanished. Returns 0, or the reason of death. */
int imap_keep_vanished(struct imap *imap, uint32_t first, uint32_t last);

/* Frees the input buffer while nothing is in it. */
void imap_driver_rest(struct imap *imap);

/* ---- command.c: one command and its answer ---- */

/* How a command ended, when the connection lives. */
struct imap_outcome {
	bool ok;		     /* tagged OK */
	enum response_status status; /* else: NO or BAD */
	char code[GUARD_CODE_MAX];   /* the response code without brackets, "" for none */
	char text[128];		     /* what the server said, escaped; for the log */
};

/* Sends TEXT as a command and reads all of its answer. Returns 0 with OUTCOME filled, or the reason
 * why the connection is dead. */
int imap_command(struct imap *imap, const char *text, enum guard_expectation expectation,
    struct imap_outcome *outcome);

/* The parts of imap_command, for commands in several pieces: sends the tag and TEXT without a line
 * end, or with one; reads the next line, which *LINE points to; takes the answer that begins with
 * the line last read. */
int imap_send(struct imap *imap, const char *text, enum guard_expectation expectation);
int imap_send_line(struct imap *imap, const char *text, enum guard_expectation expectation);
int imap_read_line(struct imap *imap, const char **line);
int imap_take_answer(struct imap *imap, struct imap_outcome *outcome);

/* Foresees that TEXT will be the command behind the one that is sent next and those foreseen
 * before; or before these. It goes out with that, and its answer is on the way when it is wanted.
 * Without memory or room nothing is foreseen, which costs a round trip. */
void imap_foresee(struct imap *imap, const char *text);
void imap_foresee_first(struct imap *imap, const char *text);

/* Sends what was foreseen, with no command before it: nobody waits for the answers. */
int imap_send_foreseen(struct imap *imap);

/* Throws away the answers to all that was sent ahead. Nothing where nothing was. */
int imap_drop_foreseen(struct imap *imap);

/* Forgets what was foreseen. */
void imap_forget_foreseen(struct imap *imap);

/* As imap_send_line for a command that is TEXT and then LEN OCTETS, all of which goes past libetpan's
 * buffer, and out at once. OCTETS end with CRLF. */
int imap_send_secret(struct imap *imap, const char *text, const void *octets, size_t len,
    enum guard_expectation expectation);

/* Writes LEN octets past libetpan's buffer, so that no secret stays in it. */
int imap_write_raw(struct imap *imap, const void *octets, size_t len);

/* As imap_command for commands that need nothing but a tagged OK; a refusal becomes an error code.
 * WHAT names the command in the text of E. */
int imap_simple(struct imap *imap, const char *text, const char *what,
    enum response_context context, struct error *e);

/* Lets go of what only a running command needs. */
void imap_rest(struct imap *imap);

/* The error for a refused command, in E; after BAD the connection is dead. */
int imap_refused(struct imap *imap, const struct imap_outcome *outcome, const char *what,
    enum response_context context, struct error *e);

/* Copies the reason of death into E; returns its code. */
int imap_dead_error(const struct imap *imap, struct error *e);

enum {
	IMAP_BUDGET = 1 << 20, /* octets that the answer to any command may have */
	IMAP_MESSAGE_BUDGET =
	    512, /* and more for each message of the mailbox: others change flags and expunge */
};

/* ---- mailbox.c ---- */

/* BEFORE, the set, and AFTER, in one allocated text; NULL without memory. */
char *imap_set_command(
    const char *before, const struct uid_range *ranges, size_t count, const char *after);

/* ---- capability.c ---- */

/* Reads what the parser has learned; asks by CAPABILITY where it was not told. */
int imap_learn_capabilities(struct imap *imap, struct error *e);

/* Forgets what the server said, so that it is asked anew. */
void imap_forget_capabilities(struct imap *imap);
