/* winners.c - see winners.h. */
#include "gateway/winners.h"

#include <stdlib.h>
#include <string.h>

#include "base/credentials.h"
#include "base/error.h"
#include "base/random.h"
#include "base/siphash.h"

enum {
	BUCKETS = 16384, /* a power of 2 */
	BUCKET = 4,
};

struct winner {
	uint64_t who;
	uint32_t which;
	uint32_t noted; /* seconds; 0: a free place */
};

struct winners {
	struct siphash_key key;
	struct winner places[BUCKETS][BUCKET];
};

int
winners_new(struct winners **out)
{
	struct winners *w = calloc(1, sizeof(*w)); /* what is not used is not touched */

	if (w == NULL)
		return ERR_NO_MEMORY;
	if (random_fill(&w->key, sizeof(w->key)) != 0) {
		free(w);
		return ERR_NO_MEMORY;
	}
	*out = w;
	return 0;
}

void
winners_free(struct winners *w)
{
	free(w);
}

static uint64_t
who_is(const struct winners *w, const char *route, const char *account)
{
	char text[128 + USER_NAME_MAX + 2];
	size_t route_len = strnlen(route, 127), account_len = strnlen(account, USER_NAME_MAX);

	memcpy(text, route, route_len);
	text[route_len] = '\0';
	memcpy(text + route_len + 1, account, account_len);
	return siphash(&w->key, text, route_len + 1 + account_len);
}

static uint32_t
which_is(const struct winners *w, const char *upstream)
{
	return (uint32_t) siphash(&w->key, upstream, strlen(upstream));
}

static uint32_t
seconds(uint64_t now)
{
	return (uint32_t) (now / 1000) + 1;
}

void
winners_note(struct winners *w, const char *route, const char *account, const char *upstream,
    uint64_t now)
{
	uint64_t who = who_is(w, route, account);
	struct winner *bucket = w->places[who % BUCKETS], *place = bucket;

	for (size_t i = 0; i < BUCKET; i++) {
		if (bucket[i].who == who) {
			place = &bucket[i];
			break;
		}
		if (bucket[i].noted < place->noted)
			place = &bucket[i];
	}
	*place = (struct winner){ who, which_is(w, upstream), seconds(now) };
}

int
winners_know(const struct winners *w, const char *route, const char *account,
    const char *upstream, uint64_t now)
{
	uint64_t who = who_is(w, route, account);
	const struct winner *bucket = w->places[who % BUCKETS];

	for (size_t i = 0; i < BUCKET; i++)
		if (bucket[i].who == who && bucket[i].noted != 0)
			return bucket[i].which == which_is(w, upstream) &&
			       seconds(now) - bucket[i].noted < WINNERS_KEEP_S;
	return 0;
}
