/* xxh64.h - a 64-bit hash of a stream (XXH64, seed 0), as corpus manifests have it.
 *
 * Fast enough not to be what is measured. Not for anything that somebody may want to forge. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define XXH64_P1 0x9E3779B185EBCA87ULL
#define XXH64_P2 0xC2B2AE3D27D4EB4FULL
#define XXH64_P3 0x165667B19E3779F9ULL
#define XXH64_P4 0x85EBCA77C2B2AE63ULL
#define XXH64_P5 0x27D4EB2F165667C5ULL

struct xxh64 {
	uint64_t lane[4], total;
	unsigned char rest[32]; /* what does not fill a stripe yet */
	size_t fill;
};

static inline uint64_t
xxh64_rotate(uint64_t x, int bits)
{
	return (x << bits) | (x >> (64 - bits));
}

static inline uint64_t
xxh64_read(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t
xxh64_round(uint64_t lane, uint64_t in)
{
	return xxh64_rotate(lane + in * XXH64_P2, 31) * XXH64_P1;
}

static inline void
xxh64_begin(struct xxh64 *h)
{
	*h = (struct xxh64){
		.lane = { XXH64_P1 + XXH64_P2, XXH64_P2, 0, 0 - XXH64_P1 },
	};
}

static inline void
xxh64_stripe(struct xxh64 *h, const unsigned char *p)
{
	for (int i = 0; i < 4; i++)
		h->lane[i] = xxh64_round(h->lane[i], xxh64_read(p + 8 * i));
}

/* Adds N octets; the result does not depend on how a stream is cut. */
static inline void
xxh64_add(struct xxh64 *h, const void *data, size_t n)
{
	const unsigned char *p = data;

	h->total += n;
	if (h->fill > 0) {
		size_t k = n < 32 - h->fill ? n : 32 - h->fill;

		memcpy(h->rest + h->fill, p, k);
		h->fill += k;
		p += k;
		n -= k;
		if (h->fill < 32)
			return;
		xxh64_stripe(h, h->rest);
		h->fill = 0;
	}
	for (; n >= 32; p += 32, n -= 32)
		xxh64_stripe(h, p);
	memcpy(h->rest, p, n);
	h->fill = n;
}

/* The hash of all that was added. H may be added to further. */
static inline uint64_t
xxh64_value(const struct xxh64 *h)
{
	const unsigned char *p = h->rest;
	size_t n = h->fill;
	uint64_t x = XXH64_P5;

	if (h->total >= 32) {
		x = xxh64_rotate(h->lane[0], 1) + xxh64_rotate(h->lane[1], 7) +
		    xxh64_rotate(h->lane[2], 12) + xxh64_rotate(h->lane[3], 18);
		for (int i = 0; i < 4; i++)
			x = (x ^ xxh64_round(0, h->lane[i])) * XXH64_P1 + XXH64_P4;
	}
	x += h->total;
	for (; n >= 8; p += 8, n -= 8)
		x = xxh64_rotate(x ^ xxh64_round(0, xxh64_read(p)), 27) * XXH64_P1 + XXH64_P4;
	if (n >= 4) {
		uint32_t word;

		memcpy(&word, p, sizeof(word));
		x = xxh64_rotate(x ^ word * XXH64_P1, 23) * XXH64_P2 + XXH64_P3;
		p += 4;
		n -= 4;
	}
	for (; n > 0; p++, n--)
		x = xxh64_rotate(x ^ *p * XXH64_P5, 11) * XXH64_P1;
	x = (x ^ x >> 33) * XXH64_P2;
	x = (x ^ x >> 29) * XXH64_P3;
	return x ^ x >> 32;
}
