/* gatekeeper.h - the login policy (login_policy.h) as fibers meet it: waiting to be let in, and waiting
 * to hear that a password was wrong. */
#pragma once
#include <sys/socket.h>

#include "base/credentials.h"
#include "base/error.h"
#include "gateway/login_policy.h"

struct gatekeeper;
struct stream;

/* Returns 0 or ERR_NO_MEMORY. */
int gatekeeper_new(const struct login_policy_limits *limits, struct gatekeeper **out);
void gatekeeper_free(struct gatekeeper *g); /* NULL is allowed */

/* Limits for who comes from now on. */
void gatekeeper_set_limits(struct gatekeeper *g, const struct login_policy_limits *limits);

/* One login on its way. */
struct gate_visit {
	struct gatekeeper *gatekeeper;
	struct login_attempt attempt;
	bool pending; /* let in, and not told yet what became of it */
};

/* Asks whether C from PEER may be tried at TARGET, and waits where there is a queue, unless CLIENT has
 * gone away. 0: go on, and tell. ERR_AUTH: answer as the server would. ERR_TEMPORARY, ERR_CLOSED,
 * ERR_CANCELLED: not now. E says why. Suspends. */
int gatekeeper_admit(struct gatekeeper *g, struct gate_visit *v,
    const struct sockaddr_storage *peer, const struct login_target *target,
    const struct credentials *c, struct stream *client, struct error *e);

/* What came of it: 0, or the error of the login. The first word counts. Does not suspend. */
void gatekeeper_tell(struct gate_visit *v, int rc);

/* After a failure of either: waits until it may be told to the client. Returns 0 or ERR_CANCELLED.
 * Suspends. */
int gatekeeper_hold_back(const struct gate_visit *v);
