// SPDX-License-Identifier: MIT
#include "common/spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/proc.h"
#include "unit.h"

enum { SOON_MS = 10000 };

static int give(void *arg)
{
	return *(int *)arg;
}

static int wait_for_ever(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return 0;
}

static int raise_usr1(void *arg)
{
	(void)arg;
	return raise(SIGUSR1);
}

/* A child of its own, in the same process group, that never ends. */
static int leave_a_child(void *arg)
{
	if (fork() == 0)
		wait_for_ever(arg);
	return 0;
}

static void assert_no_child(void)
{
	ck_assert_int_eq(errno_of(waitpid(-1, NULL, WNOHANG)), ECHILD);
}

/* Nobody else holds the write end of @fds any more. */
static void assert_closed(int fds[2])
{
	struct pollfd wait = { fds[0], 0, 0 };

	close(fds[1]);
	ck_assert_int_eq(poll(&wait, 1, SOON_MS), 1);
	ck_assert_int_eq(wait.revents, POLLHUP);
	close(fds[0]);
}

START_TEST(function_gives_its_exit_status)
{
	int value = 7;
	struct spawned spawned = spawn_fn(give, &value, SOON_MS);

	ck_assert(WIFEXITED(spawned.status));
	ck_assert_int_eq(WEXITSTATUS(spawned.status), 7);
	ck_assert(!spawned.timed_out);
	ck_assert_ptr_null(spawned.out);
	assert_no_child();
}
END_TEST

START_TEST(function_that_dies_gives_its_signal)
{
	struct spawned spawned = spawn_fn(raise_usr1, NULL, SOON_MS);

	ck_assert(WIFSIGNALED(spawned.status));
	ck_assert_int_eq(WTERMSIG(spawned.status), SIGUSR1);
	ck_assert(!spawned.timed_out);
}
END_TEST

START_TEST(function_that_is_late_is_killed)
{
	struct spawned spawned = spawn_fn(wait_for_ever, NULL, 10);

	ck_assert(spawned.timed_out);
	ck_assert_int_eq(WTERMSIG(spawned.status), SIGKILL);
	spawned = spawn_fn(wait_for_ever, NULL, 0);
	ck_assert(spawned.timed_out);
	assert_no_child();
}
END_TEST

START_TEST(process_group_of_a_child_ends_with_it)
{
	int fds[2];

	must(pipe2(fds, O_CLOEXEC));
	ck_assert_int_eq(spawn_fn(leave_a_child, NULL, SOON_MS).status, 0);
	assert_closed(fds);
}
END_TEST

START_TEST(tied_child_dies_with_its_parent)
{
	int fds[2], up[2];
	pid_t parent;
	char byte;

	must(pipe2(fds, O_CLOEXEC));
	must(pipe2(up, O_CLOEXEC));
	parent = fork_tied();
	if (parent == 0) {
		if (fork_tied() == 0) {
			must(write(up[1], "", 1));
			wait_for_ever(NULL);
		}
		/* Not before the child is past its own look at us. */
		must(read(up[0], &byte, 1));
		_exit(0);
	}
	close(up[0]);
	close(up[1]);
	ck_assert_int_eq(reap(parent, SOON_MS), 0);
	assert_closed(fds);
}
END_TEST

START_TEST(reap_kills_at_the_deadline)
{
	pid_t pid = fork_tied();

	if (pid == 0)
		wait_for_ever(NULL);
	ck_assert_int_eq(WTERMSIG(reap(pid, 10)), SIGKILL);
	assert_no_child();
}
END_TEST

START_TEST(program_gets_its_input_and_gives_its_output)
{
	static const char *const cat[] = { "cat", NULL };
	int fds = proc_count_fds();
	struct spawned spawned = spawn_program(cat, "a\0b", 3, SOON_MS);

	ck_assert_int_eq(spawned.status, 0);
	ck_assert_uint_eq(spawned.out_len, 3);
	ck_assert_mem_eq(spawned.out, "a\0b", 4);
	free(spawned.out);
	spawned = spawn_program(cat, NULL, 0, SOON_MS);
	ck_assert_int_eq(spawned.status, 0);
	ck_assert_uint_eq(spawned.out_len, 0);
	ck_assert_str_eq(spawned.out, "");
	free(spawned.out);
	ck_assert_int_eq(proc_count_fds(), fds);
	assert_no_child();
}
END_TEST

