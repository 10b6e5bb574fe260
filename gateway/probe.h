/* probe.h - what a login to a mail server shows, step by step. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/credentials.h"
#include "base/error.h"
#include "gateway/target.h"

enum probe_step {      /* in this order */
	PROBE_CONNECT, /* connection, TLS, greeting */
	PROBE_LOGIN,
	PROBE_SELECT, /* not with POP3 */
	PROBE_LIST,
	PROBE_DONE,
};

enum { PROBE_SERVER_MAX = 160 };

/* What was found; texts came from the server and are to be escaped before anybody sees them. Steps
 * that were not reached leave their part empty. */
struct probe_result {
	enum probe_step reached;      /* the step that failed, or PROBE_DONE */
	struct error error;	      /* why */
	uint64_t took_ms[PROBE_DONE]; /* each step that was reached */
	char tls_version[16];	      /* "" where there is no TLS */
	char tls_cipher[64];
	char server[PROBE_SERVER_MAX]; /* by ID; "" where the server does not say */
	char *capabilities_before;     /* as announced before the login; allocated */
	char *capabilities;	       /* and after it; allocated */
	unsigned capability_bits;      /* after the login */
	char mechanism[16];
	struct imap_mailbox mailbox;
	uint64_t messages;
	uint64_t octets;
	uint64_t deleted; /* messages that somebody flagged \Deleted */
	unsigned pop3_capabilities; /* of an old server, bits of enum pop3_capability */
	char uidl[UIDL_MAX + 1];    /* of its first message */
	bool there[UPSTREAM_MAILBOXES_MAX]; /* for each further mailbox whether the server has it */
	bool trash_missing;	    /* QUIT would put messages into a mailbox that is not there */
};

/* Logs in to TARGET with C, whose user is what TARGET calls him, looks at its mailbox and logs out. On a
 * fiber; suspends. RESULT is filled, to be cleared with probe_clear. */
void probe_run(
    const struct target *target, const struct credentials *c, struct probe_result *result);
void probe_clear(struct probe_result *result);
