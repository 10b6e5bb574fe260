/* gatekeeper.h - the login policy (login_policy.h) as fibers meet it: waiting to be let in, and waiting
 * to hear that a password was wrong. All worker processes share its memory, so that it is the same
 * wherever the kernel puts a connection, and outlives a worker. */
#pragma once
#include <sys/socket.h>

#include "base/credentials.h"
#include "base/error.h"
#include "gateway/login_policy.h"

struct gatekeeper;
struct stream;

/* One that remembers nothing yet; limits are to be set. Returns 0 or ERR_NO_MEMORY; that may also be a
 * limit of file sizes (RLIMIT_FSIZE), which says E. */
int gatekeeper_new(struct gatekeeper **out, struct error *e);

/* The one of another process, whose gatekeeper_descriptor FD was; takes FD over, also when this fails.
 * Returns 0, ERR_INVALID or ERR_NO_MEMORY. */
int gatekeeper_attach(int fd, struct gatekeeper **out);

int gatekeeper_descriptor(const struct gatekeeper *g);
void gatekeeper_free(struct gatekeeper *g); /* NULL is allowed */

/* Limits for who comes from now on, to all processes. */
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

/* V was let in, and TARGET is where it is to be tried: asks whether that may be, and waits as
 * gatekeeper_admit. Tell in any case. Suspends. */
int gatekeeper_aim(struct gate_visit *v, const struct login_target *target, struct stream *client,
    struct error *e);

/* V was let in, and the server has rejected it; asks whether TARGET may be tried besides, and waits as
 * gatekeeper_admit. Tell in any case. Suspends. */
int gatekeeper_move(struct gate_visit *v, const struct login_target *target, struct stream *client,
    struct error *e);

/* USER from PEER is refused whatever the password is; V holds the answer back as that of a wrong one.
 * Does not suspend. */
void gatekeeper_refuse(struct gatekeeper *g, struct gate_visit *v,
    const struct sockaddr_storage *peer, const struct login_target *target, const char *user);

/* What came of it: 0, or the error of the login. The first word counts. Does not suspend. */
void gatekeeper_tell(struct gate_visit *v, int rc);

/* The same where it was rejected for what somebody else has said. */
void gatekeeper_excuse(struct gate_visit *v);

/* After a failure of either: waits until it may be told to the client. Returns 0 or ERR_CANCELLED.
 * Suspends. */
int gatekeeper_hold_back(const struct gate_visit *v);
