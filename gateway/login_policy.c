/* login_policy.c - see login_policy.h. */
#include "gateway/login_policy.h"

#include <netinet/in.h>
#include <string.h>

#include "base/credentials.h"
#include "gateway/failure_table.h"
#include "base/siphash.h"

enum {
	TICK_MS = 64,
	SECOND = 1000 / TICK_MS, /* in ticks, somewhat less than a second */
	MINUTE = 60 * 1000 / TICK_MS,
	LEASE = 2 * MINUTE,	     /* an attempt of which nothing was heard for so long is over */
	LEASE_STEP = 30 * SECOND,    /* or somewhat less: few ends of leases are told apart */
	KEEP_KNOWN = 7 * 24 * 60 * MINUTE,
	FORGET_BLOCKS = 30 * MINUTE, /* behind the end of the last one */
	BLOCK_FIRST = MINUTE,
	BLOCK_LONGEST = 15 * MINUTE,

	BUSY_PATIENCE_MS = 15000, /* an attempt waits for others of its user or address so long */
	BUDGET_PATIENCE_MS = 2000,
	USER_IN_FLIGHT = 2,
	ADDRESS_IN_FLIGHT = 8,	      /* before any failure; one more for each success lately, */
	ADDRESS_IN_FLIGHT_MOST = 64,  /* up to this: many users behind one address */
	ADDRESS_LATELY = 10 * MINUTE,
	ADDRESS_IN_FLIGHT_FAILED = 2, /* after one */
	NETWORK_IN_FLIGHT_FAILED = 4,
	NETWORK_STEP = 16, /* failures of a /48 that weigh as much as one of an address */

	SERVERS = 64, /* whose budgets are told apart */
	SERVICES = 64,
	NO_BUDGET = SERVERS + SERVICES, /* but that for all */
	BUDGET_UNIT = 60 * 1000, /* of a login: a rate a minute is units a millisecond */
};

static const struct failure_rule address_rule = {
	.leak = 30 * SECOND, .most = 10, .lately = ADDRESS_LATELY
};
static const struct failure_rule network_rule = { .leak = 2 * SECOND, .most = 10 * NETWORK_STEP };
/* As high as failures_per_user may be set (max_failed_logins_per_user). */
static const struct failure_rule user_rule = { .window = 10 * MINUTE, .most = 1000000 };

/* Failed logins that may still happen. */
struct budget {
	uint64_t filled_at; /* 0: never used, so full */
	uint64_t left;	    /* in BUDGET_UNITs */
};

struct login_policy {
	struct login_policy_options options;
	struct login_policy_limits limits;
	struct siphash_key hash_key;
	struct budget all;
	struct budget budgets[SERVERS + SERVICES];
	/* the tables follow, in the order of their accessors below */
};

_Static_assert(sizeof(struct login_policy) % _Alignof(struct failures) == 0, "tables follow it");
_Static_assert(sizeof(struct failures) % _Alignof(struct known_login) == 0, "and another");

static uint32_t
tick_of(uint64_t ms)
{
	return (uint32_t) (ms / TICK_MS) + 1;
}

static struct failures *
counters(void *region)
{
	return (struct failures *) ((struct login_policy *) region + 1);
}

static struct failure_table
addresses_of(void *region)
{
	const struct login_policy_options *o = &((struct login_policy *) region)->options;

	return (struct failure_table){ counters(region), o->addresses, &address_rule };
}

static struct failure_table
networks_of(void *region)
{
	const struct login_policy_options *o = &((struct login_policy *) region)->options;

	return (struct failure_table){ counters(region) + o->addresses, o->networks,
		&network_rule };
}

static struct failure_table
users_of(void *region)
{
	const struct login_policy_options *o = &((struct login_policy *) region)->options;

	return (struct failure_table){ counters(region) + o->addresses + o->networks, o->users,
		&user_rule };
}

static struct known_logins
known_of(void *region)
{
	const struct login_policy_options *o = &((struct login_policy *) region)->options;
	struct failures *end = counters(region) + o->addresses + o->networks + o->users;

	return (struct known_logins){ (struct known_login *) end, o->known, KEEP_KNOWN };
}

size_t
login_policy_size(const struct login_policy_options *o)
{
	size_t entries = (size_t) o->addresses + o->networks + o->users;

	return sizeof(struct login_policy) + entries * sizeof(struct failures) +
	       (size_t) o->known * sizeof(struct known_login);
}

