/* credentials.h - who logs in and by which secret, on the way from the POP3 client to the IMAP
 * server.
 *
 * The secret lives in one allocation that is cleansed when it is freed or replaced; it is never
 * logged and never copied elsewhere except into the command that needs it. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum {
	USER_NAME_MAX = 255,  /* octets */
	PASSWORD_MAX = 12288, /* octets; tokens are passwords too */
};

enum credentials_kind {
	CREDENTIALS_PASSWORD,
	CREDENTIALS_XOAUTH2,	 /* a bearer token, to be shown by the mechanism XOAUTH2 */
	CREDENTIALS_OAUTHBEARER, /* a bearer token, to be shown by OAUTHBEARER (RFC 7628) */
	CREDENTIALS_CERTIFICATE, /* the client's TLS certificate names the user: no secret */
};

/* All zero: nothing is known yet. */
struct credentials {
	enum credentials_kind kind;
	char *user;	     /* whose mail it is (the authorization identity); NUL-terminated */
	char *master;	     /* who logs in for the user; NULL: the user */
	char *password;	     /* or token, NUL-terminated */
	size_t password_len; /* octets */
};

/* Whether USER (LEN octets) can be a name: 1 to USER_NAME_MAX octets of UTF-8 without control characters.
 * Returns 0, ERR_INVALID or ERR_LIMIT. */
int credentials_check_user(const char *user, size_t len);

/* Copies USER (LEN octets), replacing an earlier one. Returns 0, what credentials_check_user says, or
 * ERR_NO_MEMORY. */
int credentials_set_user(struct credentials *c, const char *user, size_t len);

/* The same for the one who logs in for the user. */
int credentials_set_master(struct credentials *c, const char *master, size_t len);

/* Copies PASSWORD (LEN octets), cleansing an earlier one. It must be 1 to PASSWORD_MAX octets
 * without CR, LF and NUL. Returns 0, ERR_INVALID, ERR_LIMIT or ERR_NO_MEMORY. */
int credentials_set_password(struct credentials *c, const char *password, size_t len);

/* As credentials_set_password for a bearer token, which has octets of 0x21 to 0x7E alone (RFC 6750
 * section 2.1 allows fewer, but providers know their own). */
int credentials_set_token(struct credentials *c, const char *token, size_t len);

/* Whether these are shown by a mechanism for bearer tokens. */
bool credentials_are_token(const struct credentials *c);

/* Makes TO, which owns nothing, a copy of FROM. Returns 0 or ERR_NO_MEMORY; TO is to be cleared in
 * any case. */
int credentials_copy(struct credentials *to, const struct credentials *from);

/* Cleanses and frees the password or token, keeps the rest. */
void credentials_forget_password(struct credentials *c);

/* Cleanses and frees everything; C is empty afterwards. */
void credentials_clear(struct credentials *c);
