/* Tests of mapping/index.c: what was written is read again, and nothing else is read. */
#include "tests/unit/unit.h"

#include <stdlib.h>

#include "base/error.h"
#include "mapping/index.h"

static const struct index_head head = { .owner = 0x1122334455667788,
	.uidvalidity = 4000000001,
	.uidnext = 4000000000,
	.modseq = 0x7766554433221100,
	.estimates = true };

static const struct row {
	const char *name;
	struct index_message messages[6]; /* up to one with UID 0 */
	size_t octets;		    /* behind the header */
} rows[] = {
	{ "no message", { { 0, 0, false } }, 0 },
	{ "one", { { 1, 0, false } }, 2 + 1 },
	{ "a run", { { 1, 63, false }, { 2, 64, false }, { 3, 8191, true }, { 4, 8192, true } },
	    2 + 1 + 2 + 2 + 3 },
	{ "gaps", { { 2, 1, true }, { 4, 1, false }, { 5, 1, true }, { 1000, 1, true } },
	    2 + 2 + 3 + 4 },
	{ "the ends", { { 1, INT64_MAX, true }, { 3999999999, 0, true } }, 2 + 6 + 10 + 1 },
};

static int
write_row(const struct row *row, unsigned char **out, size_t *len)
{
	struct index_writer w = { 0 };
	int rc;

	for (const struct index_message *m = row->messages; m->uid != 0; m++)
		index_add(&w, m);
	rc = index_finish(&w, &head, out, len);
	index_writer_clear(&w);
	return rc;
}

static void
what_was_written(void)
{
	for (const struct row *row = rows; row < rows + sizeof(rows) / sizeof(rows[0]); row++) {
		const struct index_message *m = row->messages;
		struct index_message read;
		struct index_reader r;
		unsigned char *octets;
		uint32_t exact = 0;
		size_t len;

		if (!UNIT_CHECK(write_row(row, &octets, &len) == 0, row->name))
			continue;
		UNIT_CHECK(len == INDEX_HEADER + row->octets, row->name);
		if (UNIT_CHECK(index_read(&r, octets, len) == 0, row->name)) {
			UNIT_CHECK(r.head.owner == head.owner, row->name);
			UNIT_CHECK(r.head.uidvalidity == head.uidvalidity, row->name);
			UNIT_CHECK(r.head.uidnext == head.uidnext, row->name);
			UNIT_CHECK(r.head.modseq == head.modseq, row->name);
			UNIT_CHECK(r.head.estimates, row->name);
			for (; index_next(&r, &read); m++) {
				UNIT_CHECK(read.uid == m->uid && read.size == m->size &&
					       read.exact == m->exact,
				    row->name);
				exact += m->exact;
			}
			UNIT_CHECK(m->uid == 0 && r.head.exact == exact, row->name);
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
		{ "a UID twice", { { 5, 1, false }, { 5, 1, false } }, 0 },
		{ "descending", { { 5, 1, false }, { 4, 1, false } }, 0 },
		{ "UIDNEXT", { { 4000000000, 1, false } }, 0 },
		{ "size", { { 1, UINT64_C(1) << 63, false } }, 0 },
	};

	for (const struct row *row = bad; row < bad + sizeof(bad) / sizeof(bad[0]); row++) {
		unsigned char *octets;
		size_t len;

		UNIT_CHECK(write_row(row, &octets, &len) == ERR_INVALID, row->name);
	}
}

enum { SUM_AT = 44 }; /* where the checksum is */

/* Files that no writer made, with the right checksum. */
static uint64_t
sum_of(const unsigned char *octets, size_t len)
{
	uint64_t sum = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < len; i++)
		if (i < SUM_AT || i >= INDEX_HEADER)
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
		unsigned char bits, version;
	} forged[] = {
		{ "a good one", 0, 3, 2, 2, { 0, 1, 7, 7 }, 4, 0, '2' },
		{ "an estimate", 0, 3, 2, 2, { 0, 1, 7, 7 }, 4, 1, '2' },
		{ "unknown bits", ERR_INVALID, 3, 2, 2, { 0, 1, 7, 7 }, 4, 2, '2' },
		{ "the form before this", ERR_INVALID, 3, 2, 2, { 0, 1, 7, 7 }, 4, 0, '1' },
		{ "UIDNEXT too low", ERR_INVALID, 2, 2, 2, { 0, 1, 7, 7 }, 4, 0, '2' },
		{ "a run too long", ERR_INVALID, 9, 2, 2, { 0, 2, 7, 7 }, 4, 0, '2' },
		{ "a size too few", ERR_INVALID, 9, 2, 2, { 0, 1, 7 }, 3, 0, '2' },
		{ "a size too many", ERR_INVALID, 9, 2, 2, { 0, 1, 7, 7, 7 }, 5, 0, '2' },
		{ "a run too many", ERR_INVALID, 9, 2, 4, { 0, 1, 0, 0, 7, 7 }, 6, 0, '2' },
		{ "more runs than octets", ERR_INVALID, 3, 2, 200, { 0, 1, 7, 7 }, 4, 0, '2' },
		{ "a number in two forms", ERR_INVALID, 9, 1, 3, { 0x80, 0, 0, 7 }, 4, 0, '2' },
		{ "a number without an end", ERR_INVALID, 9, 1, 2, { 0, 0, 0x80 }, 3, 0, '2' },
		{ "a number over 64 bits", ERR_INVALID, 9, 1, 2,
		    { 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2 }, 12, 0, '2' },
		{ "a size of 63 bits", 0, 9, 1, 2,
		    { 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1 }, 12, 0, '2' },
	};

	for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
		unsigned char file[INDEX_HEADER + 16] = "PGINDEX";
		size_t len = INDEX_HEADER + forged[i].len;
		struct index_reader r;
		uint64_t sum;

		file[7] = forged[i].version;
		file[40] = forged[i].bits;
		file[20] = forged[i].uidnext;
		file[24] = forged[i].count;
		file[28] = forged[i].runs;
		memcpy(file + INDEX_HEADER, forged[i].octets, forged[i].len);
		sum = sum_of(file, len);
		for (size_t k = 0; k < 8; k++)
			file[SUM_AT + k] = (unsigned char) (sum >> (8 * k));
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
