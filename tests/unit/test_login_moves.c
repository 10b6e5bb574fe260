/* Tests of login_policy_move and login_policy_aim (gateway/login_policy.c): one attempt at two servers, or
 * at one that is not known at first. */
#include "tests/unit/login_world.h"

/* Each may reject one login in ten seconds. */
static const struct login_target one = { "one", 0, 6, LOGIN_AT_SERVER },
				 two = { "two", 1, 6, LOGIN_AT_SERVER };

/* USER asks for a try at TARGET. */
static enum login_verdict
ask_at(struct world *w, struct login_attempt *a, const struct login_target *target,
    const char *user)
{
	const struct sockaddr_storage peer = address_of("192.0.2.1");
	char name[16], password[] = "x";
	const struct credentials c = { .user = name, .password = password, .password_len = 1 };

	snprintf(name, sizeof(name), "%s", user);
	login_policy_identify(w->region, a, &peer, target, &c, MIDDLE, w->now);
	return login_policy_ask(w->region, a, w->now);
}

static void
each_server_pays_and_the_user_once(void)
{
	struct login_attempt a, b;
	struct world w;

	world_begin(&w, &small);
	CU_ASSERT_EQUAL(ask_at(&w, &a, &one, "first"), LOGIN_GO);
	CU_ASSERT_EQUAL(login_policy_move(w.region, &a, &two, w.now), LOGIN_GO);
	tell(&w, &a, LOGIN_FAILED);
	CU_ASSERT(a.answer_at - a.began < DELAY * 3 / 2); /* as after a first failure */
	CU_ASSERT_EQUAL(ask_at(&w, &b, &one, "second"), LOGIN_WAIT);
	CU_ASSERT_EQUAL(ask_at(&w, &b, &two, "second"), LOGIN_WAIT);
	free(w.region);
}

static void
who_lets_in_does_not_pay(void)
{
	struct login_attempt a, b;
	struct world w;

	world_begin(&w, &small);
	CU_ASSERT_EQUAL(ask_at(&w, &a, &one, "first"), LOGIN_GO);
	CU_ASSERT_EQUAL(login_policy_move(w.region, &a, &two, w.now), LOGIN_GO);
	tell(&w, &a, LOGIN_SUCCEEDED);
	CU_ASSERT_EQUAL(ask_at(&w, &b, &one, "second"), LOGIN_WAIT);
	CU_ASSERT_EQUAL(ask_at(&w, &b, &two, "second"), LOGIN_GO);
	tell(&w, &b, LOGIN_UNKNOWN);

	/* The same where it went by its good name. */
	w.now += MINUTE;
	CU_ASSERT_EQUAL(ask_at(&w, &a, &one, "first"), LOGIN_GO);
	CU_ASSERT(a.known);
	CU_ASSERT_EQUAL(login_policy_move(w.region, &a, &two, w.now), LOGIN_GO);
	tell(&w, &a, LOGIN_SUCCEEDED);
	CU_ASSERT_EQUAL(ask_at(&w, &b, &one, "second"), LOGIN_WAIT);
	CU_ASSERT_EQUAL(ask_at(&w, &b, &two, "second"), LOGIN_GO);
	free(w.region);
}

static void
who_has_rejected_pays_though_the_next_cannot_be_asked(void)
{
	struct login_attempt a, b;
	struct world w;

	world_begin(&w, &small);
	CU_ASSERT_EQUAL(ask_at(&w, &b, &two, "first"), LOGIN_GO);
	CU_ASSERT_EQUAL(ask_at(&w, &a, &one, "second"), LOGIN_GO);
	CU_ASSERT_EQUAL(login_policy_move(w.region, &a, &two, w.now), LOGIN_WAIT);
	CU_ASSERT_EQUAL(login_policy_move(w.region, &a, &two, w.now), LOGIN_WAIT);
	tell(&w, &a, LOGIN_UNKNOWN);
	CU_ASSERT_EQUAL(ask_at(&w, &a, &one, "third"), LOGIN_WAIT);
	w.now += MINUTE;
	CU_ASSERT_EQUAL(ask_at(&w, &a, &one, "third"), LOGIN_GO);
	free(w.region);
}

