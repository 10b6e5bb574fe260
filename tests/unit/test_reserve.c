/* Unit tests of base/reserve.c. */
#include "base/reserve.h"

#include <stdint.h>

#include "base/error.h"
#include "unit.h"

static void
there_is_memory(void)
{
	CU_ASSERT_EQUAL(memory_reserve(0), 0);
	CU_ASSERT_EQUAL(memory_reserve(RESERVE_OCTETS), 0);
	CU_ASSERT_EQUAL(memory_reserve(4 * RESERVE_OCTETS), 0);
}

static void
more_than_there_is_cannot_be_had(void)
{
	CU_ASSERT_EQUAL(memory_reserve(PTRDIFF_MAX - 4096), ERR_NO_MEMORY);
}

int
main(void)
{
	static const struct unit_test tests[] = {
		{ "there_is_memory", there_is_memory },
		{ "more_than_there_is_cannot_be_had", more_than_there_is_cannot_be_had },
	};

	return unit_run("reserve", tests, sizeof(tests) / sizeof(tests[0]));
}
