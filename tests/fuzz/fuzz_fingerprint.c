/* fuzz_fingerprint.c - headers of messages, which are foreign octets.
 *
 * Whatever the input holds: no crash, and the same result whole, octet by octet, and cut in the middle.
 * An empty line in front makes it nothing. Two headers, parted by NUL, are alike both ways or not at all. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mapping/fingerprint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct fingerprint
print_of(const char *octets, size_t len, size_t cut)
{
	struct fingerprint_reader r;
	struct fingerprint print;

	fingerprint_begin(&r);
	for (size_t i = 0; i < len; i += cut)
		fingerprint_feed(&r, octets + i, len - i < cut ? len - i : cut);
	fingerprint_end(&r, &print);
	return print;
}

static void
check_equal(const struct fingerprint *a, const struct fingerprint *b)
{
	if (a->headers[0] != b->headers[0] || a->headers[1] != b->headers[1] ||
	    a->message_id != b->message_id || a->date != b->date || a->x_uidl != b->x_uidl ||
	    a->strong != b->strong)
		abort();
}

static void
check_alike(const char *octets, size_t len)
{
	const char *end = memchr(octets, '\0', len);
	size_t first = end != NULL ? (size_t) (end - octets) : len;
	size_t second = end != NULL ? len - first - 1 : 0;
	struct fingerprint a = print_of(octets, first, first + 1);
	struct fingerprint b = print_of(octets + (len - second), second, second + 1);
	bool alike = fingerprint_agrees(&a, &b);

	if (alike != fingerprint_agrees(&b, &a) ||
	    (a.headers[0] != 0 && !fingerprint_agrees(&a, &a)))
		abort();
	if (alike && a.message_id != b.message_id && a.headers[0] != b.headers[0])
		abort();
	if (fingerprint_key(octets, len) == 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *octets = (const char *) data;
	struct fingerprint whole = print_of(octets, len, len + 1), other;
	struct fingerprint_reader r;

	other = print_of(octets, len, 1);
	check_equal(&whole, &other);
	other = print_of(octets, len, len / 2 + 1);
	check_equal(&whole, &other);
	fingerprint_begin(&r);
	fingerprint_feed(&r, "\r\n", 2);
	fingerprint_feed(&r, octets, len);
	if (!fingerprint_is_complete(&r))
		abort();
	fingerprint_end(&r, &other);
	if (other.headers[0] != 0 || other.message_id != 0 || other.strong)
		abort();
	check_alike(octets, len);
	return 0;
}
