/* database_at_once.h - looking something up in a database without waiting, on the loop's own thread.
 *
 * What a login wants to know is a few pages that the kernel has in memory, nearly always; to go to another
 * thread for them and back costs more than to read them. So it is tried here first. Whatever would have
 * to wait fails, and is then done on the thread pool as ever: pages that would have to come from the
 * disk (RWF_NOWAIT of preadv2(2)), locks that somebody else holds, a file that is not open or was moved,
 * and what takes SQLite more than a moment to compute. */
#pragma once
#include <stdbool.h>

/* In place of a deadline. Functions that take it read only; they return ERR_TEMPORARY where they would
 * have to wait, or could not find out. Whoever gives it calls database_reads_wait afterwards, whatever
 * came of it: what else SQLite reads on that thread may wait. */
#define DATABASE_AT_ONCE 0

/* From now on, what SQLite reads on this thread has to be in memory. False: that cannot be had here.
 * From any thread. */
bool database_reads_at_once(void);

/* From now on, what SQLite reads on this thread may come from the disk. From any thread. */
void database_reads_wait(void);
