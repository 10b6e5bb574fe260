/* table_file.h - the index of a table of users: an SQLite file beside the table, made by "popgate table
 * build", so that a table of millions of lines costs a look-up, and no memory.
 *
 * Functions block. What is in the file is foreign when it is read. */
#pragma once
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "gateway/table_line.h"

#define TABLE_INDEX_SUFFIX ".db"

/* Makes the index of the table at PATH, which takes the place of an earlier one when it is complete and
 * on disk; one at a time. Every faulty line is told to REMARKS, and then there is no new index. Returns 0 with *COUNT
 * users; ERR_INVALID: there are faults; ERR_TEMPORARY with E; ERR_NO_MEMORY. */
int table_build(const char *path, FILE *remarks, uint64_t *count, struct error *e);

struct table_file; /* an index, opened at its first use and whenever there is a new one */

/* Of the table at PATH. Returns 0 or ERR_NO_MEMORY. */
int table_file_new(const char *path, struct table_file **out);
void table_file_free(struct table_file *t); /* NULL is allowed */

/* The line of USER, else that of its domain. Returns 0, ERR_GONE: there is neither; ERR_TEMPORARY with E;
 * ERR_NO_MEMORY. One call at a time, from any thread. */
int table_file_find(
    struct table_file *t, const char *user, struct table_line *out, struct error *e);

/* Whether the index of the table at PATH is there and as new as the table: 0, ERR_GONE: there is none,
 * or ERR_INVALID: the table was changed since. */
int table_file_check(const char *path);
