/* text.c - see text.h. */
#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
die(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
	exit(1);
}

void *
grown(void *old, size_t octets)
{
	void *p = realloc(old, octets);

	if (p == NULL)
		die("memory");
	return p;
}

void
text_put(struct text *t, const char *p, size_t n)
{
	if (t->len + n > t->room) {
		t->room = (t->len + n) * 2;
		t->p = grown(t->p, t->room);
	}
	memcpy(t->p + t->len, p, n);
	t->len += n;
}

void
text_putf(struct text *t, const char *fmt, ...)
{
	char line[512];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	text_put(t, line, (size_t) n);
}
