/* uidl.h - unique-id listings (RFC 1939 section 7, UIDL).
 *
 * A UIDL names a message for the life of the maildrop. It is 1 to 70 characters of 0x21-0x7E and is
 * made from a template in Dovecot's notation, so that a setting can be taken over as it is: "%u" is
 * the UID and "%v" the UIDVALIDITY in decimal; "%08Xu" is eight lower-case hex digits padded with
 * zeroes ("x" means the same; both are lower case, as Dovecot's own output is); "%%" is a percent
 * sign. Pure: no I/O. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { UIDL_MAX = 70 }; /* octets, without the final NUL */

#define UIDL_DEFAULT_TEMPLATE "%08Xu%08Xv" /* Dovecot's default */

struct uidl_template; /* opaque; owned by whoever parsed it */

/* Parses TEXT. It must contain a UID, or messages could not be told apart. On success *OUT is to be
 * freed with uidl_template_free. Returns 0, ERR_NO_MEMORY, or ERR_INVALID with *AT set to the
 * offset of the first character that cannot stand there (the length of TEXT where a UID is
 * missing). */
int uidl_template_parse(const char *text, struct uidl_template **out, size_t *at);
void uidl_template_free(struct uidl_template *t); /* NULL is allowed */

/* The template for messages of the mailbox NAME (UTF-8) that a maildrop shows behind the one that T
 * is for: as T with a mark of the name at the end, "." and 12 hex digits. UIDs of two mailboxes are
 * the same numbers, and so may their UIDVALIDITY be; no UIDL with a mark is one without, or one with
 * another. Returns 0 with *OUT to be freed with uidl_template_free, or ERR_NO_MEMORY. */
int uidl_template_mark(
    const struct uidl_template *t, const char *name, struct uidl_template **out);

/* Writes the UIDL of message UID into BUF, NUL-terminated. What the template yields outside the
 * allowed form is replaced by its stable hash form, so this cannot fail. */
void uidl_format(
    const struct uidl_template *t, uint32_t uidvalidity, uint32_t uid, char buf[UIDL_MAX + 1]);
