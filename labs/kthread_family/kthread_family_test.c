// SPDX-License-Identifier: MIT
#include "kthread_family.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/lab_test.h"

START_TEST(names_may_look_like_the_rest_of_the_line)
{
	struct task task;

	ck_assert(parse_stat("2 (kthreadd) S 0 0 0 0 -1 2129984 0 0", &task));
	ck_assert_int_eq(task.pid, 2);
	ck_assert_str_eq(task.comm, "kthreadd");
	ck_assert_int_eq(task.state, 'S');
	ck_assert_int_eq(task.ppid, 0);
	ck_assert(task.flags & PF_KTHREAD);

	ck_assert(parse_stat("7 (a) Z 2 (b) R 9 7 7 0 -1 4194304 1", &task));
	ck_assert_str_eq(task.comm, "a) Z 2 (b");
	ck_assert_int_eq(task.state, 'R');
	ck_assert_int_eq(task.ppid, 9);
	ck_assert(!(task.flags & PF_KTHREAD));
}
END_TEST

START_TEST(an_empty_name_is_a_name)
{
	struct task task;

	ck_assert(parse_stat("7 () S 1 7 7 0 -1 0 1", &task));
	ck_assert_str_eq(task.comm, "");
	ck_assert_int_eq(task.ppid, 1);
}
END_TEST

START_TEST(what_is_cut_off_is_refused)
{
	struct task task;

	ck_assert(!parse_stat("", &task));
	ck_assert(!parse_stat("7 (a", &task));
	ck_assert(!parse_stat("7 )a( S 1 7 7 0 -1 0", &task));
	ck_assert(!parse_stat("7 (a) S 1 7 7 0 -1", &task));
	ck_assert(!parse_stat("(a) S 1 7 7 0 -1 0", &task));
}
END_TEST

START_TEST(we_are_no_kernel_thread)
{
	int proc = must(open("/proc", O_RDONLY));
	struct task task;

	ck_assert(read_task(proc, "self", &task));
	ck_assert_int_eq(task.pid, getpid());
	ck_assert_int_eq(task.ppid, getppid());
	ck_assert_int_eq(task.state, 'R');
	ck_assert(!(task.flags & (PF_KTHREAD | PF_IO_WORKER)));
	close(proc);
}
END_TEST

START_TEST(nobody_is_no_task)
{
	int proc = must(open("/proc", O_RDONLY));
	struct task task;

	ck_assert(!read_task(proc, "0", &task));
	ck_assert(!read_task(proc, "sys", &task));
	ck_assert(!read_task(-1, "self", &task));
	close(proc);
}
END_TEST

void lab_tests(TCase *logic, TCase *live)
{
	tcase_add_test(logic, names_may_look_like_the_rest_of_the_line);
	tcase_add_test(logic, an_empty_name_is_a_name);
	tcase_add_test(logic, what_is_cut_off_is_refused);
	tcase_add_test(live, we_are_no_kernel_thread);
	tcase_add_test(live, nobody_is_no_task);
}
