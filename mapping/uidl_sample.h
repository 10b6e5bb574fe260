/* uidl_sample.h - the first UIDLs of many, as one text, and how many there were. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mapping/uidl.h"

enum { UIDL_SAMPLE_MAX = 100 }; /* UIDLs that are kept */

struct uidl_sample { /* { 0 } is empty */
	uint64_t count;
	size_t len; /* of TEXT: what is kept, a blank between, NUL-terminated */
	char text[UIDL_SAMPLE_MAX * (UIDL_MAX + 1)];
};

/* Counts UIDL, and keeps it while there is room. */
void uidl_sample_add(struct uidl_sample *sample, const char *uidl);

/* Takes the first UIDL of *TEXT, a sample's, which may come from a file: what is longer than a UIDL is
 * cut. Returns whether there was one. */
bool uidl_sample_next(const char **text, char uidl[UIDL_MAX + 1]);
