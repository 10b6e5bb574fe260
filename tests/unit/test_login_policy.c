/* Tests of gateway/login_policy.c, by a clock that the test moves. */
#include "tests/unit/login_world.h"

static void
delays_grow(void)
{
	static const uint64_t wanted[] = { 2000, 4000, 8000, 15000, 15000, 15000 };
	char user[16], password[16];
	struct world w;

	world_begin(&w, &small);
	for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		snprintf(user, sizeof(user), "user%u", i);
		CU_ASSERT(is_about(failure_delay(&w, "192.0.2.1", user, "x"), wanted[i]));
		w.now += wanted[i] + 100; /* when the answer is told */
	}
	/* another address has not failed; the user's failures count there too */
	CU_ASSERT(is_about(failure_delay(&w, "192.0.2.2", "other", "x"), 2000));
	for (unsigned i = 0; i < 3; i++) {
		snprintf(password, sizeof(password), "y%u", i);
		snprintf(user, sizeof(user), "192.0.2.%u", 10 + i);
		w.now += 16 * SECOND;
		CU_ASSERT(is_about(failure_delay(&w, user, "other", password), wanted[i + 1]));
	}
	free(w.region);
}

static void
delays_decay(void)
{
	struct world w;

	world_begin(&w, &small);
	for (unsigned i = 0; i < 3; i++) {
		char user[16];

		snprintf(user, sizeof(user), "user%u", i);
		failure_delay(&w, "192.0.2.1", user, "x");
		w.now += 10 * SECOND;
	}
	w.now += 20 * SECOND; /* one less */
	CU_ASSERT(is_about(failure_delay(&w, "192.0.2.1", "late", "x"), 8000));
	w.now += 3 * MINUTE;
	CU_ASSERT(is_about(failure_delay(&w, "192.0.2.1", "later", "x"), 2000));
	free(w.region);
}

/* A program with an old password is no guesser. */
static void
same_credentials_count_once(void)
{
	struct world w;

	world_begin(&w, &small);
	for (unsigned i = 0; i < 50; i++) {
		CU_ASSERT(is_about(failure_delay(&w, "192.0.2.1", "someone", "old"), 2000));
		w.now += 3 * SECOND;
	}
	CU_ASSERT_EQUAL(w.asked, 50);
	free(w.region);
}

