// SPDX-License-Identifier: MIT
/* keeper_test.c - labs under a keeper, here scripts of the shell. */
#include "runner/keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/proc.h"
#include "common/spawn.h"
#include "unit.h"

enum { DEADLINE_MS = 10000 };

static const char *const isolation_names[] = {
	[ISOLATE_GROUP] = "a process group",
	[ISOLATE_NAMESPACE] = "a PID namespace",
	[ISOLATE_USER] = "a user namespace",
};

static struct keeper keeper;
static struct kept kept;
static char out[4096], err[4096];

static void start_in(const char *cwd, enum isolation isolation,
		     const char *const *argv)
{
	static char *const env[] = { "PATH=/usr/bin:/bin", "WORD=hello", NULL };

	must(keeper_start(&keeper, isolation, argv, env, cwd));
}

static void start(enum isolation isolation, const char *script)
{
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };

	start_in("/", isolation, argv);
}

/* Wait until @fd can be read. Our end at the deadline is the keeper's too. */
static void wait_for(int fd)
{
	struct pollfd wait = { fd, POLLIN, 0 };

	if (must(poll(&wait, 1, DEADLINE_MS)) == 0)
		die("nothing came within %d ms", DEADLINE_MS);
}

/* All of @fd to @text: its end means that nobody holds it any more. */
static void read_all(int fd, char *text)
{
	size_t len = 0;

	for (;;) {
		ssize_t got;

		wait_for(fd);
		got = must(read(fd, text + len, sizeof(out) - 1 - len));
		if (got == 0)
			break;
		len += got;
	}
	text[len] = '\0';
	close(fd);
}

/* Until the lab prints a line. */
static void wait_until_ready(void)
{
	char line[8];

	wait_for(keeper.out);
	ck_assert_int_gt(must(read(keeper.out, line, sizeof(line))), 0);
}

/* Until all is over; false if the keeper had nothing to say. */
static bool finish(void)
{
	bool complete;

	read_all(keeper.out, out);
	read_all(keeper.err, err);
	wait_for(keeper.pidfd);
	complete = read(keeper.kept, &kept, sizeof(kept)) == sizeof(kept);
	must(waitpid(keeper.pid, NULL, 0));
	close(keeper.pidfd);
	close(keeper.control);
	close(keeper.kept);
	return complete;
}

static void run(enum isolation isolation, const char *script)
{
	start(isolation, script);
	ck_assert(finish());
}

START_TEST(status_and_both_streams_come_back)
{
	int fds = proc_count_fds();

	run(_i, "echo to $WORD; echo oops >&2; pwd; exit 3");
	ck_assert_int_eq(kept.exec_errno, 0);
	ck_assert(WIFEXITED(kept.status));
	ck_assert_int_eq(WEXITSTATUS(kept.status), 3);
	ck_assert_int_eq(kept.left_behind, 0);
	ck_assert_int_gt(kept.usage.ru_maxrss, 0);
	ck_assert_str_eq(out, "to hello\n/\n");
	ck_assert_str_eq(err, "oops\n");
	ck_assert_int_eq(proc_count_fds(), fds);
	/* Nobody is left. */
	ck_assert_int_eq(errno_of(waitpid(-1, NULL, WNOHANG)), ECHILD);
}
END_TEST

START_TEST(death_by_signal_comes_back)
{
	run(_i, "kill -SEGV $$");
	ck_assert(WIFSIGNALED(kept.status));
	ck_assert_int_eq(WTERMSIG(kept.status), SIGSEGV);
}
END_TEST

START_TEST(program_that_cannot_start_has_an_errno)
{
	const char *const missing[] = { "/nonexistent/lab", NULL };
	const char *argv[] = { NULL, NULL };
	char *dir = scratch(), *path;

	start_in("/", _i, missing);
	ck_assert(finish());
	ck_assert_int_eq(kept.exec_errno, ENOENT);
	ck_assert_str_eq(out, "");

	/* Not even root may execute a file without the bit. */
	put_file(dir, "plain", "#!/bin/sh\n");
	must(asprintf(&path, "%s/plain", dir));
	argv[0] = path;
	start_in("/", _i, argv);
	ck_assert(finish());
	ck_assert_int_eq(kept.exec_errno, EACCES);
	must(chmod(path, 0755));
	put_file(dir, "plain", "neither a script nor an ELF");
	start_in("/", _i, argv);
	ck_assert(finish());
	ck_assert_int_eq(kept.exec_errno, ENOEXEC);
	free(path);
	free(dir);
}
END_TEST

START_TEST(folder_that_is_gone_starts_nothing)
{
	const char *const argv[] = { "/bin/echo", "started", NULL };

	start_in("/nonexistent", _i, argv);
	ck_assert(!finish());
	ck_assert_str_eq(out, "");
}
END_TEST

