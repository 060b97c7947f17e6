// SPDX-License-Identifier: MIT
#include "proc_fd.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/lab_test.h"

START_TEST(flags_are_octal)
{
	struct fdinfo info = { 0 };

	ck_assert(parse_fdinfo("pos:\t12\nflags:\t02100002\nmnt_id:\t25\n",
			       &info));
	ck_assert_int_eq(info.pos, 12);
	ck_assert_int_eq(info.flags, 02100002);
	ck_assert(
		parse_fdinfo("pos:\t9223372036854775807\nflags:\t00\n", &info));
	ck_assert_int_eq(info.pos, INT64_MAX);
	ck_assert_int_eq(info.flags, O_RDONLY);
}
END_TEST

START_TEST(half_an_fdinfo_is_refused)
{
	struct fdinfo info;

	ck_assert(!parse_fdinfo("", &info));
	ck_assert(!parse_fdinfo("pos:\t12\n", &info));
	ck_assert(!parse_fdinfo("flags:\t02\npos:\t12\n", &info));
	ck_assert(!parse_fdinfo("pos:\tx\nflags:\t02\n", &info));
}
END_TEST

START_TEST(a_reopened_file_starts_at_its_beginning)
{
	int fd = must(memfd_create("test", MFD_CLOEXEC)), again;
	char target[LINK_MAX_LEN], got[4] = "";

	must(write(fd, "abc", 3));
	again = must(reopen(fd, O_RDONLY));
	ck_assert_int_eq(read(again, got, 3), 3);
	ck_assert_str_eq(got, "abc");
	ck_assert_str_eq(fd_target(fd, target), "/memfd:test (deleted)");
	close(again);
	close(fd);
}
END_TEST

START_TEST(what_is_no_file_cannot_be_reopened)
{
	int fd = must(socket(AF_UNIX, SOCK_STREAM, 0));

	ck_assert_int_eq(errno_of(reopen(fd, O_RDWR)), ENXIO);
	close(fd);
	ck_assert_int_eq(errno_of(reopen(fd, O_RDWR)), ENOENT);
	ck_assert_int_eq(errno_of(reopen(-1, O_RDWR)), ENOENT);
}
END_TEST

void lab_tests(TCase *logic, TCase *live)
{
	tcase_add_test(logic, flags_are_octal);
	tcase_add_test(logic, half_an_fdinfo_is_refused);
	tcase_add_test(live, a_reopened_file_starts_at_its_beginning);
	tcase_add_test(live, what_is_no_file_cannot_be_reopened);
}
