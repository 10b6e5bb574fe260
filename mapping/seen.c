/* seen.c - see seen.h.
 *
 * A message is two numbers in base 128, the lowest digits first, each octet but a number's last with
 * its highest bit set: how far its UID is from the one before, less one, and its size. */
#include "mapping/seen.h"

#include "base/error.h"

enum { PIECE_MASK = (1 << SEEN_PIECE_BITS) - 1 };

uint32_t
seen_piece(uint32_t uid)
{
	return uid >> SEEN_PIECE_BITS;
}

/* The mixing of MurmurHash3's end. */
static uint64_t
mix(uint64_t x)
{
	x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
	x = (x ^ x >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

uint64_t
seen_digest(const struct snapshot_message *messages, size_t count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += mix(messages[i].uid);
	return sum;
}

/* ---- writing ---- */

static size_t
put_number(uint64_t number, unsigned char *out)
{
	size_t len = 0;

	for (; number > 0x7f; number >>= 7)
		out[len++] = (unsigned char) (number | 0x80);
	out[len++] = (unsigned char) number;
	return len;
}

size_t
seen_in_piece(const struct snapshot_message *messages, size_t count)
{
	uint32_t piece = seen_piece(messages[0].uid);
	size_t n = 1;

	while (n < count && seen_piece(messages[n].uid) == piece)
		n++;
	return n;
}

size_t
seen_encode(const struct snapshot_message *messages, size_t count, unsigned char *out, size_t *len)
{
	size_t n = seen_in_piece(messages, count);
	/* UIDs begin with 1, so that of the piece before ends with 0 at the least. */
	uint64_t before = (uint64_t) seen_piece(messages[0].uid) << SEEN_PIECE_BITS;

	*len = 0;
	for (size_t i = 0; i < n; i++) {
		*len += put_number(messages[i].uid - before, out + *len);
		*len += put_number(messages[i].size, out + *len);
		before = (uint64_t) messages[i].uid + 1;
	}
	return n;
}

/* ---- reading ---- */

static int
get_number(struct seen_reader *r, uint64_t max, uint64_t *out)
{
	uint64_t number = 0, bits;

	for (unsigned shift = 0; r->at < r->end && shift < 63; shift += 7) {
		unsigned char octet = *r->at++;

		bits = octet & 0x7f;
		number |= bits << shift;
		if ((octet & 0x80) != 0)
			continue;
		*out = number;
		return number <= max ? 0 : ERR_INVALID;
	}
	return ERR_INVALID;
}

void
seen_reader_init(struct seen_reader *r, uint32_t piece, const unsigned char *octets, size_t len)
{
	*r = (struct seen_reader){ .at = octets, .end = octets + len };
	r->uid = piece << SEEN_PIECE_BITS;
	r->last = r->uid | PIECE_MASK;
	r->uid--; /* wraps round for the first piece, and back again */
}

int
seen_next(struct seen_reader *r, uint32_t *uid, uint64_t *size)
{
	uint64_t step;

	if (r->at == r->end)
		return ERR_GONE;
	if (r->uid == r->last || get_number(r, r->last - (uint32_t) (r->uid + 1), &step) != 0 ||
	    get_number(r, INT64_MAX, size) != 0)
		return ERR_INVALID;
	r->uid = (uint32_t) (r->uid + 1 + step);
	*uid = r->uid;
	return r->uid == 0 ? ERR_INVALID : 0;
}
