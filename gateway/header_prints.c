/* header_prints.c - see header_prints.h. */
#include "gateway/header_prints.h"

enum { COMMAND_SET_MAX = 7800 }; /* octets of a set in an IMAP command */

struct header_sink {
	struct octet_sink sink;
	struct fingerprint_reader reader;
};

static int
header_begin(struct octet_sink *sink, uint64_t octets)
{
	struct header_sink *h = (struct header_sink *) sink;

	(void) octets;
	fingerprint_begin(&h->reader);
	return 0;
}

static int
header_chunk(struct octet_sink *sink, const char *octets, size_t len)
{
	struct header_sink *h = (struct header_sink *) sink;

	fingerprint_feed(&h->reader, octets, len);
	return 0;
}

/* What comes of the batch that is open. */
static int
take_batch(struct imap *imap, int (*each)(void *ctx, uint32_t uid, const struct fingerprint *print),
    void *ctx, struct error *e)
{
	struct header_sink h = { .sink = { header_begin, header_chunk } };
	struct fingerprint print;
	uint64_t octets;
	uint32_t uid;
	int rc;

	while ((rc = imap_batch_next(imap, &uid, &octets, e)) == 0 && uid != 0) {
		if ((rc = imap_batch_take(imap, &h.sink, e)) != 0)
			break;
		fingerprint_end(&h.reader, &print);
		if ((rc = each(ctx, uid, &print)) != 0)
			break;
	}
	return rc;
}

int
header_prints_read(struct imap *imap, const struct uidset *uids,
    int (*each)(void *ctx, uint32_t uid, const struct fingerprint *print), void *ctx,
    struct error *e)
{
	size_t n;
	int rc = 0;

	for (size_t at = 0; at < uids->count && rc == 0; at += n) {
		n = uidset_batch(uids, at, COMMAND_SET_MAX);
		if ((rc = imap_batch_open_headers(imap, uids->ranges + at, n, e)) == 0)
			rc = take_batch(imap, each, ctx, e);
	}
	return rc;
}
