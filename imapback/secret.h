/* secret.h - octets that are cleansed before they are freed. */
#pragma once
#include <stddef.h>

struct secret {
	char *octets; /* NUL-terminated for convenience; NULL: empty */
	size_t len;   /* without that NUL */
};

/* Makes SECRET hold LEN octets of zero. Returns 0 or ERR_NO_MEMORY. */
int secret_new(struct secret *secret, size_t len);

/* Cleanses and frees; also an empty one. */
void secret_free(struct secret *secret);
