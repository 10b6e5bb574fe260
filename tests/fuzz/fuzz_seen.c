/* fuzz_seen.c - a piece of what was seen last, which is foreign octets.
 *
 * The first two octets choose the piece. Whatever the input holds: no crash; UIDs ascend and are of the
 * piece; what was read whole is written again octet by octet, where it was written in the shortest form. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "mapping/seen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
check(int ok)
{
	if (!ok)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct snapshot_message *messages = calloc(len + 1, sizeof(*messages));
	unsigned char *again = malloc((len + 1) * SEEN_MESSAGE_MAX);
	uint32_t piece, uid, before = 0;
	struct seen_reader r, second;
	size_t count = 0, used;
	uint64_t size;
	int rc;

	check(messages != NULL && again != NULL);
	if (len >= 2) {
		piece = ((uint32_t) data[0] << 12) | data[1];
		seen_reader_init(&r, piece, data + 2, len - 2);
		while ((rc = seen_next(&r, &uid, &size)) == 0) {
			check(uid > before && seen_piece(uid) == piece && size <= INT64_MAX);
			check(count <= len);
			messages[count++] = (struct snapshot_message){ .uid = uid, .size = size };
			before = uid;
		}
		check(rc == ERR_GONE || rc == ERR_INVALID);
		if (count > 0) {
			/* One of the next piece is not taken along. */
			messages[count].uid = (piece + 1) << SEEN_PIECE_BITS;
			check(seen_encode(messages, count + 1, again, &used) == count);
			check(seen_digest(messages, count) ==
			      seen_digest(messages, 1) + seen_digest(messages + 1, count - 1));
			check(used <= len - 2 && used <= count * SEEN_MESSAGE_MAX);
			seen_reader_init(&second, piece, again, used);
			for (size_t i = 0; i < count; i++)
				check(seen_next(&second, &uid, &size) == 0 &&
				      uid == messages[i].uid && size == messages[i].size);
			check(seen_next(&second, &uid, &size) == ERR_GONE);
		}
	}
	free(messages);
	free(again);
	return 0;
}