START_TEST(lab_leads_a_session_and_is_not_init)
{
	run(_i, "read pid comm state ppid pgrp session rest < /proc/$$/stat\n"
		"[ $pid = $$ ] && [ $$ != 1 ] && [ $session = $$ ] &&\n"
		"[ $pgrp = $$ ] && echo so; cat /proc/$ppid/comm");
	ck_assert_str_eq(out, "so\nkeeper\n");
}
END_TEST

START_TEST(namespace_shows_only_its_own_processes)
{
	run(_i, "echo /proc/[0-9]*; read comm < /proc/1/comm; echo $comm");
	if (_i == ISOLATE_GROUP)
		ck_assert_str_ne(out, "/proc/1 /proc/2\nkeeper\n");
	else
		ck_assert_str_eq(out, "/proc/1 /proc/2\nkeeper\n");
}
END_TEST

START_TEST(lab_stays_who_we_are)
{
	char who[32];

	snprintf(who, sizeof(who), "%u %u\n", geteuid(), getegid());
	run(_i, "echo $(id -u) $(id -g)");
	ck_assert_str_eq(out, who);
}
END_TEST

START_TEST(lab_gets_three_descriptors_and_an_empty_stdin)
{
	/* One that every program would inherit. */
	int stray = must(dup(STDIN_FILENO));

	run(_i, "cat; ls /proc/$$/fd; true");
	ck_assert_str_eq(out, "0\n1\n2\n");
	close(stray);
}
END_TEST

START_TEST(lab_gets_default_signals)
{
	sigset_t all, old;

	/* Both as the runner has it. */
	signal(SIGPIPE, SIG_IGN);
	sigfillset(&all);
	must(sigprocmask(SIG_BLOCK, &all, &old));
	start(_i, "kill -PIPE $$; echo survived");
	must(sigprocmask(SIG_SETMASK, &old, NULL));
	ck_assert(finish());
	ck_assert_str_eq(out, "");
	ck_assert(WIFSIGNALED(kept.status));
	ck_assert_int_eq(WTERMSIG(kept.status), SIGPIPE);
}
END_TEST

START_TEST(terminate_reaches_a_lab_without_a_handler)
{
	const char command = KEEPER_TERMINATE;

	start(_i, "echo ready; sleep 1000; echo survived");
	wait_until_ready();
	must(write(keeper.control, &command, 1));
	ck_assert(finish());
	ck_assert(WIFSIGNALED(kept.status));
	ck_assert_int_eq(WTERMSIG(kept.status), SIGTERM);
	ck_assert_str_eq(out, "");
}
END_TEST

START_TEST(terminate_lets_a_handler_clean_up)
{
	const char command = KEEPER_TERMINATE;

	start(_i, "trap 'echo cleaned; exit 4' TERM; echo ready\n"
		  "sleep 1000 & wait");
	wait_until_ready();
	must(write(keeper.control, &command, 1));
	ck_assert(finish());
	ck_assert_str_eq(out, "cleaned\n");
	ck_assert_int_eq(WEXITSTATUS(kept.status), 4);
}
END_TEST

START_TEST(kill_reaches_a_lab_that_ignores_terminate)
{
	const char commands[] = { KEEPER_TERMINATE, KEEPER_KILL };

	start(_i, "trap '' TERM; echo ready\n"
		  "while :; do sleep 1000; done");
	wait_until_ready();
	must(write(keeper.control, commands, 2));
	ck_assert(finish());
	ck_assert(WIFSIGNALED(kept.status));
	ck_assert_int_eq(WTERMSIG(kept.status), SIGKILL);
}
END_TEST

START_TEST(closed_control_kills_all)
{
	start(_i, "trap '' TERM; setsid sleep 1000 & echo ready; wait");
	wait_until_ready();
	close(keeper.control);
	keeper.control = -1;
	ck_assert(finish());
	ck_assert_int_eq(WTERMSIG(kept.status), SIGKILL);
	ck_assert_int_eq(kept.left_behind, 1);
}
END_TEST

START_TEST(stopped_lab_can_be_killed)
{
	const char command = KEEPER_KILL;

	start(_i, "echo ready; kill -STOP $$; echo survived");
	wait_until_ready();
	must(write(keeper.control, &command, 1));
	ck_assert(finish());
	ck_assert_int_eq(WTERMSIG(kept.status), SIGKILL);
}
END_TEST

START_TEST(what_forked_twice_into_its_own_session_is_killed_and_counted)
{
	/* Each holds stdout: it ends only with the last of them. */
	run(_i, "for i in 1 2 3; do (setsid sleep 1000 &); done; echo done");
	ck_assert_str_eq(out, "done\n");
	ck_assert_int_eq(WEXITSTATUS(kept.status), 0);
	ck_assert_int_eq(kept.left_behind, 3);
}
END_TEST

