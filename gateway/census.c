/* census.c - how many sessions there are.
 *
 * One table holds all counters; a key's first octet says what kind it is, so that an address and a
 * user name cannot be taken for each other. A counter that falls to zero is removed: the table is
 * never larger than the sessions. */
#include "gateway/census.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(counter) ((counter)->stored = 0)
#include <uthash.h>

#include "gateway/siphash.h"

enum counter_kind {
	COUNTER_IPV4 = '4',
	COUNTER_IPV6 = '6',
	COUNTER_USER = 'u',
};

struct counter {
	UT_hash_handle hh;
	size_t count;
	int stored; /* 0: the table had no memory for it */
	size_t len;
	unsigned char key[];
};

struct census {
	struct census_limits limits;
	struct siphash_key hash_key;
	size_t sessions;
	struct counter *counters;
};

int
census_new(const struct census_limits *limits, struct census **out)
{
	struct census *census;
	ssize_t got;

	if ((census = calloc(1, sizeof(*census))) == NULL)
		return ERR_NO_MEMORY;
	do
		got = getrandom(&census->hash_key, sizeof(census->hash_key), 0);
	while (got < 0 && errno == EINTR); /* early at boot */
	if (got != (ssize_t) sizeof(census->hash_key)) {
		free(census);
		return ERR_NO_MEMORY;
	}
	census->limits = *limits;
	*out = census;
	return 0;
}

void
census_free(struct census *census)
{
	struct counter *counter, *next;

	if (census == NULL)
		return;
	HASH_ITER(hh, census->counters, counter, next)
	{
		HASH_DEL(census->counters, counter);
		free(counter);
	}
	free(census);
}

void
census_set_limits(struct census *census, const struct census_limits *limits)
{
	census->limits = *limits;
}

static unsigned
key_hash(const struct census *census, const void *key, size_t len)
{
	return (unsigned) siphash(&census->hash_key, key, len);
}

static struct counter *
counter_find(const struct census *census, const void *key, size_t len)
{
	struct counter *counter;

	HASH_FIND_BYHASHVALUE(hh, census->counters, key, len, key_hash(census, key, len), counter);
	return counter;
}

static struct counter *
counter_add(struct census *census, const void *key, size_t len)
{
	struct counter *counter;

	if ((counter = calloc(1, sizeof(*counter) + len)) == NULL)
		return NULL;
	memcpy(counter->key, key, len);
	counter->len = len;
	counter->stored = 1;
	HASH_ADD_KEYPTR_BYHASHVALUE(
	    hh, census->counters, counter->key, len, key_hash(census, key, len), counter);
	if (!counter->stored) {
		free(counter);
		return NULL;
	}
	return counter;
}

/* Adds one to the counter of KEY unless it has reached LIMIT. */
static int
count_up(struct census *census, const void *key, size_t len, size_t limit)
{
	struct counter *counter = counter_find(census, key, len);

	if ((counter == NULL ? 0 : counter->count) >= limit)
		return ERR_LIMIT;
	if (counter == NULL && (counter = counter_add(census, key, len)) == NULL)
		return ERR_NO_MEMORY;
	counter->count++;
	return 0;
}

static void
take_one(struct census *census, struct counter *counter)
{
	if (counter == NULL || --counter->count > 0)
		return;
	HASH_DEL(census->counters, counter);
	free(counter);
}

static void
count_down(struct census *census, const void *key, size_t len)
{
	take_one(census, counter_find(census, key, len));
}

enum { ADDRESS_KEY_MAX = 9 }; /* kind and an IPv6 /64 */

/* Writes the key of PEER; returns its length. A peer without an address (a test's socket pair)
 * shares one counter. */
static size_t
address_key(const struct sockaddr_storage *peer, unsigned char key[ADDRESS_KEY_MAX])
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (peer->ss_family == AF_INET6) {
		memcpy(&in6, peer, sizeof(in6));
		key[0] = COUNTER_IPV6;
		memcpy(key + 1, &in6.sin6_addr, 8);
		return 9;
	}
	key[0] = COUNTER_IPV4;
	if (peer->ss_family != AF_INET)
		return 1;
	memcpy(&in, peer, sizeof(in));
	memcpy(key + 1, &in.sin_addr, 4);
	return 5;
}

enum census_answer
census_enter(struct census *census, const struct sockaddr_storage *peer)
{
	unsigned char key[ADDRESS_KEY_MAX];
	size_t len = address_key(peer, key);
	const struct counter *counter = counter_find(census, key, len);

	/* The address comes first: who has used up its own share must not move others to make room.
	 */
	if (counter != NULL && counter->count >= census->limits.sessions_per_address)
		return CENSUS_ADDRESS_FULL;
	if (census->sessions >= census->limits.sessions)
		return CENSUS_FULL;
	if (count_up(census, key, len, census->limits.sessions_per_address) != 0)
		return CENSUS_NO_MEMORY;
	census->sessions++;
	return CENSUS_ADMITTED;
}

void
census_leave(struct census *census, const struct sockaddr_storage *peer)
{
	unsigned char key[ADDRESS_KEY_MAX];
	size_t len = address_key(peer, key);

	census->sessions--;
	count_down(census, key, len);
}

static unsigned char
fold_case(char c)
{
	return (unsigned char) (c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* An allocated key of USER at UPSTREAM; NUL ends the first so that no two pairs share a key. */
static unsigned char *
user_key(const char *upstream, const char *user, size_t *len)
{
	size_t upstream_len = strlen(upstream) + 1, user_len = strlen(user);
	unsigned char *key, *at;

	*len = 1 + upstream_len + user_len;
	if ((key = malloc(*len)) == NULL)
		return NULL;
	key[0] = COUNTER_USER;
	memcpy(key + 1, upstream, upstream_len);
	at = key + 1 + upstream_len;
	for (size_t i = 0; i < user_len; i++)
		at[i] = fold_case(user[i]);
	return key;
}

/* Whether COUNTER has the key that user_key would make. */
static bool
is_counter_of(const struct counter *counter, const char *upstream, const char *user)
{
	size_t upstream_len = strlen(upstream) + 1, user_len = strlen(user);
	const unsigned char *at = counter->key + 1 + upstream_len;

	if (counter->len != 1 + upstream_len + user_len || counter->key[0] != COUNTER_USER ||
	    memcmp(counter->key + 1, upstream, upstream_len) != 0)
		return false;
	for (size_t i = 0; i < user_len; i++)
		if (at[i] != fold_case(user[i]))
			return false;
	return true;
}

int
census_enter_user(struct census *census, const char *upstream, const char *user)
{
	unsigned char *key;
	size_t len;
	int rc;

	if ((key = user_key(upstream, user, &len)) == NULL)
		return ERR_NO_MEMORY;
	rc = count_up(census, key, len, census->limits.sessions_per_user);
	free(key);
	return rc;
}

void
census_leave_user(struct census *census, const char *upstream, const char *user)
{
	struct counter *counter, *next;
	unsigned char *key;
	size_t len;

	if ((key = user_key(upstream, user, &len)) != NULL) {
		count_down(census, key, len);
		free(key);
		return;
	}
	/* A place that is not given back would be lost to that user for good. */
	HASH_ITER(hh, census->counters, counter, next)
	{
		if (is_counter_of(counter, upstream, user)) {
			take_one(census, counter);
			return;
		}
	}
}

size_t
census_count(const struct census *census)
{
	return census->sessions;
}
