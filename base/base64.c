/* base64.c - see base64.h. */
#include "base/base64.h"

#include <stdint.h>

#include "base/error.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t
base64_encoded_size(size_t len)
{
	return (len + 2) / 3 * 4;
}

void
base64_encode(const void *in, size_t len, char *out)
{
	const unsigned char *from = in;

	for (; len >= 3; len -= 3, from += 3) {
		*out++ = alphabet[from[0] >> 2];
		*out++ = alphabet[(from[0] & 3) << 4 | from[1] >> 4];
		*out++ = alphabet[(from[1] & 15) << 2 | from[2] >> 6];
		*out++ = alphabet[from[2] & 63];
	}
	if (len > 0) {
		unsigned second = len == 2 ? from[1] : 0;

		*out++ = alphabet[from[0] >> 2];
		*out++ = alphabet[(from[0] & 3u) << 4 | second >> 4];
		*out++ = len == 2 ? alphabet[(second & 15) << 2] : '=';
		*out++ = '=';
	}
	*out = '\0';
}

/* The value of symbol C, or -1. */
static int
symbol_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* Decodes one group of four symbols, the last PADDING of which are "=". */
static int
decode_group(const char *group, size_t padding, unsigned char out[3])
{
	uint32_t bits = 0;

	for (size_t i = 0; i < 4; i++) {
		int value = i < 4 - padding ? symbol_value(group[i]) : 0;

		if (value < 0)
			return ERR_INVALID;
		bits = bits << 6 | (uint32_t) value;
	}
	/* Bits that no octet uses must be zero, or two texts would mean the same (RFC 4648
	 * section 3.5). */
	if ((padding == 1 && (bits & 0xff) != 0) || (padding == 2 && (bits & 0xffff) != 0))
		return ERR_INVALID;
	out[0] = (unsigned char) (bits >> 16);
	out[1] = (unsigned char) (bits >> 8);
	out[2] = (unsigned char) bits;
	return 0;
}

int
base64_decode(const char *in, size_t len, void *out, size_t room, size_t *out_len)
{
	unsigned char *to = out;
	size_t padding = 0;

	if (len % 4 != 0)
		return ERR_INVALID;
	if (len > 0 && in[len - 1] == '=')
		padding = in[len - 2] == '=' ? 2 : 1;
	if (len / 4 * 3 - padding > room)
		return ERR_LIMIT;
	for (size_t at = 0; at < len; at += 4) {
		size_t pad = at + 4 == len ? padding : 0;
		unsigned char group[3];

		if (decode_group(in + at, pad, group) != 0)
			return ERR_INVALID;
		for (size_t i = 0; i < 3 - pad; i++)
			*to++ = group[i];
	}
	*out_len = (size_t) (to - (unsigned char *) out);
	return 0;
}
