// SPDX-License-Identifier: MIT
#include "runner/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "runner/util.h"

/* Where the keeper finds its two pipes, above the lab's stdio. */
enum { CONTROL_FD = 3, KEPT_FD = 4 };

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t put;

	if (fd == -1)
		return -1;
	put = write(fd, text, strlen(text));
	close(fd);
	return put == (ssize_t)strlen(text) ? 0 : -1;
}

/* In a new user namespace, stay who we are: a lab gains no privilege. */
static int map_user(uid_t uid, gid_t gid)
{
	char map[64];

	if (write_text("/proc/self/setgroups", "deny") == -1)
		return -1;
	snprintf(map, sizeof(map), "%u %u 1", gid, gid);
	if (write_text("/proc/self/gid_map", map) == -1)
		return -1;
	snprintf(map, sizeof(map), "%u %u 1", uid, uid);
	return write_text("/proc/self/uid_map", map);
}

/* A /proc that shows the new PIDs; the lab's own mounts stay its own. */
static int mount_own_proc(void)
{
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1)
		return -1;
	return mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		     NULL);
}

static pid_t fork_isolated(enum isolation isolation, int *pidfd)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
	};

	if (isolation != ISOLATE_GROUP)
		args.flags |= CLONE_NEWPID | CLONE_NEWNS;
	if (isolation == ISOLATE_USER)
		args.flags |= CLONE_NEWUSER;
	return syscall(SYS_clone3, &args, sizeof(args));
}

static int enter_isolation(enum isolation isolation, uid_t uid, gid_t gid)
{
	if (isolation == ISOLATE_USER && map_user(uid, gid) == -1)
		return -1;
	return isolation == ISOLATE_GROUP ? 0 : mount_own_proc();
}

static bool works(enum isolation isolation)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int pidfd, status;
	pid_t pid = fork_isolated(isolation, &pidfd);

	if (pid == -1)
		return false;
	if (pid == 0)
		_exit(enter_isolation(isolation, uid, gid) == -1);
	close(pidfd);
	return waitpid(pid, &status, 0) == pid && status == 0;
}

enum isolation keeper_probe(void)
{
	if (works(ISOLATE_NAMESPACE))
		return ISOLATE_NAMESPACE;
	/* To root a user namespace would pretend privileges it lacks. */
	if (geteuid() != 0 && works(ISOLATE_USER))
		return ISOLATE_USER;
	return ISOLATE_GROUP;
}

/*
 * The lab shares our memory until it executes, so that an error of execve()
 * is simply there, in *@error.
 */
static pid_t start_lab(const char *const *argv, char *const *env,
		       volatile int *error)
{
	pid_t keeper = getpid();
	pid_t pid = vfork();

	if (pid != 0)
		return pid;
	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == keeper)
		execve(argv[0], (char *const *)argv, env);
	*error = errno;
	_exit(EXIT_BROKEN);
}

/* Without a namespace of our own, one pass over our direct children. */
static int kill_children(void)
{
	FILE *file = fopen("/proc/self/task/self/children", "re");
	int killed = 0, pid;
	char path[64];

	if (!file) {
		snprintf(path, sizeof(path), "/proc/self/task/%d/children",
			 getpid());
		file = fopen(path, "re");
	}
	while (file && fscanf(file, "%d", &pid) == 1)
		killed += kill(pid, SIGKILL) == 0;
	if (file)
		fclose(file);
	return killed;
}

/*
 * Kill and reap all that is left. A dead process's children become ours, so
 * pass after pass reaches the last; a fork bomb loses, because the whole
 * namespace is hit at once.
 */
static int kill_rest(enum isolation isolation)
{
	int reaped = 0;

	for (;;) {
		int killed = isolation == ISOLATE_GROUP
				     ? kill_children()
				     : kill(-1, SIGKILL) == 0;

		if (waitpid(-1, NULL, killed ? 0 : WNOHANG) <= 0)
			return reaped;
		reaped++;
	}
}

static void terminate(enum isolation isolation, pid_t lab)
{
	kill(isolation == ISOLATE_GROUP ? -lab : -1, SIGTERM);
}

/* Carry out the runner's command; true if all must die now. */
static bool obey(enum isolation isolation, pid_t lab)
{
	char command;

	if (read(CONTROL_FD, &command, 1) != 1 || command == KEEPER_KILL)
		return true;
	terminate(isolation, lab);
	return false;
}

static void drain(int sigchld)
{
	struct signalfd_siginfo info;

	while (read(sigchld, &info, sizeof(info)) > 0)
		;
}

/* Reap who has ended; true once the lab itself has. */
static bool reap_ended(pid_t lab, struct kept *kept)
{
	bool over = false;
	struct rusage usage;
	pid_t pid;
	int status;

	while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
		if (pid != lab)
			continue;
		kept->status = status;
		kept->usage = usage;
		over = true;
	}
	return over;
}

