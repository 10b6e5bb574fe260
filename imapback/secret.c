/* secret.c - see secret.h. */
#include "imapback/secret.h"

#include <stdlib.h>

#include <openssl/crypto.h>

#include "base/error.h"

int
secret_new(struct secret *secret, size_t len)
{
	secret->octets = calloc(1, len + 1);
	secret->len = len;
	return secret->octets == NULL ? ERR_NO_MEMORY : 0;
}

void
secret_free(struct secret *secret)
{
	if (secret->octets == NULL)
		return;
	OPENSSL_cleanse(secret->octets, secret->len);
	free(secret->octets);
	*secret = (struct secret){ 0 };
}
