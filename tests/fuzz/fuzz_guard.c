/* fuzz_guard.c - the wire guard alone, against its promises.
 *
 * The first octet chooses the expectation and the size of pieces; the rest is what the server
 * sends. Looked for: output or events that depend on how the input is cut, lines or octets beyond
 * the limits, NUL or bare LF for the parser, bodies of another length than announced. */
#include <stdlib.h>
#include <string.h>

#include "imapback/guard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BUDGET = 100000, VALUE = 20 /* octets that are collected */ };

/* What came out of a guard: the parser's octets, and a digest of the events in their order. */
struct result {
	char *out;
	size_t len;
	uint64_t events;
	uint64_t body_left;
	bool refused;
};

static void
note(struct result *r, uint64_t value)
{
	r->events = (r->events ^ value) * 1099511628211u;
}

static void
take_event(struct result *r, const struct guard_event *event)
{
	switch (event->kind) {
	case GUARD_NOTHING:
		return;
	case GUARD_BODY_BEGIN:
		r->body_left = event->number;
		note(r, event->number ^ event->uid ^ (uint64_t) event->origin << 32);
		break;
	case GUARD_BODY_CHUNK:
		if (event->len == 0 || event->len > r->body_left)
			abort();
		r->body_left -= event->len;
		for (size_t i = 0; i < event->len; i++)
			note(r, (unsigned char) event->data[i]);
		return;
	case GUARD_BODY_END:
		if (r->body_left != 0)
			abort();
		break;
	case GUARD_LISTED:
		if (event->uid == 0 || event->number > INT64_MAX)
			abort();
		note(r, event->number ^ event->uid ^ (uint64_t) event->deleted << 63);
		break;
	case GUARD_SEARCH_HIT:
		if (event->number > UINT32_MAX)
			abort();
		note(r, event->number);
		break;
	case GUARD_VANISHED:
		if (event->uid == 0 || event->uid > event->number || event->number > UINT32_MAX)
			abort();
		note(r, event->number ^ (uint64_t) event->uid << 32);
		break;
	case GUARD_ATTRIBUTE:
		if (event->uid == 0 || event->len > VALUE)
			abort();
		note(r, event->uid);
		for (size_t i = 0; i < event->len; i++)
			note(r, (unsigned char) event->data[i]);
		break;
	case GUARD_REFUSED:
		r->refused = true;
		break;
	}
	note(r, (uint64_t) event->kind + 1000);
}

static const char *
wanted(enum guard_expectation expectation)
{
	return expectation == GUARD_EXPECT_ATTRIBUTE ? "BODY[HEADER.FIELDS" : NULL;
}

static void
feed(enum guard_expectation expectation, const char *in, size_t len, size_t piece, size_t room,
    struct result *r)
{
	struct guard guard, *g = &guard;
	char value[VALUE];
	size_t at = 0;

	guard_init(g);
	guard_expect(g, expectation, BUDGET);
	guard_collect(g, wanted(expectation), value, sizeof(value));

	while (!r->refused) {
		size_t n = len - at < piece ? len - at : piece, written, used;
		struct guard_event event;
		char out[64];

		used = guard_feed(g, in + at, n, out, room, &written, &event);
		if (used > n || written > room || (event.kind == GUARD_REFUSED && written > 0))
			abort();
		memcpy(r->out + r->len, out, written);
		r->len += written;
		at += used;
		take_event(r, &event);
		if (used == 0 && written == 0 && event.kind == GUARD_NOTHING) {
			/* A new command, where only that is missing. */
			if (!guard_is_halted(g))
				return;
			note(r, guard_answer(g)->status);
			note(r, guard_modseq(g));
			guard_expect(g, expectation, BUDGET);
			guard_collect(g, wanted(expectation), value, sizeof(value));
		}
	}
}

/* What the parser gets must be harmless whatever came in. */
static void
check_output(const struct result *r)
{
	size_t line = 0;

	for (size_t i = 0; i < r->len; i++) {
		if (r->out[i] == '\0')
			abort();
		line = r->out[i] == '\n' ? 0 : line + 1;
		if (line > GUARD_LINE_MAX + 1)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum guard_expectation expectations[2][8] = {
		{ GUARD_EXPECT_GREETING, GUARD_EXPECT_RESPONSE, GUARD_EXPECT_ID, GUARD_EXPECT_LIST,
		    GUARD_EXPECT_BODY, GUARD_EXPECT_PART, GUARD_EXPECT_SEARCH,
		    GUARD_EXPECT_VANISHED },
		{ GUARD_EXPECT_GREETING, GUARD_EXPECT_RESPONSE, GUARD_EXPECT_CHALLENGE,
		    GUARD_EXPECT_UIDS, GUARD_EXPECT_BODIES, GUARD_EXPECT_PARTS,
		    GUARD_EXPECT_HEADERS, GUARD_EXPECT_ATTRIBUTE },
	};
	struct result whole = { 0 }, cut = { 0 };
	enum guard_expectation expectation;

	if (size == 0)
		return 0;
	whole.out = malloc(2 * size + 128);
	cut.out = malloc(2 * size + 128);
	if (whole.out == NULL || cut.out == NULL)
		abort();
	expectation = expectations[data[0] >> 7][data[0] & 7];
	feed(expectation, (const char *) data + 1, size - 1, size, 64, &whole);
	feed(expectation, (const char *) data + 1, size - 1, 1 + (data[0] >> 2 & 31),
	    1 + (data[0] >> 3 & 15), &cut);
	if (whole.refused != cut.refused || whole.events != cut.events)
		abort();
	/* Once refused, what was still held back depends on the room there was; up to there all
	 * must be equal. */
	if (!whole.refused && (whole.len != cut.len || memcmp(whole.out, cut.out, cut.len) != 0))
		abort();
	check_output(&whole);
	check_output(&cut);
	free(whole.out);
	free(cut.out);
	return 0;
}
