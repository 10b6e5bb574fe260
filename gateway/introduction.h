/* introduction.h - what an IMAP server is told about us and about the client, by ID (RFC 2971), before
 * the login.
 *
 * A server sees all users come from this machine. Dovecot believes the fields x-originating-ip and
 * their like where they come from its login_trusted_networks: its log and limits then go by the client.
 */
#pragma once
#include "base/error.h"
#include "gateway/client_address.h"
#include "gateway/upstream.h"

/* Sends what UPSTREAM says is to be sent, if anything. CLIENT and SESSION_ID may be NULL: not known.
 * An error is the connection's end and no other. Suspends. */
int introduce(struct imap *imap, const struct upstream *upstream,
    const struct client_address *client, const char *session_id, struct error *e);
