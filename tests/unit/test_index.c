/* Tests of mapping/index.c: what was written is read again, and nothing else is read. */
#include "tests/unit/unit.h"

#include <stdlib.h>

#include "base/error.h"
#include "mapping/index.h"

static const struct index_head head = { 0x1122334455667788, 4000000001, 4000000000, 0 };

struct message {
	uint32_t uid;
	uint64_t size;
};

static const struct row {
	const char *name;
	struct message messages[6]; /* up to one with UID 0 */
	size_t octets;		    /* behind the header */
} rows[] = {
	{ "no message", { { 0, 0 } }, 0 },
	{ "one", { { 1, 0 } }, 2 + 1 },
	{ "a run", { { 1, 127 }, { 2, 128 }, { 3, 16383 }, { 4, 16384 } }, 2 + 1 + 2 + 2 + 3 },
	{ "gaps", { { 2, 1 }, { 4, 1 }, { 5, 1 }, { 1000, 1 } }, 2 + 2 + 3 + 4 },
	{ "the ends", { { 1, INT64_MAX }, { 3999999999, 0 } }, 2 + 6 + 9 + 1 },
};

static int
write_row(const struct row *row, unsigned char **out, size_t *len)
{
	struct index_writer w = { 0 };
	int rc;

	for (const struct message *m = row->messages; m->uid != 0; m++)
		index_add(&w, m->uid, m->size);
	rc = index_finish(&w, &head, out, len);
	index_writer_clear(&w);
	return rc;
}

static void
what_was_written(void)
{
	for (const struct row *row = rows; row < rows + sizeof(rows) / sizeof(rows[0]); row++) {
		const struct message *m = row->messages;
		struct index_reader r;
		unsigned char *octets;
		uint64_t size;
		size_t len;
		uint32_t uid;

		if (!UNIT_CHECK(write_row(row, &octets, &len) == 0, row->name))
			continue;
		UNIT_CHECK(len == INDEX_HEADER + row->octets, row->name);
		if (UNIT_CHECK(index_read(&r, octets, len) == 0, row->name)) {
			UNIT_CHECK(r.head.owner == head.owner, row->name);
			UNIT_CHECK(r.head.uidvalidity == head.uidvalidity, row->name);
			UNIT_CHECK(r.head.uidnext == head.uidnext, row->name);
			for (; index_next(&r, &uid, &size); m++)
				UNIT_CHECK(uid == m->uid && size == m->size, row->name);
			UNIT_CHECK(m->uid == 0, row->name);
		}
		free(octets);
	}
}

/* Every octet counts, and so does every length. */
static void
damage(void)
{
	for (const struct row *row = rows; row < rows + sizeof(rows) / sizeof(rows[0]); row++) {
		struct index_reader r;
		unsigned char *octets;
		size_t len;

		if (!UNIT_CHECK(write_row(row, &octets, &len) == 0, row->name))
			continue;
		for (size_t i = 0; i < len; i++) {
			UNIT_CHECK(index_read(&r, octets, i) == ERR_INVALID, row->name);
			for (unsigned bit = 1; bit < 256; bit <<= 1) {
				octets[i] ^= (unsigned char) bit;
				UNIT_CHECK(index_read(&r, octets, len) == ERR_INVALID, row->name);
				octets[i] ^= (unsigned char) bit;
			}
		}
		free(octets);
	}
}

static void
what_cannot_be_written(void)
{
	static const struct row bad[] = {
		{ "a UID twice", { { 5, 1 }, { 5, 1 } }, 0 },
		{ "descending", { { 5, 1 }, { 4, 1 } }, 0 },
		{ "UIDNEXT", { { 4000000000, 1 } }, 0 },
		{ "size", { { 1, UINT64_C(1) << 63 } }, 0 },
	};

	for (const struct row *row = bad; row < bad + sizeof(bad) / sizeof(bad[0]); row++) {
		unsigned char *octets;
		size_t len;

		UNIT_CHECK(write_row(row, &octets, &len) == ERR_INVALID, row->name);
	}
}

/* Files that no writer made, with the right checksum. */
static uint64_t
sum_of(const unsigned char *octets, size_t len)
{
	uint64_t sum = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < len; i++)
		if (i < 32 || i >= INDEX_HEADER)
			sum = (sum ^ octets[i]) * UINT64_C(1099511628211);
	return sum;
}

static void
forgeries(void)
{
	static const struct {
		const char *name;
		int expected;
		unsigned char uidnext, count, runs, octets[16];
		size_t len;
	} forged[] = {
		{ "a good one", 0, 3, 2, 2, { 0, 1, 7, 7 }, 4 },
		{ "UIDNEXT too low", ERR_INVALID, 2, 2, 2, { 0, 1, 7, 7 }, 4 },
		{ "a run too long", ERR_INVALID, 9, 2, 2, { 0, 2, 7, 7 }, 4 },
		{ "a size too few", ERR_INVALID, 9, 2, 2, { 0, 1, 7 }, 3 },
		{ "a size too many", ERR_INVALID, 9, 2, 2, { 0, 1, 7, 7, 7 }, 5 },
		{ "a run too many", ERR_INVALID, 9, 2, 4, { 0, 1, 0, 0, 7, 7 }, 6 },
		{ "more runs than octets", ERR_INVALID, 3, 2, 200, { 0, 1, 7, 7 }, 4 },
		{ "a number in two forms", ERR_INVALID, 9, 1, 3, { 0x80, 0, 0, 7 }, 4 },
		{ "a number without an end", ERR_INVALID, 9, 1, 2, { 0, 0, 0x80 }, 3 },
		{ "a number over 64 bits", ERR_INVALID, 9, 1, 2,
		    { 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2 }, 12 },
		{ "a size over 63 bits", ERR_INVALID, 9, 1, 2,
		    { 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1 }, 12 },
	};

	for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
		unsigned char file[INDEX_HEADER + 16] = "PGINDEX1";
		size_t len = INDEX_HEADER + forged[i].len;
		struct index_reader r;
		uint64_t sum;

		file[20] = forged[i].uidnext;
		file[24] = forged[i].count;
		file[28] = forged[i].runs;
		memcpy(file + INDEX_HEADER, forged[i].octets, forged[i].len);
		sum = sum_of(file, len);
		for (size_t k = 0; k < 8; k++)
			file[32 + k] = (unsigned char) (sum >> (8 * k));
		UNIT_CHECK(index_read(&r, file, len) == forged[i].expected, forged[i].name);
	}
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "what was written", what_was_written },
		{ "damage", damage },
		{ "what cannot be written", what_cannot_be_written },
		{ "forgeries", forgeries },
	};

	return unit_run("index", tests, sizeof(tests) / sizeof(tests[0]));
}
