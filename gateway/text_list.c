/* text_list.c - see text_list.h. */
#include "gateway/text_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

int
text_list_copy(const struct text_list *list, struct text_list *out)
{
	*out = (struct text_list){ .items = calloc(list->count + 1, sizeof(*out->items)) };
	if (out->items == NULL)
		return ERR_NO_MEMORY;
	for (; out->count < list->count; out->count++) {
		if ((out->items[out->count] = strdup(list->items[out->count])) == NULL) {
			text_list_clear(out);
			return ERR_NO_MEMORY;
		}
	}
	return 0;
}

void
text_list_clear(struct text_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct text_list){ 0 };
}
