/* text.h - small questions about pieces of text: strict numbers, ASCII case, UTF-8.
 *
 * Locale-free and NUL-safe: every function takes a length. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads LEN decimal digits into *OUT. Digits only: no sign, no blanks, no empty text. Returns 0,
 * ERR_INVALID, or ERR_LIMIT when the number is over MAX. */
int text_to_number(const char *text, size_t len, uint64_t max, uint64_t *out);

enum { TEXT_NUMBER_MAX = 20 }; /* digits of a number, in either base */

/* Writes NUMBER with base 10 or 16 (lower case), without a final NUL. Returns how many octets. Much
 * faster than snprintf, for listings of a million lines. */
size_t text_from_number(uint64_t number, unsigned base, char out[TEXT_NUMBER_MAX]);

/* Whether TEXT (LEN octets) equals the NUL-terminated WORD, ASCII letters of any case. */
bool text_is_word(const char *text, size_t len, const char *word);

/* How many octets of TEXT (LEN octets) are the byte order mark that some editors write before UTF-8: 3 or 0. */
size_t text_mark(const char *text, size_t len);

/* Whether TEXT (LEN octets) is well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, at
 * most U+10FFFF). */
bool text_is_utf8(const char *text, size_t len);

/* Whether TEXT (LEN octets) is an atom of IMAP (RFC 3501 section 9): at least one character, none
 * of them special. */
bool text_is_atom(const char *text, size_t len);

/* Writes TEXT (LEN octets) to OUT (ROOM octets, at least 5) so that a terminal or a log can show it
 * safely: octets outside 0x20-0x7E, and the backslash, become \xNN; what does not fit is cut and
 * ends in "...". NUL-terminated. */
void text_escape(const char *text, size_t len, char *out, size_t room);

/* Writes TEXT as it is where it is UTF-8 without control characters and fits, so that it can be
 * joined with what it came from; else as text_escape does. */
void text_copy_legible(const char *text, size_t len, char *out, size_t room);
