/* siphash.c - SipHash-2-4, after the paper's section 2. */
#include "base/siphash.h"

struct sip {
	uint64_t v0, v1, v2, v3;
};

static uint64_t
rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static void
sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 = rotate(s->v2, 32);
}

static void
sip_word(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	sip_round(s);
	s->v0 ^= word;
}

static uint64_t
little_endian(const unsigned char *in, size_t len)
{
	uint64_t word = 0;

	for (size_t i = 0; i < len; i++)
		word |= (uint64_t) in[i] << (8 * i);
	return word;
}

uint64_t
siphash(const struct siphash_key *key, const void *in, size_t len)
{
	const unsigned char *octets = in;
	size_t whole = len / 8 * 8;
	struct sip s = {
		.v0 = key->low ^ 0x736f6d6570736575,
		.v1 = key->high ^ 0x646f72616e646f6d,
		.v2 = key->low ^ 0x6c7967656e657261,
		.v3 = key->high ^ 0x7465646279746573,
	};

	for (size_t i = 0; i < whole; i += 8)
		sip_word(&s, little_endian(octets + i, 8));
	sip_word(&s, little_endian(octets + whole, len - whole) | (uint64_t) len << 56);
	s.v2 ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
