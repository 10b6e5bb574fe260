/* census.c - how many sessions there are.
 *
 * Each session has a seat, which says whose session it is and what it counts for: an address, at
 * once or when a proxy has said which, later a user, and until the login those who wait. The seats
 * are the truth. The counters, a hash table over digests, follow from them, and are made anew from
 * them when a worker died in the middle of a change. A seat is taken and given back by storing one
 * word, last or first, so that no instant leaves it half taken.
 *
 * Seats and counters are taken from the lowest number up: memory is touched for as many as there
 * were sessions at a time, though there is room for CENSUS_SESSIONS_MAX. */
#include "gateway/census.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/siphash.h"
#include "gateway/arrival_table.h"
#include "gateway/shared.h"

/* A key's first octet says what kind it is, so that an address and a user name cannot be taken for
 * each other. */
enum counter_kind {
	COUNTER_IPV4 = '4',
	COUNTER_IPV6 = '6',
	COUNTER_USER = 'u',
};

/* 128 bits: two keys of one digest do not happen. */
struct digest {
	uint64_t low;
	uint64_t high;
};

struct seat {
	_Atomic uint32_t worker;     /* 0: the seat is free */
	_Atomic uint8_t has_address; /* whether ADDRESS counts */
	_Atomic uint8_t has_user;    /* whether USER counts */
	_Atomic uint8_t logged_in;
	uint32_t next_free; /* a seat; 0: none */
	struct digest address;
	struct digest user;
};

struct counter {
	struct digest key;
	uint32_t count;
	uint32_t waiting; /* of them, before their login; of an address */
	uint32_t next;	  /* in its bucket, or the next free one; 0: none */
};

enum {
	SEATS = CENSUS_SESSIONS_MAX + 1, /* number 0 is none */
	COUNTERS = 2 * SEATS,		 /* an address and a user for each seat */
	BUCKETS_MAX = 1 << 20,
	ARRIVALS = 16384, /* addresses whose connections are told apart well */
	LOADS = 256,	/* workers at a time; those that are leaving, too */
	HEAD_START = 4, /* sessions that one worker may have more than another */
};

/* How many sessions a worker has, for the others to see. */
struct load {
	_Atomic uint32_t worker; /* 0: free */
	_Atomic uint32_t sessions;
};

/* The shared memory. */
struct hall {
	struct siphash_key keys[2];
	uint32_t random;
	uint32_t buckets_used; /* a power of two */
	uint64_t serial;
	struct load loads[LOADS];
	struct arrival arrivals[ARRIVALS]; /* whatever a kill leaves of one can be used */

	uint32_t seats_touched; /* seats 1 to this were taken at some time */
	uint32_t seat_free;	/* the first of a list; 0: none */

	/* All below follows from the seats. */
	_Atomic uint32_t sessions;
	_Atomic uint32_t waiting; /* of them, before their login */
	uint32_t counters_touched;
	uint32_t counter_free;
	uint32_t buckets[BUCKETS_MAX];
	struct counter counters[COUNTERS];
	struct seat seats[SEATS];
};

struct census {
	struct census_limits limits;
	uint32_t worker;
	uint32_t sessions_here;
	struct load *load; /* NULL: nobody is to see it */
	struct shared *shared;
	struct hall *hall;
};

/* ---- counters; the caller has the lock ---- */

/* Where the number of the counter of KEY stands, or would. */
static uint32_t *
counter_place(struct hall *hall, const struct digest *key)
{
	uint32_t *place = &hall->buckets[key->low & (hall->buckets_used - 1)];

	while (*place != 0 && (hall->counters[*place].key.low != key->low ||
				  hall->counters[*place].key.high != key->high))
		place = &hall->counters[*place].next;
	return place;
}

static uint32_t
count_of(struct hall *hall, const struct digest *key)
{
	return hall->counters[*counter_place(hall, key)].count; /* that of number 0 is 0 */
}

static struct counter *
count_up(struct hall *hall, const struct digest *key)
{
	uint32_t *place = counter_place(hall, key), number = *place;

	if (number == 0) {
		/* There is one: each seat needs two at most. */
		if ((number = hall->counter_free) != 0)
			hall->counter_free = hall->counters[number].next;
		else
			number = ++hall->counters_touched;
		hall->counters[number] = (struct counter){ .key = *key };
		*place = number;
	}
	hall->counters[number].count++;
	return &hall->counters[number];
}

