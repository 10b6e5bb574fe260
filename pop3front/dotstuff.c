/* dotstuff.c - see dotstuff.h. */
#include "pop3front/dotstuff.h"

#include <string.h>

/* A vector of the machine's, or what the compiler makes of it where there is none. */
typedef signed char octets16 __attribute__((vector_size(16)));

void
dotstuff_begin(struct dotstuff *d, uint64_t body_lines, enum dotstuff_nul nul)
{
	*d = (struct dotstuff) {
		.nul = nul,
		.body_lines_left = body_lines,
		.line_start = 1,
		.line_empty = 1,
	};
}

bool
dotstuff_is_full(const struct dotstuff *d)
{
	return d->full;
}

/* A line has ended: counts it for TOP. The blank line that ends the header is the first empty one. */
static void
count_line(struct dotstuff *d)
{
	if (!d->in_body)
		d->in_body = d->line_empty;
	else if (d->body_lines_left != DOTSTUFF_ALL_LINES)
		d->body_lines_left--;
	d->full = d->in_body && d->body_lines_left == 0;
	d->line_start = d->line_empty = 1;
	d->after_cr = 0;
}

static void
replace_nul(char *text, size_t len)
{
	char *end = text + len;

	while ((text = memchr(text, '\0', (size_t) (end - text))) != NULL)
		*text++ = (char) 0x80;
}

/* Copies RUN octets of a line (at least one). */
static void
copy_run(struct dotstuff *d, const char *in, size_t run, char *out)
{
	memcpy(out, in, run);
	if (d->nul == DOTSTUFF_NUL_REPLACE)
		replace_nul(out, run);
	d->after_cr = in[run - 1] == '\r';
	/* A line of a single CR is still the blank line. */
	if (run > 1 || in[0] != '\r' || !d->line_start)
		d->line_empty = 0;
	d->line_start = 0;
}

static octets16
load(const char *at)
{
	octets16 v;

	memcpy(&v, at, sizeof(v)); /* at no alignment in particular */
	return v;
}

/* Whether C behind BEFORE needs an octet before it: LF without CR, or a dot that begins a line. */
static bool
needs_more(char before, char c)
{
	return (c == '\n' && before != '\r') || (c == '.' && before == '\n');
}

/* The same for 16 octets, each behind the one that lies before it in memory: 0 where it does not. */
static octets16
more_needed(const char *at)
{
	octets16 before = load(at - 1), now = load(at);

	return ((now == '\n') & (before != '\r')) | ((now == '.') & (before == '\n'));
}

static bool
is_any(octets16 hits)
{
	uint64_t halves[2];

	memcpy(halves, &hits, sizeof(halves));
	return (halves[0] | halves[1]) != 0;
}

/* For four vectors at a time, since asking whether there is any hit costs as much as looking for it. */
static bool
any_needs_more(const char *at)
{
	return is_any((more_needed(at) | more_needed(at + 16)) |
		      (more_needed(at + 32) | more_needed(at + 48)));
}

/* How many octets of IN (LEN) go out as they are, whatever lines they are in. */
static size_t
plain_span(const struct dotstuff *d, const char *in, size_t len)
{
	char before = d->line_start ? '\n' : d->after_cr ? '\r' : 'x';
	size_t at = 1;

	if (len == 0 || needs_more(before, in[0]))
		return 0;
	while (len - at >= 4 * sizeof(octets16) && !any_needs_more(in + at))
		at += 4 * sizeof(octets16);
	while (len - at >= sizeof(octets16) && !is_any(more_needed(in + at)))
		at += sizeof(octets16);
	while (at < len && !needs_more(in[at - 1], in[at]))
		at++;
	return at;
}

size_t
dotstuff_pass(struct dotstuff *d, const char *in, size_t len)
{
	size_t span;

	if (d->body_lines_left != DOTSTUFF_ALL_LINES || d->nul != DOTSTUFF_NUL_KEEP)
		return 0;
	if ((span = plain_span(d, in, len)) > 0) {
		d->line_start = in[span - 1] == '\n';
		d->after_cr = in[span - 1] == '\r';
	}
	return span;
}

/* One step of dotstuff_feed, with room for two octets at least. Returns how many octets it used. */
static size_t
take_some(struct dotstuff *d, const char *in, size_t len, char *out, size_t room, size_t *written)
{
	size_t to = 0, run = len < room ? len : room;
	const char *end;

	if ((*written = dotstuff_pass(d, in, run)) > 0) {
		memcpy(out, in, *written);
		return *written;
	}
	if (in[0] == '\n') {
		if (!d->after_cr)
			out[to++] = '\r';
		out[to++] = '\n';
		*written = to;
		count_line(d);
		return 1;
	}
	if (d->line_start && in[0] == '.') {
		out[to++] = '.';
		run = len < room - 1 ? len : room - 1;
	}
	if ((end = memchr(in, '\n', run)) != NULL)
		run = (size_t) (end - in);
	copy_run(d, in, run, out + to);
	*written = to + run;
	return run;
}

size_t
dotstuff_feed(
    struct dotstuff *d, const char *in, size_t len, char *out, size_t room, size_t *written)
{
	size_t at = 0, to = 0, more;

	while (at < len && !d->full && room - to >= 2) { /* the most that one octet can become */
		at += take_some(d, in + at, len - at, out + to, room - to, &more);
		to += more;
	}
	*written = to;
	return d->full ? len : at;
}

size_t
dotstuff_end(struct dotstuff *d, char out[DOTSTUFF_END_MAX])
{
	size_t len = 0;

	/* A CR that nothing follows is an octet of the message like any other lone CR. */
	if (!d->line_start) {
		out[len++] = '\r';
		out[len++] = '\n';
	}
	memcpy(out + len, ".\r\n", 3);
	return len + 3;
}