/* Unknown users, wrong passwords and refusals without asking: one schedule. */
static void
schedule(void)
{
	static const struct {
		uint64_t now, wanted;
	} rows[] = {
		{ 1000, 3000 },
		{ 1001, 3000 },
		{ 2999, 3000 },
		{ 3000, 3000 },
		{ 3001, 5000 },
		{ 5000, 5000 },
		{ 5001, 7000 },
		{ 61234, 63000 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CU_ASSERT_EQUAL(
		    login_policy_schedule(1000, rows[i].now, 2000, 2000), rows[i].wanted);
	CU_ASSERT_EQUAL(login_policy_schedule(1000, 1500, 0, 0), 1500);
	CU_ASSERT_EQUAL(login_policy_schedule(1000, 1000, 15000, 2000), 16000);
	CU_ASSERT_EQUAL(login_policy_schedule(1000, 16001, 15000, 2000), 18000);
}

/* T4: what the server took does not show, and chance blurs all alike. */
static void
answers_keep_the_schedule(void)
{
	struct login_attempt slow, fast;
	struct world w;

	world_begin(&w, &small);
	identify(&w, &fast, "192.0.2.1", "someone", "x");
	identify(&w, &slow, "192.0.2.2", "nobody", "x");
	CU_ASSERT_EQUAL(ask(&w, &fast), LOGIN_GO);
	CU_ASSERT_EQUAL(ask(&w, &slow), LOGIN_GO);
	w.now += 3;
	tell(&w, &fast, LOGIN_FAILED);
	w.now += 1500;
	tell(&w, &slow, LOGIN_FAILED);
	CU_ASSERT_EQUAL(fast.answer_at, slow.answer_at);
	for (unsigned chance = 0; chance <= UINT16_MAX; chance += UINT16_MAX / 5) {
		identify(&w, &fast, "192.0.2.3", "someone else", "x");
		fast.chance = (uint16_t) chance;
		CU_ASSERT_EQUAL(ask(&w, &fast), LOGIN_GO);
		tell(&w, &fast, LOGIN_FAILED);
		CU_ASSERT(fast.answer_at - w.now >= 1700 && fast.answer_at - w.now <= 2300);
		w.now += 20 * SECOND;
	}
	free(w.region);
}

/* T1: a thousand guesses at one user, from fifty addresses, in ten minutes. */
static void
t1_guesses_at_one_user(void)
{
	struct login_attempt a;
	struct world w;
	char from[32], password[32];
	unsigned refused = 0, guesses;

	world_begin(&w, &small);
	CU_ASSERT_EQUAL(attempt(&w, &a, "198.51.100.1", "victim", "right"), LOGIN_GO);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(from, sizeof(from), "192.0.2.%u", i % 50);
		snprintf(password, sizeof(password), "guess%u", i);
		refused += attempt(&w, &a, from, i % 2 == 0 ? "victim" : "VICTIM", password) ==
			   LOGIN_REJECTED;
		w.now += 600;
	}
	guesses = w.rejected;
	CU_ASSERT(guesses >= 10 && guesses <= 30);
	CU_ASSERT(refused >= 900);

	/* The user comes in at once: by the password known, from anywhere, */
	CU_ASSERT_EQUAL(attempt(&w, &a, "198.51.100.1", "victim", "right"), LOGIN_GO);
	CU_ASSERT_EQUAL(attempt(&w, &a, "203.0.113.77", "victim", "right"), LOGIN_GO);
	CU_ASSERT_EQUAL(w.rejected, guesses);
	/* and from the address known with a new one, which may be mistyped once. */
	identify(&w, &a, "198.51.100.1", "victim", "new");
	CU_ASSERT_EQUAL(ask(&w, &a), LOGIN_GO);
	tell(&w, &a, LOGIN_SUCCEEDED);
	CU_ASSERT_EQUAL(attempt(&w, &a, "198.51.100.1", "victim", "mistyped"), LOGIN_GO);
	CU_ASSERT_EQUAL(attempt(&w, &a, "198.51.100.1", "victim", "again"), LOGIN_REJECTED);
	/* Somebody else's good name is none here. */
	CU_ASSERT_EQUAL(attempt(&w, &a, "198.51.100.2", "other", "right"), LOGIN_GO);
	CU_ASSERT_EQUAL(attempt(&w, &a, "198.51.100.2", "victim", "guess"), LOGIN_REJECTED);
	free(w.region);
}

/* Where an administrator allows for many failures, so many it is. */
static void
t1_a_large_limit_is_one(void)
{
	const struct login_policy_limits limits = { 0, 1000000, 2000 };
	enum login_verdict verdict = LOGIN_GO;
	struct login_attempt a;
	char password[32], from[32];
	unsigned n = 0;
	struct world w;

	world_begin(&w, &small);
	login_policy_set_limits(w.region, &limits);
	for (; n < 3000 && verdict == LOGIN_GO; n++) {
		snprintf(from, sizeof(from), "192.0.2.%u", n % 50);
		snprintf(password, sizeof(password), "guess%u", n);
		verdict = attempt(&w, &a, from, "victim", password);
		w.now += 100;
	}
	CU_ASSERT_EQUAL(verdict, LOGIN_REJECTED);
	CU_ASSERT_EQUAL(w.asked, 2000);
	free(w.region);
}

/* All at once, before any answer: no more are asked than may fail. */
static void
t1_guesses_at_once(void)
{
	static struct login_attempt a[1000];
	unsigned going = 0, busy = 0;
	char from[32], password[32];
	struct world w;

	world_begin(&w, &small);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(from, sizeof(from), "192.0.2.%u", i % 50);
		snprintf(password, sizeof(password), "guess%u", i);
		identify(&w, &a[i], from, "victim", password);
		going += ask(&w, &a[i]) == LOGIN_GO;
	}
	CU_ASSERT_EQUAL(going, 2);
	w.now += 15 * SECOND;
	for (unsigned i = 0; i < 1000; i++)
		if (a[i].lease == 0)
			busy += ask(&w, &a[i]) == LOGIN_BUSY;
	CU_ASSERT_EQUAL(busy, 998);
	/* Should the process with those two be gone, their places come back. */
	w.now += 3 * MINUTE;
	CU_ASSERT_EQUAL(attempt(&w, &a[0], "192.0.2.200", "victim", "x"), LOGIN_GO);
	free(w.region);
}

