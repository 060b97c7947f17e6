// SPDX-License-Identifier: MIT
#include "errno_conventions.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/lab_test.h"

START_TEST(errors_are_in_a_window_of_4095)
{
	ck_assert_int_eq(raw_errno(-1), EPERM);
	ck_assert_int_eq(raw_errno(-MAX_ERRNO), MAX_ERRNO);
	ck_assert_int_eq(raw_errno(-MAX_ERRNO - 1), 0);
	ck_assert_int_eq(raw_errno(0), 0);
	ck_assert_int_eq(raw_errno(1), 0);
	ck_assert_int_eq(raw_errno(LONG_MIN), 0);
	ck_assert_int_eq(raw_errno(LONG_MAX), 0);
}
END_TEST

START_TEST(raw_calls_leave_errno_alone)
{
	errno = 0;
	ck_assert_int_eq(raw_call(SYS_close, -1, 0, 0), -EBADF);
	ck_assert_int_eq(errno, 0);
	ck_assert_int_eq(raw_call(SYS_getpid, 0, 0, 0), getpid());
}
END_TEST

START_TEST(early_negation_survives_a_broken_log)
{
	ck_assert_int_eq(open_negating_early("/none", -1), -ENOENT);
	ck_assert_int_eq(open_negating_late("/none", -1), -EBADF);
}
END_TEST

START_TEST(a_log_that_works_spoils_nothing)
{
	int null = must(open("/dev/null", O_WRONLY));

	ck_assert_int_eq(open_negating_early("/none", null), -ENOENT);
	ck_assert_int_eq(open_negating_late("/none", null), -ENOENT);
	close(null);
}
END_TEST

START_TEST(success_is_a_descriptor_both_ways)
{
	int late = open_negating_late("/dev/null", -1);
	int early = open_negating_early("/dev/null", -1);

	ck_assert_int_ge(late, 0);
	ck_assert_int_ge(early, 0);
	close(late);
	close(early);
}
END_TEST

void lab_tests(TCase *logic, TCase *live)
{
	tcase_add_test(logic, errors_are_in_a_window_of_4095);
	tcase_add_test(live, raw_calls_leave_errno_alone);
	tcase_add_test(live, early_negation_survives_a_broken_log);
	tcase_add_test(live, a_log_that_works_spoils_nothing);
	tcase_add_test(live, success_is_a_descriptor_both_ways);
}
