/* session.h - one POP3 session, from greeting to end (RFC 1939, 2449, 2595, 3206, 5034). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "fiberio/stream.h"
#include "pop3front/backend.h"
#include "pop3front/dotstuff.h"
#include "pop3front/user_names.h"

/* Everything an administrator can choose about the front. Times in milliseconds. */
struct pop3_settings {
	struct tls_server *tls;		/* offers STLS on a plain stream; NULL: none */
	bool plaintext_login;		/* USER, PASS and AUTH are allowed on this connection without TLS */
	unsigned mechanisms;		/* bits of enum sasl_bit; USER and PASS go with those for passwords */
	enum stream_peer_name certificate_user; /* what in a client's certificate names the user */
	struct user_names names;
	enum dotstuff_nul nul;
	uint64_t login_ms;		/* for one command before login, and for a TLS handshake */
	uint64_t authorization_ms;	/* for all of AUTHORIZATION */
	uint64_t idle_ms;		/* between two commands after login */
	uint64_t write_ms;		/* without the client taking an octet */
	uint64_t keepalive_ms;		/* between two calls of backend->keepalive */
	uint64_t auth_failure_delay_ms;	/* before rejecting, without backend->hold_back */
	unsigned max_auth_failures;	/* rejected logins that end a connection */
	unsigned max_bad_commands_before; /* bad commands that end a connection before login */
	unsigned max_bad_commands_after;  /* and after it */
};

/* What happened, for the log. */
struct pop3_report {
	enum pop3_end end;
	char user[USER_NAME_MAX + 1];	/* "" before a USER or AUTH */
	bool logged_in;
	bool passed_on;			/* to another POP3 server: what it did is not known in detail */
	uint64_t commands;		/* command lines read */
	uint64_t retrieved;		/* messages handed over completely by RETR */
	uint64_t octets;		/* of messages written to the client (RETR and TOP); passed_on: all */
	struct deletion_result deleted;
	struct error error;		/* details of the last failure; code ERR_OK: none */
};

/* Serves CLIENT until the end; closes (or aborts) and frees it. BACKEND's open gets BACKEND_CTX. On a fiber; suspends.
 * REPORT is filled. After stream_interrupt(CLIENT) the running command is finished, then the client is told
 * -ERR [SYS/TEMP] and the session ends. */
void pop3_session_run(struct stream *client, const struct pop3_settings *settings,
    const struct pop3_backend *backend, void *backend_ctx, struct pop3_report *report);

/* "quit", "client closed the connection", ...: for the log. */
const char *pop3_end_name(enum pop3_end end);
