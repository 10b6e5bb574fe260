/* random.h - octets that nobody can guess. */
#pragma once
#include <stddef.h>

/* Fills OUT (LEN octets) from the kernel's generator, for keys. Waits only early at boot, until there is a seed.
 * By the kernel, and not by OpenSSL, whose own generator costs a process 0.2 MB, where nothing else of it is used.
 * Returns 0, or ERR_TEMPORARY: there are none; OUT is not to be used then. */
int random_fill(void *out, size_t len);
