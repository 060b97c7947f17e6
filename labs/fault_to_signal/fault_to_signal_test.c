// SPDX-License-Identifier: MIT
#include "fault_to_signal.h"

#include <signal.h>
#include <unistd.h>

#include "common/lab_test.h"

START_TEST(known_vectors_have_names)
{
	ck_assert_str_eq(vector_name(VECTOR_DE), "#DE");
	ck_assert_str_eq(vector_name(VECTOR_PF), "#PF");
	ck_assert_str_eq(vector_name(VECTOR_XM), "#XM");
	ck_assert_str_eq(vector_name(-1), "?");
	ck_assert_str_eq(vector_name(256), "?");
}
END_TEST

START_TEST(a_code_depends_on_its_signal)
{
	ck_assert_str_eq(code_name(SIGSEGV, 1), "SEGV_MAPERR");
	ck_assert_str_eq(code_name(SIGBUS, 1), "BUS_ADRALN");
	ck_assert_str_eq(code_name(SIGFPE, 1), "FPE_INTDIV");
	ck_assert_str_eq(code_name(SIGILL, 1), "?");
}
END_TEST

START_TEST(general_codes_are_the_same_for_all_signals)
{
	ck_assert_str_eq(code_name(SIGSEGV, SI_KERNEL), "SI_KERNEL");
	ck_assert_str_eq(code_name(SIGALRM, SI_KERNEL), "SI_KERNEL");
	ck_assert_str_eq(code_name(SIGBUS, SI_USER), "SI_USER");
}
END_TEST

static void nothing(void)
{
}

static void trap(void)
{
	asm volatile("ud2");
}

START_TEST(nothing_raises_no_signal)
{
	struct report r = report_of(nothing);

	ck_assert_int_eq(r.signal, 0);
}
END_TEST

START_TEST(a_fault_is_reported_each_time)
{
	for (int i = 0; i < 3; i++) {
		struct report r = report_of(trap);

		ck_assert_int_eq(r.signal, SIGILL);
		ck_assert_int_eq(r.vector, VECTOR_UD);
		ck_assert_int_eq(report_of(nothing).signal, 0);
	}
}
END_TEST

START_TEST(handlers_are_put_back)
{
	struct sigaction action;

	signal(SIGILL, SIG_IGN);
	report_of(trap);
	must(sigaction(SIGILL, NULL, &action));
	ck_assert(action.sa_handler == SIG_IGN);
}
END_TEST

void lab_tests(TCase *logic, TCase *live)
{
	tcase_add_test(logic, known_vectors_have_names);
	tcase_add_test(logic, a_code_depends_on_its_signal);
	tcase_add_test(logic, general_codes_are_the_same_for_all_signals);
	tcase_add_test(logic, nothing_raises_no_signal);
	tcase_add_test(live, a_fault_is_reported_each_time);
	tcase_add_test(live, handlers_are_put_back);
}
