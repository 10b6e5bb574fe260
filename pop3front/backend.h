/* backend.h - what a POP3 session asks of whatever holds the mail.
 *
 * The session knows nothing of IMAP. All functions are called on the session's fiber and may suspend. Errors are codes of
 * base/error.h; their texts go to the log and never to the client. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/credentials.h"
#include "base/error.h"
#include "base/sink.h"
#include "mapping/deletion.h"
#include "mapping/snapshot.h"

struct stream;

/* An open maildrop. */
struct pop3_maildrop {
	void *handle;		   /* the backend's own */
	struct snapshot *snapshot; /* owned by the backend until close; the session sets its marks */
	bool passed_on;		   /* another server speaks POP3 from here on: there is no snapshot, and of
				      the functions below only pass_on and close are called */
};

enum pop3_end {	/* why a session ended */
	POP3_END_QUIT,		/* QUIT was answered +OK */
	POP3_END_QUIT_FAILED,	/* QUIT was answered -ERR */
	POP3_END_CLIENT_CLOSED, /* without QUIT */
	POP3_END_IDLE,		/* the client was silent for too long */
	POP3_END_CLIENT_STUCK,	/* the client did not take its data */
	POP3_END_BAD_COMMANDS,	/* too many, too long, NUL, or bytes behind STLS */
	POP3_END_AUTH_FAILURES, /* too many rejected logins */
	POP3_END_TLS_FAILED,
	POP3_END_UPSTREAM,	/* the maildrop was lost */
	POP3_END_CUT,		/* a message could not be finished after +OK: the connection was aborted */
	POP3_END_SHUTDOWN,	/* popgate is stopping */
	POP3_END_INTERNAL,	/* out of memory */
};

/* A session that is passed on. Times in milliseconds. */
struct pop3_passage {
	struct stream *client;
	const char *ahead;	/* what the client has sent behind its login already */
	size_t ahead_len;
	uint64_t idle_ms;	/* without an octet from either side */
	uint64_t write_ms;	/* without the client taking an octet */

	uint64_t commands;	/* lines that the client has sent */
	uint64_t octets;	/* that the client got */
	bool must_abort;	/* the client must see that something was cut */
};

struct pop3_backend {
	/* Logs in, locks the maildrop and lists it. CTX is what pop3_session_run got. On 0 *OUT is open. ERR_AUTH and its
	 * kin only when the server rejected the credentials. */
	int (*open)(void *ctx, const struct credentials *c, struct pop3_maildrop *out, struct error *e);

	/* A login as USER is refused without asking the backend, because of E: for the log. NULL: nobody wants to know. Does
	 * not suspend. */
	void (*refused)(void *ctx, const char *user, const struct error *e);

	/* Waits until a failure of open or a refusal, CODE, may be told to the client; the credentials are cleansed by then.
	 * Returns 0 or ERR_CANCELLED. NULL: for auth_failure_delay_ms of the settings where the credentials were rejected. */
	int (*hold_back)(void *ctx, int code);

	/* Pours message M into SINK. On 0 the message is complete and confirmed. ERR_GONE: it does not exist any more. After
	 * any error following sink->begin the octets so far are worthless. */
	int (*retrieve)(void *handle, const struct snapshot_message *m, struct octet_sink *sink,
	    struct error *e);

	/* As retrieve, for OCTETS octets of M from OFFSET on. sink->begin gets the octets that really follow: fewer than asked
	 * for means that the message ends there. */
	int (*retrieve_part)(void *handle, const struct snapshot_message *m, uint64_t offset,
	    uint32_t octets, struct octet_sink *sink, struct error *e);

	/* For how many milliseconds from now on the backend may be left alone. NULL: for keepalive_ms of the settings. */
	uint64_t (*patience)(void *handle);

	/* Called while the client is silent, when that time is over. An error means the maildrop is lost. */
	int (*keepalive)(void *handle, struct error *e);

	/* QUIT: removes the marked messages, notes the retrieved ones as the administrator wants, verifies. Returns 0 only when
	 * every marked message is gone; else ERR_INCOMPLETE with *RESULT filled, or another error where nothing is known (then
	 * result->remaining counts all marked ones). */
	int (*commit)(void *handle, struct deletion_result *result, struct error *e);

	/* Passes on what the client of P and the server behind HANDLE say until the session is over, and tells why it is; P
	 * is filled, and E where something failed. The client's stream stays open. NULL: no maildrop is ever passed on. */
	enum pop3_end (*pass_on)(void *handle, struct pop3_passage *p, struct error *e);

	/* Lets go of everything, lock included. Also after an error; called once for each open that returned 0. */
	void (*close)(void *handle);
};
