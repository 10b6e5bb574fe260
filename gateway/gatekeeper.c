/* gatekeeper.c - see gatekeeper.h. */
#include "gateway/gatekeeper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/crypto.h>

#include "fiberio/stream.h"

enum {
	ADDRESSES = 16384,
	NETWORKS = 4096,
	USERS = 32768,
	KNOWN = 131072,
	ASK_AGAIN_MS = 200, /* and up to as much again, so that those who wait do not march in step */
};

struct gatekeeper {
	void *region; /* the policy's; one process has it for itself, so nobody else holds its lock */
};

static int
make_region(struct gatekeeper *g)
{
	struct login_policy_options options = {
		.addresses = ADDRESSES, .networks = NETWORKS, .users = USERS, .known = KNOWN
	};
	ssize_t got;

	do
		got = getrandom(options.key, sizeof(options.key), 0);
	while (got < 0 && errno == EINTR); /* early at boot */
	if (got != (ssize_t) sizeof(options.key) ||
	    (g->region = calloc(1, login_policy_size(&options))) == NULL)
		return ERR_NO_MEMORY;
	login_policy_init(g->region, &options);
	OPENSSL_cleanse(&options, sizeof(options));
	return 0;
}

int
gatekeeper_new(const struct login_policy_limits *limits, struct gatekeeper **out)
{
	struct gatekeeper *g;

	if ((g = calloc(1, sizeof(*g))) == NULL)
		return ERR_NO_MEMORY;
	if (make_region(g) != 0) {
		free(g);
		return ERR_NO_MEMORY;
	}
	gatekeeper_set_limits(g, limits);
	*out = g;
	return 0;
}

void
gatekeeper_free(struct gatekeeper *g)
{
	if (g == NULL)
		return;
	free(g->region);
	free(g);
}

void
gatekeeper_set_limits(struct gatekeeper *g, const struct login_policy_limits *limits)
{
	login_policy_set_limits(g->region, limits);
}

static uint16_t
chance(void)
{
	uint16_t value = 1 << 15;

	if (getrandom(&value, sizeof(value), GRND_NONBLOCK) < 0)
		return 1 << 15;
	return value;
}

/* In a queue. Who has gone away leaves it. */
static int
wait_for_turn(struct stream *client, struct error *e)
{
	int rc;

	if ((rc = fiber_sleep(ASK_AGAIN_MS + chance() % ASK_AGAIN_MS)) != 0)
		return error_set(e, rc, "cancelled");
	if (stream_peer_closed(client))
		return error_set(e, ERR_CLOSED, "the client went away before the server was asked");
	return 0;
}

int
gatekeeper_admit(struct gatekeeper *g, struct gate_visit *v, const struct sockaddr_storage *peer,
    const struct login_target *target, const struct credentials *c, struct stream *client,
    struct error *e)
{
	int rc;

	v->gatekeeper = g;
	v->pending = false;
	login_policy_identify(g->region, &v->attempt, peer, target, c, chance(), fiber_now());
	for (;;) {
		switch (login_policy_ask(g->region, &v->attempt, fiber_now())) {
		case LOGIN_GO:
			v->pending = true;
			return 0;
		case LOGIN_WAIT:
			break;
		case LOGIN_REJECTED:
			return error_set(e, ERR_AUTH, "too many failed logins of this user");
		case LOGIN_BUSY:
			return error_set(e, ERR_TEMPORARY,
			    "too many logins of this user or from this address are under way");
		case LOGIN_OVERSPENT:
			return error_set(e, ERR_TEMPORARY,
			    "max_failed_logins is reached, and the user is not known");
		}
		if ((rc = wait_for_turn(client, e)) != 0)
			return rc;
	}
}

static bool
is_rejection(int rc)
{
	return rc == ERR_AUTH || rc == ERR_AUTH_DENIED || rc == ERR_AUTH_EXPIRED ||
	       rc == ERR_AUTH_PRIVACY;
}

void
gatekeeper_tell(struct gate_visit *v, int rc)
{
	enum login_outcome outcome = rc == 0		? LOGIN_SUCCEEDED
				     : is_rejection(rc) ? LOGIN_FAILED
							: LOGIN_UNKNOWN;

	if (!v->pending)
		return;
	v->pending = false;
	login_policy_tell(v->gatekeeper->region, &v->attempt, outcome, fiber_now());
}

int
gatekeeper_hold_back(const struct gate_visit *v)
{
	uint64_t now = fiber_now();

	return v->attempt.answer_at > now ? fiber_sleep(v->attempt.answer_at - now) : 0;
}
