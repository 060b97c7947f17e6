// SPDX-License-Identifier: MIT
#include "pipe_vs_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/lab_test.h"

START_TEST(records_of_one_byte_each_are_whole)
{
	ck_assert_uint_eq(torn_records("aaabbb", 6, 3), 0);
	ck_assert_uint_eq(torn_records("ab", 2, 1), 0);
	ck_assert_uint_eq(torn_records("", 0, 3), 0);
}
END_TEST

START_TEST(torn_records_are_counted)
{
	ck_assert_uint_eq(torn_records("aababb", 6, 3), 2);
	ck_assert_uint_eq(torn_records("aaabba", 6, 3), 1);
}
END_TEST

START_TEST(a_record_cut_short_is_torn)
{
	ck_assert_uint_eq(torn_records("aaabb", 5, 3), 1);
	ck_assert_uint_eq(torn_records("a", 1, 3), 1);
}
END_TEST

START_TEST(a_pipe_takes_what_it_says)
{
	int fds[2];

	must(pipe2(fds, O_NONBLOCK));
	must(fcntl(fds[1], F_SETPIPE_SZ, 8192));
	ck_assert_uint_eq(fill(fds[1], 0), 0);
	ck_assert_uint_eq(fill(fds[1], 8191), 8191);
	/* A short write is not split, even if a part would fit. */
	ck_assert_uint_eq(fill(fds[1], 2), 0);
	ck_assert_uint_eq(fill(fds[1], 1), 1);
	ck_assert_uint_eq(fill(fds[1], 1), 0);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(a_file_takes_all)
{
	int fd = must(memfd_create("file", 0));

	ck_assert_uint_eq(fill(fd, 1000000), 1000000);
	close(fd);
}
END_TEST

START_TEST(a_size_beyond_int_is_refused)
{
	int fds[2];

	must(pipe2(fds, 0));
	ck_assert_int_eq(errno_of(fcntl(fds[1], F_SETPIPE_SZ, -1)), EINVAL);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

void lab_tests(TCase *logic, TCase *live)
{
	tcase_add_test(logic, records_of_one_byte_each_are_whole);
	tcase_add_test(logic, torn_records_are_counted);
	tcase_add_test(logic, a_record_cut_short_is_torn);
	tcase_add_test(live, a_pipe_takes_what_it_says);
	tcase_add_test(live, a_file_takes_all);
	tcase_add_test(live, a_size_beyond_int_is_refused);
}
