/* fuzz_auth_message.c - replies of an auth_http service. What is believed has the form that others rely on. */
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

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *) data, *end = at + size, *newline;
	struct auth_reply reply = { 0 };
	unsigned char address[16];

	for (; at < end; at = newline) {
		newline = memchr(at, '\n', (size_t) (end - at));
		newline = newline != NULL ? newline + 1 : end;
		auth_reply_read(&reply, at, (size_t) (newline - at));
	}
	if (auth_reply_outcome(&reply) == AUTH_FAULTY)
		return 0;
	check(reply.status[0] != '\0' && reply.wait_s <= AUTH_WAIT_MAX_S);
	check(reply.server[0] == '\0' || inet_pton(AF_INET, reply.server, address) == 1 ||
	      inet_pton(AF_INET6, reply.server, address) == 1);
	check(text_is_utf8(reply.user, strlen(reply.user)));
	return 0;
}
