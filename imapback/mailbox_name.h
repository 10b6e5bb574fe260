/* mailbox_name.h - mailbox names on the wire: modified UTF-7 (RFC 3501 section 5.1.3). Pure. */
#pragma once
#include <stddef.h>

/* Writes NAME (UTF-8, NUL-terminated) in modified UTF-7 to OUT (ROOM octets), NUL-terminated; names
 * of printable ASCII but
 * "&" stay as they are. Returns 0; ERR_INVALID where NAME is empty, has control characters, or is
 * not UTF-8; ERR_LIMIT where it does not fit. */
int mailbox_name_encode(const char *name, char *out, size_t room);