START_TEST(whole_tree_that_ignores_signals_is_killed_and_counted)
{
	/*
	 * A child, its child, and that one's child, which is up last. Each
	 * holds stdout, as 3. A parent among them may reap a child before it
	 * is killed itself, so the count can be lower.
	 */
	run(_i, "exec 3>&1; trap '' TERM HUP INT\n"
		"(setsid sh -c '(sh -c \"echo up; exec sleep 1000\"; :) &"
		" wait' &) | read line");
	ck_assert_int_eq(WEXITSTATUS(kept.status), 0);
	ck_assert_int_ge(kept.left_behind, 1);
	ck_assert_int_le(kept.left_behind, 3);
}
END_TEST

START_TEST(dead_children_are_not_left_behind)
{
	run(_i, "(exit 1) & (exit 2) & exec true");
	ck_assert_int_eq(kept.left_behind, 0);
}
END_TEST

START_TEST(runner_that_dies_takes_all_with_it)
{
	char *dir = scratch(), *fifo, *script, line[8];
	pid_t runner;
	int fd;

	must(asprintf(&fifo, "%s/fifo", dir));
	must(asprintf(&script,
		      "exec 9> %s; trap '' TERM; setsid sleep 1000 &\n"
		      "echo ready >&9; wait",
		      fifo));
	must(mkfifo(fifo, 0600));
	/* The keeper becomes ours, to see that it ends as well. */
	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	fd = must(open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
	runner = fork_tied();
	if (runner == 0) {
		start(_i, script);
		for (;;)
			pause();
	}
	wait_for(fd);
	ck_assert_int_eq(must(read(fd, line, sizeof(line))), 6);
	must(kill(runner, SIGKILL));
	reap(runner, DEADLINE_MS);
	/* Its end: nobody holds it open. */
	wait_for(fd);
	ck_assert_int_eq(must(read(fd, line, sizeof(line))), 0);
	while (waitpid(-1, NULL, 0) != -1)
		;
	close(fd);
	free(script);
	free(fifo);
	free(dir);
}
END_TEST

START_TEST(twenty_keepers_at_a_time_do_not_mix)
{
	enum { N = 20 };
	struct keeper many[N];

	for (int i = 0; i < N; i++) {
		char script[64];

		snprintf(script, sizeof(script), "echo %d; exit %d", i, i);
		start(_i, script);
		many[i] = keeper;
	}
	for (int i = N - 1; i >= 0; i--) {
		keeper = many[i];
		ck_assert(finish());
		ck_assert_int_eq(WEXITSTATUS(kept.status), i);
		ck_assert_int_eq(atoi(out), i);
	}
}
END_TEST

/* Whether a keeper does its work under @isolation. */
static bool usable(enum isolation isolation)
{
	const char *const argv[] = { "/bin/true", NULL };
	static char *const env[] = { NULL };

	return keeper_start(&keeper, isolation, argv, env, "/") == 0 &&
	       finish();
}

static void add(TCase *tests, enum isolation isolation)
{
	const int i = isolation;

#define ADD(test) tcase_add_loop_test(tests, test, i, i + 1)
	ADD(status_and_both_streams_come_back);
	ADD(death_by_signal_comes_back);
	ADD(program_that_cannot_start_has_an_errno);
	ADD(folder_that_is_gone_starts_nothing);
	ADD(lab_leads_a_session_and_is_not_init);
	ADD(namespace_shows_only_its_own_processes);
	ADD(lab_stays_who_we_are);
	ADD(lab_gets_three_descriptors_and_an_empty_stdin);
	ADD(lab_gets_default_signals);
	ADD(terminate_reaches_a_lab_without_a_handler);
	ADD(terminate_lets_a_handler_clean_up);
	ADD(kill_reaches_a_lab_that_ignores_terminate);
	ADD(closed_control_kills_all);
	ADD(stopped_lab_can_be_killed);
	ADD(what_forked_twice_into_its_own_session_is_killed_and_counted);
	ADD(whole_tree_that_ignores_signals_is_killed_and_counted);
	ADD(dead_children_are_not_left_behind);
	ADD(runner_that_dies_takes_all_with_it);
	ADD(twenty_keepers_at_a_time_do_not_mix);
#undef ADD
}

void unit_tests(TCase *tests)
{
	enum isolation best = keeper_probe();

	for (int i = ISOLATE_GROUP; i <= ISOLATE_USER; i++) {
		/* What the runner would choose has no way out. */
		if (i == ISOLATE_GROUP || i == (int)best || usable(i))
			add(tests, i);
		else
			leave_out(isolation_names[i], "not permitted here");
	}
}
