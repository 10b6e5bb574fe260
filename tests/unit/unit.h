/* unit.h - what every unit-test program shares: a list of tests, run by CUnit, counted at the end.
 */
#pragma once
#include <stdio.h>
#include <string.h>

#include <CUnit/Basic.h>

struct unit_test {
	const char *name;
	void (*run)(void);
};

/* Fails the running test with MESSAGE (for tables: name the row), unless OK. Returns OK. */
static inline int
unit_check(int ok, const char *file, unsigned line, const char *message)
{
	CU_assertImplementation(ok ? CU_TRUE : CU_FALSE, line, message, file, "", CU_FALSE);
	return ok;
}
#define UNIT_CHECK(ok, message) unit_check((ok), __FILE__, __LINE__, (message))

/* Runs TESTS as suite NAME; the last line printed is "N passed, N failed". Returns main's result.
 */
static inline int
unit_run(const char *name, const struct unit_test *tests, size_t count)
{
	unsigned failed;
	CU_pSuite suite;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 2;
	if ((suite = CU_add_suite(name, NULL, NULL)) == NULL)
		return 2;
	for (size_t i = 0; i < count; i++)
		if (CU_add_test(suite, tests[i].name, tests[i].run) == NULL)
			return 2;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failed = CU_get_number_of_tests_failed();
	printf("%zu passed, %u failed\n", count - failed, failed);
	CU_cleanup_registry();
	return failed == 0 ? 0 : 1;
}
