// SPDX-License-Identifier: MIT
#include "mprotect.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "common/lab_test.h"

static char *map_pages(size_t pages)
{
	return must(mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static int count_in(const char *text, uintptr_t from, uintptr_t to)
{
	FILE *maps = fmemopen((void *)text, strlen(text), "r");
	int count = count_vmas(maps, from, to);

	fclose(maps);
	return count;
}

START_TEST(vmas_are_counted_by_overlap)
{
	const char *maps = "1000-2000 r--p 00000000 00:00 0\n"
			   "2000-4000 rw-p 00000000 00:00 0  [heap]\n"
			   "6000-7000 rw-p 00000000 00:00 0\n";

	ck_assert_int_eq(count_in(maps, 0x1000, 0x7000), 3);
	ck_assert_int_eq(count_in(maps, 0x2000, 0x4000), 1);
	ck_assert_int_eq(count_in(maps, 0x1fff, 0x2001), 2);
	ck_assert_int_eq(count_in(maps, 0x4000, 0x6000), 0);
}
END_TEST

START_TEST(text_that_is_no_mapping_is_not_counted)
{
	ck_assert_int_eq(count_in("no range here\n", 0, UINTPTR_MAX), 0);
	ck_assert_int_eq(count_in("1000 2000 r--p\n", 0, UINTPTR_MAX), 0);
}
END_TEST

START_TEST(page_of_an_address_ends_with_the_range)
{
	char *base = (char *)(uintptr_t)0x10000;
	struct barrier b = { .base = base, .pages = 2 };

	ck_assert_int_eq(barrier_page(&b, base - 1), -1);
	ck_assert_int_eq(barrier_page(&b, base), 0);
	ck_assert_int_eq(barrier_page(&b, base + PAGE - 1), 0);
	ck_assert_int_eq(barrier_page(&b, base + PAGE), 1);
	ck_assert_int_eq(barrier_page(&b, base + 2 * PAGE), -1);
	ck_assert_int_eq(barrier_page(&b, NULL), -1);
}
END_TEST

START_TEST(barrier_marks_only_written_pages)
{
	static struct barrier b;
	volatile char *at = map_pages(3);

	barrier_arm(&b, (void *)at, 3);
	at[PAGE] = 1;
	at[PAGE + 1] = at[0];
	ck_assert_uint_eq(b.faults, 1);
	ck_assert(!b.dirty[0] && b.dirty[1] && !b.dirty[2]);
	barrier_disarm(&b);
	at[0] = 1;
	ck_assert_uint_eq(b.faults, 1);
}
END_TEST

START_TEST(faults_outside_of_the_barrier_are_passed_on)
{
	static struct barrier b;
	char *at = map_pages(2);

	must(munmap(at + PAGE, PAGE));
	signal(SIGSEGV, SIG_DFL); /* not a sanitizer's report */
	barrier_arm(&b, at, 1);
	at[PAGE] = 1;
}
END_TEST

START_TEST(fault_codes_tell_closed_from_unmapped)
{
	char *at = map_pages(1);

	ck_assert_int_eq(store_fault(at), 0);
	must(mprotect(at, PAGE, PROT_READ));
	ck_assert_int_eq(load_fault(at), 0);
	ck_assert_int_eq(store_fault(at), SEGV_ACCERR);
	must(munmap(at, PAGE));
	ck_assert_int_eq(load_fault(at), SEGV_MAPERR);
}
END_TEST

void lab_tests(TCase *logic, TCase *live)
{
	tcase_add_test(logic, vmas_are_counted_by_overlap);
	tcase_add_test(logic, text_that_is_no_mapping_is_not_counted);
	tcase_add_test(logic, page_of_an_address_ends_with_the_range);
	tcase_add_test(live, barrier_marks_only_written_pages);
	tcase_add_test_raise_signal(
		live, faults_outside_of_the_barrier_are_passed_on, SIGSEGV);
	tcase_add_test(live, fault_codes_tell_closed_from_unmapped);
}
