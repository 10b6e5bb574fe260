/* progress_view.c - see progress_view.h. */
#include "gateway/progress_view.h"

#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum {
	LINE_EVERY_MS = 10000, /* where there is no terminal */
	COLUMNS_USUAL = 80,
};

static uint64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t) t.tv_sec * 1000 + (uint64_t) t.tv_nsec / 1000000;
}

static size_t
columns(FILE *terminal)
{
	struct winsize size;

	if (ioctl(fileno(terminal), TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return COLUMNS_USUAL;
	return size.ws_col - 1u; /* in the last one, a terminal may begin a new line */
}

void
progress_view_begin(struct progress_view *v, FILE *to, size_t total)
{
	*v = (struct progress_view){ .to = to,
		.is_terminal = isatty(fileno(to)) == 1,
		.so_far = { .total = total },
		.began = now_ms() };
	v->told_at = v->began;
}

void
progress_view_tick(struct progress_view *v)
{
	char text[PROGRESS_MAX];
	uint64_t now = now_ms();

	v->so_far.elapsed_ms = now - v->began;
	if (v->so_far.done == v->so_far.total)
		return;
	if (v->is_terminal) {
		progress_bar(&v->so_far, columns(v->to), text);
		fprintf(v->to, "\r\033[K%s", text);
	} else if (now - v->told_at >= LINE_EVERY_MS) {
		progress_line(&v->so_far, text);
		fprintf(v->to, "%s\n", text);
		v->told_at = now;
	}
	fflush(v->to);
}

void
progress_view_pause(struct progress_view *v)
{
	if (!v->is_terminal)
		return;
	fprintf(v->to, "\r\033[K");
	fflush(v->to);
}
