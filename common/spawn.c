// SPDX-License-Identifier: MIT
#include "common/spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/lab.h"

static int ms_until(uint64_t deadline)
{
	uint64_t now = now_ns();

	return now >= deadline ? 0 : (deadline - now + 999999) / 1000000;
}

static uint64_t deadline_in(int ms)
{
	return now_ns() + ms * 1000000ull;
}

pid_t fork_tied(void)
{
	pid_t parent = getpid();
	pid_t pid = must(fork());

	if (pid != 0)
		return pid;
	must(prctl(PR_SET_PDEATHSIG, SIGKILL));
	/* The parent may have died before the line above. */
	if (getppid() != parent)
		_exit(LAB_BROKEN);
	return 0;
}

/* -1 where there is no such call: valgrind knows none before 3.21. */
static int open_pidfd(pid_t pid)
{
	int fd = syscall(SYS_pidfd_open, pid, 0);

	if (fd == -1 && errno != ENOSYS)
		must(fd);
	return fd;
}

static bool has_ended(pid_t pid)
{
	siginfo_t info = { 0 };

	must(waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT));
	return info.si_pid == pid;
}

/* Without a pidfd: SIGCHLD tells, blocked so that none goes by unseen. */
static bool wait_by_signal(pid_t pid, uint64_t deadline)
{
	sigset_t chld, old;
	bool ended;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	must(sigprocmask(SIG_BLOCK, &chld, &old));
	while (!(ended = has_ended(pid)) && now_ns() < deadline) {
		int ms = ms_until(deadline);
		struct timespec left = { ms / 1000, ms % 1000 * 1000000L };

		sigtimedwait(&chld, NULL, &left);
	}
	must(sigprocmask(SIG_SETMASK, &old, NULL));
	return ended;
}

static bool wait_by_pidfd(int pidfd, uint64_t deadline)
{
	struct pollfd wait = { pidfd, POLLIN, 0 };
	int ready;

	do
		ready = poll(&wait, 1, ms_until(deadline));
	while (ready == -1 && errno == EINTR);
	return ready == 1;
}

/* Reap @pid, which is dead or will be by SIGKILL, and its process group. */
static struct spawned finish(pid_t pid, bool ended)
{
	struct spawned result = { .timed_out = !ended };

	if (!ended) {
		kill(pid, SIGKILL);
		kill(-pid, SIGKILL);
	}
	must(waitpid(pid, &result.status, 0));
	kill(-pid, SIGKILL);
	return result;
}

static struct spawned finish_by(pid_t pid, uint64_t deadline)
{
	int pidfd = open_pidfd(pid);
	bool ended;

	if (pidfd == -1)
		return finish(pid, wait_by_signal(pid, deadline));
	ended = wait_by_pidfd(pidfd, deadline);
	close(pidfd);
	return finish(pid, ended);
}

int reap(pid_t pid, int deadline_ms)
{
	return finish_by(pid, deadline_in(deadline_ms)).status;
}

struct spawned spawn_fn(int (*fn)(void *arg), void *arg, int deadline_ms)
{
	uint64_t deadline = deadline_in(deadline_ms);
	pid_t pid = fork_tied();

	if (pid == 0) {
		setpgid(0, 0);
		_exit(fn(arg));
	}
	return finish_by(pid, deadline);
}

/* A file of @len bytes, at its start: input that cannot fill a pipe. */
static int memfd_of(const void *data, size_t len)
{
	int fd = must(memfd_create("stdin", MFD_CLOEXEC));

	if (len)
		must(pwrite(fd, data, len, 0));
	return fd;
}

static _Noreturn void exec_program(const char *const *argv, int in, int out)
{
	setpgid(0, 0);
	must(dup2(in, STDIN_FILENO));
	must(dup2(out, STDOUT_FILENO));
	must(execvp(argv[0], (char *const *)argv));
	abort();
}

/* Append what @fd has to @result; false at the end of the stream. */
static bool read_more(int fd, struct spawned *result)
{
	enum { CHUNK = 65536 };
	ssize_t got;

	result->out =
		must_ptr(realloc(result->out, result->out_len + CHUNK + 1));
	got = read(fd, result->out + result->out_len, CHUNK);
	if (got > 0)
		result->out_len += got;
	result->out[result->out_len] = '\0';
	return got > 0 || (got == -1 && errno == EINTR);
}

struct spawned spawn_program(const char *const *argv, const void *in,
			     size_t in_len, int deadline_ms)
{
	uint64_t deadline = deadline_in(deadline_ms);
	struct spawned result = { .out = must_ptr(calloc(1, 1)) }, end;
	int input = memfd_of(in, in_len);
	int out[2];
	pid_t pid;

	must(pipe2(out, O_CLOEXEC));
	pid = fork_tied();
	if (pid == 0)
		exec_program(argv, input, out[1]);
	close(out[1]);
	close(input);

	/* The stream may outlive the program, in a child of its own. */
	struct pollfd wait[] = { { out[0], POLLIN, 0 },
				 { open_pidfd(pid), POLLIN, 0 } };
	for (bool open = true; open;) {
		int ready = poll(wait, 2, ms_until(deadline));

		if (ready == 0)
			break;
		if (wait[0].revents)
			open = read_more(out[0], &result);
		else if (wait[1].revents)
			open = false;
	}
	close(out[0]);
	if (wait[1].fd != -1)
		close(wait[1].fd);
	end = finish_by(pid, deadline);
	result.status = end.status;
	result.timed_out = end.timed_out;
	return result;
}
