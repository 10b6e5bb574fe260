/* session_internal.h - what the parts of a POP3 session share. Not for other layers. */
#pragma once
#include "pop3front/command.h"
#include "pop3front/line_buffer.h"
#include "pop3front/session.h"

/* The states of RFC 1939 section 3, as bits. UPDATE is a function: session_quit. */
enum session_state {
	SESSION_AUTHORIZATION = 1 << 0,
	SESSION_TRANSACTION = 1 << 1,
};

/* What all that a command does comes down to. When it is over, the report says why. */
enum session_next {
	SESSION_GOES_ON,
	SESSION_OVER,
};

enum {
	OUTPUT_REPLIES = 4096,		/* octets of replies that are collected before they are written */
	OUTPUT_MESSAGE = 32768,		/* the same while a message is handed over */
};

/* Answers that were not written yet. There is no buffer while the session waits for the client. */
struct session_output {
	char *data;
	size_t len;
	size_t room;
};

struct session {
	struct stream *client;
	const struct pop3_settings *settings;
	const struct pop3_backend *backend;
	void *backend_ctx;
	struct pop3_report *report;

	enum session_state state;
	struct pop3_maildrop maildrop;	/* open in TRANSACTION */
	struct credentials credentials; /* until login */
	struct line_buffer input;
	struct session_output output;

	uint64_t authorization_deadline;
	uint64_t keepalive_at;		/* when the backend wants to hear from us */
	unsigned auth_failures;
	unsigned bad_commands;		/* in this state */

	bool over;			/* report->end is set */
	bool client_gone;		/* it takes nothing any more; what it has sent may still be read */
	bool must_abort;		/* the client must see that something was cut */
};

typedef enum session_next session_handler(struct session *s, const struct command *c);

/* session.c */

/* Ends the session for the reason END, unless it has ended already. Returns SESSION_OVER. */
enum session_next session_end(struct session *s, enum pop3_end end);

/* Notes that the backend failed with CODE, about which it may have left a text in the report. */
void session_note(struct session *s, int code);

/* session_note and session_end in one; ERR_CANCELLED means POP3_END_SHUTDOWN. */
enum session_next session_fail(struct session *s, enum pop3_end end, int code);

/* Ends the session because WHAT ("writing to") the client failed with CODE. */
enum session_next session_client_failed(struct session *s, const char *what, int code);

/* The next line, without its end. Suspends. The line before it is forgotten. */
enum session_next session_read_line(
    struct session *s, enum line_limit limit, const char **line, size_t *len);

/* Replies TEXT to a command that made no sense; too many of them end the session. */
enum session_next session_bad_command(struct session *s, const char *text);

/* The backend has just been busy: it need not hear from us for a while. */
void session_backend_used(struct session *s);

/* session_output.c. These suspend when the buffer is full; they end the session where the client cannot be written to. */

/* Adds a line to the answers; CRLF is added. */
enum session_next session_reply(struct session *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Replies TEXT as the last words of the session. */
enum session_next session_last_words(struct session *s, enum pop3_end end, const char *text);

/* Adds octets as they are. */
enum session_next session_write(struct session *s, const char *octets, size_t len);

/* Makes the buffer at least ROOM octets large. Does not suspend. Returns 0 or ERR_NO_MEMORY. */
int session_output_room(struct session *s, size_t room);

/* Writes all that was added. */
enum session_next session_flush(struct session *s);

/* Writes all that was added, and OCTETS behind it, without copying them. */
enum session_next session_write_through(struct session *s, const char *octets, size_t len);

/* Throws away what was not written, and the buffer. */
void session_output_drop(struct session *s);

/* session_auth.c: AUTHORIZATION */
session_handler session_auth, session_capa, session_pass, session_stls, session_user, session_utf8;

/* session_transaction.c: TRANSACTION, but for what hands messages over */
session_handler session_dele, session_list, session_noop, session_rset, session_stat, session_uidl;

/* The number in word INDEX of C, which there is. Returns 0 with *NUMBER set to a message that is not marked, or replies
 * and returns ERR_INVALID. */
int session_message_number(
    struct session *s, const struct command *c, unsigned index, size_t *number);

/* session_retrieve.c */
session_handler session_retr, session_top;

/* session_pass_on.c: lets the client speak with the server behind the maildrop until the end. Suspends. */
enum session_next session_pass_on(struct session *s);

/* session_quit.c */
session_handler session_quit;
