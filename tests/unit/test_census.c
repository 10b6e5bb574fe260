/* Tests of gateway/census.c, of the memory that it shares, and of the hash that it stands on. */
#include "tests/unit/unit.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/census.h"
#include "gateway/shared.h"
#include "base/siphash.h"
#include "tests/unit/addresses.h"

static struct census *
census_of(size_t sessions, size_t per_address, size_t per_user)
{
	struct census_limits limits = { sessions, per_address, per_user, 0, 0 };
	struct census *census = NULL;

	CU_ASSERT_EQUAL_FATAL(census_new(&limits, &census, NULL), 0);
	return census;
}

/* The same census as another process would have it, with LIMITS. */
static struct census *
attached(const struct census *census, uint32_t worker, size_t limit)
{
	struct census_limits limits = { limit, limit, limit, 0, 0 };
	struct census *other = NULL;

	CU_ASSERT_EQUAL_FATAL(census_attach(dup(census_descriptor(census)), worker, &other), 0);
	census_set_limits(other, &limits);
	return other;
}

static enum census_answer
take(struct census *census, const char *from, struct census_seat *seat)
{
	struct sockaddr_storage peer = address_of(from);

	return census_enter(census, &peer, seat);
}

/* One whose seat nobody needs any more. */
static enum census_answer
enter(struct census *census, const char *from)
{
	struct census_seat seat;

	return take(census, from, &seat);
}

static void
limit_of_all(void)
{
	struct census *census = census_of(3, 3, 1);
	struct census_seat seat;

	CU_ASSERT_EQUAL(enter(census, "192.0.2.1"), CENSUS_ADMITTED);
	CU_ASSERT_EQUAL(take(census, "192.0.2.2", &seat), CENSUS_ADMITTED);
	CU_ASSERT_EQUAL(enter(census, "192.0.2.3"), CENSUS_ADMITTED);
	CU_ASSERT_EQUAL(enter(census, "192.0.2.4"), CENSUS_FULL);
	CU_ASSERT_EQUAL(census_count(census), 3);
	census_leave(census, &seat);
	CU_ASSERT_EQUAL(enter(census, "192.0.2.4"), CENSUS_ADMITTED);
	census_free(census);
}

static bool
arrive(struct census *census, const char *from, uint64_t now)
{
	struct sockaddr_storage peer = address_of(from);

	return census_arrive(census, &peer, now);
}

/* Who knocks at whichever process, an IPv6 /64 is one address. */
static void
arrivals_in_a_minute(void)
{
	struct census *one = census_of(10, 10, 10), *two = attached(one, 2, 10);
	struct census_limits limits = { 10, 10, 10, 0, 2 };

	for (unsigned i = 0; i < 100; i++)
		CU_ASSERT_TRUE(arrive(one, "192.0.2.1", 1000)); /* without a limit */
	census_set_limits(one, &limits);
	census_set_limits(two, &limits);
	CU_ASSERT_TRUE(arrive(one, "192.0.2.1", 1000));
	CU_ASSERT_TRUE(arrive(two, "192.0.2.1", 1000));
	CU_ASSERT_FALSE(arrive(one, "192.0.2.1", 1000));
	CU_ASSERT_FALSE(arrive(two, "192.0.2.1", 30999));
	CU_ASSERT_TRUE(arrive(two, "192.0.2.1", 31000));
	CU_ASSERT_TRUE(arrive(one, "192.0.2.2", 1000));
	CU_ASSERT_TRUE(arrive(one, "2001:db8:1:2::1", 1000));
	CU_ASSERT_TRUE(arrive(two, "2001:db8:1:2::2", 1000));
	CU_ASSERT_FALSE(arrive(two, "2001:db8:1:2::3", 1000));
	CU_ASSERT_TRUE(arrive(two, "2001:db8:1:3::3", 1000));
	CU_ASSERT_EQUAL(census_count(one), 0);
	census_free(two);
	census_free(one);
}

static enum census_answer
name(struct census *census, const struct census_seat *seat, const char *from)
{
	struct sockaddr_storage peer = address_of(from);

	return census_name(census, seat, &peer);
}

