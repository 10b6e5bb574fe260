/* uidset_text.h - a set of UIDs as text, "1:5,9,12:13" (RFC 3501 section 9, without "*").
 *
 * There is one text for each set, the one that uidset_format writes: ascending, nothing twice, runs
 * as ranges, no leading zeros. The empty set is the empty text. */
#pragma once
#include <stddef.h>

#include "base/uidset.h"

/* *OUT becomes the text of SET, NUL-terminated, to be freed by free(). Returns 0 or ERR_NO_MEMORY.
 */
int uidset_format(const struct uidset *set, char **out);

/* *OUT (empty before) becomes the set that TEXT (LEN octets) stands for. Returns 0, ERR_NO_MEMORY,
 * or ERR_INVALID for any text that uidset_format would not write; *OUT is empty then. */
int uidset_parse(const char *text, size_t len, struct uidset *out);