static void
count_down(struct hall *hall, const struct digest *key)
{
	uint32_t *place = counter_place(hall, key), number = *place;
	struct counter *counter = &hall->counters[number];

	if (number == 0 || --counter->count > 0)
		return;
	*place = counter->next;
	counter->next = hall->counter_free;
	hall->counter_free = number;
}

/* ---- seats ---- */

/* For the address that SEAT has. */
static void
count_address_up(struct hall *hall, struct seat *seat)
{
	struct counter *counter = count_up(hall, &seat->address);

	if (atomic_load(&seat->logged_in) == 0)
		counter->waiting++;
}

static void
seat_take_address(struct hall *hall, struct seat *seat, const struct digest *address)
{
	seat->address = *address;
	atomic_store(&seat->has_address, 1);
	count_address_up(hall, seat);
}

/* SEAT is not one of those who wait any more. */
static void
seat_stop_waiting(struct hall *hall, struct seat *seat)
{
	if (atomic_load(&seat->logged_in) != 0)
		return;
	atomic_store(&seat->logged_in, 1);
	hall->waiting--;
	if (atomic_load(&seat->has_address) != 0)
		hall->counters[*counter_place(hall, &seat->address)].waiting--;
}

static uint32_t
seat_take(struct hall *hall, uint32_t worker)
{
	uint32_t number = hall->seat_free;
	struct seat *seat;

	if (number == 0 && hall->seats_touched == CENSUS_SESSIONS_MAX)
		return 0;
	if (number != 0)
		hall->seat_free = hall->seats[number].next_free;
	else
		number = ++hall->seats_touched;
	seat = &hall->seats[number];
	atomic_store(&seat->has_address, 0);
	atomic_store(&seat->has_user, 0);
	atomic_store(&seat->logged_in, 0);
	atomic_store(&seat->worker, worker);
	hall->sessions++;
	hall->waiting++;
	return number;
}

static void
seat_leave_user(struct hall *hall, struct seat *seat)
{
	if (atomic_load(&seat->has_user) == 0)
		return;
	atomic_store(&seat->has_user, 0);
	count_down(hall, &seat->user);
}

static void
seat_leave(struct hall *hall, uint32_t number)
{
	struct seat *seat = &hall->seats[number];

	seat_leave_user(hall, seat);
	seat_stop_waiting(hall, seat);
	atomic_store(&seat->worker, 0);
	hall->sessions--;
	if (atomic_load(&seat->has_address) != 0)
		count_down(hall, &seat->address);
	seat->next_free = hall->seat_free;
	hall->seat_free = number;
}

/* Makes from the seats all that follows from them. */
static void
hall_repair(void *memory)
{
	struct hall *hall = memory;
	struct seat *seat;

	memset(hall->buckets, 0, hall->buckets_used * sizeof(hall->buckets[0]));
	hall->counters_touched = 0;
	hall->counter_free = 0;
	hall->seat_free = 0;
	hall->sessions = 0;
	hall->waiting = 0;
	for (uint32_t number = 1; number <= hall->seats_touched; number++) {
		seat = &hall->seats[number];
		if (atomic_load(&seat->worker) == 0) {
			seat->next_free = hall->seat_free;
			hall->seat_free = number;
			continue;
		}
		hall->sessions++;
		if (atomic_load(&seat->logged_in) == 0)
			hall->waiting++;
		if (atomic_load(&seat->has_address) != 0)
			count_address_up(hall, seat);
		if (atomic_load(&seat->has_user) != 0)
			count_up(hall, &seat->user);
	}
}

/* ---- the face ---- */

static int
census_on(struct shared *shared, uint32_t worker, struct census **out)
{
	struct census *census;

	if ((census = calloc(1, sizeof(*census))) == NULL) {
		shared_free(shared);
		return ERR_NO_MEMORY;
	}
	census->shared = shared;
	census->hall = shared_memory(shared);
	census->worker = worker;
	*out = census;
	return 0;
}

int
census_new(const struct census_limits *limits, struct census **out, struct error *e)
{
	struct shared *shared;
	struct hall *hall;
	int rc;

	rc = shared_new("popgate-census", sizeof(struct hall), hall_repair, &shared);
	if (rc != 0)
		return error_set(e, rc,
		    "no shared memory: a limit of file sizes (RLIMIT_FSIZE) must allow for 128 MB");
	hall = shared_memory(shared);
	if (random_fill(hall->keys, sizeof(hall->keys)) != 0 ||
	    random_fill(&hall->random, sizeof(hall->random)) != 0) {
		shared_free(shared);
		return error_set(e, ERR_NO_MEMORY, "no random numbers");
	}
	/* Not larger than needed: unlike the rest, buckets are touched all over. */
	hall->buckets_used = 1024;
	while (hall->buckets_used < BUCKETS_MAX && hall->buckets_used < limits->sessions)
		hall->buckets_used *= 2;
	if ((rc = census_on(shared, UINT32_MAX, out)) != 0)
		return error_set(e, rc, "out of memory");
	census_set_limits(*out, limits);
	return 0;
}