/* Behind a proxy: who it is shows later. */
static void
address_that_comes_later(void)
{
	struct census *census = census_of(4, 1, 1);
	struct census_seat seats[4];

	for (size_t i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(census_enter(census, NULL, &seats[i]), CENSUS_ADMITTED);
	CU_ASSERT_EQUAL(name(census, &seats[0], "192.0.2.1"), CENSUS_ADMITTED);
	CU_ASSERT_EQUAL(name(census, &seats[1], "192.0.2.1"), CENSUS_ADDRESS_FULL);
	CU_ASSERT_EQUAL(enter(census, "192.0.2.1"), CENSUS_ADDRESS_FULL);
	CU_ASSERT_EQUAL(name(census, &seats[2], "192.0.2.2"), CENSUS_ADMITTED);
	CU_ASSERT_EQUAL(census_count(census), 3);
	CU_ASSERT_EQUAL(census_enter(census, NULL, &seats[3]), CENSUS_ADMITTED);
	CU_ASSERT_EQUAL(census_enter(census, NULL, &seats[3]), CENSUS_FULL);
	census_leave(census, &seats[0]);
	census_leave(census, &seats[1]);
	CU_ASSERT_EQUAL(name(census, &seats[3], "192.0.2.1"), CENSUS_ADMITTED);
	CU_ASSERT_EQUAL(census_count(census), 2);
	/* Who takes a seat that had an address has none yet. */
	CU_ASSERT_EQUAL(census_enter(census, NULL, &seats[0]), CENSUS_ADMITTED);
	census_leave(census, &seats[3]);
	CU_ASSERT_EQUAL(census_enter(census, NULL, &seats[3]), CENSUS_ADMITTED);
	CU_ASSERT_EQUAL(enter(census, "192.0.2.1"), CENSUS_ADMITTED);
	census_free(census);
}

static void
limit_of_an_address(void)
{
	struct census *census = census_of(100, 2, 1);
	struct census_seat seat;

	CU_ASSERT_EQUAL(enter(census, "192.0.2.1"), CENSUS_ADMITTED);
	CU_ASSERT_EQUAL(take(census, "192.0.2.1", &seat), CENSUS_ADMITTED);
	CU_ASSERT_EQUAL(enter(census, "192.0.2.1"), CENSUS_ADDRESS_FULL);
	CU_ASSERT_EQUAL(census_count(census), 2);
	CU_ASSERT_EQUAL(enter(census, "192.0.2.9"), CENSUS_ADMITTED);
	census_leave(census, &seat);
	CU_ASSERT_EQUAL(enter(census, "192.0.2.1"), CENSUS_ADMITTED);
	census_free(census);
}

static void
ipv6_counts_by_64_bits(void)
{
	struct census *census = census_of(100, 1, 1);
	struct census_seat seat;

	CU_ASSERT_EQUAL(take(census, "2001:db8:1:2::1", &seat), CENSUS_ADMITTED);
	CU_ASSERT_EQUAL(enter(census, "2001:db8:1:2:ffff::2"), CENSUS_ADDRESS_FULL);
	CU_ASSERT_EQUAL(enter(census, "2001:db8:1:3::1"), CENSUS_ADMITTED);
	census_leave(census, &seat);
	CU_ASSERT_EQUAL(enter(census, "2001:db8:1:2::5"), CENSUS_ADMITTED);
	census_free(census);
}

static void
limit_of_a_user(void)
{
	struct census *census = census_of(100, 100, 2);
	struct census_seat seats[7];

	for (size_t i = 0; i < 7; i++)
		CU_ASSERT_EQUAL(take(census, "192.0.2.1", &seats[i]), CENSUS_ADMITTED);
	CU_ASSERT_EQUAL(census_enter_user(census, &seats[0], "a:993", "jane"), 0);
	CU_ASSERT_EQUAL(census_enter_user(census, &seats[1], "a:993", "JANE"), 0);
	CU_ASSERT_EQUAL(census_enter_user(census, &seats[2], "a:993", "jane"), ERR_LIMIT);
	CU_ASSERT_EQUAL(census_enter_user(census, &seats[3], "b:993", "jane"), 0);
	CU_ASSERT_EQUAL(census_enter_user(census, &seats[4], "a:993", "jan"), 0);
	CU_ASSERT_EQUAL(census_enter_user(census, &seats[5], "a:993j", "ane"), 0);
	census_leave_user(census, &seats[1]);
	CU_ASSERT_EQUAL(census_enter_user(census, &seats[2], "a:993", "jane"), 0);
	CU_ASSERT_EQUAL(census_enter_user(census, &seats[6], "a:993", "Jane"), ERR_LIMIT);
	census_leave(census, &seats[2]); /* its user, too */
	CU_ASSERT_EQUAL(census_enter_user(census, &seats[6], "a:993", "jane"), 0);
	CU_ASSERT_EQUAL(census_count(census), 6);
	census_free(census);
}

static void
new_limits_are_for_those_who_come(void)
{
	struct census *census = census_of(2, 2, 2);
	struct census_limits wider = { 3, 3, 3, 0, 0 }, narrower = { 1, 1, 1, 0, 0 };

	enter(census, "192.0.2.1");
	enter(census, "192.0.2.1");
	census_set_limits(census, &narrower);
	CU_ASSERT_EQUAL(census_count(census), 2);
	CU_ASSERT_EQUAL(enter(census, "192.0.2.2"), CENSUS_FULL);
	census_set_limits(census, &wider);
	CU_ASSERT_EQUAL(enter(census, "192.0.2.1"), CENSUS_ADMITTED);
	census_free(census);
}

/* Many come and go: the counts are those of an array next to it. */
static void
counts_stay_right(void)
{
	enum { ADDRESSES = 200, LIMIT = 3, TURNS = 20000 };
	struct census *census = census_of(400, LIMIT, 1);
	struct census_seat seats[ADDRESSES][LIMIT];
	unsigned counts[ADDRESSES] = { 0 }, total = 0, wrong = 0;
	enum census_answer expected;
	unsigned seed = 1;
	char text[32];

	for (int turn = 0; turn < TURNS; turn++) {
		seed = seed * 1103515245 + 12345;
		unsigned who = seed / 65536 % ADDRESSES;
		struct census_seat refused;
		snprintf(text, sizeof(text), "10.0.0.%u", who);
		if (seed / 256 % 3 == 0 && counts[who] > 0) {
			census_leave(census, &seats[who][--counts[who]]);
			total--;
			continue;
		}
		expected = counts[who] == LIMIT ? CENSUS_ADDRESS_FULL
			   : total == 400	? CENSUS_FULL
						: CENSUS_ADMITTED;
		wrong += take(census, text,
			     expected == CENSUS_ADMITTED ? &seats[who][counts[who]] : &refused) !=
			 expected;
		counts[who] += expected == CENSUS_ADMITTED;
		total += expected == CENSUS_ADMITTED;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(census_count(census), total);
	census_free(census);
}

static void
no_two_sessions_have_the_same_serial(void)
{
	struct census *one = census_of(10, 10, 10), *two = attached(one, 2, 10);
	struct census_seat seats[3];

	CU_ASSERT_EQUAL(take(one, "192.0.2.1", &seats[0]), CENSUS_ADMITTED);
	CU_ASSERT_EQUAL(take(two, "192.0.2.1", &seats[1]), CENSUS_ADMITTED);
	census_leave(one, &seats[0]);
	CU_ASSERT_EQUAL(take(two, "192.0.2.1", &seats[2]), CENSUS_ADMITTED);
	CU_ASSERT_NOT_EQUAL(seats[0].serial, seats[1].serial);
	CU_ASSERT_NOT_EQUAL(seats[0].serial, seats[2].serial);
	CU_ASSERT_NOT_EQUAL(seats[1].serial, seats[2].serial);
	CU_ASSERT_EQUAL(census_random(one), census_random(two));
	census_free(one);
	census_free(two);
}

/* ---- several workers ---- */

static void
limits_hold_across_workers(void)
{
	struct census *supervisor = census_of(4, 4, 4);
	struct census *one = attached(supervisor, 1, 3), *two = attached(supervisor, 2, 3);
	struct census_seat first, second, third, fourth;

	CU_ASSERT_EQUAL(take(one, "192.0.2.1", &first), CENSUS_ADMITTED);
	CU_ASSERT_EQUAL(take(two, "192.0.2.1", &second), CENSUS_ADMITTED);
	CU_ASSERT_EQUAL(take(one, "192.0.2.1", &third), CENSUS_ADMITTED);
	CU_ASSERT_EQUAL(take(two, "192.0.2.1", &fourth), CENSUS_ADDRESS_FULL);
	CU_ASSERT_EQUAL(take(two, "192.0.2.2", &fourth), CENSUS_FULL);
	CU_ASSERT_EQUAL(census_enter_user(one, &first, "a:993", "jane"), 0);
	CU_ASSERT_EQUAL(census_enter_user(two, &second, "a:993", "jane"), 0);
	CU_ASSERT_EQUAL(census_enter_user(one, &third, "a:993", "jane"), 0);
	census_set_limits(two, &(struct census_limits){ 4, 4, 3, 0, 0 });
	CU_ASSERT_EQUAL(take(two, "192.0.2.1", &fourth), CENSUS_ADMITTED);
	CU_ASSERT_EQUAL(census_enter_user(two, &fourth, "a:993", "jane"), ERR_LIMIT);
	census_leave(one, &first);
	CU_ASSERT_EQUAL(census_enter_user(two, &fourth, "a:993", "jane"), 0);
	CU_ASSERT_EQUAL(census_count(supervisor), 3);
	census_free(one);
	census_free(two);
	census_free(supervisor);
}

static void
a_worker_may_have_a_limit_of_its_own(void)
{
	struct census *one = census_of(10, 10, 10), *two = attached(one, 2, 10);
	struct census_seat seat;

	census_set_limits(two, &(struct census_limits){ 10, 10, 10, 1, 0 });
	CU_ASSERT_EQUAL(take(two, "192.0.2.1", &seat), CENSUS_ADMITTED);
	CU_ASSERT_EQUAL(enter(two, "192.0.2.1"), CENSUS_FULL);
	CU_ASSERT_EQUAL(enter(one, "192.0.2.1"), CENSUS_ADMITTED);
	census_leave(two, &seat);
	CU_ASSERT_EQUAL(enter(two, "192.0.2.1"), CENSUS_ADMITTED);
	census_free(one);
	census_free(two);
}

static void
who_is_ahead_is_known(void)
{
	struct census *supervisor = census_of(100, 100, 100);
	struct census *one = attached(supervisor, 1, 100), *two = attached(supervisor, 2, 100);
	struct census_seat seat;

	for (int i = 0; i < 4; i++)
		enter(one, "192.0.2.1");
	CU_ASSERT_FALSE(census_is_ahead(one)); /* not by much */
	take(one, "192.0.2.1", &seat);
	CU_ASSERT_TRUE(census_is_ahead(one));
	CU_ASSERT_FALSE(census_is_ahead(two));
	CU_ASSERT_FALSE(census_is_ahead(supervisor));
	enter(two, "192.0.2.1");
	CU_ASSERT_FALSE(census_is_ahead(one));
	enter(one, "192.0.2.1");
	CU_ASSERT_TRUE(census_is_ahead(one));
	census_leave(one, &seat);
	CU_ASSERT_FALSE(census_is_ahead(one));
	enter(one, "192.0.2.1");
	census_retire(two); /* it will take nobody */
	CU_ASSERT_FALSE(census_is_ahead(one));
	census_free(two);
	two = attached(supervisor, 3, 100);
	CU_ASSERT_TRUE(census_is_ahead(one));
	census_remove_worker(supervisor, 3);
	CU_ASSERT_FALSE(census_is_ahead(one));
	census_free(one);
	census_free(two);
	census_free(supervisor);
}

static void
a_dead_worker_is_counted_out(void)
{
	struct census *supervisor = census_of(10, 10, 10);
	struct census *one = attached(supervisor, 1, 2), *two = attached(supervisor, 2, 2);
	struct census_seat seats[2];

	for (size_t i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(take(i == 0 ? one : two, "192.0.2.1", &seats[i]), CENSUS_ADMITTED);
		CU_ASSERT_EQUAL(
		    census_enter_user(i == 0 ? one : two, &seats[i], "a:993", "jane"), 0);
	}
	census_free(one);
	CU_ASSERT_EQUAL(enter(two, "192.0.2.1"), CENSUS_ADDRESS_FULL);
	CU_ASSERT_EQUAL(census_remove_worker(supervisor, 1), 1);
	CU_ASSERT_EQUAL(census_remove_worker(supervisor, 1), 0);
	CU_ASSERT_EQUAL(census_count(supervisor), 1);
	CU_ASSERT_EQUAL(take(two, "192.0.2.1", &seats[0]), CENSUS_ADMITTED);
	CU_ASSERT_EQUAL(census_enter_user(two, &seats[0], "a:993", "jane"), 0);
	CU_ASSERT_EQUAL(enter(two, "192.0.2.1"), CENSUS_ADDRESS_FULL);
	census_free(two);
	census_free(supervisor);
}

/* Before login: in all, and of one address, whichever worker has them. */
static void
who_waits_is_counted(void)
{
	struct census *one = census_of(10, 10, 10), *two = attached(one, 2, 10);
	struct census_seat seats[4];

	CU_ASSERT_EQUAL(take(one, "192.0.2.1", &seats[0]), CENSUS_ADMITTED);
	CU_ASSERT_EQUAL(take(two, "192.0.2.1", &seats[1]), CENSUS_ADMITTED);
	CU_ASSERT_EQUAL(take(two, "192.0.2.2", &seats[2]), CENSUS_ADMITTED);
	CU_ASSERT_EQUAL(census_enter(two, NULL, &seats[3]), CENSUS_ADMITTED);
	CU_ASSERT_EQUAL(census_waiting(one), 4);
	CU_ASSERT_EQUAL(census_waiting_beside(one, &seats[0]), 2);
	CU_ASSERT_EQUAL(census_waiting_beside(two, &seats[3]), 0);
	CU_ASSERT_EQUAL(name(two, &seats[3], "192.0.2.1"), CENSUS_ADMITTED);
	CU_ASSERT_EQUAL(census_waiting_beside(one, &seats[0]), 3);
	census_log_in(two, &seats[1]);
	census_log_in(two, &seats[1]); /* no matter */
	CU_ASSERT_EQUAL(census_waiting(one), 3);
	CU_ASSERT_EQUAL(census_waiting_beside(one, &seats[0]), 2);
	census_leave(two, &seats[1]);
	CU_ASSERT_EQUAL(census_waiting(one), 3);
	CU_ASSERT_EQUAL(census_remove_worker(one, 2), 2);
	CU_ASSERT_EQUAL(census_waiting(one), 1);
	CU_ASSERT_EQUAL(census_waiting_beside(one, &seats[0]), 1);
	census_free(two);
	census_free(one);
}

/* Comes and goes as fast as it can, until somebody kills it. */
static void
come_and_go(struct census *census)
{
	struct census *mine = attached(census, 7, 100);
	struct census_seat seats[3];
	char user[32];

	for (unsigned turn = 0;; turn++) {
		snprintf(user, sizeof(user), "user %u", turn % 50);
		for (size_t i = 0; i < 3; i++) {
			if (i == 0)
				census_enter(mine, NULL, &seats[i]);
			else
				take(mine, turn % 2 ? "192.0.2.1" : "192.0.2.2", &seats[i]);
			if (i == 0 && turn % 3 != 0)
				name(mine, &seats[i], "192.0.2.1");
			if (i == 1)
				census_log_in(mine, &seats[i]);
			census_enter_user(mine, &seats[i], "a:993", user);
		}
		for (size_t i = 0; i < 3; i++)
			census_leave(mine, &seats[(turn + i) % 3]);
	}
}

/* Killed at random, often in the middle of a change: what others have counted stays, and what the
 * dead had is given back. */
static void
a_kill_at_any_instant_loses_no_count(void)
{
	struct census *census = census_of(100, 100, 100);
	struct census_seat seat, nobody;
	int status, wrong = 0;
	pid_t child;

	CU_ASSERT_EQUAL(take(census, "192.0.2.1", &seat), CENSUS_ADMITTED);
	CU_ASSERT_EQUAL(census_enter_user(census, &seat, "a:993", "user 1"), 0);
	CU_ASSERT_EQUAL(census_enter(census, NULL, &nobody), CENSUS_ADMITTED);
	for (useconds_t round = 0; round < 200; round++) {
		if ((child = fork()) == 0) {
			alarm(60);
			come_and_go(census);
		}
		usleep(500 + 7 * round); /* anything will do */
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		census_remove_worker(census, 7);
		wrong += census_count(census) != 2 || census_waiting(census) != 2 ||
			 census_waiting_beside(census, &seat) != 1 ||
			 census_waiting_beside(census, &nobody) != 0;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	census_leave(census, &nobody);
	census_set_limits(census, &(struct census_limits){ 2, 2, 2, 0, 0 });
	CU_ASSERT_EQUAL(enter(census, "192.0.2.1"), CENSUS_ADMITTED);
	CU_ASSERT_EQUAL(enter(census, "192.0.2.1"), CENSUS_ADDRESS_FULL);
	census_leave(census, &seat);
	CU_ASSERT_EQUAL(census_count(census), 1);
	census_free(census);
}

/* ---- shared memory ---- */

/* Runs BODY in a process of its own, which is killed at the end of it. */
static void
in_a_process_that_dies(void (*body)(void))
{
	int status;
	pid_t child;

	if ((child = fork()) == 0) {
		alarm(60);
		body();
		raise(SIGKILL);
	}
	CU_ASSERT_TRUE_FATAL(child > 0);
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

struct numbers {
	unsigned count;
	unsigned repaired;
};

static void
repair_numbers(void *memory)
{
	((struct numbers *) memory)->repaired++;
}

static struct shared *shared; /* of the next two tests */

static void
die_with_the_lock(void)
{
	shared_lock(shared);
	((struct numbers *) shared_memory(shared))->count = 7;
}

static void
a_lock_outlives_its_holder(void)
{
	struct numbers *numbers;

	CU_ASSERT_EQUAL_FATAL(
	    shared_new("test", sizeof(*numbers), repair_numbers, &shared), 0);
	numbers = shared_memory(shared);
	in_a_process_that_dies(die_with_the_lock);
	CU_ASSERT_EQUAL(numbers->repaired, 0);
	shared_lock(shared);
	CU_ASSERT_EQUAL(numbers->repaired, 1);
	CU_ASSERT_EQUAL(numbers->count, 7);
	shared_unlock(shared);
	shared_lock(shared); /* as ever */
	CU_ASSERT_EQUAL(numbers->repaired, 1);
	shared_unlock(shared);
	shared_free(shared);
}

static void
memory_of_another_size_is_refused(void)
{
	struct shared *other = NULL;
	struct census *census = NULL;

	CU_ASSERT_EQUAL_FATAL(shared_new("test", 100, repair_numbers, &shared), 0);
	CU_ASSERT_EQUAL(
	    shared_attach(dup(shared_descriptor(shared)), 101, repair_numbers, &other),
	    ERR_INVALID);
	CU_ASSERT_EQUAL(census_attach(dup(shared_descriptor(shared)), 1, &census), ERR_INVALID);
	CU_ASSERT_EQUAL(shared_attach(-1, 100, repair_numbers, &other), ERR_INVALID);
	CU_ASSERT_EQUAL(
	    shared_attach(dup(shared_descriptor(shared)), 100, repair_numbers, &other), 0);
	((char *) shared_memory(shared))[99] = 'x';
	CU_ASSERT_EQUAL(((char *) shared_memory(other))[99], 'x');
	shared_free(other);
	shared_free(shared);
	shared_free(NULL);
}

/* From the test vectors of the SipHash paper's authors: key 00..0f, input 00..(length - 1). */
static void
siphash_vectors(void)
{
	static const struct {
		size_t len;
		uint64_t hash;
	} rows[] = {
		{ 0, 0x726fdb47dd0e0e31 },
		{ 1, 0x74f839c593dc67fd },
		{ 8, 0x93f5f5799a932462 },
		{ 15, 0xa129ca6149be45e5 },
	};
	struct siphash_key key = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
	unsigned char in[16];
	char message[32];

	for (unsigned i = 0; i < sizeof(in); i++)
		in[i] = (unsigned char) i;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(message, sizeof(message), "%zu octets", rows[i].len);
		UNIT_CHECK(siphash(&key, in, rows[i].len) == rows[i].hash, message);
	}
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "all sessions are limited", limit_of_all },
		{ "sessions of an address are limited", limit_of_an_address },
		{ "connections of an address in a minute are limited", arrivals_in_a_minute },
		{ "an address that comes later", address_that_comes_later },
		{ "IPv6 counts by its first 64 bits", ipv6_counts_by_64_bits },
		{ "sessions of a user are limited", limit_of_a_user },
		{ "new limits are for those who come", new_limits_are_for_those_who_come },
		{ "counts stay right when many come and go", counts_stay_right },
		{ "no two sessions have the same serial", no_two_sessions_have_the_same_serial },
		{ "limits hold across workers", limits_hold_across_workers },
		{ "a worker may have a limit of its own", a_worker_may_have_a_limit_of_its_own },
		{ "who is ahead is known", who_is_ahead_is_known },
		{ "who waits is counted", who_waits_is_counted },
		{ "a dead worker is counted out", a_dead_worker_is_counted_out },
		{ "a kill at any instant loses no count", a_kill_at_any_instant_loses_no_count },
		{ "a lock outlives its holder", a_lock_outlives_its_holder },
		{ "memory of another size is refused", memory_of_another_size_is_refused },
		{ "SipHash-2-4 gives its authors' values", siphash_vectors },
	};

	return unit_run("census", tests, sizeof(tests) / sizeof(tests[0]));
}
