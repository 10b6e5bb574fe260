/* uidl_sample.c - see uidl_sample.h. */
#include "mapping/uidl_sample.h"

#include <string.h>

void
uidl_sample_add(struct uidl_sample *sample, const char *uidl)
{
	size_t len = strnlen(uidl, UIDL_MAX);

	if (sample->count++ >= UIDL_SAMPLE_MAX)
		return;
	if (sample->len > 0)
		sample->text[sample->len++] = ' ';
	memcpy(sample->text + sample->len, uidl, len);
	sample->len += len;
	sample->text[sample->len] = '\0';
}

bool
uidl_sample_next(const char **text, char uidl[UIDL_MAX + 1])
{
	size_t len, kept;

	*text += strspn(*text, " ");
	len = strcspn(*text, " ");
	kept = len < UIDL_MAX ? len : UIDL_MAX;
	memcpy(uidl, *text, kept);
	uidl[kept] = '\0';
	*text += len;
	return len > 0;
}
