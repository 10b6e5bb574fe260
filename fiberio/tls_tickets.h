/* tls_tickets.h - the keys of session tickets (RFC 5077, RFC 8446 section 4.6.1): with them a client
 * resumes a session that another process of ours, or an earlier configuration, has made.
 *
 * Who reads a key can read every session whose ticket it has made. So keys are short-lived: the
 * current one makes tickets, the one before is taken still, older ones are no more. The region holds
 * no pointers and may lie in memory that processes share: one of them changes keys, all of them
 * read. Readers never wait, and a writer that dies leaves nothing half done in view. */
#pragma once
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct tls_ticket_key {
	unsigned char name[16]; /* what a ticket says about its key */
	unsigned char aes[32];
	unsigned char hmac[32];
};

enum { TLS_TICKET_SLOTS = 3 };

/* The key of generation N lies in slot N modulo 3. The slot behind the current one is empty, unless
 * a key is just being made there. */
struct tls_tickets {
	_Atomic uint32_t generation;
	struct tls_ticket_key keys[TLS_TICKET_SLOTS];
};

/* Makes a new key the current one; also the first, in TICKETS that was zeroed. By one process at a
 * time. Returns 0, or ERR_TEMPORARY: there is no randomness, and nothing has changed. */
int tls_tickets_rotate(struct tls_tickets *tickets);

/* Writes the current key to OUT; to be cleansed by the caller. */
void tls_tickets_current(struct tls_tickets *tickets, struct tls_ticket_key *out);

enum tls_ticket_age {
	TLS_TICKET_UNKNOWN,
	TLS_TICKET_CURRENT,
	TLS_TICKET_PREVIOUS, /* to be replaced */
};

/* Finds the key of NAME. */
enum tls_ticket_age tls_tickets_find(
    struct tls_tickets *tickets, const unsigned char name[16], struct tls_ticket_key *out);

/* Overwrites all keys. */
void tls_tickets_clear(struct tls_tickets *tickets);
