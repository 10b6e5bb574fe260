/* database_at_once.c - see database_at_once.h. */
#include "gateway/database_at_once.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/uio.h>
#include <unistd.h>

#include <sqlite3.h>

#define CALL_NAME "pread64" /* by which SQLite reads files */

/* SQLite tells a system call nothing of the connection it is for. */
static _Thread_local bool at_once;

/* No file here can be read so: by kind of file system or of kernel. */
static atomic_bool impossible;

static ssize_t
read_at(int file, void *octets, size_t len, off64_t offset)
{
	const struct iovec part = { octets, len };
	ssize_t n;

	if (!at_once)
		return pread64(file, octets, len, offset);
	n = preadv2(file, &part, 1, offset, RWF_NOWAIT);
	if (n < 0 && (errno == EOPNOTSUPP || errno == ENOSYS))
		atomic_store(&impossible, true);
	return n;
}

/* Makes SQLite read by read_at. Its interface for that may be missing, or this call of it unused. */
static bool
install(void)
{
	const sqlite3_syscall_ptr mine = (sqlite3_syscall_ptr) read_at;
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	sqlite3_syscall_ptr now;

	if (vfs == NULL || vfs->iVersion < 3 || vfs->xGetSystemCall == NULL ||
	    vfs->xSetSystemCall == NULL ||
	    (now = vfs->xGetSystemCall(vfs, CALL_NAME)) == NULL)
		return false;
	return now == mine || vfs->xSetSystemCall(vfs, CALL_NAME, mine) == SQLITE_OK;
}

bool
database_reads_at_once(void)
{
	at_once = !atomic_load(&impossible) && install();
	return at_once;
}

void
database_reads_wait(void)
{
	at_once = false;
}
