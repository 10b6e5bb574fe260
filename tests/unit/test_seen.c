/* Unit tests of mapping/seen.c. */
#include "mapping/seen.h"

#include <stdlib.h>

#include "base/error.h"
#include "unit.h"

static const struct snapshot_message messages[] = {
	{ .uid = 1, .size = 0 },
	{ .uid = 2, .size = 127 },
	{ .uid = 4095, .size = 128 },
	{ .uid = 4096, .size = INT64_MAX }, /* the next piece */
	{ .uid = 8191, .size = 1 },
	{ .uid = UINT32_MAX - 4095, .size = 5 },
	{ .uid = UINT32_MAX, .size = 7 },
};

enum { COUNT = sizeof(messages) / sizeof(messages[0]) };

static void
what_is_written_is_read_again(void)
{
	unsigned char octets[COUNT * SEEN_MESSAGE_MAX];
	size_t at = 0, len, pieces = 0;

	while (at < COUNT) {
		uint32_t piece = seen_piece(messages[at].uid), uid;
		size_t first = at;
		struct seen_reader r;
		uint64_t size;
		int rc;

		at += seen_encode(messages + at, COUNT - at, octets, &len);
		CU_ASSERT_TRUE(len <= (at - first) * SEEN_MESSAGE_MAX);
		seen_reader_init(&r, piece, octets, len);
		while ((rc = seen_next(&r, &uid, &size)) == 0) {
			CU_ASSERT_EQUAL(uid, messages[first].uid);
			CU_ASSERT_EQUAL(size, messages[first].size);
			first++;
		}
		CU_ASSERT_EQUAL(rc, ERR_GONE);
		CU_ASSERT_EQUAL(first, at);
		pieces++;
	}
	CU_ASSERT_EQUAL(pieces, 3);
}

static const struct {
	const char *name;
	uint32_t piece;
	const char *octets;
	size_t len;
	int rc; /* of the last call */
} rows[] = {
	{ "nothing", 1, "", 0, ERR_GONE },
	{ "a message", 1, "\x00\x05", 2, ERR_GONE },
	{ "UID 0", 0, "\x00\x05", 2, ERR_INVALID },
	{ "no size", 1, "\x00", 1, ERR_INVALID },
	{ "a number that does not end", 1, "\x80\x80", 2, ERR_INVALID },
	{ "a number that is too long", 1, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11,
	    ERR_INVALID },
	{ "the last UID of the piece", 1, "\xff\x1f\x05", 3, ERR_GONE },
	{ "a UID of the next piece", 1, "\x80\x20\x05", 3, ERR_INVALID },
	{ "one behind the last UID", 1, "\xff\x1f\x05\x00\x05", 5, ERR_INVALID },
	{ "the very last UID", SEEN_PIECES - 1, "\xff\x1f\x05", 3, ERR_GONE },
	{ "one behind it", SEEN_PIECES - 1, "\xff\x1f\x05\x00\x05", 5, ERR_INVALID },
};

static void
foreign_octets_are_refused(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct seen_reader r;
		uint64_t size;
		uint32_t uid;
		int rc;

		seen_reader_init(&r, rows[i].piece, (const unsigned char *) rows[i].octets,
		    rows[i].len);
		while ((rc = seen_next(&r, &uid, &size)) == 0)
			UNIT_CHECK(seen_piece(uid) == rows[i].piece, rows[i].name);
		UNIT_CHECK(rc == rows[i].rc, rows[i].name);
	}
}

static void
the_digest_tells_sets_apart(void)
{
	struct snapshot_message other[COUNT];

	memcpy(other, messages, sizeof(other));
	CU_ASSERT_EQUAL(seen_digest(other, COUNT), seen_digest(messages, COUNT));
	other[2].uid++;
	CU_ASSERT_NOT_EQUAL(seen_digest(other, COUNT), seen_digest(messages, COUNT));
	CU_ASSERT_NOT_EQUAL(seen_digest(messages, COUNT - 1), seen_digest(messages, COUNT));
	/* It is in files: a change would make each login write once. */
	CU_ASSERT_EQUAL(seen_digest(messages, 1), UINT64_C(0xb456bcfc34c2cb2c));
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "what_is_written_is_read_again", what_is_written_is_read_again },
		{ "foreign_octets_are_refused", foreign_octets_are_refused },
		{ "the_digest_tells_sets_apart", the_digest_tells_sets_apart },
	};

	return unit_run("seen", tests, sizeof(tests) / sizeof(tests[0]));
}