void
login_policy_init(void *region, const struct login_policy_options *options)
{
	struct login_policy *p = region;

	const struct keyed_part part = { "hash", 4 };
	unsigned char derived[KEYED_DIGEST_SIZE];

	p->options = *options;
	keyed_digest(options->key, &part, 1, derived);
	memcpy(&p->hash_key, derived, sizeof(p->hash_key));
}

void
login_policy_set_limits(void *region, const struct login_policy_limits *limits)
{
	((struct login_policy *) region)->limits = *limits;
}

/* The first BITS bits of an address, or a name, as a key that is not 0. */
static uint64_t
key_of(const struct login_policy *p, char kind, const void *octets, size_t len)
{
	unsigned char in[1 + USER_NAME_MAX + 1] = { (unsigned char) kind };
	uint64_t key;

	len = len < sizeof(in) - 1 ? len : sizeof(in) - 1;
	memcpy(in + 1, octets, len);
	key = siphash(&p->hash_key, in, 1 + len);
	return key != 0 ? key : 1;
}

/* A peer without an address (a test's socket pair) shares one key with its like. */
static void
identify_peer(const struct login_policy *p, struct login_attempt *a,
    const struct sockaddr_storage *peer)
{
	struct sockaddr_in6 in6;
	struct sockaddr_in in;

	a->network = 0;
	if (peer->ss_family == AF_INET6) {
		memcpy(&in6, peer, sizeof(in6));
		a->address = key_of(p, '6', &in6.sin6_addr, 8);
		a->network = key_of(p, 'n', &in6.sin6_addr, 6);
		return;
	}
	memset(&in, 0, sizeof(in));
	if (peer->ss_family == AF_INET)
		memcpy(&in, peer, sizeof(in));
	a->address = key_of(p, '4', &in.sin_addr, 4);
}

/* Servers take names in any case, so that one user would have many counters. */
static uint64_t
user_key(const struct login_policy *p, const char *user)
{
	char folded[USER_NAME_MAX + 1];
	size_t len = strnlen(user, sizeof(folded));

	for (size_t i = 0; i < len; i++)
		folded[i] = (char) (user[i] >= 'A' && user[i] <= 'Z' ? user[i] | 0x20 : user[i]);
	return key_of(p, 'u', folded, len);
}

static void
digest(const struct login_policy *p, const struct keyed_part parts[4], unsigned char *out)
{
	unsigned char whole[KEYED_DIGEST_SIZE];

	keyed_digest(p->options.key, parts, 4, whole);
	memcpy(out, whole, KNOWN_DIGEST);
}

static void
set_target(struct login_attempt *a, const struct login_target *target)
{
	a->budget_per_minute = target->failures_per_minute;
	switch (target->budget) {
	case LOGIN_AT_SERVER:
		a->budget = target->number % SERVERS;
		return;
	case LOGIN_AT_SERVICE:
		a->budget = SERVERS + target->number % SERVICES;
		return;
	case LOGIN_NOWHERE_YET:
		break;
	}
	a->budget = NO_BUDGET;
}

void
login_policy_identify(const void *region, struct login_attempt *a,
    const struct sockaddr_storage *peer, const struct login_target *target,
    const struct credentials *c, uint16_t chance, uint64_t now)
{
	const struct login_policy *p = region;
	const char *user = c->master != NULL ? c->master : c->user;
	struct keyed_part parts[4] = {
		{ "pair", 4 },
		{ target->upstream, strlen(target->upstream) },
		{ user, strlen(user) },
		{ c->password_len > 0 ? c->password : "", c->password_len },
	};

	memset(a, 0, sizeof(*a));
	a->began = now;
	a->chance = chance;
	set_target(a, target);
	a->user = user_key(p, user);
	identify_peer(p, a, peer);
	digest(p, parts, a->pair);
	memcpy(&a->proof, a->pair, sizeof(a->proof));
	parts[0] = (struct keyed_part){ "home", 4 };
	parts[3] = (struct keyed_part){ &a->address, sizeof(a->address) };
	digest(p, parts, a->home);
}

/* Units of what may be spent at once: ten seconds' worth, or one login. */
static uint64_t
budget_most(uint32_t per_minute)
{
	return (uint64_t) (per_minute > 6 ? per_minute / 6 : 1) * BUDGET_UNIT;
}