static void
show_load(struct census *census)
{
	struct load *loads = census->hall->loads;
	uint32_t none;

	for (size_t i = 0; i < LOADS && census->load == NULL; i++) {
		none = 0;
		if (atomic_compare_exchange_strong(&loads[i].worker, &none, census->worker))
			census->load = &loads[i];
	}
	if (census->load != NULL)
		atomic_store(&census->load->sessions, 0);
}

/* CHANGE is 1 or -1. */
static void
change_load(struct census *census, int change)
{
	census->sessions_here += (uint32_t) change;
	if (census->load != NULL)
		atomic_store(&census->load->sessions, census->sessions_here);
}

int
census_attach(int fd, uint32_t worker, struct census **out)
{
	struct shared *shared;
	int rc;

	if ((rc = shared_attach(fd, sizeof(struct hall), hall_repair, &shared)) != 0 ||
	    (rc = census_on(shared, worker, out)) != 0)
		return rc;
	show_load(*out);
	return 0;
}

int
census_descriptor(const struct census *census)
{
	return shared_descriptor(census->shared);
}

void
census_free(struct census *census)
{
	if (census == NULL)
		return;
	shared_free(census->shared);
	free(census);
}

void
census_set_limits(struct census *census, const struct census_limits *limits)
{
	census->limits = *limits;
	if (limits->sessions_here == 0)
		census->limits.sessions_here = limits->sessions;
}

static struct digest
key_digest(const struct census *census, const void *key, size_t len)
{
	const struct hall *hall = census->hall;

	return (
	    struct digest){ siphash(&hall->keys[0], key, len), siphash(&hall->keys[1], key, len) };
}

enum { ADDRESS_KEY_MAX = 9 }; /* kind and an IPv6 /64 */

/* A peer without an address (a test's socket pair) shares one counter. */
static struct digest
address_digest(const struct census *census, const struct sockaddr_storage *peer)
{
	unsigned char key[ADDRESS_KEY_MAX];
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (peer->ss_family == AF_INET6) {
		memcpy(&in6, peer, sizeof(in6));
		key[0] = COUNTER_IPV6;
		memcpy(key + 1, &in6.sin6_addr, 8);
		return key_digest(census, key, 9);
	}
	key[0] = COUNTER_IPV4;
	if (peer->ss_family != AF_INET)
		return key_digest(census, key, 1);
	memcpy(&in, peer, sizeof(in));
	memcpy(key + 1, &in.sin_addr, 4);
	return key_digest(census, key, 5);
}

bool
census_arrive(struct census *census, const struct sockaddr_storage *peer, uint64_t now)
{
	const struct arrival_table table = { census->hall->arrivals, ARRIVALS };
	uint32_t per_minute = census->limits.arrivals_per_minute;
	struct digest address = address_digest(census, peer);
	bool admitted;

	if (per_minute == 0)
		return true;
	shared_lock(census->shared);
	admitted = arrivals_admit(&table, address.low, per_minute, now);
	shared_unlock(census->shared);
	return admitted;
}

enum census_answer
census_enter(struct census *census, const struct sockaddr_storage *peer, struct census_seat *seat)
{
	const struct census_limits *limits = &census->limits;
	struct digest address = peer != NULL ? address_digest(census, peer) : (struct digest){ 0 };
	enum census_answer answer = CENSUS_FULL;
	struct hall *hall = census->hall;

	shared_lock(census->shared);
	/* The address comes first: who has used up its own share must not move others to make room.
	 */
	if (peer != NULL && count_of(hall, &address) >= limits->sessions_per_address) {
		answer = CENSUS_ADDRESS_FULL;
	} else if (hall->sessions < limits->sessions &&
		   census->sessions_here < limits->sessions_here &&
		   (seat->number = seat_take(hall, census->worker)) != 0) {
		if (peer != NULL)
			seat_take_address(hall, &hall->seats[seat->number], &address);
		seat->serial = hall->serial++;
		change_load(census, 1);
		answer = CENSUS_ADMITTED;
	}
	shared_unlock(census->shared);
	return answer;
}

