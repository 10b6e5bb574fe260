/* auth_message.c - see auth_message.h. */
#include "gateway/auth_message.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>

#include "base/error.h"
#include "base/text.h"

/* ---- the request ---- */

static bool
needs_escape(unsigned char c)
{
	return c <= ' ' || c == '%' || c == 0x7f;
}

/* "NAME: VALUE" with VALUE (LEN octets) escaped, allocated. */
static char *
escaped_field(const char *name, const char *value, size_t len)
{
	size_t room = strlen(name) + 3 + 3 * len;
	char *field = malloc(room), *out;

	if (field == NULL)
		return NULL;
	out = field + snprintf(field, room, "%s: ", name);
	for (size_t i = 0; i < len; i++) {
		if (needs_escape((unsigned char) value[i]))
			out += snprintf(out, 4, "%%%02X", (unsigned char) value[i]);
		else
			*out++ = value[i];
	}
	*out = '\0';
	return field;
}

static const char *
method_of(const struct credentials *c)
{
	switch (c->kind) {
	case CREDENTIALS_XOAUTH2:
		return "xoauth2";
	case CREDENTIALS_OAUTHBEARER:
		return "oauthbearer";
	case CREDENTIALS_CERTIFICATE:
		return "external";
	case CREDENTIALS_PASSWORD:
		break;
	}
	return "plain";
}

int
auth_question_fields(
    const struct auth_question *q, char *fields[AUTH_FIELDS_MAX], size_t *count)
{
	const struct credentials *c = q->credentials;
	const bool tls = q->tls_version[0] != '\0';
	char attempt[16];
	const struct {
		const char *name, *value;
		size_t len; /* 0: to the NUL */
	} said[AUTH_FIELDS_MAX] = {
		{ "Auth-Method", method_of(c), 0 },
		{ "Auth-User", c->user, 0 },
		{ "Auth-Pass", c->password_len > 0 ? c->password : "", c->password_len },
		{ "Auth-Protocol", q->protocol, 0 },
		{ "Auth-Login-Attempt", attempt, 0 },
		{ "Client-IP", q->client, 0 },
		{ "Auth-SSL", "on", 0 },
		{ "Auth-SSL-Protocol", q->tls_version, 0 },
		{ "Auth-SSL-Cipher", q->tls_cipher, 0 },
	};
	int rc = 0;

	snprintf(attempt, sizeof(attempt), "%u", q->attempt);
	*count = tls ? AUTH_FIELDS_MAX : AUTH_FIELDS_MAX - 3;
	for (size_t i = 0; i < *count; i++) {
		fields[i] = escaped_field(said[i].name, said[i].value,
		    said[i].len > 0 ? said[i].len : strlen(said[i].value));
		if (fields[i] == NULL)
			rc = ERR_NO_MEMORY;
	}
	if (rc != 0)
		auth_fields_free(fields, *count);
	return rc;
}

void
auth_fields_free(char *fields[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (fields[i] != NULL)
			OPENSSL_cleanse(fields[i], strlen(fields[i]));
		free(fields[i]);
		fields[i] = NULL;
	}
}

/* ---- the reply ---- */

enum field { FIELD_STATUS, FIELD_SERVER, FIELD_PORT, FIELD_WAIT, FIELD_USER, FIELD_PASS, FIELDS };

static const char *const names[FIELDS] = { "Auth-Status", "Auth-Server", "Auth-Port", "Auth-Wait",
	"Auth-User", "Auth-Pass" };

/* Copies VALUE (LEN octets) to OUT, which holds nothing yet. Returns what is wrong, or NULL. */
static const char *
take_text(const char *value, size_t len, char *out, size_t room)
{
	if (out[0] != '\0')
		return "a field is there twice";
	if (len >= room)
		return "a field is too long";
	memcpy(out, value, len);
	out[len] = '\0';
	return NULL;
}

static const char *
take_server(const char *value, size_t len, struct auth_reply *r)
{
	const char *fault = take_text(value, len, r->server, sizeof(r->server));
	unsigned char address[16];

	if (fault == NULL && inet_pton(AF_INET, r->server, address) != 1 &&
	    inet_pton(AF_INET6, r->server, address) != 1)
		fault = "Auth-Server is no address";
	return fault;
}

/* RC is what became of setting a field of the login; FAULT: what is wrong with one that cannot be. */
static const char *
judge_login(int rc, const char *fault)
{
	if (rc == 0)
		return NULL;
	return rc == ERR_NO_MEMORY ? "there is no memory for it" : fault;
}

static const char *
take_user(const char *value, size_t len, struct auth_reply *r)
{
	if (r->login.user != NULL)
		return "a field is there twice";
	return judge_login(
	    len > 0 ? credentials_set_user(&r->login, value, len) : 0, "Auth-User is no name");
}

static const char *
take_pass(const char *value, size_t len, struct auth_reply *r)
{
	if (r->login.password != NULL)
		return "a field is there twice";
	return judge_login(len > 0 ? credentials_set_password(&r->login, value, len) : 0,
	    "Auth-Pass is no password");
}

static const char *
take_port(const char *value, size_t len, struct auth_reply *r)
{
	uint64_t number;

	if (r->port != 0)
		return "a field is there twice";
	if (text_to_number(value, len, 65535, &number) != 0 || number == 0)
		return "Auth-Port is no port";
	r->port = (uint16_t) number;
	return NULL;
}

static const char *
take_wait(const char *value, size_t len, struct auth_reply *r)
{
	uint64_t number;

	if (text_to_number(value, len, UINT32_MAX, &number) != 0)
		return "Auth-Wait is no number";
	r->wait_s = (unsigned) (number < AUTH_WAIT_MAX_S ? number : AUTH_WAIT_MAX_S);
	return NULL;
}

static const char *
take(struct auth_reply *r, enum field field, const char *value, size_t len)
{
	switch (field) {
	case FIELD_STATUS:
		return take_text(value, len, r->status, sizeof(r->status));
	case FIELD_SERVER:
		return take_server(value, len, r);
	case FIELD_PORT:
		return take_port(value, len, r);
	case FIELD_WAIT:
		return take_wait(value, len, r);
	case FIELD_USER:
		return take_user(value, len, r);
	case FIELD_PASS:
	case FIELDS:
		break;
	}
	return take_pass(value, len, r);
}

void
auth_reply_read(struct auth_reply *r, const char *line, size_t len)
{
	const char *colon, *value, *fault;
	size_t name_len;

	while (len > 0 && strchr(" \t\r\n", line[len - 1]) != NULL)
		len--;
	if ((colon = memchr(line, ':', len)) == NULL)
		return;
	name_len = (size_t) (colon - line);
	for (value = colon + 1; value < line + len && (*value == ' ' || *value == '\t'); value++)
		;
	for (enum field f = 0; f < FIELDS; f++) {
		if (strlen(names[f]) != name_len || strncasecmp(names[f], line, name_len) != 0)
			continue;
		fault = take(r, f, value, (size_t) (line + len - value));
		if (r->fault == NULL)
			r->fault = fault;
	}
}

enum auth_outcome
auth_reply_outcome(const struct auth_reply *r)
{
	if (r->status[0] == '\0' || r->fault != NULL)
		return AUTH_FAULTY;
	if (strcmp(r->status, "WAIT") == 0)
		return r->wait_s > 0 ? AUTH_LATER : AUTH_FAULTY;
	return strcmp(r->status, "OK") == 0 ? AUTH_ACCEPTED : AUTH_REJECTED;
}

void
auth_reply_clear(struct auth_reply *r)
{
	credentials_clear(&r->login);
	memset(r, 0, sizeof(*r));
}
