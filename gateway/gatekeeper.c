/* gatekeeper.c - see gatekeeper.h. */
#include "gateway/gatekeeper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/crypto.h>

#include "base/random.h"
#include "fiberio/stream.h"
#include "gateway/shared.h"

enum {
	ADDRESSES = 16384,
	NETWORKS = 4096,
	USERS = 32768,
	KNOWN = 131072,
	/* Between two looks, at first and at most. Up to as much again is added, so that those who
	 * wait do not march in step. */
	ASK_AGAIN_FIRST_MS = 8,
	ASK_AGAIN_MOST_MS = 200,
};

struct gatekeeper {
	struct shared *shared;
	void *region; /* the policy's, in SHARED */
};

static const struct login_policy_options sizes = {
	.addresses = ADDRESSES, .networks = NETWORKS, .users = USERS, .known = KNOWN
};

/* Who dies within the policy leaves it usable: a counter may be off by one, or say of one key what
 * was another's. Making it anew would forget what it is for. */
static void
policy_repair(void *memory)
{
	(void) memory;
}

static int
gatekeeper_on(struct shared *shared, struct gatekeeper **out)
{
	struct gatekeeper *g;

	if ((g = calloc(1, sizeof(*g))) == NULL) {
		shared_free(shared);
		return ERR_NO_MEMORY;
	}
	g->shared = shared;
	g->region = shared_memory(shared);
	*out = g;
	return 0;
}

int
gatekeeper_new(struct gatekeeper **out, struct error *e)
{
	struct login_policy_options options = sizes;
	struct shared *shared;
	int rc;

	rc = shared_new("popgate-logins", login_policy_size(&sizes), policy_repair, &shared);
	if (rc != 0)
		return error_set(e, rc,
		    "no shared memory: a limit of file sizes (RLIMIT_FSIZE) must allow for 8 MB");
	if (random_fill(options.key, sizeof(options.key)) != 0) {
		shared_free(shared);
		return error_set(e, ERR_NO_MEMORY, "no random numbers");
	}
	login_policy_init(shared_memory(shared), &options);
	OPENSSL_cleanse(&options, sizeof(options));
	if ((rc = gatekeeper_on(shared, out)) != 0)
		return error_set(e, rc, "out of memory");
	return 0;
}

int
gatekeeper_attach(int fd, struct gatekeeper **out)
{
	struct shared *shared;
	int rc;

	if ((rc = shared_attach(fd, login_policy_size(&sizes), policy_repair, &shared)) != 0)
		return rc;
	return gatekeeper_on(shared, out);
}

int
gatekeeper_descriptor(const struct gatekeeper *g)
{
	return shared_descriptor(g->shared);
}

void
gatekeeper_free(struct gatekeeper *g)
{
	if (g == NULL)
		return;
	shared_free(g->shared);
	free(g);
}

void
gatekeeper_set_limits(struct gatekeeper *g, const struct login_policy_limits *limits)
{
	shared_lock(g->shared);
	login_policy_set_limits(g->region, limits);
	shared_unlock(g->shared);
}

/* login_policy_aim or login_policy_move. */
typedef enum login_verdict (*next_step)(
    void *region, struct login_attempt *a, const struct login_target *target, uint64_t now);

/* STEP: where it goes next, TARGET; NULL: it is not in yet. */
static enum login_verdict
ask(struct gatekeeper *g, struct login_attempt *a, next_step step,
    const struct login_target *target)
{
	enum login_verdict verdict;

	shared_lock(g->shared);
	verdict = step == NULL ? login_policy_ask(g->region, a, fiber_now())
			       : step(g->region, a, target, fiber_now());
	shared_unlock(g->shared);
	return verdict;
}

static uint16_t
chance(void)
{
	uint16_t value = 1 << 15;

	if (getrandom(&value, sizeof(value), GRND_NONBLOCK) < 0)
		return 1 << 15;
	return value;
}

/* In a queue, which is mostly a matter of milliseconds: *PAUSE grows while it is not. Who has gone
 * away leaves it. */
static int
wait_for_turn(struct stream *client, uint64_t *pause, struct error *e)
{
	int rc;

	if ((rc = fiber_sleep(*pause + chance() % *pause)) != 0)
		return error_set(e, rc, "cancelled");
	*pause = *pause * 2 < ASK_AGAIN_MOST_MS ? *pause * 2 : ASK_AGAIN_MOST_MS;
	if (stream_peer_closed(client))
		return error_set(e, ERR_CLOSED, "the client went away before the server was asked");
	return 0;
}

/* STEP and TARGET as above. */
static int
wait_to_pass(struct gate_visit *v, next_step step, const struct login_target *target,
    struct stream *client, struct error *e)
{
	uint64_t pause = ASK_AGAIN_FIRST_MS;
	int rc;

	for (;;) {
		switch (ask(v->gatekeeper, &v->attempt, step, target)) {
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
		if ((rc = wait_for_turn(client, &pause, e)) != 0)
			return rc;
	}
}

int
gatekeeper_admit(struct gatekeeper *g, struct gate_visit *v, const struct sockaddr_storage *peer,
    const struct login_target *target, const struct credentials *c, struct stream *client,
    struct error *e)
{
	v->gatekeeper = g;
	v->pending = false;
	login_policy_identify(g->region, &v->attempt, peer, target, c, chance(), fiber_now());
	return wait_to_pass(v, NULL, target, client, e);
}

int
gatekeeper_aim(struct gate_visit *v, const struct login_target *target, struct stream *client,
    struct error *e)
{
	return wait_to_pass(v, login_policy_aim, target, client, e);
}

int
gatekeeper_move(struct gate_visit *v, const struct login_target *target, struct stream *client,
    struct error *e)
{
	return wait_to_pass(v, login_policy_move, target, client, e);
}

void
gatekeeper_refuse(struct gatekeeper *g, struct gate_visit *v, const struct sockaddr_storage *peer,
    const struct login_target *target, const char *user)
{
	char name[USER_NAME_MAX + 1];
	const struct credentials c = { .user = name };

	snprintf(name, sizeof(name), "%s", user);
	v->gatekeeper = g;
	v->pending = false;
	login_policy_identify(g->region, &v->attempt, peer, target, &c, chance(), fiber_now());
	shared_lock(g->shared);
	login_policy_refuse(g->region, &v->attempt, fiber_now());
	shared_unlock(g->shared);
}

static bool
is_rejection(int rc)
{
	return rc == ERR_AUTH || rc == ERR_AUTH_DENIED || rc == ERR_AUTH_EXPIRED ||
	       rc == ERR_AUTH_PRIVACY;
}

static void
tell(struct gate_visit *v, enum login_outcome outcome)
{
	if (!v->pending)
		return;
	v->pending = false;
	shared_lock(v->gatekeeper->shared);
	login_policy_tell(v->gatekeeper->region, &v->attempt, outcome, fiber_now());
	shared_unlock(v->gatekeeper->shared);
}

void
gatekeeper_tell(struct gate_visit *v, int rc)
{
	tell(v, rc == 0		? LOGIN_SUCCEEDED
		: is_rejection(rc) ? LOGIN_FAILED
				   : LOGIN_UNKNOWN);
}

void
gatekeeper_excuse(struct gate_visit *v)
{
	tell(v, LOGIN_EXCUSED);
}

int
gatekeeper_hold_back(const struct gate_visit *v)
{
	uint64_t now = fiber_now();

	return v->attempt.answer_at > now ? fiber_sleep(v->attempt.answer_at - now) : 0;
}
