/* fuzz_index.c - a kept listing, which is foreign octets.
 *
 * The checksum is put right first, or nothing would get past it. Whatever the input holds: no
 * crash; UIDs ascend and are below UIDNEXT; what was read is written again octet by octet. Then the
 * input is taken for messages: what can be written is read again message by message. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "mapping/index.h"

enum { SUM_AT = 44 }; /* where the checksum is */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
check(int ok)
{
	if (!ok)
		abort();
}

static void
put_sum_right(unsigned char *octets, size_t len)
{
	uint64_t sum = UINT64_C(14695981039346656037);

	if (len < INDEX_HEADER)
		return;
	for (size_t i = 0; i < len; i++)
		if (i < SUM_AT || i >= INDEX_HEADER)
			sum = (sum ^ octets[i]) * UINT64_C(1099511628211);
	for (size_t i = 0; i < 8; i++)
		octets[SUM_AT + i] = (unsigned char) (sum >> (8 * i));
}

enum { RECORD = 12 }; /* octets of UID and size */

/* The message number AT of DATA; the first record has UIDNEXT. */
static struct index_message
message(const uint8_t *data, size_t at)
{
	struct index_message m = { .exact = data[at * RECORD] & 1 };

	memcpy(&m.uid, data + at * RECORD, 4);
	memcpy(&m.size, data + at * RECORD + 4, 8);
	return m;
}

static void
write_and_read(const uint8_t *data, size_t count)
{
	struct index_head head = { .uidnext = message(data, 0).uid };
	struct index_message wanted, m;
	struct index_writer w = { 0 };
	struct index_reader r;
	unsigned char *octets;
	bool fine = true;
	uint32_t last = 0;
	size_t len;

	for (size_t i = 1; i < count; i++) {
		wanted = message(data, i);
		fine = fine && wanted.uid > last && wanted.uid < head.uidnext && wanted.size <= INT64_MAX;
		last = wanted.uid;
		index_add(&w, &wanted);
	}
	check(index_finish(&w, &head, &octets, &len) == (fine ? 0 : ERR_INVALID));
	if (fine) {
		check(index_read(&r, octets, len) == 0 && r.head.count == count - 1);
		for (size_t i = 1; i < count; i++) {
			wanted = message(data, i);
			check(index_next(&r, &m) && m.uid == wanted.uid);
			check(m.size == wanted.size && m.exact == wanted.exact);
		}
		check(!index_next(&r, &m));
		free(octets);
	}
	index_writer_clear(&w);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	unsigned char *octets = malloc(len + 1), *again;
	struct index_writer w = { 0 };
	struct index_reader r;
	uint32_t last = 0, count = 0, exact = 0;
	struct index_message m;
	size_t again_len;
	int rc;

	check(octets != NULL);
	memcpy(octets, data, len);
	put_sum_right(octets, len);
	if ((rc = index_read(&r, octets, len)) != 0) {
		check(rc == ERR_INVALID);
		goto out;
	}
	while (index_next(&r, &m)) {
		check(m.uid > last && m.uid < r.head.uidnext && m.size <= INT64_MAX);
		index_add(&w, &m);
		last = m.uid;
		count++;
		exact += m.exact;
	}
	check(count == r.head.count && count <= len && exact == r.head.exact);
	check(index_finish(&w, &r.head, &again, &again_len) == 0);
	/* Runs that touch are two to a reader and one to a writer. */
	check(again_len <= len);
	check(again_len < len || memcmp(again, octets, len) == 0);
	free(again);
out:
	index_writer_clear(&w);
	free(octets);
	if (len >= RECORD)
		write_and_read(data, len / RECORD);
	return 0;
}
