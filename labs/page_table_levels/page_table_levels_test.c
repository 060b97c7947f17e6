// SPDX-License-Identifier: MIT
#include "page_table_levels.h"

#include <sys/mman.h>
#include <sys/prctl.h>

#include "common/lab_test.h"

START_TEST(addresses_split_into_four_indices)
{
	struct walk w = split_address(0x7fff12345abc);

	ck_assert_uint_eq(w.pgd, 0xff);
	ck_assert_uint_eq(w.pud, 0x1fc);
	ck_assert_uint_eq(w.pmd, 0x91);
	ck_assert_uint_eq(w.pte, 0x145);
	ck_assert_uint_eq(w.offset, 0xabc);
}
END_TEST

START_TEST(the_last_byte_of_a_table_has_the_last_index)
{
	struct walk last = split_address(2 * MIB - 1);
	struct walk next = split_address(2 * MIB);

	ck_assert_uint_eq(last.pmd, 0);
	ck_assert_uint_eq(last.pte, ENTRIES - 1);
	ck_assert_uint_eq(last.offset, PAGE - 1);
	ck_assert_uint_eq(next.pmd, 1);
	ck_assert_uint_eq(next.pte, 0);
}
END_TEST

START_TEST(a_table_covers_2_mib)
{
	char *slots = map_slots();

	must(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	ck_assert_int_eq(touch_cost(slots, PAGE, 1, NULL), 12);
	ck_assert_int_eq(touch_cost(slots, PAGE, ENTRIES, NULL), 0);
	ck_assert_int_eq(touch_cost(slots, PAGE, ENTRIES + 1, NULL), 4);
	ck_assert_int_eq(touch_cost(slots, 2 * MIB, 0, NULL), 0);
	unmap_slots(slots);
}
END_TEST

START_TEST(slots_start_at_multiples_of_512_gib)
{
	char *slots = map_slots();

	ck_assert_uint_eq((uintptr_t)slots % SLOT, 0);
	unmap_slots(slots);
}
END_TEST

START_TEST(small_pages_are_no_huge_pages)
{
	ck_assert_int_ne(huge_size_errno(12), 0);
	ck_assert_int_ne(huge_size_errno(22), 0);
}
END_TEST

void lab_tests(TCase *logic, TCase *live)
{
	tcase_add_test(logic, addresses_split_into_four_indices);
	tcase_add_test(logic, the_last_byte_of_a_table_has_the_last_index);
	tcase_add_test(live, a_table_covers_2_mib);
	tcase_add_test(live, slots_start_at_multiples_of_512_gib);
	tcase_add_test(live, small_pages_are_no_huge_pages);
}
