/* sockets.h - the listening sockets of a configuration, bound once and kept across reloads.
 *
 * They belong to the process that lives longest. Whoever serves gets duplicates, so that a worker's
 * end loses none of the connections that wait in them. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "gateway/config.h"

struct sockets {
	char **addresses; /* as written */
	int *fds;
	uint64_t *until; /* the last day of each, in days since 1970; 0: there is none */
	size_t count;
};

/* Fills SOCKETS, which is empty, with those of COUNT inherited ones (inherited_take) whose address
 * a listener of CONFIG has, as if they had been bound for it. Closes the others, and logs them as
 * well as the good ones. Returns 0 or ERR_NO_MEMORY. */
int sockets_inherit(struct sockets *sockets, size_t count, const struct config *config,
    struct log *log, struct error *e);

/* Makes NEXT the sockets for CONFIG, in the order of its listeners and their addresses: one of
 * CURRENT where the address was there, a new one elsewhere. CURRENT does not change. Returns 0, or
 * an error with E naming the address, and then NEXT holds nothing. */
int sockets_prepare(const struct sockets *current, const struct config *config,
    struct sockets *next, struct error *e);

/* Ends a change from CURRENT to NEXT: closes those that NEXT does not have, and CURRENT becomes
 * NEXT. Logs the new ones. */
void sockets_commit(
    struct sockets *current, struct sockets *next, const struct config *config, struct log *log);

/* Ends it without changing CURRENT: closes those that only NEXT has. */
void sockets_abandon(const struct sockets *current, struct sockets *next);

/* Closes and forgets those whose last day is over at NOW (seconds since 1970): a connection that
 * nobody will accept is better refused by the kernel. */
void sockets_end_legacy(struct sockets *sockets, int64_t now);

/* Closes all. */
void sockets_close(struct sockets *sockets);
