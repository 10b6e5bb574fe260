/* fuzz_imap_response.c - everything behind the network that reads what an IMAP server says: wire
 * guard, driver, libetpan, and what we make of its results.
 *
 * A whole session runs against the input: the first octet says in what pieces it arrives, the rest
 * is what the server sends. The linker puts the functions below in the place of stream.h's and
 * fiber.h's (CMakeLists.txt), so no socket and no fiber is needed. Looked for: crashes, leaks,
 * reads without end, and bodies of another length than announced. */
#include <stdlib.h>
#include <string.h>

#include "fiberio/stream.h"
#include "imapback/imap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	const uint8_t *at, *end;
	size_t piece;
} server;

struct stream {
	int unused;
};
static struct stream the_stream;

int __wrap_stream_connect(
    const char *host, uint16_t port, uint64_t deadline, struct stream **out, struct error *e);
int __wrap_stream_read(struct stream *s, void *buf, size_t room, size_t *got, uint64_t deadline);
int __wrap_stream_write_by(struct stream *s, const void *buf, size_t len, uint64_t deadline);
bool __wrap_stream_has_input(struct stream *s);
void __wrap_stream_close(struct stream *s);
const char *__wrap_stream_tls_version(const struct stream *s);
const char *__wrap_stream_tls_cipher(const struct stream *s);
uint64_t __wrap_fiber_now(void);
uint64_t __wrap_fiber_deadline(uint64_t ms);

int
__wrap_stream_connect(
    const char *host, uint16_t port, uint64_t deadline, struct stream **out, struct error *e)
{
	(void) host, (void) port, (void) deadline, (void) e;
	*out = &the_stream;
	return 0;
}

int
__wrap_stream_read(struct stream *s, void *buf, size_t room, size_t *got, uint64_t deadline)
{
	size_t left = (size_t) (server.end - server.at), n = server.piece;

	(void) s, (void) deadline;
	if (left == 0)
		return ERR_CLOSED;
	n = n > left ? left : n;
	n = n > room ? room : n;
	memcpy(buf, server.at, n);
	server.at += n;
	*got = n;
	return 0;
}

int
__wrap_stream_write_by(struct stream *s, const void *buf, size_t len, uint64_t deadline)
{
	(void) s, (void) buf, (void) len, (void) deadline;
	return 0;
}

bool
__wrap_stream_has_input(struct stream *s)
{
	(void) s;
	return server.at < server.end;
}

void
__wrap_stream_close(struct stream *s)
{
	(void) s;
}

const char *
__wrap_stream_tls_version(const struct stream *s)
{
	(void) s;
	return "";
}

const char *
__wrap_stream_tls_cipher(const struct stream *s)
{
	(void) s;
	return "";
}

uint64_t
__wrap_fiber_now(void)
{
	return 0;
}

uint64_t
__wrap_fiber_deadline(uint64_t ms)
{
	return ms;
}

/* A sink that counts: a message that is said to be complete must have the length that was
 * announced. */
struct counter {
	struct octet_sink sink;
	uint64_t announced, come;
	unsigned begun;
};

static int
count_begin(struct octet_sink *sink, uint64_t octets)
{
	struct counter *c = (struct counter *) sink;

	c->announced = octets;
	c->begun++;
	return 0;
}

static int
count_chunk(struct octet_sink *sink, const char *octets, size_t len)
{
	struct counter *c = (struct counter *) sink;

	if (len == 0 || octets == NULL)
		abort();
	c->come += len;
	return 0;
}

static void
check_fetch(struct imap *imap, uint64_t offset)
{
	struct counter c = { .sink = { count_begin, count_chunk } };
	struct error e = { 0 };
	int rc = offset == 0 ? imap_fetch(imap, 5, &c.sink, &e)
			     : imap_fetch_part(imap, 5, offset, 100, &c.sink, &e);

	if (rc == 0 && (c.begun != 1 || c.come != c.announced))
		abort();
	if (c.begun > 1 || (rc == ERR_GONE && c.begun != 0))
		abort();
}

static int
on_message(void *ctx, uint32_t uid, uint64_t size, bool deleted)
{
	(void) size, (void) deleted;
	if (uid == 0)
		abort();
	return ++*(unsigned *) ctx > 100000 ? ERR_LIMIT : 0;
}

static void
use_mailbox(struct imap *imap)
{
	static const struct uid_range ranges[] = { { 1, 3 }, { 5, 5 } };
	struct imap_mailbox mailbox = { 0 };
	struct uidset found = { 0 };
	struct error e = { 0 };
	unsigned listed = 0;

	if (imap_select(imap, "INBOX", &mailbox, &e) != 0)
		return;
	if (mailbox.uidvalidity == 0)
		abort();
	imap_list(imap, on_message, &listed, &e);
	check_fetch(imap, 0);
	check_fetch(imap, 7);
	imap_search_deleted(imap, &found, &e);
	imap_search_uids(imap, ranges, 2, &found, &e);
	imap_store(imap, ranges, 2, IMAP_FLAGS_ADD, IMAP_FLAG_DELETED, &e);
	imap_uid_expunge(imap, ranges, 2, &e);
	imap_move(imap, ranges, 2, "Trash", &e);
	imap_expunge(imap, &e);
	imap_noop(imap, &e);
	uidset_clear(&found);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char user[] = "user", password[] = "secret";
	const struct imap_options options = {
		.host = "fuzz", .port = 143, .security = IMAP_TLS_NONE
	};
	static const struct imap_id_field id = { "name", "popgate" };
	const struct credentials c = { .user = user, .password = password, .password_len = 6 };
	char name[64];
	struct imap *imap;
	struct error e = { 0 };

	if (size == 0)
		return 0;
	server.piece = data[0] == 0 ? 65536 : data[0];
	server.at = data + 1;
	server.end = data + size;
	if (imap_open(&options, &imap, &e) != 0)
		return 0;
	if (imap_id(imap, &id, 1, name, sizeof(name), &e) == 0 &&
	    imap_login(imap, &c, &e) == 0)
		use_mailbox(imap);
	imap_logout(imap);
	return 0;
}
