/* uidl_book.h - the UIDLs of one maildrop: made by templates, but for exceptions.
 *
 * Each template rules from a UID on, up to where the next one begins: when the setting changes, what
 * was shown keeps the template that it was shown with. Exceptions are UIDLs that no template makes,
 * by UID: of an earlier server, or of an attribute of the message. Pure: no I/O. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mapping/uidl.h"

struct uidl_book;

/* An exception. */
struct uidl_entry {
	uint32_t uid;
	uint8_t source; /* whatever the owner of the book calls it */
	bool is_new;	/* came by uidl_book_assign */
	bool is_kept;	/* came by uidl_book_keep */
	const char *uidl; /* until the book is next changed */
};

/* An empty book: nothing can be asked of it before it has a template. Returns 0 or ERR_NO_MEMORY. */
int uidl_book_new(struct uidl_book **out);
void uidl_book_free(struct uidl_book *book); /* NULL is allowed */

/* A and B change places. */
void uidl_book_swap(struct uidl_book *a, struct uidl_book *b);

/* Takes back all that was put in. */
void uidl_book_clear(struct uidl_book *book);

/* Messages from UID FIRST on have the UIDLs of T, which must outlive the book. FIRST grows from call to
 * call; the first call has 1. A template that began with the same UID has made nothing yet, and goes.
 * Returns 0, ERR_INVALID or ERR_NO_MEMORY. */
int uidl_book_add_template(struct uidl_book *book, uint32_t first, const struct uidl_template *t);

/* As uidl_book_add_template for what uidl_template_text told, TEXT (LEN octets): the book owns the
 * template. */
int uidl_book_add_template_text(
    struct uidl_book *book, uint32_t first, const char *text, size_t len);

/* The template of messages to come, NULL where there is none, and the UID it rules from. */
const struct uidl_template *uidl_book_last(const struct uidl_book *book, uint32_t *first);

/* Whether uidl_book_add_template was used: the ledger has to be told. */
bool uidl_book_has_new_template(const struct uidl_book *book);

/* Whether one template makes all UIDLs of UID and UIDVALIDITY, so that they differ by themselves, and none
 * is reserved. */
bool uidl_book_is_plain(const struct uidl_book *book);

/* The template of message UID. */
const struct uidl_template *uidl_book_template(const struct uidl_book *book, uint32_t uid);

/* Message UID has UIDL (LEN octets). Ascending order is cheapest. Returns 0; ERR_INVALID: UID has one,
 * or it is no UIDL; or ERR_NO_MEMORY. */
int uidl_book_add(
    struct uidl_book *book, uint32_t uid, const char *uidl, size_t len, uint8_t source);

/* The same, in place of what UID has, and new to the ledger. */
int uidl_book_assign(
    struct uidl_book *book, uint32_t uid, const char *uidl, size_t len, uint8_t source);

/* As uidl_book_assign for a UIDL that clients know the message by already, under another UIDVALIDITY. */
int uidl_book_keep(
    struct uidl_book *book, uint32_t uid, const char *uidl, size_t len, uint8_t source);

/* Clients know a message by UIDL that is none of those in the book, as far as can be told: no message is to
 * get it now. Returns 0 or ERR_NO_MEMORY. */
int uidl_book_reserve(struct uidl_book *book, const char *uidl);

/* Those UIDLs, by index; valid until the book is next changed. */
size_t uidl_book_reserved_count(const struct uidl_book *book);
const char *uidl_book_reserved(const struct uidl_book *book, size_t index);

/* The exception for UID; NULL: there is none. Valid until the book is changed. */
const char *uidl_book_find(const struct uidl_book *book, uint32_t uid);

/* Exceptions in ascending order of UID, by index. */
size_t uidl_book_entry_count(const struct uidl_book *book);
struct uidl_entry uidl_book_entry(const struct uidl_book *book, size_t index);

/* How many of them are new. */
size_t uidl_book_new_count(const struct uidl_book *book);

/* Writes the UIDL of message UID into BUF, NUL-terminated. */
void uidl_book_format(
    const struct uidl_book *book, uint32_t uidvalidity, uint32_t uid, char buf[UIDL_MAX + 1]);