/* What is asked first says where to go; only who rejects pays, each its own. */
static void
who_is_asked_pays(void)
{
	static const struct login_target service = { "one", 0, 6, LOGIN_AT_SERVICE };
	struct login_attempt a, b;
	struct world w;

	/* The server that the service chose rejects. */
	world_begin(&w, &small);
	CU_ASSERT_EQUAL(ask_at(&w, &a, &service, "first"), LOGIN_GO);
	CU_ASSERT_EQUAL(ask_at(&w, &b, &service, "second"), LOGIN_WAIT);
	CU_ASSERT_EQUAL(login_policy_aim(w.region, &a, &two, w.now), LOGIN_GO);
	tell(&w, &a, LOGIN_FAILED);
	CU_ASSERT_EQUAL(ask_at(&w, &b, &two, "second"), LOGIN_WAIT);
	CU_ASSERT_EQUAL(ask_at(&w, &b, &one, "second"), LOGIN_GO);
	tell(&w, &b, LOGIN_UNKNOWN);
	CU_ASSERT_EQUAL(ask_at(&w, &b, &service, "second"), LOGIN_GO);

	/* Now the service itself. */
	tell(&w, &b, LOGIN_FAILED);
	w.now += 5 * SECOND; /* both have heard of it */
	CU_ASSERT_EQUAL(ask_at(&w, &a, &service, "third"), LOGIN_WAIT);
	CU_ASSERT_EQUAL(ask_at(&w, &a, &one, "third"), LOGIN_GO);
	free(w.region);
}

/* The same of who went by its good name, and so pays afterwards. */
static void
who_is_asked_pays_for_the_known(void)
{
	static const struct login_target service = { "one", 0, 6, LOGIN_AT_SERVICE };
	struct login_attempt a, b;
	struct world w;

	world_begin(&w, &small);
	CU_ASSERT_EQUAL(ask_at(&w, &a, &service, "first"), LOGIN_GO);
	tell(&w, &a, LOGIN_SUCCEEDED);
	CU_ASSERT_EQUAL(ask_at(&w, &a, &service, "first"), LOGIN_GO);
	CU_ASSERT(a.known);
	CU_ASSERT_EQUAL(login_policy_aim(w.region, &a, &two, w.now), LOGIN_GO);
	tell(&w, &a, LOGIN_FAILED);
	CU_ASSERT_EQUAL(ask_at(&w, &b, &two, "second"), LOGIN_WAIT);
	CU_ASSERT_EQUAL(ask_at(&w, &b, &service, "second"), LOGIN_GO);
	free(w.region);
}

static void
who_waits_for_a_server_holds_up_no_other(void)
{
	static const struct login_target nowhere = { "one", 0, 0, LOGIN_NOWHERE_YET };
	static const struct login_policy_limits few = { DELAY, 12, 10 }; /* two at once */
	struct login_attempt a, b, c;
	struct world w;

	world_begin(&w, &small);
	login_policy_set_limits(w.region, &few);
	CU_ASSERT_EQUAL(ask_at(&w, &b, &two, "first"), LOGIN_GO);
	CU_ASSERT_EQUAL(ask_at(&w, &a, &nowhere, "second"), LOGIN_GO);
	CU_ASSERT_EQUAL(ask_at(&w, &c, &one, "third"), LOGIN_WAIT); /* there are but two in all */
	CU_ASSERT_EQUAL(login_policy_aim(w.region, &a, &two, w.now), LOGIN_WAIT);
	CU_ASSERT_EQUAL(ask_at(&w, &c, &one, "third"), LOGIN_GO);
	w.now += 2 * SECOND;
	CU_ASSERT_EQUAL(login_policy_aim(w.region, &a, &two, w.now), LOGIN_OVERSPENT);
	tell(&w, &a, LOGIN_UNKNOWN);
	tell(&w, &b, LOGIN_UNKNOWN);
	tell(&w, &c, LOGIN_UNKNOWN);
	CU_ASSERT_EQUAL(ask_at(&w, &a, &two, "second"), LOGIN_GO);
	CU_ASSERT_EQUAL(ask_at(&w, &b, &one, "first"), LOGIN_GO);
	CU_ASSERT_EQUAL(ask_at(&w, &c, &one, "third"), LOGIN_WAIT);
	free(w.region);
}

/* Somebody else's password was wrong: costs the server, and blames nobody. */
static void
the_excused_are_not_blamed(void)
{
	static const struct login_policy_limits strict = { DELAY, 1000000, 1 };
	struct login_attempt a;
	struct world w;

	world_begin(&w, &small);
	login_policy_set_limits(w.region, &strict);
	for (int i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(ask_at(&w, &a, &one, "first"), LOGIN_GO);
		tell(&w, &a, LOGIN_EXCUSED);
		CU_ASSERT_EQUAL(a.answer_at, 0);
		CU_ASSERT_EQUAL(ask_at(&w, &a, &one, "first"), LOGIN_WAIT);
		w.now += 10 * SECOND;
	}
	free(w.region);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "each server pays, and the user once", each_server_pays_and_the_user_once },
		{ "who lets in does not pay", who_lets_in_does_not_pay },
		{ "who has rejected pays though the next cannot be asked",
		    who_has_rejected_pays_though_the_next_cannot_be_asked },
		{ "who is asked pays", who_is_asked_pays },
		{ "who is asked pays for the known", who_is_asked_pays_for_the_known },
		{ "who waits for a server holds up no other", who_waits_for_a_server_holds_up_no_other },
		{ "the excused are not blamed", the_excused_are_not_blamed },
	};

	return unit_run("login_moves", tests, sizeof(tests) / sizeof(tests[0]));
}
