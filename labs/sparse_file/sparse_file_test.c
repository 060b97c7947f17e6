// SPDX-License-Identifier: MIT
#include "sparse_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include "common/lab_test.h"

static int new_file(off_t size)
{
	int fd = must(memfd_create("test", MFD_CLOEXEC));

	must(ftruncate(fd, size));
	return fd;
}

START_TEST(zeros_are_told_from_data)
{
	ck_assert(is_zero("", 0));
	ck_assert(is_zero("\0\0\0", 3));
	ck_assert(!is_zero("\0\0x", 3));
	ck_assert(!is_zero("x\0\0", 3));
	ck_assert(is_zero("\0\0x", 2));
	ck_assert(!is_zero("x", 1));
}
END_TEST

START_TEST(a_strip_shows_data_and_holes)
{
	int fd = new_file(4 * PAGE);
	char out[STRIP_MAX];

	ck_assert_str_eq(strip(fd, 4, out), "....");
	must(pwrite(fd, "x", 1, 2 * PAGE - 1));
	ck_assert_str_eq(strip(fd, 4, out), ".#..");
	ck_assert_str_eq(strip(fd, 0, out), "");
	close(fd);
}
END_TEST

START_TEST(beyond_the_end_is_a_hole)
{
	int fd = new_file(0);
	char out[STRIP_MAX];

	must(pwrite(fd, "x", 1, 0));
	ck_assert_str_eq(strip(fd, 3, out), "#..");
	close(fd);
}
END_TEST

START_TEST(copies_keep_the_size)
{
	int from = new_file(PAGE + 1), all = new_file(0), data = new_file(0);
	char out[STRIP_MAX];

	must(pwrite(from, "x", 1, 0));
	copy(from, all, false);
	copy(from, data, true);
	ck_assert_int_eq(lseek(all, 0, SEEK_END), PAGE + 1);
	ck_assert_int_eq(lseek(data, 0, SEEK_END), PAGE + 1);
	ck_assert_str_eq(strip(all, 2, out), "##");
	ck_assert_str_eq(strip(data, 2, out), "#.");
	ck_assert_int_eq(occupied(data), PAGE);
	close(from);
	close(all);
	close(data);
}
END_TEST

START_TEST(an_empty_file_copies_to_an_empty_file)
{
	int from = new_file(0), to = new_file(0);

	copy(from, to, true);
	ck_assert_int_eq(lseek(to, 0, SEEK_END), 0);
	close(from);
	close(to);
}
END_TEST

START_TEST(seeking_data_in_a_closed_file_fails)
{
	int fd = new_file(PAGE);

	close(fd);
	ck_assert_int_eq(errno_of(lseek(fd, 0, SEEK_DATA)), EBADF);
}
END_TEST

void lab_tests(TCase *logic, TCase *live)
{
	tcase_add_test(logic, zeros_are_told_from_data);
	tcase_add_test(live, a_strip_shows_data_and_holes);
	tcase_add_test(live, beyond_the_end_is_a_hole);
	tcase_add_test(live, copies_keep_the_size);
	tcase_add_test(live, an_empty_file_copies_to_an_empty_file);
	tcase_add_test(live, seeking_data_in_a_closed_file_fails);
}
