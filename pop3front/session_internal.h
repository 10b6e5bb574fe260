/* session_internal.h - what the parts of a POP3 session share. Not for other layers. */
#pragma once
#include "pop3front/command.h"
#include "pop3front/replies.h"
#include "pop3front/session.h"

enum session_state {	/* bits, so that a command can name several */
	SESSION_AUTHORIZATION = 1 << 0,
	SESSION_TRANSACTION = 1 << 1,
};

enum {
	SESSION_IN_SMALL = 512,	   /* octets of input buffer at rest */
	SESSION_OUT_SMALL = 4096,  /* of output, for replies */
	SESSION_OUT_LARGE = 32768, /* while a message is written */
};

struct pop3_session {
	struct stream *client;
	const struct pop3_settings *settings;
	const struct pop3_backend *backend;
	void *backend_ctx;
	struct pop3_report *report;

	enum session_state state;
	bool over;		/* the running command was the last one */
	bool abort;		/* end so that the client can tell that something is missing */
	struct credentials credentials;
	struct pop3_maildrop maildrop; /* handle NULL: not open */
	unsigned bad_commands;
	unsigned auth_failures;
	uint64_t authorization_end;	/* deadlines, on the loop's clock */
	uint64_t command_end;
	uint64_t next_keepalive;

	char *in;		/* what the client sent and was not read yet: in_at to in_end */
	size_t in_room, in_at, in_end;
	char *out;		/* replies not yet sent; NULL at rest */
	size_t out_room, out_len;
};

/* All functions that return int: 0, or an error that ends the session (ERR_CLOSED, ERR_TIMEOUT, ...). */

/* ---- session_io.c: lines in, replies out ---- */

/* Reads the next line, of at most LIMIT octets with its end, or what command_line_limit allows where LIMIT is 0. *LINE is
 * valid until the next call. Suspends; pending replies are sent first. ERR_LIMIT: the line is too long. */
int session_read_line(struct pop3_session *s, size_t limit, const char **line, size_t *len);

/* Forgets what was read, cleansing it: it may have held a password. */
void session_forget_input(struct pop3_session *s);

/* Queues LEN octets for the client; suspends when the queue is full. */
int session_write(struct pop3_session *s, const char *octets, size_t len);

/* Queues a reply line; TEXT without CRLF. */
int session_reply(struct pop3_session *s, const char *text);
int session_reply_format(struct pop3_session *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Makes the queue at least ROOM octets large. */
int session_reserve_output(struct pop3_session *s, size_t room);

/* Sends what is queued. Suspends. */
int session_flush(struct pop3_session *s);

/* Frees both buffers. */
void session_free_buffers(struct pop3_session *s);

/* ---- what commands do; LINE is parsed ---- */

typedef int session_command_fn(struct pop3_session *s, const struct command *c);

/* session_auth.c */
session_command_fn session_user, session_pass, session_auth, session_apop, session_stls, session_utf8;

/* session_transaction.c */
session_command_fn session_stat, session_list, session_uidl, session_dele, session_rset;

/* session_message.c */
session_command_fn session_retr, session_top;

/* session.c */
session_command_fn session_capa, session_noop, session_quit;

/* Ends the session after the running command. */
void session_end(struct pop3_session *s, enum pop3_end end);

/* Whether a password may be taken on this connection as it is. */
bool session_may_log_in(const struct pop3_session *s);

/* Replies -ERR with TEXT and counts a bad command; the last one allowed ends the session. */
int session_bad_command(struct pop3_session *s, const char *text);

/* Message WORD (LEN octets), not marked: *NUMBER and *OUT. Replies -ERR and returns false otherwise; *RC is then what the
 * command returns. */
bool session_find_message(struct pop3_session *s, const char *word, size_t len, size_t *number,
    const struct snapshot_message **out, int *rc);
