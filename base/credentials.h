/* credentials.h - a user name and a password on their way from the POP3 client to the IMAP server.
 *
 * The password lives in one allocation that is cleansed when it is freed or replaced; it is never
 * logged and never copied elsewhere except into the command that needs it. */
#pragma once
#include <stddef.h>

enum {
	USER_NAME_MAX = 255,  /* octets */
	PASSWORD_MAX = 12288, /* octets; tokens are passwords too */
};

struct credentials {
	char *user;	     /* NUL-terminated; NULL while not known */
	char *password;	     /* NUL-terminated; NULL while not known */
	size_t password_len; /* octets */
};

/* Copies USER (LEN octets), replacing an earlier one. The name must be 1 to USER_NAME_MAX octets of
 * UTF-8 without control characters. Returns 0, ERR_INVALID, ERR_LIMIT or ERR_NO_MEMORY. */
int credentials_set_user(struct credentials *c, const char *user, size_t len);

/* Copies PASSWORD (LEN octets), cleansing an earlier one. It must be 1 to PASSWORD_MAX octets
 * without CR, LF and NUL. Returns 0, ERR_INVALID, ERR_LIMIT or ERR_NO_MEMORY. */
int credentials_set_password(struct credentials *c, const char *password, size_t len);

/* Cleanses and frees the password, keeps the user. */
void credentials_forget_password(struct credentials *c);

/* Cleanses and frees everything; C is empty afterwards. */
void credentials_clear(struct credentials *c);
