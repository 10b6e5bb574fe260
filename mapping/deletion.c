/* deletion.c - see deletion.h. */
#include "mapping/deletion.h"

enum deletion_method
deletion_choose(const struct deletion_terms *terms)
{
	bool can_move = terms->has_move && terms->has_trash;

	switch (terms->policy) {
	case DELETION_KEEP:
		return DELETION_NOTHING;
	case DELETION_MARK:
		return DELETION_SET_MARK;
	case DELETION_TRASH:
		if (can_move)
			return DELETION_MOVE;
		break;
	case DELETION_REMOVE:
		break;
	}
	if (terms->has_uidplus)
		return DELETION_UID_EXPUNGE;
	return can_move ? DELETION_MOVE : DELETION_EXPUNGE;
}

bool
deletion_copies(const struct deletion_terms *terms)
{
	return terms->policy == DELETION_TRASH && !terms->has_move;
}

int
deletion_expunge_step(const struct uidset *ours, const struct uidset *flagged,
    enum deletion_foreign policy, enum deletion_step *step, struct uidset *foreign)
{
	struct uidset mine = { 0 };
	int rc;

	if ((rc = uidset_subtract(flagged, ours, foreign)) != 0)
		return rc;
	if ((rc = uidset_intersect(flagged, ours, &mine)) != 0) {
		uidset_clear(&mine);
		return rc;
	}
	if (mine.count == 0)
		*step = DELETION_STEP_DONE;
	else if (foreign->count == 0)
		*step = DELETION_STEP_EXPUNGE;
	else
		*step = policy == DELETION_LIFT ? DELETION_STEP_LIFT : DELETION_STEP_LEAVE;
	uidset_clear(&mine);
	return 0;
}
