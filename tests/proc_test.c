// SPDX-License-Identifier: MIT
#include "common/proc.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/spawn.h"
#include "unit.h"

enum { SOON_MS = 10000 };

static char *dir, *path;

static void setup(void)
{
	dir = scratch();
	must(asprintf(&path, "%s/file", dir));
}

static void teardown(void)
{
	free(dir);
	free(path);
}

static void assert_content(const char *content)
{
	char *text = get_file(dir, "file");

	ck_assert_str_eq(text, content);
	free(text);
}

START_TEST(field_is_the_number_behind_its_whole_name)
{
	put_file(dir, "file",
		 "VmRSSx:\t1 kB\nxVmRSS: 2 kB\nVmRSS:\t  42 kB\n"
		 "VmRSS: 43\nempty:\nlast: 7");
	ck_assert_int_eq(proc_field(path, "VmRSS"), 42);
	ck_assert_int_eq(proc_field(path, "last"), 7);
	ck_assert_int_eq(proc_field(path, "Vm"), -1);
	ck_assert_int_eq(proc_field(path, "other"), -1);
	ck_assert_int_eq(proc_field("/nonexistent", "VmRSS"), -1);
	ck_assert_int_gt(proc_field("/proc/self/status", "VmRSS"), 0);
	ck_assert_int_eq(proc_field("/proc/self/status", "Pid"), getpid());
}
END_TEST

START_TEST(long_is_the_number_of_the_file)
{
	put_file(dir, "file", "42\n");
	ck_assert_int_eq(proc_long(path), 42);
	put_file(dir, "file", "-3");
	ck_assert_int_eq(proc_long(path), -3);
	put_file(dir, "file", "");
	ck_assert_int_eq(proc_long(path), -1);
	put_file(dir, "file", "word\n");
	ck_assert_int_eq(proc_long(path), -1);
	ck_assert_int_eq(proc_long("/nonexistent"), -1);
}
END_TEST

/* A child that changes the file, and ends by @end. */
static int change(void (*end)(void))
{
	pid_t pid = fork_tied();

	if (pid == 0) {
		/* Twice: the oldest content is what comes back. */
		proc_set(path, "one");
		proc_set(path, "two");
		end();
		abort();
	}
	return reap(pid, SOON_MS);
}

static void exit_well(void)
{
	assert_content("two");
	exit(EXIT_SUCCESS);
}

static void end_by_die(void)
{
	close(STDERR_FILENO);
	die("on purpose");
}

/* What a forked child does not own it does not put back. */
static void fork_and_exit(void)
{
	pid_t pid = fork_tied();

	if (pid == 0)
		exit(EXIT_SUCCESS);
	ck_assert_int_eq(reap(pid, SOON_MS), 0);
	exit_well();
}

START_TEST(setting_goes_back_at_exit)
{
	put_file(dir, "file", "old");
	ck_assert_int_eq(change(exit_well), 0);
	assert_content("old");
}
END_TEST

START_TEST(setting_goes_back_when_the_set_up_breaks)
{
	put_file(dir, "file", "old");
	ck_assert_int_eq(WEXITSTATUS(change(end_by_die)), LAB_BROKEN);
	assert_content("old");
}
END_TEST

START_TEST(forked_child_leaves_the_setting_alone)
{
	put_file(dir, "file", "old");
	ck_assert_int_eq(change(fork_and_exit), 0);
	assert_content("old");
}
END_TEST

START_TEST(setting_that_cannot_be_made_ends_the_lab)
{
	pid_t pid = fork_tied();

	if (pid == 0) {
		close(STDERR_FILENO);
		proc_set("/nonexistent", "1");
		_exit(0);
	}
	ck_assert_int_eq(WEXITSTATUS(reap(pid, SOON_MS)), LAB_BROKEN);
}
END_TEST

START_TEST(descriptors_are_counted_without_our_own)
{
	int before = proc_count_fds();
	int fd = must(open("/dev/null", O_RDONLY));

	/* A plain count has the folder itself open. */
	ck_assert_int_eq(proc_count_fds(), count_entries("/proc/self/fd") - 1);
	ck_assert_int_eq(proc_count_fds(), before + 1);
	close(fd);
	ck_assert_int_eq(proc_count_fds(), before);
}
END_TEST

void unit_tests(TCase *tests)
{
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, field_is_the_number_behind_its_whole_name);
	tcase_add_test(tests, long_is_the_number_of_the_file);
	tcase_add_test(tests, setting_goes_back_at_exit);
	tcase_add_test(tests, setting_goes_back_when_the_set_up_breaks);
	tcase_add_test(tests, forked_child_leaves_the_setting_alone);
	tcase_add_test(tests, setting_that_cannot_be_made_ends_the_lab);
	tcase_add_test(tests, descriptors_are_counted_without_our_own);
}
