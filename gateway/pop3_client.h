/* pop3_client.h - one connection to a POP3 server, for mailboxes that have not moved yet.
 *
 * Every function but those that say otherwise suspends the calling fiber and returns 0 or a code of
 * base/error.h with a text for the log in E (may be NULL). A connection belongs to one fiber at a
 * time. After ERR_TIMEOUT, ERR_CLOSED, ERR_PROTOCOL, ERR_LIMIT, ERR_TLS, ERR_CANCELLED or
 * ERR_NO_MEMORY it is dead (pop3_client_is_dead): all further calls fail at once. Nothing here
 * sends DELE: what reads an old mailbox leaves it as it is. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/credentials.h"
#include "base/error.h"
#include "base/sink.h"
#include "gateway/pop3_response.h"
#include "imapback/imap.h"

struct pop3_client;
struct stream;

/* Connects, does TLS (with IMAP_TLS_STARTTLS by STLS, or there is no session), reads the greeting and
 * learns the capabilities; a server without CAPA has none. OPTIONS is what an upstream block says
 * about connecting, whatever is spoken afterwards; it must outlive the connection. On failure nothing
 * remains. */
int pop3_client_open(
    const struct imap_options *options, struct pop3_client **out, struct error *e);

/* Bits of enum pop3_capability as announced before the login; whether the connection is dead. These
 * do not suspend. */
unsigned pop3_client_capabilities(const struct pop3_client *client);
bool pop3_client_is_dead(const struct pop3_client *client);

/* As imap_tls_version and imap_tls_cipher. */
const char *pop3_client_tls_version(const struct pop3_client *client);
const char *pop3_client_tls_cipher(const struct pop3_client *client);

/* Logs in. A password: AUTH PLAIN where offered, with its master as the one who logs in for the user
 * where there is one; else USER and PASS, which cannot carry a master. A token: AUTH by its own
 * mechanism, or not at all. ERR_AUTH only when the server rejected the credentials, as far as it says
 * so; ERR_PERMANENT when there is no usable mechanism. */
int pop3_client_login(struct pop3_client *client, const struct credentials *c, struct error *e);

/* STAT. */
int pop3_client_stat(
    struct pop3_client *client, uint32_t *messages, uint64_t *octets, struct error *e);

/* One message of LIST. Returning other than 0 ends the listing with that code, and the connection. */
typedef int pop3_client_list_fn(void *ctx, uint32_t number, uint64_t size);

/* LIST: calls EACH as the lines arrive; nothing is held. */
int pop3_client_list(
    struct pop3_client *client, pop3_client_list_fn *each, void *ctx, struct error *e);

/* One message of UIDL, as above. */
typedef int pop3_client_uidl_fn(void *ctx, uint32_t number, const char *uidl);

/* UIDL: as pop3_client_list. ERR_PERMANENT where the server has no UIDL. */
int pop3_client_uidl(
    struct pop3_client *client, pop3_client_uidl_fn *each, void *ctx, struct error *e);

/* What to do with headers as they arrive. Returning other than 0 ends all with that code, and the
 * connection. */
struct pop3_header_reader {
	/* The next LEN octets (at least 1) of the header of message NUMBER, line ends included. */
	int (*octets)(void *ctx, uint32_t number, const char *octets, size_t len);
	/* That was all of NUMBER. CODE: 0, or ERR_GONE or ERR_TEMPORARY where the server refused it. */
	int (*end)(void *ctx, uint32_t number, int code);
};

/* TOP n 0 of NUMBERS (COUNT), in that order: many at a time where the server offers PIPELINING. ERR_PERMANENT
 * on a connection that still works: it announces no TOP, has answered none, and has refused one. */
int pop3_client_headers(struct pop3_client *client, const uint32_t *numbers, size_t count,
    const struct pop3_header_reader *reader, void *ctx, struct error *e);

/* How many octets sink->begin is told: how many a message has is known at its end alone. */
#define POP3_CLIENT_OCTETS_UNKNOWN UINT64_MAX

/* RETR: pours message NUMBER into SINK, its dots undone, line ends as they came. ERR_GONE: the server
 * refused it (nothing was poured). After any other error the octets are not the message. */
int pop3_client_retrieve(
    struct pop3_client *client, uint32_t number, struct octet_sink *sink, struct error *e);

/* Hands over the stream behind a login, for whoever speaks POP3 on it from now on, and frees CLIENT.
 * Returns NULL where the connection is dead, or the server has said something unasked. Does not
 * suspend. */
struct stream *pop3_client_give_stream(struct pop3_client *client);

/* QUIT where the connection still works, waiting for the answer no longer than a moment; then closes
 * and frees (NULL is allowed). */
void pop3_client_quit(struct pop3_client *client);

/* Closes and frees at once, sending nothing (NULL is allowed). Does not suspend. */
void pop3_client_close(struct pop3_client *client);
