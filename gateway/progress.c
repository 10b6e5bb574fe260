/* progress.c - see progress.h. */
#include "gateway/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MINUTE_MS = 60000, BAR_MAX = 40, BAR_MIN = 5 };

/* Users a minute; 0 while that is not known. */
static uint64_t
rate(const struct progress *p)
{
	size_t worked = p->done - p->passed;

	return p->elapsed_ms == 0 ? 0 : (uint64_t) worked * MINUTE_MS / p->elapsed_ms;
}

static void
write_left(const struct progress *p, char *buf, size_t room)
{
	size_t worked = p->done - p->passed;
	uint64_t seconds;

	buf[0] = '\0';
	if (worked == 0 || p->done == p->total)
		return;
	seconds = (uint64_t) (p->total - p->done) * p->elapsed_ms / worked / 1000;
	if (seconds >= 3600)
		snprintf(buf, room, ", %" PRIu64 ":%02u:%02u left", seconds / 3600,
		    (unsigned) (seconds / 60 % 60), (unsigned) (seconds % 60));
	else
		snprintf(buf, room, ", %u:%02u left", (unsigned) (seconds / 60),
		    (unsigned) (seconds % 60));
}

void
progress_bar(const struct progress *p, size_t width, char buf[PROGRESS_MAX])
{
	char left[40], text[PROGRESS_MAX], bar[BAR_MAX + 1];
	size_t total = p->total != 0 ? p->total : 1, len, cells, full;

	write_left(p, left, sizeof(left));
	snprintf(text, sizeof(text), "%zu%% %zu/%zu, %" PRIu64 "/min%s", p->done * 100 / total,
	    p->done, p->total, rate(p), left);
	len = strlen(text);
	cells = width > len + 3 ? width - len - 3 : 0;
	if (cells > BAR_MAX)
		cells = BAR_MAX;
	if (cells < BAR_MIN) {
		snprintf(buf, width + 1 < PROGRESS_MAX ? width + 1 : PROGRESS_MAX, "%s", text);
		return;
	}
	full = p->done * cells / total;
	memset(bar, '#', full);
	memset(bar + full, '.', cells - full);
	bar[cells] = '\0';
	snprintf(buf, PROGRESS_MAX, "[%s] %.*s", bar, PROGRESS_MAX - BAR_MAX - 4, text);
}

void
progress_line(const struct progress *p, char buf[PROGRESS_MAX])
{
	char left[40];

	write_left(p, left, sizeof(left));
	snprintf(buf, PROGRESS_MAX, "%zu of %zu users, %" PRIu64 " a minute%s", p->done, p->total,
	    rate(p), left);
}
