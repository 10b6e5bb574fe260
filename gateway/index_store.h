/* index_store.h - where listings of mailboxes are kept (mapping/index.h): a file for each maildrop
 * in the state directory, index/<2 digits>/<digest of upstream, user and mailbox>.
 *
 * It is a cache. Whatever goes wrong means that nothing is kept, and files may be removed at any
 * time. A file is written under another name and renamed; what a crash tears shows by its checksum.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct index_place {
	char *path;	/* of the file; to be freed by free() */
	uint64_t owner; /* says in the file whose it is */
};

/* Where the index of MAILBOX of USER at UPSTREAM is. Returns 0 or ERR_NO_MEMORY. */
int index_store_place(const char *state_directory, const char *upstream, const char *user,
    const char *mailbox, struct index_place *out);

/* Reads the file at PLACE, of at most MOST octets. *OCTETS (*LEN) is to be freed by free(), and
 * NULL where there is nothing to be had. Returns 0, or ERR_CANCELLED. Suspends. */
int index_store_read(
    const struct index_place *place, size_t most, unsigned char **octets, size_t *len);

/* Removes the file at PLACE, if there is one. Errors as index_store_write. Suspends. */
int index_store_remove(const struct index_place *place);

/* Writes OCTETS (LEN), which are its own from now on. Returns 0 if they were written;
 * ERR_TEMPORARY, ERR_NO_MEMORY or ERR_CANCELLED. Suspends. */
int index_store_write(const struct index_place *place, unsigned char *octets, size_t len);
