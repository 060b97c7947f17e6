// SPDX-License-Identifier: MIT
#include "pidns_reboot.h"

#include <linux/reboot.h>
#include <signal.h>
#include <sys/wait.h>

#include "common/lab_test.h"

START_TEST(magic_numbers_are_dates)
{
	char date[11];

	ck_assert(magic_date(LINUX_REBOOT_MAGIC2, date));
	ck_assert_str_eq(date, "28.12.1969");
	ck_assert(magic_date(LINUX_REBOOT_MAGIC2A, date));
	ck_assert_str_eq(date, "05.12.1996");
}
END_TEST

START_TEST(other_numbers_are_no_dates)
{
	char date[11];

	ck_assert(!magic_date(LINUX_REBOOT_MAGIC1, date));
	ck_assert(!magic_date(0x2812196a, date));
	ck_assert(!magic_date(UINT32_MAX, date));
}
END_TEST

START_TEST(an_init_is_process_1_and_ends_with_its_child)
{
	struct outcome o = reboot_in(OWN_PIDNS, LINUX_REBOOT_MAGIC2,
				     LINUX_REBOOT_CMD_POWER_OFF);

	if (o.refused)
		return;
	ck_assert_int_eq(o.pid, 1);
	ck_assert(WIFSIGNALED(o.status));
	ck_assert_int_eq(WTERMSIG(o.status), SIGINT);
	ck_assert(o.all_ended);
}
END_TEST

START_TEST(a_wrong_magic_number_ends_nobody)
{
	struct outcome o = reboot_in(OWN_PIDNS, LINUX_REBOOT_MAGIC2 - 1,
				     LINUX_REBOOT_CMD_POWER_OFF);

	if (o.refused)
		return;
	ck_assert_int_eq(o.error, EINVAL);
	ck_assert(o.child_lives);
	ck_assert_int_eq(o.status, 0);
}
END_TEST

START_TEST(a_foreign_pid_namespace_is_out_of_reach)
{
	struct outcome o = reboot_in(OUR_PIDNS, LINUX_REBOOT_MAGIC2,
				     LINUX_REBOOT_CMD_RESTART);

	if (o.refused)
		return;
	ck_assert_int_eq(o.error, EPERM);
	ck_assert(o.child_lives);
}
END_TEST

void lab_tests(TCase *logic, TCase *live)
{
	tcase_add_test(logic, magic_numbers_are_dates);
	tcase_add_test(logic, other_numbers_are_no_dates);
	tcase_add_test(live, an_init_is_process_1_and_ends_with_its_child);
	tcase_add_test(live, a_wrong_magic_number_ends_nobody);
	tcase_add_test(live, a_foreign_pid_namespace_is_out_of_reach);
}