static void
t1_blocks_grow_and_end(void)
{
	static const unsigned minutes[] = { 1, 2, 4, 8, 15, 15 };
	struct login_attempt a;
	char password[32], from[32];
	unsigned n = 0;
	struct world w;

	world_begin(&w, &small);
	for (; n < 10; n++) {
		snprintf(from, sizeof(from), "192.0.2.%u", n);
		snprintf(password, sizeof(password), "guess%u", n);
		CU_ASSERT_EQUAL(attempt(&w, &a, from, "victim", password), LOGIN_GO);
		w.now += 16 * SECOND;
	}
	w.now -= 16 * SECOND;
	for (size_t i = 0; i < sizeof(minutes) / sizeof(minutes[0]); i++, n++) {
		snprintf(from, sizeof(from), "192.0.2.%u", n);
		snprintf(password, sizeof(password), "guess%u", n);
		w.now += minutes[i] * MINUTE - 2 * SECOND;
		CU_ASSERT_EQUAL(attempt(&w, &a, from, "victim", password), LOGIN_REJECTED);
		w.now += 3 * SECOND;
		CU_ASSERT_EQUAL(attempt(&w, &a, from, "victim", password), LOGIN_GO);
	}
	w.now += 60 * MINUTE;
	for (unsigned i = 0; i < 9; i++, n++) {
		snprintf(from, sizeof(from), "192.0.2.%u", n);
		snprintf(password, sizeof(password), "guess%u", n);
		CU_ASSERT_EQUAL(attempt(&w, &a, from, "victim", password), LOGIN_GO);
		w.now += 16 * SECOND;
	}
	free(w.region);
}

/* T2: 200 connections from one address that try one user after the other. */
static void
t2_one_address(void)
{
	static struct login_attempt a[200];
	unsigned in_flight = 0, before, failed = 0;
	char user[32];
	struct world w;

	world_begin(&w, &small);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(user, sizeof(user), "user%u", i);
		identify(&w, &a[i], "192.0.2.1", user, "x");
		in_flight += ask(&w, &a[i]) == LOGIN_GO;
	}
	CU_ASSERT_EQUAL(in_flight, 8);
	for (unsigned i = 0; i < 200; i++) /* all of them fail */
		if (a[i].lease != 0)
			tell(&w, &a[i], LOGIN_FAILED);
	before = w.asked;
	for (unsigned second = 0; second < 120; second++, w.now += SECOND) {
		unsigned now = 0;

		for (unsigned i = 0; i < 200; i++) {
			snprintf(user, sizeof(user), "more%u", failed);
			identify(&w, &a[i], "192.0.2.1", user, "x");
			if (ask(&w, &a[i]) != LOGIN_GO)
				continue;
			now++;
			failed++;
			tell(&w, &a[i], LOGIN_FAILED);
		}
		CU_ASSERT(now <= 2);
	}
	CU_ASSERT(w.asked - before > 0 && w.asked - before <= 120 / 15 * 2 + 2);
	free(w.region);
}

/* How many of COUNT users whom nobody knows may try at once. Then OUTCOME is told of each. */
static unsigned
burst(struct world *w, const char *from, unsigned count, enum login_outcome outcome)
{
	static struct login_attempt a[200];
	static unsigned next;
	unsigned going = 0;
	char user[32];

	for (unsigned i = 0; i < count; i++) {
		snprintf(user, sizeof(user), "new%u", next++);
		identify(w, &a[i], from, user, outcome == LOGIN_FAILED ? "x" : "right");
		going += ask(w, &a[i]) == LOGIN_GO;
	}
	for (unsigned i = 0; i < count; i++)
		if (a[i].lease != 0)
			tell(w, &a[i], outcome);
	return going;
}

