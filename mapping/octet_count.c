/* octet_count.c - see octet_count.h. What counts here is what pop3front/dotstuff.c sends. */
#include "mapping/octet_count.h"

#include <string.h>

void
octet_count_feed(struct octet_count *c, const char *octets, size_t len)
{
	const char *at = octets, *end = octets + len, *feed;

	if (len == 0)
		return;
	c->octets += len;
	while ((feed = memchr(at, '\n', (size_t) (end - at))) != NULL) {
		if (!(feed > octets ? feed[-1] == '\r' : c->after_cr))
			c->octets++;
		at = feed + 1;
	}
	c->after_cr = end[-1] == '\r';
	c->open = end[-1] != '\n';
}

uint64_t
octet_count_end(const struct octet_count *c)
{
	return c->octets + (c->open ? 2 : 0);
}
