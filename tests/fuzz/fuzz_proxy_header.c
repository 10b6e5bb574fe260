/* fuzz_proxy_header.c - PROXY headers, whatever comes in their place, and what follows them.
 *
 * Reading only what is surely the header's comes to the same answer as a look at the whole, and takes
 * nothing of what follows. Once an answer stands, more octets do not change it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(int ok)
{
	if (!ok)
		abort();
}

/* On a copy, so that a step past the end is seen. */
static enum proxy_answer
parse(const uint8_t *data, size_t len, struct proxy_header *out, size_t *more)
{
	enum proxy_answer answer;
	uint8_t *copy = malloc(len == 0 ? 1 : len);

	if (copy == NULL)
		exit(2);
	memcpy(copy, data, len);
	answer = proxy_header_parse(copy, len, out, more);
	free(copy);
	return answer;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header whole, header;
	size_t more = 0, len = 0;
	enum proxy_answer wanted = parse(data, size, &whole, &more), answer;

	check(wanted != PROXY_MORE || (more > 0 && size + more <= PROXY_HEADER_MAX));
	while ((answer = parse(data, len, &header, &more)) == PROXY_MORE && len < size) {
		check(more > 0 && len + more <= PROXY_HEADER_MAX);
		len = more < size - len ? len + more : size;
	}
	check(answer == wanted);
	if (answer != PROXY_DONE)
		return 0;
	check(len == header.len && header.len == whole.len && len <= PROXY_HEADER_MAX);
	check(memcmp(&header, &whole, sizeof(whole)) == 0);
	check(header.client.ss_family == AF_UNSPEC || header.client.ss_family == AF_INET ||
	      header.client.ss_family == AF_INET6);
	check((header.client.ss_family == AF_UNSPEC) == (header.server.ss_family == AF_UNSPEC));
	return 0;
}