/* Many users behind one address, whose passwords are right, do not wait for each other for long. */
static void
t2_room_for_an_office(void)
{
	static const unsigned wanted[] = { 8, 16, 32, 64, 64 };
	struct world w;

	world_begin(&w, &small);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		CU_ASSERT_EQUAL(burst(&w, "192.0.2.1", 200, LOGIN_SUCCEEDED), wanted[i]);
	CU_ASSERT_EQUAL(burst(&w, "192.0.2.2", 200, LOGIN_UNKNOWN), 8); /* somebody else's merit */
	CU_ASSERT_EQUAL(burst(&w, "192.0.2.2", 200, LOGIN_UNKNOWN), 8); /* and none */
	w.now += 9 * MINUTE;
	CU_ASSERT_EQUAL(burst(&w, "192.0.2.1", 200, LOGIN_UNKNOWN), 64);
	w.now += 2 * MINUTE; /* the last success was long ago */
	CU_ASSERT_EQUAL(burst(&w, "192.0.2.1", 200, LOGIN_UNKNOWN), 8);

	/* The places of a process that is gone come back. */
	CU_ASSERT_EQUAL(burst(&w, "192.0.2.1", 2, LOGIN_SUCCEEDED), 2);
	for (unsigned i = 0; i < 10; i++) {
		struct login_attempt a;
		char user[32];

		snprintf(user, sizeof(user), "lost%u", i);
		identify(&w, &a, "192.0.2.1", user, "right");
		CU_ASSERT_EQUAL(ask(&w, &a), LOGIN_GO);
	}
	CU_ASSERT_EQUAL(burst(&w, "192.0.2.1", 1, LOGIN_UNKNOWN), 0);
	w.now += 2 * MINUTE;
	CU_ASSERT_EQUAL(burst(&w, "192.0.2.1", 200, LOGIN_UNKNOWN), 10);
	free(w.region);
}

/* The first failure takes all of it away; and a guesser with a password of his own gets no more by it. */
static void
t2_room_is_lost_by_a_failure(void)
{
	struct login_attempt a;
	struct world w;

	world_begin(&w, &small);
	for (unsigned i = 0; i < 4; i++)
		burst(&w, "192.0.2.1", 200, LOGIN_SUCCEEDED);
	attempt(&w, &a, "192.0.2.1", "mistaken", "x");
	CU_ASSERT(burst(&w, "192.0.2.1", 200, LOGIN_SUCCEEDED) <= 2);
	w.now += 31 * SECOND; /* forgiven, but it begins anew */
	CU_ASSERT_EQUAL(burst(&w, "192.0.2.1", 200, LOGIN_FAILED), 8);
	CU_ASSERT_EQUAL(burst(&w, "192.0.2.1", 200, LOGIN_FAILED), 0);

	for (unsigned i = 0; i < 100; i++)
		attempt(&w, &a, "192.0.2.7", "guesser", "right");
	CU_ASSERT_EQUAL(burst(&w, "192.0.2.7", 200, LOGIN_FAILED), 9);
	free(w.region);
}

static void
t2_ipv6_networks(void)
{
	struct login_attempt a;
	unsigned going = 0;
	char from[64], user[32];
	struct world w;

	/* A thousand addresses of one /64 are one. */
	world_begin(&w, &small);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(from, sizeof(from), "2001:db8:1:2::%x", i);
		snprintf(user, sizeof(user), "user%u", i);
		going += attempt(&w, &a, from, user, "x") == LOGIN_GO;
	}
	CU_ASSERT(going <= 2); /* the second place is taken until the first answer is told */
	free(w.region);

	/* A thousand /64 of one /48 are slowed down when they have failed often. */
	world_begin(&w, &small);
	going = 0;
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(from, sizeof(from), "2001:db8:1:%x::1", i);
		snprintf(user, sizeof(user), "user%u", i);
		going += attempt(&w, &a, from, user, "x") == LOGIN_GO;
	}
	CU_ASSERT(going >= 16 && going <= 24);
	CU_ASSERT_EQUAL(attempt(&w, &a, "2001:db8:2:1::1", "elsewhere", "x"), LOGIN_GO);
	CU_ASSERT_EQUAL(attempt(&w, &a, "192.0.2.1", "elsewhere", "x"), LOGIN_GO);
	free(w.region);
}