static void
budget_fill(struct budget *b, uint32_t per_minute, uint64_t now)
{
	uint64_t most = budget_most(per_minute), passed = now > b->filled_at ? now - b->filled_at : 0;

	if (b->filled_at == 0 || passed > BUDGET_UNIT)
		b->left = most;
	else
		b->left += passed * per_minute;
	if (b->left > most)
		b->left = most;
	if (b->filled_at == 0 || now > b->filled_at)
		b->filled_at = now;
}

/* NULL: none but that for all. */
static struct budget *
own_budget(struct login_policy *p, const struct login_attempt *a)
{
	return a->budget != NO_BUDGET ? &p->budgets[a->budget] : NULL;
}

static bool
budgets_have_one(struct login_policy *p, const struct login_attempt *a, uint64_t now)
{
	struct budget *own = own_budget(p, a);

	budget_fill(&p->all, p->limits.failures_per_minute, now);
	if (own != NULL)
		budget_fill(own, a->budget_per_minute, now);
	return p->all.left >= BUDGET_UNIT && (own == NULL || own->left >= BUDGET_UNIT);
}

static void
budget_take(struct budget *b)
{
	b->left = b->left > BUDGET_UNIT ? b->left - BUDGET_UNIT : 0;
}

static void
budgets_take(struct login_policy *p, const struct login_attempt *a)
{
	struct budget *own = own_budget(p, a);

	budget_take(&p->all);
	if (own != NULL)
		budget_take(own);
}

/* A, as far as it has paid, was no failure; the next budget_fill sees to the limit. */
static void
budgets_give_back(struct login_policy *p, struct login_attempt *a)
{
	struct budget *own = own_budget(p, a);

	if (!a->paid)
		return;
	a->paid = false;
	p->all.left += BUDGET_UNIT;
	if (own != NULL)
		own->left += BUDGET_UNIT;
}

static bool
has_blocks(const struct failures *user, uint32_t tick)
{
	return user != NULL && user->blocks > 0 && tick < user->blocked_until + FORGET_BLOCKS;
}

/* As many attempts of a user as could all fail without there being too many failures. */
static bool
user_has_room(void *region, const struct login_attempt *a, uint32_t tick)
{
	const struct login_policy *p = region;
	const struct failure_table users = users_of(region);
	const struct failures *user = failures_find(&users, a->user);
	unsigned count = failures_count(&users, user, tick);
	unsigned left = count < p->limits.failures_per_user ? p->limits.failures_per_user - count : 1;

	if (has_blocks(user, tick))
		left = 1;
	return failures_in_flight(user, tick) < (left < USER_IN_FLIGHT ? left : USER_IN_FLIGHT);
}

/* Whose logins succeed may have more at a time, one for each of them, so that the guesses that can be
 * made at once before the first failure cost as many passwords. */
static unsigned
address_room(const struct failure_table *addresses, const struct failures *f, uint32_t tick)
{
	unsigned praised = failures_praised(addresses, f, tick),
		 more = ADDRESS_IN_FLIGHT_MOST - ADDRESS_IN_FLIGHT;

	if (failures_count(addresses, f, tick) > 0)
		return ADDRESS_IN_FLIGHT_FAILED;
	return ADDRESS_IN_FLIGHT + (praised < more ? praised : more);
}

static bool
address_has_room(void *region, const struct login_attempt *a, uint32_t tick)
{
	const struct failure_table addresses = addresses_of(region), networks = networks_of(region);
	const struct failures *f = failures_find(&addresses, a->address);

	if (failures_in_flight(f, tick) >= address_room(&addresses, f, tick))
		return false;
	f = a->network != 0 ? failures_find(&networks, a->network) : NULL;
	return failures_count(&networks, f, tick) < NETWORK_STEP ||
	       failures_in_flight(f, tick) < NETWORK_IN_FLIGHT_FAILED;
}

static void
begin_one(const struct failure_table *t, uint64_t key, uint32_t until, uint32_t tick)
{
	if (key != 0)
		failures_begin(failures_obtain(t, key, tick), until, tick);
}

static void
take_places(void *region, struct login_attempt *a, uint32_t tick)
{
	const struct failure_table addresses = addresses_of(region), networks = networks_of(region),
				   users = users_of(region);

	a->lease = (tick + LEASE) / LEASE_STEP * LEASE_STEP;
	begin_one(&users, a->user, a->lease, tick);
	begin_one(&addresses, a->address, a->lease, tick);
	begin_one(&networks, a->network, a->lease, tick);
}

