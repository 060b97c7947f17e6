// SPDX-License-Identifier: MIT
#include "anon_inode_census.h"

#include <linux/magic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/lab_test.h"

static const char trace[] =
	"# tracer: function\n"
	"#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION\n"
	"#              | |         |   |||||     |         |\n"
	"           other-7       [001] .....  1.100000: alloc_anon_inode "
	"<-early\n"
	"        my census-12      [000] .....  1.200000: tracing_mark_write: "
	"one\n"
	"        my census-12      [001] .....  1.300000: alloc_anon_inode "
	"<-mine\n"
	"           other-7       [000] .....  1.400000: alloc_anon_inode "
	"<-not\n"
	"           other-7       [000] .....  1.410000: tracing_mark_write: "
	"x\n"
	"        my census-12      [001] .....  1.500000: alloc_anon_inode "
	"<-mine\n"
	"        my census-12      [001] .....  1.600000: tracing_mark_write: "
	"two\n"
	"        my census-12      [001] .....  1.700000: tracing_mark_write: "
	"end\n";

START_TEST(calls_of_other_tasks_do_not_count)
{
	char caller[64] = "";

	ck_assert_int_eq(calls_after(trace, "one", caller), 2);
	ck_assert_str_eq(caller, "mine");
}
END_TEST

START_TEST(a_mark_without_calls_is_not_a_missing_mark)
{
	char caller[64] = "none";

	ck_assert_int_eq(calls_after(trace, "two", caller), 0);
	ck_assert_int_eq(calls_after(trace, "end", caller), 0);
	ck_assert_int_eq(calls_after(trace, "on", caller), -1);
	ck_assert_int_eq(calls_after("", "one", caller), -1);
	ck_assert_int_eq(calls_after("no newline", "one", caller), -1);
	ck_assert_str_eq(caller, "none");
}
END_TEST

START_TEST(inodes_differ_by_number_or_by_file_system)
{
	const struct stat st[] = { { .st_dev = 1, .st_ino = 1 },
				   { .st_dev = 1, .st_ino = 2 },
				   { .st_dev = 2, .st_ino = 1 },
				   { .st_dev = 1, .st_ino = 1 } };

	ck_assert_int_eq(count_inodes(st, 4), 3);
	ck_assert_int_eq(count_inodes(st, 1), 1);
	ck_assert_int_eq(count_inodes(st, 0), 0);
}
END_TEST

START_TEST(unknown_file_systems_have_no_name)
{
	ck_assert_str_eq(fs_name(ANON_INODE_FS_MAGIC), "anon_inodefs");
	ck_assert_str_eq(fs_name(TMPFS_MAGIC), "tmpfs");
	ck_assert_str_eq(fs_name(0), "?");
}
END_TEST

START_TEST(eventfd_and_epoll_are_one_inode_and_memfds_are_two)
{
	int fds[] = { must(eventfd(0, 0)), must(epoll_create1(0)),
		      must(memfd_create("a", 0)), must(memfd_create("b", 0)) };
	struct stat st[4];

	for (int i = 0; i < 4; i++)
		must(fstat(fds[i], &st[i]));
	ck_assert_int_eq(count_inodes(st, 2), 1);
	ck_assert_int_eq(count_inodes(st + 2, 2), 2);
	ck_assert_int_eq(count_inodes(st, 4), 3);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	ck_assert_int_eq(errno_of(fstat(fds[0], &st[0])), EBADF);
}
END_TEST

void lab_tests(TCase *logic, TCase *live)
{
	tcase_add_test(logic, calls_of_other_tasks_do_not_count);
	tcase_add_test(logic, a_mark_without_calls_is_not_a_missing_mark);
	tcase_add_test(logic, inodes_differ_by_number_or_by_file_system);
	tcase_add_test(logic, unknown_file_systems_have_no_name);
	tcase_add_test(live,
		       eventfd_and_epoll_are_one_inode_and_memfds_are_two);
}
