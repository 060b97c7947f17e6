// SPDX-License-Identifier: MIT
#include "rss_vs_reserved.h"

#include <sys/mman.h>
#include <sys/prctl.h>

#include "common/lab_test.h"

static const char two_mappings[] = "1000-3000 rw-p 00000000 00:00 0  [heap]\n"
				   "Size:                  8 kB\n"
				   "Rss:                   4 kB\n"
				   "Pss_Dirty:             1 kB\n"
				   "3000-4000 rw-p 00000000 00:00 0 \n"
				   "Size:                  4 kB\n"
				   "Rss:                   0 kB\n";

START_TEST(values_are_those_of_the_mapping)
{
	ck_assert_int_eq(smaps_value(two_mappings, 0x1000, "Size"), 8);
	ck_assert_int_eq(smaps_value(two_mappings, 0x2fff, "Rss"), 4);
	ck_assert_int_eq(smaps_value(two_mappings, 0x3000, "Size"), 4);
	ck_assert_int_eq(smaps_value(two_mappings, 0x3fff, "Rss"), 0);
}
END_TEST

START_TEST(a_missing_value_is_minus_1)
{
	ck_assert_int_eq(smaps_value(two_mappings, 0x4000, "Rss"), -1);
	ck_assert_int_eq(smaps_value(two_mappings, 0x1000, "Pss"), -1);
	ck_assert_int_eq(smaps_value("", 0x1000, "Rss"), -1);
}
END_TEST

START_TEST(pmap_rows_begin_with_the_address)
{
	const char *out = "7: lab\nAddress  Kbytes RSS Dirty Mode Mapping\n"
			  "0000000000001000     132       4       4 rw---\n"
			  "0000000000003000      64      16       0 rw---\n"
			  "---------------- ------- ------- -------\n";
	long size, rss;

	ck_assert(pmap_row(out, 0x3000, &size, &rss));
	ck_assert_int_eq(size, 64);
	ck_assert_int_eq(rss, 16);
	ck_assert(!pmap_row(out, 0x2000, &size, &rss));
	ck_assert(!pmap_row("", 0x1000, &size, &rss));
}
END_TEST

START_TEST(rss_counts_written_pages_to_the_page)
{
	char *at;

	must(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	at = map_island(16 * PAGE);
	ck_assert_int_eq(rss_kb(at), 0);
	at[0] = 'x';
	ck_assert_int_eq(rss_kb(at), 4);
	at[PAGE - 1] = 'x';
	ck_assert_int_eq(rss_kb(at), 4);
	at[PAGE] = 'x';
	ck_assert_int_eq(rss_kb(at), 8);
}
END_TEST

START_TEST(what_is_not_mapped_has_no_rss)
{
	char *at = map_island(PAGE);

	must(munmap(at, PAGE));
	ck_assert_int_eq(rss_kb(at), -1);
}
END_TEST

void lab_tests(TCase *logic, TCase *live)
{
	tcase_add_test(logic, values_are_those_of_the_mapping);
	tcase_add_test(logic, a_missing_value_is_minus_1);
	tcase_add_test(logic, pmap_rows_begin_with_the_address);
	tcase_add_test(live, rss_counts_written_pages_to_the_page);
	tcase_add_test(live, what_is_not_mapped_has_no_rss);
}
