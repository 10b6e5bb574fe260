/* text.h - text that grows as it is written; whoever runs out of memory ends here. */
#pragma once
#include <stddef.h>

/* Zeroed, it is empty. P is to be freed. */
struct text {
	char *p;
	size_t len, room; /* octets */
};

/* Says what failed, with errno, and ends the program. */
_Noreturn void die(const char *what);

/* OLD with room for OCTETS. */
void *grown(void *old, size_t octets);

void text_put(struct text *t, const char *p, size_t n);

/* As printf; up to 511 octets at a time. */
__attribute__((format(printf, 2, 3))) void text_putf(struct text *t, const char *fmt, ...);