/* T3: ten thousand bad logins from five thousand addresses in ten minutes; 300 a minute may fail. */
static void
t3_budget(void)
{
	enum { GUESSES = 10000, LASTS = 10 * MINUTE };
	struct login_attempt a;
	char from[32], user[32];
	unsigned most, known = 0, overspent = 0;
	struct world w;

	world_begin(&w, &small);
	w.upstream_failures_per_minute = 300;
	for (unsigned i = 0; i < 20; i++) {
		snprintf(user, sizeof(user), "honest%u", i);
		CU_ASSERT_EQUAL(attempt(&w, &a, "198.51.100.1", user, "right"), LOGIN_GO);
	}
	for (unsigned i = 0; i < GUESSES; i++, w.now += LASTS / GUESSES) {
		snprintf(from, sizeof(from), "10.1.%u.%u", i % 5000 / 250, i % 250);
		snprintf(user, sizeof(user), "user%u", i);
		overspent += attempt(&w, &a, from, user, "x") == LOGIN_WAIT;
		snprintf(user, sizeof(user), "honest%u", i % 20);
		known += attempt(&w, &a, "203.0.113.9", user, "right") == LOGIN_GO;
	}
	most = 300 * 10 + 50; /* ten seconds' worth at first */
	CU_ASSERT(w.rejected <= most && w.rejected >= most * 9 / 10);
	CU_ASSERT(overspent > 5000);
	CU_ASSERT_EQUAL(known, GUESSES);
	free(w.region);
}

static void
t3_overspent_is_told_late(void)
{
	struct login_attempt a;
	struct world w;

	world_begin(&w, &small);
	set_limits(&w, 6); /* one at a time, one in ten seconds */
	CU_ASSERT_EQUAL(attempt(&w, &a, "192.0.2.1", "one", "x"), LOGIN_GO);
	identify(&w, &a, "192.0.2.2", "two", "x");
	CU_ASSERT_EQUAL(ask(&w, &a), LOGIN_WAIT);
	w.now += 1900;
	CU_ASSERT_EQUAL(ask(&w, &a), LOGIN_WAIT);
	w.now += 200;
	CU_ASSERT_EQUAL(ask(&w, &a), LOGIN_OVERSPENT);
	CU_ASSERT(a.answer_at >= w.now);
	w.now += 8 * SECOND;
	CU_ASSERT_EQUAL(ask(&w, &a), LOGIN_GO);
	tell(&w, &a, LOGIN_UNKNOWN); /* is not paid for */
	identify(&w, &a, "192.0.2.3", "three", "x");
	CU_ASSERT_EQUAL(ask(&w, &a), LOGIN_GO);
	free(w.region);
}

/* The server's own budget, beside the one of all. */
static void
t3_each_server_has_its_own(void)
{
	const struct sockaddr_storage peer = address_of("192.0.2.1");
	char user[16] = "user", password[] = "x";
	const struct credentials c = { .user = user, .password = password, .password_len = 1 };
	struct login_target target = { "one:993", 0, 6, LOGIN_AT_SERVER };
	struct login_attempt a;
	struct world w;

	world_begin(&w, &small);
	login_policy_identify(w.region, &a, &peer, &target, &c, MIDDLE, w.now);
	CU_ASSERT_EQUAL(ask(&w, &a), LOGIN_GO);
	tell(&w, &a, LOGIN_FAILED);
	snprintf(user, sizeof(user), "another");
	login_policy_identify(w.region, &a, &peer, &target, &c, MIDDLE, w.now);
	CU_ASSERT_EQUAL(ask(&w, &a), LOGIN_WAIT);
	target = (struct login_target){ "two:993", 1, 6, LOGIN_AT_SERVER };
	login_policy_identify(w.region, &a, &peer, &target, &c, MIDDLE, w.now);
	CU_ASSERT_EQUAL(ask(&w, &a), LOGIN_GO);
	free(w.region);
}

