/* Unit tests of mapping/deletion.c: the decisions of QUIT. */
#include "mapping/deletion.h"

#include "unit.h"

static const struct {
	enum deletion_policy policy;
	bool uidplus, move, trash;
	enum deletion_method method;
	bool copies;
} methods[] = {
	{ DELETION_REMOVE, true, false, false, DELETION_UID_EXPUNGE, false },
	{ DELETION_REMOVE, true, true, true, DELETION_UID_EXPUNGE, false },
	{ DELETION_REMOVE, false, true, true, DELETION_MOVE, false },
	{ DELETION_REMOVE, false, true, false, DELETION_EXPUNGE, false },
	{ DELETION_REMOVE, false, false, true, DELETION_EXPUNGE, false },
	{ DELETION_REMOVE, false, false, false, DELETION_EXPUNGE, false },
	{ DELETION_TRASH, true, true, true, DELETION_MOVE, false },
	{ DELETION_TRASH, false, true, true, DELETION_MOVE, false },
	{ DELETION_TRASH, true, false, true, DELETION_UID_EXPUNGE, true },
	{ DELETION_TRASH, false, false, true, DELETION_EXPUNGE, true },
	{ DELETION_MARK, true, true, true, DELETION_SET_MARK, false },
	{ DELETION_MARK, false, false, false, DELETION_SET_MARK, false },
	{ DELETION_KEEP, true, true, true, DELETION_NOTHING, false },
};

static void
the_safest_method_is_chosen(void)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		const struct deletion_terms terms = {
			.has_uidplus = methods[i].uidplus,
			.has_move = methods[i].move,
			.has_trash = methods[i].trash,
			.policy = methods[i].policy,
		};
		char row[32];

		snprintf(row, sizeof(row), "method row %zu", i);
		UNIT_CHECK(deletion_choose(&terms) == methods[i].method, row);
		UNIT_CHECK(deletion_copies(&terms) == methods[i].copies, row);
	}
}

/* Sets as strings of digits: "13" is UIDs 1 and 3. */
static void
fill(struct uidset *set, const char *digits)
{
	for (; *digits != '\0'; digits++)
		CU_ASSERT_EQUAL(uidset_add(set, (uint32_t) (*digits - '0')), 0);
}

static const struct {
	const char *name;
	const char *ours, *flagged;
	enum deletion_foreign policy;
	enum deletion_step step;
	const char *foreign;
} steps[] = {
	{ "only ours", "135", "135", DELETION_LEAVE, DELETION_STEP_EXPUNGE, "" },
	{ "ours, one went meanwhile", "135", "13", DELETION_LEAVE, DELETION_STEP_EXPUNGE, "" },
	{ "another one: leave", "135", "1345", DELETION_LEAVE, DELETION_STEP_LEAVE, "4" },
	{ "others: lift", "135", "1234567", DELETION_LIFT, DELETION_STEP_LIFT, "2467" },
	{ "ours went, others remain", "13", "24", DELETION_LEAVE, DELETION_STEP_DONE, "24" },
	{ "ours went, others remain, lift", "13", "24", DELETION_LIFT, DELETION_STEP_DONE, "24" },
	{ "nothing is flagged", "13", "", DELETION_LEAVE, DELETION_STEP_DONE, "" },
};

static void
expunge_only_when_nobody_else_is_hit(void)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct uidset ours = { 0 }, flagged = { 0 }, foreign = { 0 }, expected = { 0 };
		enum deletion_step step;

		fill(&ours, steps[i].ours);
		fill(&flagged, steps[i].flagged);
		fill(&expected, steps[i].foreign);
		UNIT_CHECK(
		    deletion_expunge_step(&ours, &flagged, steps[i].policy, &step, &foreign) == 0,
		    steps[i].name);
		UNIT_CHECK(step == steps[i].step, steps[i].name);
		UNIT_CHECK(uidset_equal(&foreign, &expected), steps[i].name);
		uidset_clear(&ours);
		uidset_clear(&flagged);
		uidset_clear(&foreign);
		uidset_clear(&expected);
	}
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "the_safest_method_is_chosen", the_safest_method_is_chosen },
		{ "expunge_only_when_nobody_else_is_hit", expunge_only_when_nobody_else_is_hit },
	};

	return unit_run("deletion", tests, sizeof(tests) / sizeof(tests[0]));
}
