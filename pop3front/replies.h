/* replies.h - the words of popgate to POP3 clients, all of them fixed (RFC 2449 section 8, RFC 3206).
 *
 * Nothing that a server or a client sent is ever part of an answer. */
#pragma once

/* The answer to a login, or to a command on the maildrop, that failed with CODE of base/error.h; without CRLF. [AUTH] only for
 * what the server really rejected: clients forget saved passwords when they see it. */
const char *reply_to_failed_login(int code);
const char *reply_to_failed_command(int code);

#define REPLY_GREETING "+OK POP3 server ready"
#define REPLY_GOODBYE "+OK goodbye"
#define REPLY_UNKNOWN_COMMAND "-ERR unknown command"
#define REPLY_WRONG_STATE "-ERR command is not valid now"
#define REPLY_BAD_ARGUMENTS "-ERR wrong number of arguments"
#define REPLY_BAD_NUMBER "-ERR not a message number"
#define REPLY_NO_SUCH_MESSAGE "-ERR no such message"
#define REPLY_MARKED "-ERR message is marked as deleted"
#define REPLY_LINE_TOO_LONG "-ERR line is too long"
#define REPLY_HAS_NUL "-ERR line has a NUL"
#define REPLY_TOO_MANY_ERRORS "-ERR too many bad commands"
#define REPLY_NEEDS_TLS "-ERR TLS is needed before login"
#define REPLY_NO_APOP "-ERR APOP is not offered"
#define REPLY_BAD_USER "-ERR that is no user name"
#define REPLY_USER_FIRST "-ERR USER comes first"
#define REPLY_BAD_PASSWORD "-ERR that is no password"
#define REPLY_SEND_PASSWORD "+OK send the password"
#define REPLY_LOGGED_IN "+OK logged in"
#define REPLY_NO_MECHANISM "-ERR mechanism is not offered"
#define REPLY_SASL_CANCELLED "-ERR authentication cancelled"
#define REPLY_SASL_MALFORMED "-ERR malformed authentication data"
#define REPLY_NO_TLS "-ERR TLS is not offered"
#define REPLY_TLS_ACTIVE "-ERR TLS is active already"
#define REPLY_STLS_LATE "-ERR STLS comes before USER"
#define REPLY_START_TLS "+OK begin TLS"
#define REPLY_SHUTDOWN "-ERR [SYS/TEMP] server is shutting down"
#define REPLY_LOST "-ERR [SYS/TEMP] mailbox was lost"
#define REPLY_READ_ONLY "-ERR [SYS/PERM] mailbox is read-only"
#define REPLY_BROKEN "-ERR message was not delivered completely"
#define REPLY_NO_MEMORY "-ERR [SYS/TEMP] out of memory"
