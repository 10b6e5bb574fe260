/* error.h - the one error type that crosses module borders.
 *
 * A function that can fail returns 0 or one of the codes below. Where a person will want to know
 * more, it also takes a struct error and leaves a short English text there, meant for the log
 * alone: nothing in it is ever sent to a POP3 client. Bytes that came from a peer are cut and
 * escaped by whoever writes the log line, not here. */
#pragma once
#include <stdarg.h>

enum error_code {
	ERR_OK = 0,
	ERR_NO_MEMORY,	  /* an allocation failed */
	ERR_INVALID,	  /* an argument or a piece of foreign data has a form it must not have */
	ERR_LIMIT,	  /* something is larger, longer or more than configured */
	ERR_CANCELLED,	  /* the fiber is being ended (fiber_cancel) */
	ERR_INTERRUPTED,  /* a read was called off (stream_interrupt): the process is draining */
	ERR_TIMEOUT,	  /* the deadline passed */
	ERR_CLOSED,	  /* the peer closed or reset the connection */
	ERR_PROTOCOL,	  /* the peer broke its protocol */
	ERR_TLS,	  /* TLS could not be set up: handshake, certificate, host name */
	ERR_AUTH,	  /* the server really rejected these credentials */
	ERR_AUTH_DENIED,  /* credentials are good, but this login is not permitted:
			     [AUTHORIZATIONFAILED] */
	ERR_AUTH_EXPIRED, /* credentials have expired: [EXPIRED] */
	ERR_AUTH_PRIVACY, /* the server wants an encrypted connection: [PRIVACYREQUIRED] */
	ERR_IN_USE,	  /* another session has the maildrop */
	ERR_READ_ONLY,	  /* the mailbox does not let us delete */
	ERR_GONE,	  /* the message is not there any more */
	ERR_INCOMPLETE,	  /* a deletion did not remove everything */
	ERR_TEMPORARY,	  /* failed for now; trying later may help */
	ERR_PERMANENT,	  /* will fail again until somebody changes something */
};

enum { ERROR_TEXT_MAX = 240 }; /* octets of a text, with the final NUL */

struct error {
	int code; /* enum error_code */
	char text[ERROR_TEXT_MAX];
};

/* Fills E (which may be NULL) with CODE and a formatted text, cut to fit. Returns CODE. */
int error_set(struct error *e, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "WHAT: " before the text of E (which may be NULL); keeps its code. Returns the code. */
int error_prefix(struct error *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The name of CODE in a few words, e.g. "timed out"; never NULL. */
const char *error_name(int code);