/* The places of A are held until INSTEAD (0: no longer). */
static void
change_places(void *region, struct login_attempt *a, uint32_t instead, uint32_t tick)
{
	const struct failure_table addresses = addresses_of(region), networks = networks_of(region),
				   users = users_of(region);

	if (a->lease == 0)
		return;
	failures_change(failures_find(&users, a->user), a->lease, instead, tick);
	failures_change(failures_find(&addresses, a->address), a->lease, instead, tick);
	if (a->network != 0)
		failures_change(failures_find(&networks, a->network), a->lease, instead, tick);
	a->lease = 0;
}

/* 2, 4, 8, 15 s where the first is 2 s; give or take 15 %. */
static uint64_t
delay_of(const struct login_policy *p, unsigned failures, uint16_t chance)
{
	static const unsigned halves[] = { 2, 4, 8, 15 };
	unsigned step = failures < 1 ? 0 : failures > 4 ? 3 : failures - 1;
	uint64_t delay = p->limits.delay_ms * halves[step] / 2;

	return delay - delay * 15 / 100 + delay * 30 / 100 * chance / UINT16_MAX;
}

uint64_t
login_policy_schedule(uint64_t began, uint64_t now, uint64_t delay, uint64_t step)
{
	uint64_t at = began + delay;

	if (at >= now)
		return at;
	return step == 0 ? now : at + (now - at + step - 1) / step * step;
}

static void
set_answer_time(void *region, struct login_attempt *a, uint64_t now)
{
	const struct failure_table addresses = addresses_of(region), networks = networks_of(region),
				   users = users_of(region);
	const struct login_policy *p = region;
	uint32_t tick = tick_of(now);
	unsigned failures, most;

	most = failures_count(&addresses, failures_find(&addresses, a->address), tick);
	failures = failures_count(&users, failures_find(&users, a->user), tick);
	most = failures > most ? failures : most;
	if (a->network != 0) {
		failures = failures_count(&networks, failures_find(&networks, a->network), tick);
		most = failures / NETWORK_STEP > most ? failures / NETWORK_STEP : most;
	}
	a->answer_at = login_policy_schedule(
	    a->began, now, delay_of(p, most, a->chance), delay_of(p, 0, a->chance));
}

/* Counts a failure of A's address; it need not have reached the server. */
static void
raise_address(void *region, const struct login_attempt *a, uint32_t tick)
{
	const struct failure_table addresses = addresses_of(region), networks = networks_of(region);

	failures_raise(
	    &addresses, failures_obtain(&addresses, a->address, tick), a->proof, tick);
	if (a->network != 0)
		failures_raise(
		    &networks, failures_obtain(&networks, a->network, tick), a->proof, tick);
}

/* Counts a failure of A's user. Whose failures are too many is not asked about for a minute, then for
 * two, and so on. */
static void
raise_user(void *region, const struct login_attempt *a, uint32_t tick)
{
	const struct login_policy *p = region;
	const struct failure_table users = users_of(region);
	struct failures *user = failures_find(&users, a->user);
	bool blocks = has_blocks(user, tick);
	uint32_t block = BLOCK_FIRST;
	unsigned before = failures_count(&users, user, tick);

	user = failures_obtain(&users, a->user, tick);
	failures_raise(&users, user, a->proof, tick);
	if (!blocks)
		user->blocks = 0;
	if (failures_count(&users, user, tick) == before ||
	    (!blocks && before + 1 < p->limits.failures_per_user))
		return;
	for (unsigned i = 0; i < user->blocks && block < BLOCK_LONGEST; i++)
		block *= 2;
	user->blocked_until = tick + (block < BLOCK_LONGEST ? block : BLOCK_LONGEST);
	user->blocks = (uint8_t) (user->blocks < UINT8_MAX ? user->blocks + 1 : user->blocks);
}

static bool
is_blocked(void *region, const struct login_attempt *a, uint32_t tick)
{
	const struct failure_table users = users_of(region);
	const struct failures *user = failures_find(&users, a->user);

	return user != NULL && user->blocked_until > tick;
}

