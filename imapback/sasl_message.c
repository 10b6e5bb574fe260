/* sasl_message.c - see sasl_message.h. */
#include "imapback/sasl_message.h"

#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/error.h"

/* [authzid] NUL authcid NUL passwd (RFC 4616 section 2). */
static int
plain(const struct credentials *c, struct secret *out)
{
	const char *wanted = c->master != NULL ? c->user : "";
	const char *owner = c->master != NULL ? c->master : c->user;
	size_t wanted_len = strlen(wanted), owner_len = strlen(owner);

	if (secret_new(out, wanted_len + owner_len + c->password_len + 2) != 0)
		return ERR_NO_MEMORY;
	memcpy(out->octets, wanted, wanted_len);
	memcpy(out->octets + wanted_len + 1, owner, owner_len);
	memcpy(out->octets + wanted_len + owner_len + 2, c->password, c->password_len);
	return 0;
}

/* The user as a saslname (RFC 5801 section 4). OUT has room for three octets for each of it. */
static void
write_saslname(const char *user, char *out)
{
	for (; *user != '\0'; user++) {
		if (*user == ',' || *user == '=') {
			memcpy(out, *user == ',' ? "=2C" : "=3D", 3);
			out += 3;
		} else {
			*out++ = *user;
		}
	}
	*out = '\0';
}

/* HEAD, which names the user, then the token and the end. */
static int
bearer(const char *head, const struct credentials *c, struct secret *out)
{
	static const char before[] = "auth=Bearer ", behind[] = "\1\1";
	size_t head_len = strlen(head), before_len = sizeof(before) - 1;

	if (secret_new(out, head_len + before_len + c->password_len + 2) != 0)
		return ERR_NO_MEMORY;
	memcpy(out->octets, head, head_len);
	memcpy(out->octets + head_len, before, before_len);
	memcpy(out->octets + head_len + before_len, c->password, c->password_len);
	memcpy(out->octets + out->len - 2, behind, 2);
	return 0;
}

static int
xoauth2(const struct credentials *c, struct secret *out)
{
	char head[USER_NAME_MAX + sizeof("user=\1")];

	snprintf(head, sizeof(head), "user=%s\1", c->user);
	return bearer(head, c, out);
}

/* RFC 7628 section 3.1. */
static int
oauthbearer(const struct credentials *c, const char *host, uint16_t port, struct secret *out)
{
	char name[3 * USER_NAME_MAX + 1], head[sizeof(name) + 320];

	write_saslname(c->user, name);
	snprintf(
	    head, sizeof(head), "n,a=%s,\1host=%.253s\1port=%u\1", name, host, (unsigned) port);
	return bearer(head, c, out);
}

int
sasl_message(const struct credentials *c, const char *host, uint16_t port, struct secret *out)
{
	struct secret plain_text = { 0 };
	int rc;

	if (c->kind == CREDENTIALS_XOAUTH2)
		rc = xoauth2(c, &plain_text);
	else if (c->kind == CREDENTIALS_OAUTHBEARER)
		rc = oauthbearer(c, host, port, &plain_text);
	else
		rc = plain(c, &plain_text);
	if (rc == 0 && (rc = secret_new(out, base64_encoded_size(plain_text.len) + 2)) == 0) {
		base64_encode(plain_text.octets, plain_text.len, out->octets);
		memcpy(out->octets + out->len - 2, "\r\n", 2);
	}
	secret_free(&plain_text);
	return rc;
}
