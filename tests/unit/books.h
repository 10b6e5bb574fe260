/* books.h - books of UIDLs for tests. */
#pragma once
#include <string.h>

#include "mapping/uidl_book.h"

/* A book with the template TEXT alone; NULL where that fails. */
static inline struct uidl_book *
book_of(const char *text)
{
	struct uidl_book *book;

	if (uidl_book_new(&book) != 0)
		return NULL;
	if (uidl_book_add_template_text(book, 1, text, strlen(text)) == 0)
		return book;
	uidl_book_free(book);
	return NULL;
}
