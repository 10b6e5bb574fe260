/* config_parse.h - the form of a configuration file. Pure: a buffer in, events out.
 *
 *	# a comment, to the end of the line
 *	name = value
 *	name = first, second, "quoted: a # is no comment, \" and \\ stand for themselves"
 *	kind label {		# a block; the label may be missing
 *		name = value
 *	}
 *
 * What a name means is not known here. The parser is our own because every fault is to be reported
 *with its line, not only the first one: it goes on behind each. */
#pragma once
#include <stddef.h>

enum { CONFIG_ITEMS_MAX = 256 }; /* values of one setting */

/* All texts are NUL-terminated UTF-8 without control characters and valid only during the call.
 * Lines count from 1. */
struct config_events {
	/* KIND LABEL {  -- LABEL is "" where there is none. Blocks do not nest; each gets its end.
	 */
	void (*block_begin)(void *ctx, unsigned line, const char *kind, const char *label);
	void (*block_end)(void *ctx, unsigned line);
	/* NAME = ITEMS[0], ..., ITEMS[COUNT - 1]  -- at least one, perhaps "". */
	void (*setting)(
	    void *ctx, unsigned line, const char *name, const char *const *items, size_t count);
	/* The line cannot be understood. */
	void (*fault)(void *ctx, unsigned line, const char *message);
};

/* Parses TEXT (LEN octets). Faults are events; the result is 0, or ERR_NO_MEMORY. */
int config_parse(const char *text, size_t len, const struct config_events *events, void *ctx);