/* Logins that succeed, or that never came to an answer, cost nobody anything. */
static void
success_costs_nothing(void)
{
	struct login_attempt a;
	char user[32];
	struct world w;

	world_begin(&w, &small);
	w.upstream_failures_per_minute = 6;
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(user, sizeof(user), "user%u", i);
		CU_ASSERT_EQUAL(attempt(&w, &a, "192.0.2.1", user, "right"), LOGIN_GO);
		identify(&w, &a, "192.0.2.1", user, "unknown");
		CU_ASSERT_EQUAL(ask(&w, &a), LOGIN_GO);
		tell(&w, &a, LOGIN_UNKNOWN);
	}
	CU_ASSERT(is_about(failure_delay(&w, "192.0.2.1", "last", "x"), 2000));
	free(w.region);
}

static void
changed_password_is_no_longer_known(void)
{
	struct login_attempt a;
	struct world w;

	world_begin(&w, &small);
	attempt(&w, &a, "192.0.2.1", "someone", "right");
	identify(&w, &a, "192.0.2.1", "someone", "right");
	CU_ASSERT_EQUAL(ask(&w, &a), LOGIN_GO);
	CU_ASSERT(a.known);
	tell(&w, &a, LOGIN_FAILED);
	identify(&w, &a, "192.0.2.1", "someone", "right");
	ask(&w, &a);
	CU_ASSERT_FALSE(a.known);
	free(w.region);
}

/* Ten million addresses and users leave the region as large as it is, and do not wash out the one that
 * matters. */
/* Whoever a master logs in for, it is one password that is guessed: the users are not locked out, and
 * no new user gives the guesser new tries. */
static void
masters_are_guessed_at_themselves(void)
{
	const struct sockaddr_storage peer = address_of("192.0.2.1");
	const struct login_target target = { "imap:993", 0, 1000000, LOGIN_AT_SERVER };
	struct login_attempt a, b;
	char user[16], password[16], master[] = "boss";
	const struct credentials c = {
		.user = user, .master = master, .password = password, .password_len = 1
	};
	struct world w;

	world_begin(&w, &small);
	for (int i = 0; i < 10; i++) {
		snprintf(user, sizeof(user), "user%d", i);
		snprintf(password, sizeof(password), "%d", i);
		login_policy_identify(w.region, &a, &peer, &target, &c, MIDDLE, w.now);
		CU_ASSERT_EQUAL(ask(&w, &a), LOGIN_GO);
		tell(&w, &a, LOGIN_FAILED);
		w.now = a.answer_at + 1000;
	}
	login_policy_identify(w.region, &a, &peer, &target, &c, MIDDLE, w.now);
	CU_ASSERT_EQUAL(ask(&w, &a), LOGIN_REJECTED);
	CU_ASSERT_EQUAL(attempt(&w, &b, "192.0.2.9", "boss", "right"), LOGIN_REJECTED);
	CU_ASSERT_EQUAL(attempt(&w, &b, "192.0.2.9", "user9", "right"), LOGIN_GO);
	free(w.region);
}

/* No server is asked about such a name, and nothing but the address is held responsible. */
static void
refusal_is_a_failure_of_the_address(void)
{
	static const uint64_t wanted[] = { 2000, 4000, 8000, 15000 };
	struct login_attempt a;
	char user[16];
	struct world w;

	world_begin(&w, &small);
	for (size_t i = 0; i < 4; i++) {
		snprintf(user, sizeof(user), "user%zu", i);
		identify(&w, &a, "192.0.2.1", user, "");
		login_policy_refuse(w.region, &a, w.now);
		UNIT_CHECK(is_about(a.answer_at - w.now, wanted[i]), user);
	}
	UNIT_CHECK(is_about(failure_delay(&w, "192.0.2.2", "user0", "x"), 2000), "other address");
	UNIT_CHECK(is_about(failure_delay(&w, "192.0.2.1", "other", "x"), 15000), "other user");
	free(w.region);
}

