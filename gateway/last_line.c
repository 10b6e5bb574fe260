/* last_line.c - see last_line.h. */
#include "gateway/last_line.h"

#include <string.h>

#include "base/text.h"

static void
add(struct last_line *l, const char *data, size_t len)
{
	size_t room = sizeof(l->now) - l->now_len;

	if (len > room)
		len = room;
	memcpy(l->now + l->now_len, data, len);
	l->now_len += len;
}

void
last_line_feed(struct last_line *l, const char *data, size_t len)
{
	const char *end = memrchr(data, '\n', len), *before;

	if (end != NULL) {
		before = memrchr(data, '\n', (size_t) (end - data));
		if (before != NULL)
			l->now_len = 0;
		else
			before = data - 1;
		add(l, before + 1, (size_t) (end - before) - 1);
		memcpy(l->last, l->now, l->now_len);
		l->last_len = l->now_len;
		l->now_len = 0;
		len -= (size_t) (end + 1 - data);
		data = end + 1;
	}
	add(l, data, len);
}

bool
last_line_is_complete(const struct last_line *l)
{
	return l->now_len == 0;
}

bool
last_line_begins(const struct last_line *l, const char *word)
{
	size_t len = strlen(word);

	return l->last_len >= len && text_is_word(l->last, len, word) &&
	       (l->last_len == len || strchr(" \t\r", l->last[len]) != NULL);
}
