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
};

enum { AUTH_FIELDS = 6 };

/* Makes the fields of Q: "Auth-User: joe" and so on; *FIELDS[i] are allocated, to be cleansed. As nginx
 * does it, blanks, percent signs and control characters of user and password become %20 and the like.
 * Returns 0 or ERR_NO_MEMORY. */
int auth_question_fields(const struct auth_question *q, char *fields[AUTH_FIELDS]);

/* Cleanses and frees them; NULL is allowed among them. */
void auth_fields_free(char *fields[AUTH_FIELDS]);

/* What a reply says, field by field. { 0 } before the first. */
struct auth_reply {
	char status[AUTH_STATUS_MAX]; /* "OK", or for people why not; "": not said */
	char server[AUTH_ADDRESS_MAX]; /* an IPv4 or IPv6 address; "": not said */
	uint16_t port;		       /* 0: not said */
	unsigned wait_s;	       /* before a rejection is told; at most AUTH_WAIT_MAX_S */
	char user[USER_NAME_MAX + 1];  /* the name to log in with; "": not said */
	const char *fault;	       /* what cannot be understood; NULL: nothing */
};

/* Reads LINE (LEN octets, with or without line end): a field of the reply, or something else. */
void auth_reply_read(struct auth_reply *r, const char *line, size_t len);

enum auth_outcome {
	AUTH_ACCEPTED,
	AUTH_REJECTED,
	AUTH_FAULTY, /* no reply of this protocol */
};

/* What all fields together mean. */
enum auth_outcome auth_reply_outcome(const struct auth_reply *r);
