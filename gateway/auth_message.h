/* auth_message.h - the words of nginx's auth_http protocol (ngx_mail_auth_http_module): a request is the
 * header fields of a GET, and so is the reply. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/credentials.h"

enum { AUTH_ADDRESS_MAX = 64, AUTH_STATUS_MAX = 128, AUTH_WAIT_MAX_S = 30 };

/* What a server is asked. */
struct auth_question {
	const struct credentials *credentials;
	const char *protocol; /* "imap" or "pop3" */
	const char *client;   /* its address */
	unsigned attempt;     /* of this session; from 1 on */
	const char *tls_version; /* of the client's connection, in OpenSSL's words; "": without TLS */
	const char *tls_cipher;
};

enum { AUTH_FIELDS_MAX = 9 };

/* Makes the fields of Q, *COUNT of them: "Auth-User: joe" and so on; FIELDS[i] are allocated, to be
 * cleansed. As nginx does it, blanks, percent signs and control characters of user and password become
 * %20 and the like. Returns 0 or ERR_NO_MEMORY. */
int auth_question_fields(
    const struct auth_question *q, char *fields[AUTH_FIELDS_MAX], size_t *count);

/* Cleanses and frees COUNT of them; NULL is allowed among them. */
void auth_fields_free(char *fields[], size_t count);

/* What a reply says, field by field. { 0 } before the first. */
struct auth_reply {
	char status[AUTH_STATUS_MAX]; /* "OK", or for people why not; "": not said */
	char server[AUTH_ADDRESS_MAX]; /* an IPv4 or IPv6 address; "": not said */
	uint16_t port;		       /* 0: not said */
	unsigned wait_s;	       /* before a rejection is told, or the service asked again; at
					  most AUTH_WAIT_MAX_S */
	struct credentials login;      /* name and password to log in with; NULL: not said */
	const char *fault;	       /* what cannot be understood; NULL: nothing */
};

/* Cleanses and frees what R owns; it is { 0 } afterwards. */
void auth_reply_clear(struct auth_reply *r);

/* Reads LINE (LEN octets, with or without line end): a field of the reply, or something else. */
void auth_reply_read(struct auth_reply *r, const char *line, size_t len);

enum auth_outcome {
	AUTH_ACCEPTED,
	AUTH_REJECTED,
	AUTH_LATER,  /* it is to be asked again after wait_s */
	AUTH_FAULTY, /* no reply of this protocol */
};

/* What all fields together mean. */
enum auth_outcome auth_reply_outcome(const struct auth_reply *r);
