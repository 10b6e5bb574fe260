/* random.c - see random.h. */
#include "base/random.h"

#include <errno.h>
#include <sys/random.h>

#include "base/error.h"

int
random_fill(void *out, size_t len)
{
	unsigned char *at = out;

	while (len > 0) {
		ssize_t got = getrandom(at, len, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return ERR_TEMPORARY;
		at += got;
		len -= (size_t) got;
	}
	return 0;
}