/* Wait for the lab's own end, whatever else of it lives on. */
static void keep(enum isolation isolation, pid_t lab, int sigchld,
		 struct kept *kept)
{
	struct pollfd events[] = { { CONTROL_FD, POLLIN, 0 },
				   { sigchld, POLLIN, 0 } };

	while (!reap_ended(lab, kept)) {
		poll(events, 2, -1);
		if (events[0].revents && obey(isolation, lab)) {
			kill(lab, SIGKILL);
			events[0].fd = -1;
		}
		drain(sigchld);
	}
	/*
	 * Children that the lab's own end kills (PR_SET_PDEATHSIG) take a
	 * moment to die, and are not left behind.
	 */
	for (uint64_t deadline = now_ns() + 100000000;
	     waitpid(-1, NULL, WNOHANG) != -1 && now_ns() < deadline;) {
		poll(&events[1], 1, 10);
		drain(sigchld);
	}
	kept->left_behind = kill_rest(isolation);
}

static _Noreturn void be_keeper(enum isolation isolation,
				const char *const *argv, char *const *env)
{
	struct kept kept = { 0 };
	volatile int error = 0;
	sigset_t chld;
	pid_t lab;
	int sigchld;

	/* Away from the terminal's process group: Ctrl-C is the runner's. */
	setsid();
	prctl(PR_SET_NAME, "keeper");
	/*
	 * With its init a namespace is gone. A subreaper has to outlive the
	 * runner, to kill what there is: the closed pipe tells it.
	 */
	if (isolation != ISOLATE_GROUP)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	/* The runner ignores SIGPIPE, and that would go down to the lab. */
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&chld);
	sigprocmask(SIG_SETMASK, &chld, NULL);
	lab = start_lab(argv, env, &error);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	sigchld = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	kept.exec_errno = lab == -1 ? errno : error;
	/* Only the lab and its children may hold its output open. */
	dup2(STDIN_FILENO, STDOUT_FILENO);
	dup2(STDIN_FILENO, STDERR_FILENO);
	if (lab != -1)
		keep(isolation, lab, sigchld, &kept);
	(void)!write(KEPT_FD, &kept, sizeof(kept));
	_exit(0);
}

static void close_pair(const int pair[2])
{
	close(pair[0]);
	close(pair[1]);
}

int keeper_start(struct keeper *keeper, enum isolation isolation,
		 const char *const *argv, char *const *env, const char *cwd)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int pipes[4][2] = { { -1, -1 }, { -1, -1 }, { -1, -1 }, { -1, -1 } };
	int *control = pipes[0], *kept = pipes[1];
	int *out = pipes[2], *err = pipes[3];
	int saved;

	if (null == -1)
		return -1;
	for (int i = 0; i < 4; i++)
		if (pipe2(pipes[i], O_CLOEXEC) == -1)
			goto undo;
	keeper->pid = fork_isolated(isolation, &keeper->pidfd);
	if (keeper->pid == -1)
		goto undo;
	if (keeper->pid == 0) {
		/* Go high first, so that no dup2() hits a source. */
		int in = fcntl(null, F_DUPFD, KEPT_FD + 1);
		int o = fcntl(out[1], F_DUPFD, KEPT_FD + 1);
		int e = fcntl(err[1], F_DUPFD, KEPT_FD + 1);
		int c = fcntl(control[0], F_DUPFD, KEPT_FD + 1);
		int k = fcntl(kept[1], F_DUPFD, KEPT_FD + 1);

		dup2(in, STDIN_FILENO);
		dup2(o, STDOUT_FILENO);
		dup2(e, STDERR_FILENO);
		dup3(c, CONTROL_FD, O_CLOEXEC);
		dup3(k, KEPT_FD, O_CLOEXEC);
		syscall(SYS_close_range, KEPT_FD + 1, ~0U, 0);
		if (enter_isolation(isolation, uid, gid) == -1 ||
		    chdir(cwd) == -1)
			_exit(EXIT_BROKEN);
		be_keeper(isolation, argv, env);
	}
	keeper->control = control[1];
	keeper->kept = kept[0];
	keeper->out = out[0];
	keeper->err = err[0];
	fcntl(keeper->kept, F_SETFL, O_NONBLOCK);
	fcntl(keeper->out, F_SETFL, O_NONBLOCK);
	fcntl(keeper->err, F_SETFL, O_NONBLOCK);
	close(control[0]);
	close(kept[1]);
	close(out[1]);
	close(err[1]);
	close(null);
	return 0;
undo:
	saved = errno;
	for (int i = 0; i < 4; i++)
		if (pipes[i][0] != -1)
			close_pair(pipes[i]);
	close(null);
	errno = saved;
	return -1;
}
