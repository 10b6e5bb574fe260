/* text_list.h - a list of texts, all owned by it. */
#pragma once
#include <stddef.h>

struct text_list {
	char **items;
	size_t count;
};

/* *OUT becomes a copy of LIST. Returns 0, or ERR_NO_MEMORY with *OUT empty. */
int text_list_copy(const struct text_list *list, struct text_list *out);

/* Frees what LIST owns; it is empty afterwards. */
void text_list_clear(struct text_list *list);
