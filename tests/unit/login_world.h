/* login_world.h - a login policy with a clock and a mail server of its own, for the tests of it. */
#pragma once
#include <stdlib.h>

#include "base/credentials.h"
#include "gateway/login_policy.h"
#include "tests/unit/addresses.h"
#include "tests/unit/unit.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, DELAY = 2 * SECOND, MIDDLE = UINT16_MAX / 2 };

/* A policy, its clock, and a server that knows one password for each user: "right". */
struct world {
	void *region;
	size_t size;
	uint64_t now;
	uint32_t upstream_failures_per_minute;
	unsigned asked;	   /* logins that reached the server */
	unsigned rejected; /* of them */
};

static const struct login_policy_options small = {
	.addresses = 4096, .networks = 1024, .users = 4096, .known = 4096, .key = { 7 }
};

static inline void
world_begin(struct world *w, const struct login_policy_options *options)
{
	const struct login_policy_limits limits = { DELAY, 1000000, 10 };

	memset(w, 0, sizeof(*w));
	w->size = login_policy_size(options);
	w->region = calloc(1, w->size);
	CU_ASSERT_FATAL(w->region != NULL);
	login_policy_init(w->region, options);
	login_policy_set_limits(w->region, &limits);
	w->now = 1000000;
	w->upstream_failures_per_minute = 1000000;
}

static inline void
set_limits(struct world *w, uint32_t failures_per_minute)
{
	const struct login_policy_limits limits = { DELAY, failures_per_minute, 10 };

	login_policy_set_limits(w->region, &limits);
}

static inline void
identify(struct world *w, struct login_attempt *a, const char *from, const char *user,
    const char *password)
{
	const struct sockaddr_storage peer = address_of(from);
	const struct login_target target = { "imap:993", 0, w->upstream_failures_per_minute,
		LOGIN_AT_SERVER };
	char user_copy[64], password_copy[64];
	const struct credentials c = {
		.user = user_copy, .password = password_copy, .password_len = strlen(password)
	};

	snprintf(user_copy, sizeof(user_copy), "%s", user);
	snprintf(password_copy, sizeof(password_copy), "%s", password);
	login_policy_identify(w->region, a, &peer, &target, &c, MIDDLE, w->now);
}

static inline enum login_verdict
ask(struct world *w, struct login_attempt *a)
{
	return login_policy_ask(w->region, a, w->now);
}

static inline void
tell(struct world *w, struct login_attempt *a, enum login_outcome outcome)
{
	w->asked++;
	w->rejected += outcome == LOGIN_FAILED;
	login_policy_tell(w->region, a, outcome, w->now);
}

/* A whole attempt in no time. Returns the verdict; A says when its answer comes. */
static inline enum login_verdict
attempt(struct world *w, struct login_attempt *a, const char *from, const char *user,
    const char *password)
{
	enum login_verdict verdict;

	identify(w, a, from, user, password);
	if ((verdict = ask(w, a)) == LOGIN_GO)
		tell(w, a, strcmp(password, "right") == 0 ? LOGIN_SUCCEEDED : LOGIN_FAILED);
	return verdict;
}

/* As attempt; returns after how many milliseconds a failure is told. */
static inline uint64_t
failure_delay(struct world *w, const char *from, const char *user, const char *password)
{
	struct login_attempt a;

	CU_ASSERT_EQUAL(attempt(w, &a, from, user, password), LOGIN_GO);
	return a.answer_at - w->now;
}

static inline int
is_about(uint64_t ms, uint64_t wanted)
{
	return ms >= wanted * 99 / 100 && ms <= wanted * 101 / 100;
}
