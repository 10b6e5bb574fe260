/* fuzz_dotstuff.c - messages as multi-line responses.
 *
 * Two octets say how many lines TOP wants, what becomes of NUL, and in what pieces input and room
 * for output come; the rest is the message. Whatever the pieces: what comes out is what the rules
 * say, written down here octet by octet, and TOP's answer is a prefix of RETR's. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pop3front/dotstuff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct text {
	char *octets;
	size_t len;
};

static void
check(int ok)
{
	if (!ok)
		abort();
}

static char *
new_octets(size_t size)
{
	char *octets = malloc(size);

	if (octets == NULL)
		exit(2);
	return octets;
}

static void
put(struct text *out, char octet)
{
	out->octets[out->len++] = octet;
}

/* Whether the line of MESSAGE from START to its LF at END has nothing in it. */
static int
is_blank(const char *message, size_t start, size_t end)
{
	return end == start || (end == start + 1 && message[start] == '\r');
}

/* The rules, slowly. */
static struct text
by_the_book(const char *message, size_t len, uint64_t lines, enum dotstuff_nul nul)
{
	struct text out = { new_octets(2 * len + DOTSTUFF_END_MAX), 0 };
	size_t start = 0;
	int in_body = 0;

	for (size_t i = 0; i < len && !(in_body && lines == 0); i++) {
		if (i == start && message[i] == '.')
			put(&out, '.');
		if (message[i] == '\n' && (i == start || message[i - 1] != '\r'))
			put(&out, '\r');
		put(&out,
		    message[i] == '\0' && nul == DOTSTUFF_NUL_REPLACE ? (char) 0x80 : message[i]);
		if (message[i] != '\n')
			continue;
		if (in_body && lines != DOTSTUFF_ALL_LINES)
			lines--;
		in_body = in_body || is_blank(message, start, i);
		start = i + 1;
	}
	if (out.len > 0 && out.octets[out.len - 1] != '\n') {
		put(&out, '\r');
		put(&out, '\n');
	}
	put(&out, '.');
	put(&out, '\r');
	put(&out, '\n');
	return out;
}

/* The same by the code under test: PIECE octets of input at a time, each from memory of its own,
 * room for STEP octets. */
static struct text
in_pieces(const char *message, size_t len, uint64_t lines, enum dotstuff_nul nul, size_t piece,
    size_t step)
{
	struct text out = { new_octets(2 * len + DOTSTUFF_END_MAX), 0 };
	char *room = new_octets(step), end[DOTSTUFF_END_MAX];
	struct dotstuff d;
	size_t end_len;

	dotstuff_begin(&d, lines, nul);
	for (size_t at = 0; at < len; at += piece) {
		size_t left = len - at < piece ? len - at : piece, done = 0;
		char *copy = new_octets(left);

		memcpy(copy, message + at, left);
		while (done < left) {
			size_t passed = dotstuff_pass(&d, copy + done, left - done), written = 0;
			size_t used;

			memcpy(out.octets + out.len, copy + done, passed);
			out.len += passed;
			if ((done += passed) == left)
				break;
			used = dotstuff_feed(&d, copy + done, left - done, room, step, &written);
			check(used <= left - done && written <= step && (used > 0 || written > 0));
			memcpy(out.octets + out.len, room, written);
			out.len += written;
			done += used;
		}
		free(copy);
	}
	end_len = dotstuff_end(&d, end);
	check(end_len <= sizeof(end));
	memcpy(out.octets + out.len, end, end_len);
	out.len += end_len;
	free(room);
	return out;
}

static void
check_equal(struct text a, struct text b)
{
	check(a.len == b.len && memcmp(a.octets, b.octets, a.len) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text top, retr, top_by_book, retr_by_book;
	enum dotstuff_nul nul;
	size_t piece, step, len;
	const char *message;
	uint64_t lines;

	if (size < 2)
		return 0;
	nul = data[0] & 1 ? DOTSTUFF_NUL_REPLACE : DOTSTUFF_NUL_KEEP;
	lines = data[0] >> 1 == 127 ? DOTSTUFF_ALL_LINES - 1 : data[0] >> 1;
	piece = 1 + (data[1] & 15u) * (data[1] & 15u);
	step = 2 + (size_t) (data[1] >> 4) * (size_t) (data[1] >> 4);
	message = (const char *) data + 2;
	len = size - 2;
	top = in_pieces(message, len, lines, nul, piece, step);
	retr = in_pieces(message, len, DOTSTUFF_ALL_LINES, nul, piece, step);
	top_by_book = by_the_book(message, len, lines, nul);
	retr_by_book = by_the_book(message, len, DOTSTUFF_ALL_LINES, nul);
	check_equal(top, top_by_book);
	check_equal(retr, retr_by_book);
	check(top.len >= 3 && top.len <= retr.len &&
	      memcmp(top.octets, retr.octets, top.len - 3) == 0);
	free(top.octets);
	free(retr.octets);
	free(top_by_book.octets);
	free(retr_by_book.octets);
	return 0;
}
