/* census.h - how many sessions there are: in all, from one address, of one user, and before login; and
 * how many come.
 *
 * Counts of all worker processes together, in memory that they share. It holds no address and no
 * name, only keyed digests of them, so that nobody can choose them to collide, or read them there.
 * Does not suspend. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"

struct census_limits {
	size_t sessions;	     /* in all */
	size_t sessions_per_address; /* an IPv4 address or an IPv6 /64 */
	size_t sessions_per_user;    /* a user of one upstream */
	size_t sessions_here;	     /* of this process; 0: as many as in all */
	uint32_t arrivals_per_minute; /* from an address; 0: any number */
};

enum census_answer {
	CENSUS_ADMITTED,
	CENSUS_ADDRESS_FULL, /* this address has its share */
	CENSUS_FULL,	     /* all sessions are taken; the address has some of its share left */
};

enum { CENSUS_SESSIONS_MAX = 1000000 }; /* more are never admitted, whatever the limits say */

/* What a session holds while it is counted. */
struct census_seat {
	uint32_t number;
	uint64_t serial; /* no other session of this census ever has the same */
};

struct census;

/* A new census, with nobody in it. It is laid out for LIMITS, which may change later. Returns 0 or
 * ERR_NO_MEMORY; that may also be a limit of file sizes (RLIMIT_FSIZE), which says E. */
int census_new(const struct census_limits *limits, struct census **out, struct error *e);

/* The census of another process, whose census_descriptor FD was; takes FD over, also when this
 * fails. Sessions are counted as those of WORKER (not 0). Returns 0, ERR_INVALID or ERR_NO_MEMORY.
 */
int census_attach(int fd, uint32_t worker, struct census **out);

int census_descriptor(const struct census *census);
void census_free(struct census *census); /* NULL is allowed */

/* Limits of this process, for who comes from now on; who is in stays. */
void census_set_limits(struct census *census, const struct census_limits *limits);

/* A connection from PEER comes at NOW, in milliseconds of a clock that all processes have in common.
 * Returns whether it is one of those that its address may make in a minute (see arrival_table.h). */
bool census_arrive(struct census *census, const struct sockaddr_storage *peer, uint64_t now);

/* Counts a connection from PEER in and fills SEAT; NULL: in all only, because a proxy has not said
 * yet from whom it is. When the answer is not CENSUS_ADMITTED nothing was counted. */
enum census_answer census_enter(
    struct census *census, const struct sockaddr_storage *peer, struct census_seat *seat);

/* The connection of SEAT, which came in with NULL, is one from PEER: with CENSUS_ADMITTED it counts
 * for that address, else still for none. */
enum census_answer census_name(
    struct census *census, const struct census_seat *seat, const struct sockaddr_storage *peer);

/* Counts it out again, from its address and its user too. */
void census_leave(struct census *census, const struct census_seat *seat);

/* The session of SEAT has logged in. Until then it is one of those who wait. */
void census_log_in(struct census *census, const struct census_seat *seat);

/* Those who have not logged in: in all (waits for nobody); and of the address of SEAT, which counts
 * itself. */
size_t census_waiting(const struct census *census);
size_t census_waiting_beside(struct census *census, const struct census_seat *seat);

/* Counts the session of SEAT as one of USER at UPSTREAM (ASCII letters of USER count as equal in
 * either case). Returns 0, ERR_LIMIT when the user has its share, or ERR_NO_MEMORY; only after 0
 * census_leave_user may be called. */
int census_enter_user(
    struct census *census, const struct census_seat *seat, const char *upstream, const char *user);
void census_leave_user(struct census *census, const struct census_seat *seat);

/* Whether this worker has clearly more sessions than one of the others, which should have the next.
 */
bool census_is_ahead(const struct census *census);

/* This worker admits nobody any more, and the others need not wait for it. */
void census_retire(struct census *census);

/* Counts out all sessions of WORKER, which has ended. Returns how many there were. */
size_t census_remove_worker(struct census *census, uint32_t worker);

/* Connections that are in now. Waits for nobody, also while somebody changes that. */
size_t census_count(const struct census *census);

/* 32 bits of chance that all processes of this census have in common. */
uint32_t census_random(const struct census *census);
