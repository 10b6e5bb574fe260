/* uidl_csv.h - UIDLs of an old server in a file of comma-separated values (RFC 4180).
 *
 * The first line names the columns: "user" and "uidl" must be among them; "size", "message-id" and
 * "position" (of the message in its maildrop, from 1 on) may be; others are passed over. Lines of one
 * user stand together, in the order of the maildrop. A value that holds commas or quotation marks
 * stands in quotation marks, doubled within. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
	UIDL_CSV_LINE_MAX = 4096, /* octets of a line */
	UIDL_CSV_COLUMNS = 5,	  /* that have a meaning */
};

struct uidl_csv { /* { 0 } is at the beginning of a file */
	bool begun;
	unsigned at[UIDL_CSV_COLUMNS]; /* which value of a line, from 1 on; 0: there is none */
	char line[UIDL_CSV_LINE_MAX + 1]; /* the last one, cut into its values */
};

/* Texts are valid until the next call. */
struct uidl_csv_row {
	const char *user;
	const char *uidl;
	const char *message_id; /* ""; not told */
	uint64_t size;		/* UINT64_MAX: not told */
	uint32_t position;	/* 0: not told */
};

/* Reads the next LINE (LEN octets, without its end). *IS_ROW: it is one, and *ROW holds it; else it
 * names the columns, or is empty. Returns 0, or ERR_INVALID with a text. */
int uidl_csv_read(struct uidl_csv *csv, const char *line, size_t len, struct uidl_csv_row *row,
    bool *is_row, struct error *e);