/* There is no room now: A waits, or hears VERDICT when it has waited for PATIENCE_MS. */
static enum login_verdict
wait_or(void *region, struct login_attempt *a, enum login_verdict verdict, uint64_t patience_ms,
    uint64_t now)
{
	if (now < a->began + patience_ms)
		return LOGIN_WAIT;
	set_answer_time(region, a, now);
	return verdict;
}

void
login_policy_refuse(void *region, struct login_attempt *a, uint64_t now)
{
	raise_address(region, a, tick_of(now));
	set_answer_time(region, a, now);
}

enum login_verdict
login_policy_ask(void *region, struct login_attempt *a, uint64_t now)
{
	const struct known_logins known = known_of(region);
	struct login_policy *p = region;
	uint32_t tick = tick_of(now);

	a->known = known_logins_have(&known, a->pair, tick);
	if (a->known)
		return LOGIN_GO;
	if (is_blocked(region, a, tick) && !known_logins_have(&known, a->home, tick)) {
		login_policy_refuse(region, a, now);
		return LOGIN_REJECTED;
	}
	if (!user_has_room(region, a, tick) || !address_has_room(region, a, tick))
		return wait_or(region, a, LOGIN_BUSY, BUSY_PATIENCE_MS, now);
	if (!budgets_have_one(p, a, now))
		return wait_or(region, a, LOGIN_OVERSPENT, BUDGET_PATIENCE_MS, now);
	budgets_take(p, a);
	a->paid = true;
	take_places(region, a, tick);
	return LOGIN_GO;
}

/* A, which has nothing to get back, pays at TARGET. */
static enum login_verdict
go_to(struct login_policy *p, struct login_attempt *a, const struct login_target *target,
    uint64_t now)
{
	struct login_attempt there = *a;

	set_target(&there, target);
	if (!a->known) { /* who is pays when it fails */
		if (!budgets_have_one(p, &there, now))
			return wait_or(p, a, LOGIN_OVERSPENT, BUDGET_PATIENCE_MS, now);
		budgets_take(p, &there);
		there.paid = true;
	}
	*a = there;
	return LOGIN_GO;
}

enum login_verdict
login_policy_aim(void *region, struct login_attempt *a, const struct login_target *target,
    uint64_t now)
{
	/* Who waits here holds nothing that a login elsewhere might need. */
	budgets_give_back(region, a);
	return go_to(region, a, target, now);
}

/* A was rejected, so that its share stays taken; who was known pays now. */
static void
budgets_charge(struct login_policy *p, struct login_attempt *a, uint64_t now)
{
	if (a->known) {
		(void) budgets_have_one(p, a, now);
		budgets_take(p, a);
	}
	a->paid = false;
}

enum login_verdict
login_policy_move(void *region, struct login_attempt *a, const struct login_target *target,
    uint64_t now)
{
	budgets_charge(region, a, now);
	return go_to(region, a, target, now);
}

static void
tell_success(void *region, struct login_attempt *a, uint32_t tick)
{
	const struct failure_table addresses = addresses_of(region);
	const struct known_logins known = known_of(region);

	known_logins_add(&known, a->pair, tick);
	known_logins_add(&known, a->home, tick);
	if (!a->known) /* one good password, again and again, says nothing of others */
		failures_praise(&addresses, failures_find(&addresses, a->address), tick);
}

static void
tell_failure(void *region, struct login_attempt *a, uint64_t now)
{
	const struct known_logins known = known_of(region);
	uint32_t tick = tick_of(now);

	budgets_charge(region, a, now);
	if (a->known) { /* the password was changed */
		known_logins_remove(&known, a->pair);
	} else if (is_blocked(region, a, tick)) {
		known_logins_remove(&known, a->home); /* its good name is worth one mistake */
	}
	raise_address(region, a, tick);
	raise_user(region, a, tick);
	set_answer_time(region, a, now);
	/* Who does not wait for the answer cannot use the time for another try. */
	change_places(region, a, tick_of(a->answer_at), tick);
}

void
login_policy_tell(void *region, struct login_attempt *a, enum login_outcome outcome, uint64_t now)
{
	switch (outcome) {
	case LOGIN_FAILED:
		tell_failure(region, a, now);
		return;
	case LOGIN_EXCUSED:
		budgets_charge(region, a, now);
		break;
	case LOGIN_SUCCEEDED:
		tell_success(region, a, tick_of(now));
		break;
	case LOGIN_UNKNOWN:
		break;
	}
	budgets_give_back(region, a);
	change_places(region, a, 0, tick_of(now));
}
