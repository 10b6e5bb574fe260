/* table.h - a table of users as fibers meet it: table_file.h on the thread pool. Part of a
 * configuration, and counted, because a look-up may outlive its fiber. */
#pragma once
#include "base/error.h"
#include "gateway/table_line.h"

struct table;

/* Of the file PATH; its index is opened at the first look-up. Returns 0 or ERR_NO_MEMORY. */
int table_new(const char *path, struct table **out);
void table_unref(struct table *table); /* NULL is allowed; on the loop's thread */

/* The line of USER or of its domain. Returns 0, ERR_GONE: there is none; ERR_TEMPORARY with E;
 * ERR_NO_MEMORY; ERR_CANCELLED. Suspends. */
int table_find(
    struct table *table, const char *user, struct table_line *out, struct error *e);