START_TEST(more_than_a_pipe_holds_goes_through)
{
	static const char *const cat[] = { "cat", NULL };
	size_t len = 3 << 20;
	char *in = must_ptr(malloc(len));
	struct spawned spawned;

	for (size_t i = 0; i < len; i++)
		in[i] = i * 31 + i / 251;
	spawned = spawn_program(cat, in, len, SOON_MS);
	ck_assert_uint_eq(spawned.out_len, len);
	ck_assert_mem_eq(spawned.out, in, len);
	free(spawned.out);
	free(in);
}
END_TEST

START_TEST(program_that_is_late_is_killed_and_its_output_kept)
{
	static const char *const argv[] = { "sh", "-c",
					    "echo early; exec sleep 1000",
					    NULL };
	struct spawned spawned = spawn_program(argv, NULL, 0, 1000);

	ck_assert(spawned.timed_out);
	ck_assert_int_eq(WTERMSIG(spawned.status), SIGKILL);
	ck_assert_str_eq(spawned.out, "early\n");
	free(spawned.out);
	assert_no_child();
}
END_TEST

START_TEST(child_that_holds_the_output_does_not_hold_us)
{
	static const char *const argv[] = { "sh", "-c",
					    "sleep 1000 & echo done", NULL };
	struct spawned spawned = spawn_program(argv, NULL, 0, SOON_MS);

	ck_assert(!spawned.timed_out);
	ck_assert_int_eq(spawned.status, 0);
	ck_assert_str_eq(spawned.out, "done\n");
	free(spawned.out);
}
END_TEST

START_TEST(program_that_closes_its_output_is_waited_for)
{
	static const char *const argv[] = { "sh", "-c", "exec >&-; exit 5",
					    NULL };
	struct spawned spawned = spawn_program(argv, NULL, 0, SOON_MS);

	ck_assert_int_eq(WEXITSTATUS(spawned.status), 5);
	ck_assert_str_eq(spawned.out, "");
	free(spawned.out);
}
END_TEST

START_TEST(program_that_is_not_there_is_a_broken_set_up)
{
	static const char *const argv[] = { "no-such-program", NULL };
	int null = must(open("/dev/null", O_WRONLY | O_CLOEXEC));
	struct spawned spawned;

	/* The child tells why, on stderr. */
	must(dup2(null, STDERR_FILENO));
	spawned = spawn_program(argv, NULL, 0, SOON_MS);
	ck_assert_int_eq(WEXITSTATUS(spawned.status), LAB_BROKEN);
	ck_assert_str_eq(spawned.out, "");
	free(spawned.out);
}
END_TEST

void unit_tests(TCase *tests)
{
	tcase_add_test(tests, function_gives_its_exit_status);
	tcase_add_test(tests, function_that_dies_gives_its_signal);
	tcase_add_test(tests, function_that_is_late_is_killed);
	tcase_add_test(tests, process_group_of_a_child_ends_with_it);
	tcase_add_test(tests, tied_child_dies_with_its_parent);
	tcase_add_test(tests, reap_kills_at_the_deadline);
	tcase_add_test(tests, program_gets_its_input_and_gives_its_output);
	tcase_add_test(tests, more_than_a_pipe_holds_goes_through);
	tcase_add_test(tests,
		       program_that_is_late_is_killed_and_its_output_kept);
	tcase_add_test(tests, child_that_holds_the_output_does_not_hold_us);
	tcase_add_test(tests, program_that_closes_its_output_is_waited_for);
	tcase_add_test(tests, program_that_is_not_there_is_a_broken_set_up);
}
