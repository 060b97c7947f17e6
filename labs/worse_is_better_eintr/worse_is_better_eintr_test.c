// SPDX-License-Identifier: MIT
#include "worse_is_better_eintr.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "common/lab_test.h"

START_TEST(hidden_numbers_have_names)
{
	ck_assert_str_eq(hidden_name(-512), "ERESTARTSYS");
	ck_assert_str_eq(hidden_name(-513), "ERESTARTNOINTR");
	ck_assert_str_eq(hidden_name(-514), "ERESTARTNOHAND");
	ck_assert_str_eq(hidden_name(-516), "ERESTART_RESTARTBLOCK");
	ck_assert_str_eq(hidden_name(-EINTR), "EINTR");
	ck_assert_str_eq(hidden_name(-515), "unknown errno");
}
END_TEST

START_TEST(each_number_has_its_rule)
{
	static const struct {
		int number;
		bool repeated[FATES];
	} rules[] = {
		{ ERESTARTSYS, { false, true, true } },
		{ ERESTARTNOINTR, { true, true, true } },
		{ ERESTARTNOHAND, { false, false, true } },
		{ ERESTART_RESTARTBLOCK, { false, false, true } },
		{ EINTR, { false, false, false } },
		{ 0, { false, false, false } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		for (int fate = 0; fate < FATES; fate++)
			ck_assert_int_eq(is_repeated(-rules[i].number, fate),
					 rules[i].repeated[fate]);
}
END_TEST

START_TEST(state_stands_behind_the_last_bracket)
{
	ck_assert_int_eq(stat_state("7 (sh) S 1 7"), 'S');
	ck_assert_int_eq(stat_state("7 (a) R (b) Z 1 7"), 'Z');
	ck_assert_int_eq(stat_state("7 (sh)"), 0);
	ck_assert_int_eq(stat_state(""), 0);
}
END_TEST

START_TEST(libc_has_no_name_for_the_hidden_numbers)
{
	for (int number = ERESTARTSYS; number <= ERESTART_RESTARTBLOCK;
	     number++)
		ck_assert_str_eq(errno_name(number), "unknown errno");
}
END_TEST

static void on_alarm(int sig)
{
	(void)sig;
}

START_TEST(an_interrupted_sleep_tells_what_is_left)
{
	const struct itimerspec soon = { .it_value = { 0, 1000000 } };
	struct timespec left = { 0 };
	timer_t timer;

	/* Without SA_RESTART or with it: a sleep is never restarted. */
	signal(SIGALRM, on_alarm);
	must(timer_create(CLOCK_MONOTONIC, NULL, &timer));
	must(timer_settime(timer, 0, &soon, NULL));
	ck_assert_int_eq(
		errno_of(nanosleep(&(struct timespec){ 60, 0 }, &left)), EINTR);
	ck_assert_int_ge(left.tv_sec, 1);
	must(timer_delete(timer));
}
END_TEST

START_TEST(a_sleep_of_nothing_is_not_interrupted)
{
	const struct timespec none = { 0, 0 }, wrong = { 0, 1000000000 };

	ck_assert_int_eq(errno_of(nanosleep(&none, NULL)), 0);
	ck_assert_int_eq(errno_of(nanosleep(&wrong, NULL)), EINVAL);
}
END_TEST

void lab_tests(TCase *logic, TCase *live)
{
	tcase_add_test(logic, hidden_numbers_have_names);
	tcase_add_test(logic, each_number_has_its_rule);
	tcase_add_test(logic, state_stands_behind_the_last_bracket);
	tcase_add_test(logic, libc_has_no_name_for_the_hidden_numbers);
	tcase_add_test(live, an_interrupted_sleep_tells_what_is_left);
	tcase_add_test(live, a_sleep_of_nothing_is_not_interrupted);
}
