// SPDX-License-Identifier: MIT
/*
 * test_main.c - the main of every lab's Check test. Check cannot skip, so
 * the probe decides here which cases are added, and says what is not.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/lab_test.h"
#include "common/probe.h"

enum { CASE_TIMEOUT_S = 30 };

int main(void)
{
	TCase *logic = tcase_create("logic"), *live = tcase_create("live");
	Suite *run = suite_create(lab.name), *left_out = suite_create("");
	SRunner *runner = srunner_create(run);
	bool unmet = probe_report_unmet(lab.needs);
	int failed, ran;

	tcase_set_timeout(logic, CASE_TIMEOUT_S);
	tcase_set_timeout(live, CASE_TIMEOUT_S);
	lab_tests(logic, live);
	suite_add_tcase(run, logic);
	suite_add_tcase(unmet ? left_out : run, live);
	if (unmet)
		puts("left out: the cases of \"live\"");

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	ran = srunner_ntests_run(runner);
	srunner_free(runner);
	srunner_free(srunner_create(left_out)); /* nothing else frees a suite */
	if (failed)
		return EXIT_FAILURE;
	if (ran == 0) {
		puts(unmet ? "no case ran" : "there is no case");
		return unmet ? LAB_SKIP : EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
