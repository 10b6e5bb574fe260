/* uidl.h - unique-id listings (RFC 1939 section 7, UIDL).
 *
 * A UIDL names a message for the life of the maildrop. It is 1 to 70 characters of 0x21-0x7E and is
 * made from a template in Dovecot's notation, so that a setting can be taken over as it is: "%u" is
 * the UID and "%v" the UIDVALIDITY in decimal; "%08Xu" is eight lower-case hex digits padded with
 * zeroes ("x" means the same; both are lower case, as Dovecot's own output is); "%%" is a percent
 * sign. A word without "%" is the name of a server, whose template it stands for, or of an attribute
 * that servers tell of a message. Pure: no I/O. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UIDL_MAX = 70 }; /* octets, without the final NUL */

#define UIDL_DEFAULT_TEMPLATE "%08Xu%08Xv" /* Dovecot's default */

struct uidl_template; /* opaque; owned by whoever parsed it */

/* What UIDLs are made of. */
enum uidl_attribute {
	UIDL_OF_NUMBERS, /* UID and UIDVALIDITY */
	UIDL_OF_GMAIL_ID,   /* X-GM-MSGID */
	UIDL_OF_MESSAGE_ID, /* the header field */
	UIDL_OF_EMAILID,    /* RFC 8474 */
	UIDL_OF_GUID,	    /* X-GUID of Dovecot */
};

/* A name that a template may be given by. */
struct uidl_preset {
	const char *name;
	const char *template; /* NULL: the UIDLs are of an attribute */
	enum uidl_attribute attribute;
};

/* All of them, in the order of the documentation; the last one has no name. */
extern const struct uidl_preset uidl_presets[];

/* Parses TEXT: a template, which must contain a UID, or messages could not be told apart; or the name
 * of a preset. On success *OUT is to be freed with uidl_template_free. Returns 0, ERR_NO_MEMORY, or
 * ERR_INVALID with *AT set to the offset of the first character that cannot stand there (the length
 * of TEXT where a UID is missing). */
int uidl_template_parse(const char *text, struct uidl_template **out, size_t *at);
void uidl_template_free(struct uidl_template *t); /* NULL is allowed */

/* T as text, for uidl_template_restore: the same for all names of a template. */
const char *uidl_template_text(const struct uidl_template *t);

/* As uidl_template_parse for what uidl_template_text told, TEXT of LEN octets. */
int uidl_template_restore(const char *text, size_t len, struct uidl_template **out);

/* What T makes UIDLs of. */
enum uidl_attribute uidl_template_attribute(const struct uidl_template *t);

/* Whether TEXT (LEN octets) may be a UIDL. */
bool uidl_is_valid(const char *text, size_t len);

/* The template for messages of the mailbox NAME (UTF-8) that a maildrop shows behind the one that T
 * is for: as T with a mark of the name at the end, "." and 12 hex digits. UIDs of two mailboxes are
 * the same numbers, and so may their UIDVALIDITY be; no UIDL with a mark is one without, or one with
 * another. Returns 0 with *OUT to be freed with uidl_template_free, or ERR_NO_MEMORY. */
int uidl_template_mark(
    const struct uidl_template *t, const char *name, struct uidl_template **out);

/* Writes the UIDL of message UID into BUF, NUL-terminated. What the template yields outside the
 * allowed form is replaced by its stable hash form, so this cannot fail. Where UIDLs are of an attribute
 * it is the hash form, for a message that has none. */
void uidl_format(
    const struct uidl_template *t, uint32_t uidvalidity, uint32_t uid, char buf[UIDL_MAX + 1]);

/* Writes the UIDL that T makes of its attribute's value VALUE (LEN octets, foreign; of a Message-ID
 * the field with or without its name) into BUF. Returns 0, or
 * ERR_INVALID: there is no value. */
int uidl_from_attribute(
    const struct uidl_template *t, const char *value, size_t len, char buf[UIDL_MAX + 1]);
