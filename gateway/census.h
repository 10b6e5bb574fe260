/* census.h - how many sessions there are: in all, from one address, of one user.
 *
 * Counts of this process. Foreign keys (addresses, user names) meet a keyed hash, so that nobody
 * can choose them to collide. Does not suspend. */
#pragma once
#include <stddef.h>
#include <sys/socket.h>

#include "base/error.h"

struct census_limits {
	size_t sessions;	     /* in all */
	size_t sessions_per_address; /* an IPv4 address or an IPv6 /64 */
	size_t sessions_per_user;    /* a user of one upstream */
};

enum census_answer {
	CENSUS_ADMITTED,
	CENSUS_ADDRESS_FULL, /* this address has its share */
	CENSUS_FULL,	     /* all sessions are taken; the address has some of its share left */
	CENSUS_NO_MEMORY,
};

struct census;

/* Returns 0 or ERR_NO_MEMORY. */
int census_new(const struct census_limits *limits, struct census **out);
void census_free(struct census *census); /* NULL is allowed */

/* Limits for who comes from now on; who is in stays. */
void census_set_limits(struct census *census, const struct census_limits *limits);

/* Counts a connection from PEER in. When the answer is not CENSUS_ADMITTED nothing was counted. */
enum census_answer census_enter(struct census *census, const struct sockaddr_storage *peer);
void census_leave(struct census *census, const struct sockaddr_storage *peer);

/* Counts a session of USER at UPSTREAM in (copies of the names are kept; ASCII letters of USER
 * count as equal in either case). Returns 0, ERR_LIMIT when the user has its share, or
 * ERR_NO_MEMORY; only after 0 census_leave_user is due. */
int census_enter_user(struct census *census, const char *upstream, const char *user);
void census_leave_user(struct census *census, const char *upstream, const char *user);

/* Connections that are in now. */
size_t census_count(const struct census *census);
