// SPDX-License-Identifier: MIT
#include "fallocate_punch_hole.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/lab_test.h"

static int new_file(off_t size)
{
	int fd = must(memfd_create("test", MFD_CLOEXEC));

	must(fallocate(fd, 0, 0, size));
	return fd;
}

START_TEST(a_letter_tells_zeros_from_data)
{
	ck_assert_int_eq(page_letter('\0', '\0'), '0');
	ck_assert_int_eq(page_letter('\0', 'x'), '~');
	ck_assert_int_eq(page_letter('x', 'x'), 'x');
	ck_assert_int_eq(page_letter('x', 'y'), 'y');
}
END_TEST

START_TEST(file_and_mapping_show_the_same_pages)
{
	int fd = new_file(3 * PAGE);
	char *map = must(mmap(NULL, 3 * PAGE, PROT_READ, MAP_SHARED, fd, 0));
	char seen[4];

	must(pwrite(fd, "x", 1, 2 * PAGE - 1));
	look_at_file(fd, 3, seen);
	ck_assert_str_eq(seen, "0~0");
	look_at_map(map, 3, seen);
	ck_assert_str_eq(seen, "0~0");
	must(munmap(map, 3 * PAGE));
	close(fd);
}
END_TEST

START_TEST(behind_the_end_is_no_page)
{
	int fd = new_file(PAGE);
	char *map = must(mmap(NULL, 3 * PAGE, PROT_READ, MAP_SHARED, fd, 0));
	char seen[4];

	look_at_file(fd, 3, seen);
	ck_assert_str_eq(seen, "0..");
	look_at_map(map, 3, seen);
	ck_assert_str_eq(seen, "0!!");
	look_at_map(map, 0, seen);
	ck_assert_str_eq(seen, "");
	must(munmap(map, 3 * PAGE));
	close(fd);
}
END_TEST

START_TEST(a_hole_one_byte_short_of_a_page_frees_nothing)
{
	int fd = new_file(PAGE);

	ck_assert_int_eq(blocks(fd), PAGE / 512);
	ck_assert_int_eq(punch(fd, 0, PAGE - 1), 0);
	ck_assert_int_eq(blocks(fd), PAGE / 512);
	ck_assert_int_eq(punch(fd, 0, PAGE), 0);
	ck_assert_int_eq(blocks(fd), 0);
	close(fd);
}
END_TEST

START_TEST(a_hole_before_the_start_is_refused)
{
	int fd = new_file(PAGE);

	ck_assert_int_eq(errno_of(punch(fd, -1, 1)), EINVAL);
	ck_assert_int_eq(errno_of(punch(fd, 0, 0)), EINVAL);
	ck_assert_int_eq(errno_of(punch(-1, 0, 1)), EBADF);
	close(fd);
}
END_TEST

void lab_tests(TCase *logic, TCase *live)
{
	tcase_add_test(logic, a_letter_tells_zeros_from_data);
	tcase_add_test(live, file_and_mapping_show_the_same_pages);
	tcase_add_test(live, behind_the_end_is_no_page);
	tcase_add_test(live, a_hole_one_byte_short_of_a_page_frees_nothing);
	tcase_add_test(live, a_hole_before_the_start_is_refused);
}
