/* dotstuff.c - see dotstuff.h. */
#include "pop3front/dotstuff.h"

#include <string.h>

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

size_t
dotstuff_feed(
    struct dotstuff *d, const char *in, size_t len, char *out, size_t room, size_t *written)
{
	size_t at = 0, to = 0;

	while (at < len && !d->full) {
		size_t left = room - to, run;
		const char *end;

		if (left < 2) /* the most that one octet can become */
			break;
		if (in[at] == '\n') {
			if (!d->after_cr)
				out[to++] = '\r';
			out[to++] = '\n';
			at++;
			count_line(d);
			continue;
		}
		if (d->line_start && in[at] == '.') {
			out[to++] = '.';
			left--;
		}
		run = len - at < left ? len - at : left;
		if ((end = memchr(in + at, '\n', run)) != NULL)
			run = (size_t) (end - in) - at;
		copy_run(d, in + at, run, out + to);
		at += run;
		to += run;
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
