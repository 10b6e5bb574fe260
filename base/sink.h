/* sink.h - where the octets of a message go.
 *
 * The back end pours a message into a sink as the octets arrive; the front end's sink writes them
 * to the POP3 client. Both may suspend the calling fiber. Nothing is buffered in between, so
 * back-pressure is TCP's own. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct octet_sink {
	/* The message exists and has OCTETS octets; they follow. Called once, before any chunk. 0,
	 * or an error code that ends the transfer and is returned to whoever began it. */
	int (*begin)(struct octet_sink *sink, uint64_t octets);
	/* The next LEN octets (at least 1). 0, or an error code that ends the transfer. */
	int (*chunk)(struct octet_sink *sink, const char *octets, size_t len);
};
