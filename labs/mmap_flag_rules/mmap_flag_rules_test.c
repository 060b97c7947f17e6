// SPDX-License-Identifier: MIT
#include "mmap_flag_rules.h"

#include <sys/mman.h>
#include <unistd.h>

#include "common/lab_test.h"

START_TEST(a_line_with_a_file_has_inode_and_name)
{
	struct maps_line line;

	ck_assert(parse_maps_line("7f00-8f00 rw-s 00000000 00:01 42      "
				  "/dev/zero (deleted)\n",
				  &line));
	ck_assert_uint_eq(line.start, 0x7f00);
	ck_assert_uint_eq(line.end, 0x8f00);
	ck_assert_uint_eq(line.inode, 42);
	ck_assert_str_eq(line.name, "/dev/zero (deleted)");
}
END_TEST

START_TEST(a_line_without_a_file_has_neither)
{
	struct maps_line line;

	ck_assert(parse_maps_line("7f00-8f00 rw-p 00000000 00:00 0 \n", &line));
	ck_assert_uint_eq(line.inode, 0);
	ck_assert_str_eq(line.name, "");
	ck_assert(!parse_maps_line("VmFlags: rd wr\n", &line));
	ck_assert(!parse_maps_line("", &line));
}
END_TEST

START_TEST(shared_and_private_make_validate)
{
	ck_assert_str_eq(type_name(MAP_SHARED | MAP_PRIVATE),
			 "SHARED_VALIDATE");
	ck_assert_str_eq(type_name(0), "");
	ck_assert_str_eq(type_name(15), "");
}
END_TEST

START_TEST(a_closed_descriptor_matters_to_files_alone)
{
	ck_assert_int_eq(flags_errno(MAP_PRIVATE, -1), EBADF);
	ck_assert_int_eq(flags_errno(MAP_PRIVATE | MAP_ANONYMOUS, -1), 0);
	ck_assert_int_eq(flags_errno(0, -1), EBADF);
	ck_assert_int_eq(flags_errno(MAP_ANONYMOUS, -1), EINVAL);
}
END_TEST

START_TEST(numbered_files_end_where_they_should)
{
	int fd = numbered_file(PAGE + 1);
	char bytes[3];

	ck_assert_int_eq(pread(fd, bytes, 3, PAGE - 1), 2);
	ck_assert_int_eq(bytes[0], '0');
	ck_assert_int_eq(bytes[1], '1');
	close(fd);
}
END_TEST

void lab_tests(TCase *logic, TCase *live)
{
	tcase_add_test(logic, a_line_with_a_file_has_inode_and_name);
	tcase_add_test(logic, a_line_without_a_file_has_neither);
	tcase_add_test(logic, shared_and_private_make_validate);
	tcase_add_test(live, a_closed_descriptor_matters_to_files_alone);
	tcase_add_test(live, numbered_files_end_where_they_should);
}
