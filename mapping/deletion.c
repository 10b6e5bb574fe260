/* deletion.c - see deletion.h. */
#include "mapping/deletion.h"

enum deletion_method
deletion_choose(const struct deletion_terms *terms)
{
	if (terms->has_uidplus)
		return DELETION_UID_EXPUNGE;
	if (terms->has_move && terms->has_trash)
		return DELETION_MOVE;
	return DELETION_EXPUNGE;
}

int
deletion_expunge_step(const struct uidset *ours, const struct uidset *flagged,
    enum deletion_foreign policy, enum deletion_step *step, struct uidset *foreign)
{
	struct uidset mine = { 0 };
	int rc;

	if ((rc = uidset_subtract(flagged, ours, foreign)) != 0)
		return rc;
	if ((rc = uidset_intersect(flagged, ours, &mine)) != 0)
		return rc;
	if (mine.count == 0)
		*step = DELETION_STEP_DONE;
	else if (foreign->count == 0)
		*step = DELETION_STEP_EXPUNGE;
	else
		*step = policy == DELETION_LIFT ? DELETION_STEP_LIFT : DELETION_STEP_LEAVE;
	uidset_clear(&mine);
	return 0;
}
