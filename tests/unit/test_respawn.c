/* Tests of gateway/respawn.c. */
#include "tests/unit/unit.h"

#include "gateway/respawn.h"

/* A worker that is started as soon as it may be, and lives LIVES_MS each time. */
static void
intervals(void)
{
	static const struct {
		const char *what;
		uint64_t lives_ms[4];
		uint64_t waits_ms[4];
	} rows[] = {
		{ "the first end is followed at once", { 300, 1000, 1000, 1000 }, { 0, 0, 0, 0 } },
		{ "then once a second", { 0, 0, 0, 0 }, { 0, 1000, 1000, 1000 } },
		{ "counted from start to start", { 300, 300, 999, 1000 }, { 0, 700, 1, 0 } },
		{ "slow failures need no wait", { 5000, 5000, 5000, 5000 }, { 0, 0, 0, 0 } },
		{ "who lasted has recovered", { 0, 0, 10000, 0 }, { 0, 1000, 0, 0 } },
		{ "but only once", { 20000, 0, 0, 0 }, { 0, 0, 1000, 1000 } },
	};
	uint64_t now;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct respawn respawn = { 0 };

		now = 123456;
		for (size_t j = 0; j < 4; j++) {
			respawn_started(&respawn, now);
			now += rows[i].lives_ms[j];
			UNIT_CHECK(respawn_ended(&respawn, now) == rows[i].waits_ms[j],
			    rows[i].what);
			now += rows[i].waits_ms[j];
		}
	}
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "intervals", intervals },
	};

	return unit_run("respawn", tests, sizeof(tests) / sizeof(tests[0]));
}
