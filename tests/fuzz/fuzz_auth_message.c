/* fuzz_auth_message.c - replies of an auth_http service, and questions to it.
 *
 * What is believed of a reply has the form that others rely on. The same octets are a user and a password
 * too: a question has no line end, blank or control character of theirs, and says no less than they do. */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "gateway/auth_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(int ok)
{
	if (!ok)
		abort();
}

/* Whether FIELD is "NAME: VALUE", with VALUE (LEN octets) escaped. */
static int
says(const char *field, const char *name, const char *value, size_t len)
{
	size_t name_len = strlen(name);
	char octet[3] = "";

	if (strncmp(field, name, name_len) != 0 || strncmp(field + name_len, ": ", 2) != 0)
		return 0;
	field += name_len + 2;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char) *field;

		if (c <= ' ' || c == 0x7f)
			return 0;
		if (c == '%') {
			memcpy(octet, field + 1, 2);
			c = (unsigned char) strtoul(octet, NULL, 16);
			field += 2;
		}
		if (c != (unsigned char) value[i])
			return 0;
		field++;
	}
	return *field == '\0';
}

/* A user up to the first line end, and a password behind it. */
static void
ask(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\n', size);
	size_t user_len = end != NULL ? (size_t) (end - data) : size;
	size_t rest = end != NULL ? size - user_len - 1 : 0;
	struct credentials c = { .kind = (enum credentials_kind)(size % 4) };
	const struct auth_question q = { .credentials = &c,
		.protocol = "imap",
		.client = "192.0.2.1",
		.attempt = (unsigned) size,
		.tls_version = size % 2 == 0 ? "" : "TLSv1.3",
		.tls_cipher = "" };
	char *fields[AUTH_FIELDS_MAX];
	size_t count;

	if (credentials_set_user(&c, (const char *) data, user_len) == 0) {
		if (rest > 0)
			(void) credentials_set_password(&c, (const char *) end + 1, rest);
		check(auth_question_fields(&q, fields, &count) == 0 && count <= AUTH_FIELDS_MAX);
		check(says(fields[1], "Auth-User", c.user, strlen(c.user)));
		check(says(fields[2], "Auth-Pass", c.password, c.password_len));
		auth_fields_free(fields, count);
	}
	credentials_clear(&c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *) data, *end = at + size, *newline;
	struct auth_reply reply = { 0 };
	unsigned char address[16];

	ask(data, size);
	for (; at < end; at = newline) {
		newline = memchr(at, '\n', (size_t) (end - at));
		newline = newline != NULL ? newline + 1 : end;
		auth_reply_read(&reply, at, (size_t) (newline - at));
	}
	if (auth_reply_outcome(&reply) == AUTH_FAULTY) {
		auth_reply_clear(&reply);
		return 0;
	}
	check(reply.status[0] != '\0' && reply.wait_s <= AUTH_WAIT_MAX_S);
	check(reply.server[0] == '\0' || inet_pton(AF_INET, reply.server, address) == 1 ||
	      inet_pton(AF_INET6, reply.server, address) == 1);
	check(auth_reply_outcome(&reply) != AUTH_LATER || reply.wait_s > 0);
	check(reply.login.user == NULL ||
	      text_is_utf8(reply.login.user, strlen(reply.login.user)));
	check(reply.login.password == NULL ||
	      strlen(reply.login.password) == reply.login.password_len);
	auth_reply_clear(&reply);
	check(reply.login.password == NULL);
	return 0;
}
