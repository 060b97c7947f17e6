// SPDX-License-Identifier: MIT
#include "torn_reads.h"

#include <string.h>

#include "common/lab_test.h"

START_TEST(a_mix_of_two_stores_is_torn)
{
	ck_assert(!is_torn(0));
	ck_assert(!is_torn(UINT64_MAX));
	ck_assert(is_torn(UINT32_MAX));
	ck_assert(is_torn(1));
	ck_assert(is_torn(UINT64_MAX << 8));
}
END_TEST

START_TEST(every_way_loads_what_it_stored)
{
	char data[32] __attribute__((aligned(16)));

	for (int way = 0; way < WAYS; way++) {
		memset(data, 0x55, sizeof(data));
		ways[way].store(data, UINT64_MAX);
		ck_assert(ways[way].load(data) == UINT64_MAX);
		ways[way].store(data, 0);
		ck_assert(ways[way].load(data) == 0);
	}
}
END_TEST

START_TEST(half_a_store_is_seen_as_torn)
{
	uint64_t data[2] __attribute__((aligned(16)));
	static const enum way two[] = { HALVES, INT128, PAIR };

	for (size_t i = 0; i < ARRAY_SIZE(two); i++) {
		ways[two[i]].store(data, UINT64_MAX);
		memset(data, 0, 4);
		ck_assert(is_torn(ways[two[i]].load(data)));
	}
}
END_TEST

START_TEST(a_long_is_stored_at_any_offset)
{
	char data[16] = "";

	ways[LONG].store(data + 3, UINT64_MAX);
	ck_assert_int_eq(data[2], 0);
	ck_assert_int_eq(data[3], -1);
	ck_assert_int_eq(data[10], -1);
	ck_assert_int_eq(data[11], 0);
}
END_TEST

START_TEST(an_atomic_flag_ends_the_loop_and_a_limit_does_too)
{
	ck_assert_int_lt(rounds_too_many(spin_relaxed, 1000000000), 1000000000);
	ck_assert_int_eq(rounds_too_many(spin_plain, 1000), 1000);
}
END_TEST

void lab_tests(TCase *logic, TCase *live)
{
	tcase_add_test(logic, a_mix_of_two_stores_is_torn);
	tcase_add_test(logic, every_way_loads_what_it_stored);
	tcase_add_test(logic, half_a_store_is_seen_as_torn);
	tcase_add_test(logic, a_long_is_stored_at_any_offset);
	tcase_add_test(live, an_atomic_flag_ends_the_loop_and_a_limit_does_too);
}
