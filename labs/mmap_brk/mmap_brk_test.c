// SPDX-License-Identifier: MIT
#include "mmap_brk.h"

#include <sys/mman.h>

#include "common/lab_test.h"

START_TEST(stat_fields_start_behind_the_name)
{
	const char *line = "7 (a) (b c) R 1 2 3";

	ck_assert_uint_eq(stat_field(line, 1), 7);
	ck_assert_uint_eq(stat_field(line, 4), 1);
	ck_assert_uint_eq(stat_field(line, 6), 3);
}
END_TEST

START_TEST(missing_stat_fields_are_0)
{
	ck_assert_uint_eq(stat_field("7 (a) R 1", 5), 0);
	ck_assert_uint_eq(stat_field("7 (a) R 1", 2), 0);
	ck_assert_uint_eq(stat_field("", 47), 0);
	ck_assert_uint_eq(stat_field("", 1), 0);
}
END_TEST

START_TEST(only_touched_pages_are_resident)
{
	char *at = must(mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	ck_assert_int_eq(resident_pages(at, 16), 0);
	touch(at, 0);
	ck_assert_int_eq(resident_pages(at, 16), 0);
	touch(at + 3 * PAGE, 2);
	ck_assert_int_eq(resident_pages(at, 16), 2);
	ck_assert_int_eq(resident_pages(at + 3 * PAGE, 2), 2);
	ck_assert_int_eq(resident_pages(at, 0), 0);
}
END_TEST

START_TEST(a_hole_in_the_range_is_enomem)
{
	char *at = must(mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	must(munmap(at + PAGE, PAGE));
	ck_assert_int_eq(errno_of(resident_pages(at, 3)), ENOMEM);
	ck_assert_int_eq(resident_pages(at, 1), 0);
}
END_TEST

START_TEST(stack_and_null_are_not_in_the_heap)
{
	int local = 0;

	ck_assert(!in_heap(&local));
	ck_assert(!in_heap(NULL));
}
END_TEST

void lab_tests(TCase *logic, TCase *live)
{
	tcase_add_test(logic, stat_fields_start_behind_the_name);
	tcase_add_test(logic, missing_stat_fields_are_0);
	tcase_add_test(live, only_touched_pages_are_resident);
	tcase_add_test(live, a_hole_in_the_range_is_enomem);
	tcase_add_test(live, stack_and_null_are_not_in_the_heap);
}