static void
bounded_memory(void)
{
	const struct sockaddr_storage peer = address_of("192.0.2.1");
	const struct login_target target = { "imap:993", 0, 1000000, LOGIN_AT_SERVER };
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_storage other = { 0 };
	char user[32] = "victim", password[] = "x?";
	const struct credentials c = { .user = user, .password = password, .password_len = 2 };
	struct login_attempt a;
	unsigned char *guard;
	struct world w;

	world_begin(&w, &small);
	guard = realloc(w.region, w.size + 64);
	CU_ASSERT_FATAL(guard != NULL);
	w.region = guard;
	memset(guard + w.size, 0xa5, 64);
	for (int i = 0; i < 12; i++, w.now += 16 * SECOND) {
		password[1] = (char) ('a' + i);
		login_policy_identify(w.region, &a, &peer, &target, &c, MIDDLE, w.now);
		if (ask(&w, &a) == LOGIN_GO)
			tell(&w, &a, LOGIN_FAILED);
	}
	login_policy_identify(w.region, &a, &peer, &target, &c, MIDDLE, w.now);
	CU_ASSERT_EQUAL(ask(&w, &a), LOGIN_REJECTED);
	w.now -= 10 * SECOND;
	for (uint32_t i = 0; i < 10000000; i++) {
		in.sin_addr.s_addr = htonl(i + (11U << 24));
		memcpy(&other, &in, sizeof(in));
		snprintf(user, sizeof(user), "%x", i);
		/* the digests of known logins are not what this is about, and take time */
		if (i % 100 == 0)
			login_policy_identify(w.region, &a, &other, &target, &c, MIDDLE, w.now);
		a.address = a.address * 6364136223846793005U + 1442695040888963407U;
		a.user = a.user * 6364136223846793005U + 1442695040888963407U;
		a.lease = 0;
		a.known = false;
		login_policy_tell(w.region, &a, LOGIN_FAILED, w.now);
		w.now += i % 1000 == 0;
	}
	snprintf(user, sizeof(user), "victim");
	login_policy_identify(w.region, &a, &peer, &target, &c, MIDDLE, w.now);
	CU_ASSERT_EQUAL(ask(&w, &a), LOGIN_REJECTED);
	for (size_t i = 0; i < 64; i++)
		CU_ASSERT_EQUAL_FATAL(guard[w.size + i], 0xa5);
	free(w.region);
}

/* What lies in the region is neither a name nor a password nor an address. */
static void
no_secrets(void)
{
	struct login_attempt a;
	struct world w;

	world_begin(&w, &small);
	identify(&w, &a, "192.0.2.1", "canaryuser", "canarypassword");
	CU_ASSERT_EQUAL(ask(&w, &a), LOGIN_GO);
	tell(&w, &a, LOGIN_SUCCEEDED);
	CU_ASSERT_PTR_NULL(memmem(w.region, w.size, "canary", 6));
	CU_ASSERT_PTR_NULL(memmem(w.region, w.size, "\xc0\0\2\1", 4));
	free(w.region);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "delays grow", delays_grow },
		{ "delays decay", delays_decay },
		{ "same credentials count once", same_credentials_count_once },
		{ "schedule", schedule },
		{ "T4 answers keep the schedule", answers_keep_the_schedule },
		{ "T1 guesses at one user", t1_guesses_at_one_user },
		{ "T1 guesses at once", t1_guesses_at_once },
		{ "T1 a large limit is one", t1_a_large_limit_is_one },
		{ "T1 blocks grow and end", t1_blocks_grow_and_end },
		{ "T2 one address", t2_one_address },
		{ "T2 room for an office", t2_room_for_an_office },
		{ "T2 room is lost by a failure", t2_room_is_lost_by_a_failure },
		{ "T2 IPv6 networks", t2_ipv6_networks },
		{ "T3 budget", t3_budget },
		{ "T3 overspent is told late", t3_overspent_is_told_late },
		{ "T3 each server has its own", t3_each_server_has_its_own },
		{ "success costs nothing", success_costs_nothing },
		{ "changed password is no longer known", changed_password_is_no_longer_known },
		{ "masters are guessed at themselves", masters_are_guessed_at_themselves },
		{ "refusal is a failure of the address", refusal_is_a_failure_of_the_address },
		{ "bounded memory", bounded_memory },
		{ "no secrets", no_secrets },
	};

	return unit_run("login_policy", tests, sizeof(tests) / sizeof(tests[0]));
}