enum census_answer
census_name(
    struct census *census, const struct census_seat *seat, const struct sockaddr_storage *peer)
{
	struct digest address = address_digest(census, peer);
	enum census_answer answer = CENSUS_ADDRESS_FULL;
	struct hall *hall = census->hall;

	shared_lock(census->shared);
	if (count_of(hall, &address) < census->limits.sessions_per_address) {
		seat_take_address(hall, &hall->seats[seat->number], &address);
		answer = CENSUS_ADMITTED;
	}
	shared_unlock(census->shared);
	return answer;
}

void
census_leave(struct census *census, const struct census_seat *seat)
{
	shared_lock(census->shared);
	seat_leave(census->hall, seat->number);
	shared_unlock(census->shared);
	change_load(census, -1);
}

void
census_log_in(struct census *census, const struct census_seat *seat)
{
	shared_lock(census->shared);
	seat_stop_waiting(census->hall, &census->hall->seats[seat->number]);
	shared_unlock(census->shared);
}

size_t
census_waiting(const struct census *census)
{
	return atomic_load(&census->hall->waiting);
}

size_t
census_waiting_beside(struct census *census, const struct census_seat *seat)
{
	struct hall *hall = census->hall;
	const struct seat *mine = &hall->seats[seat->number];
	size_t waiting = 0;

	shared_lock(census->shared);
	if (atomic_load(&mine->has_address) != 0)
		waiting = hall->counters[*counter_place(hall, &mine->address)].waiting;
	shared_unlock(census->shared);
	return waiting;
}

static unsigned char
fold_case(char c)
{
	return (unsigned char) (c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* The digest of USER at UPSTREAM; NUL ends the first so that no two pairs share a key. */
static int
user_digest(
    const struct census *census, const char *upstream, const char *user, struct digest *digest)
{
	size_t upstream_len = strlen(upstream) + 1, user_len = strlen(user);
	size_t len = 1 + upstream_len + user_len;
	unsigned char *key, *at;

	if ((key = malloc(len)) == NULL)
		return ERR_NO_MEMORY;
	key[0] = COUNTER_USER;
	memcpy(key + 1, upstream, upstream_len);
	at = key + 1 + upstream_len;
	for (size_t i = 0; i < user_len; i++)
		at[i] = fold_case(user[i]);
	*digest = key_digest(census, key, len);
	free(key);
	return 0;
}

int
census_enter_user(
    struct census *census, const struct census_seat *seat, const char *upstream, const char *user)
{
	struct seat *mine = &census->hall->seats[seat->number];
	struct digest digest;
	int rc;

	if ((rc = user_digest(census, upstream, user, &digest)) != 0)
		return rc;
	shared_lock(census->shared);
	if (count_of(census->hall, &digest) >= census->limits.sessions_per_user) {
		rc = ERR_LIMIT;
	} else {
		seat_leave_user(census->hall, mine);
		mine->user = digest;
		atomic_store(&mine->has_user, 1);
		count_up(census->hall, &digest);
	}
	shared_unlock(census->shared);
	return rc;
}

void
census_leave_user(struct census *census, const struct census_seat *seat)
{
	shared_lock(census->shared);
	seat_leave_user(census->hall, &census->hall->seats[seat->number]);
	shared_unlock(census->shared);
}

bool
census_is_ahead(const struct census *census)
{
	const struct load *loads = census->hall->loads;

	if (census->load == NULL || census->sessions_here <= HEAD_START)
		return false;
	for (size_t i = 0; i < LOADS; i++)
		if (atomic_load(&loads[i].worker) != 0 &&
		    atomic_load(&loads[i].sessions) < census->sessions_here - HEAD_START)
			return true;
	return false;
}

void
census_retire(struct census *census)
{
	if (census->load != NULL)
		atomic_store(&census->load->worker, 0);
	census->load = NULL;
}

size_t
census_remove_worker(struct census *census, uint32_t worker)
{
	struct hall *hall = census->hall;
	size_t removed = 0;

	for (size_t i = 0; i < LOADS; i++)
		if (atomic_load(&hall->loads[i].worker) == worker)
			atomic_store(&hall->loads[i].worker, 0);
	shared_lock(census->shared);
	for (uint32_t number = 1; number <= hall->seats_touched; number++) {
		if (atomic_load(&hall->seats[number].worker) != worker)
			continue;
		seat_leave(hall, number);
		removed++;
	}
	shared_unlock(census->shared);
	return removed;
}

size_t
census_count(const struct census *census)
{
	return atomic_load(&census->hall->sessions);
}

uint32_t
census_random(const struct census *census)
{
	return census->hall->random;
}
