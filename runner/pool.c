// SPDX-License-Identifier: MIT
#include "runner/pool.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "runner/keeper.h"

enum { GRACE_MS = 2000, DRAIN_MAX = 1 << 20 };

/* What is done to a task when its time is up, one after the other. */
enum phase { RUNNING, TERMINATED, KILLED, KEEPER_KILLED };

struct running {
	struct running *next;
	const struct task *task;
	struct keeper keeper;
	enum phase phase;
	bool stopped; /* by a signal to the runner, not by its deadline */
	uint64_t started, next_phase;
};

struct pool {
	int epoll;
	int signals;
	int signal;
	enum isolation isolation;
	struct running *running;
	size_t n_running;
};

struct pool *pool_new(struct error *error)
{
	struct pool *pool = xcalloc(1, sizeof(*pool));
	struct epoll_event event = { .events = EPOLLIN };
	sigset_t set;

	/* Orphans of a keeper that was killed come to us and are killed. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	pool->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	pool->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (pool->signals == -1 || pool->epoll == -1 ||
	    epoll_ctl(pool->epoll, EPOLL_CTL_ADD, pool->signals, &event)) {
		fail(error, "cannot set up the event loop: %m");
		pool_free(pool);
		return NULL;
	}
	pool->isolation = keeper_probe();
	return pool;
}

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	close(pool->epoll);
	close(pool->signals);
	free(pool);
}

size_t pool_running(const struct pool *pool)
{
	return pool->n_running;
}

int pool_signal(const struct pool *pool)
{
	return pool->signal;
}

static void watch(struct pool *pool, struct running *running, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = running };

	if (epoll_ctl(pool->epoll, EPOLL_CTL_ADD, fd, &event) == -1)
		abort();
}

int pool_start(struct pool *pool, const struct task *task, struct error *error)
{
	struct running *running = xcalloc(1, sizeof(*running));

	running->task = task;
	running->started = now_ns();
	running->next_phase = running->started + task->timeout_s * 1e9;
	if (keeper_start(&running->keeper, pool->isolation, task->argv,
			 task->env, task->cwd) == -1) {
		free(running);
		return fail(error, "cannot start %s: %m", task->argv[0]);
	}
	watch(pool, running, running->keeper.pidfd);
	watch(pool, running, running->keeper.out);
	watch(pool, running, running->keeper.err);
	running->next = pool->running;
	pool->running = running;
	pool->n_running++;
	return 0;
}

void pool_set_deadline(struct pool *pool, const struct task *task,
		       double seconds)
{
	for (struct running *r = pool->running; r; r = r->next)
		if (r->task == task && r->phase == RUNNING)
			r->next_phase = now_ns() + seconds * 1e9;
}

/*
 * A child that is just being forked holds a copy of @fd for a moment, so to
 * close it does not end the watch: events would come for a task that is gone.
 */
static void unwatch(const struct pool *pool, int *fd)
{
	if (*fd == -1)
		return;
	epoll_ctl(pool->epoll, EPOLL_CTL_DEL, *fd, NULL);
	close(*fd);
	*fd = -1;
}

/* Read @max bytes at most; closes and forgets @fd at its end. */
static void take_output(const struct pool *pool, struct running *running,
			int *fd, size_t max)
{
	static char buffer[64 << 10];
	bool is_err = fd == &running->keeper.err;

	while (*fd != -1 && max) {
		ssize_t got = read(*fd, buffer, sizeof(buffer));

		if (got > 0) {
			running->task->on_data(running->task->context, is_err,
					       buffer, got);
			max -= (size_t)got < max ? (size_t)got : max;
		} else if (got == 0 || errno != EAGAIN) {
			unwatch(pool, fd);
		} else {
			return;
		}
	}
}

static void fill_outcome(const struct running *running, const struct kept *kept,
			 bool complete, struct outcome *outcome)
{
	const struct timeval *user = &kept->usage.ru_utime;
	const struct timeval *sys = &kept->usage.ru_stime;

	outcome->wall_ms = (now_ns() - running->started) / 1e6;
	if (!complete) {
		outcome->end = END_LOST;
		snprintf(outcome->reason, sizeof(outcome->reason),
			 "its keeper died");
		return;
	}
	outcome->user_ms = user->tv_sec * 1e3 + user->tv_usec / 1e3;
	outcome->sys_ms = sys->tv_sec * 1e3 + sys->tv_usec / 1e3;
	outcome->max_rss_kib = kept->usage.ru_maxrss;
	if (kept->exec_errno) {
		outcome->end = END_LOST;
		snprintf(outcome->reason, sizeof(outcome->reason),
			 "cannot execute %s: %s", running->task->argv[0],
			 strerror(kept->exec_errno));
	} else if (WIFSIGNALED(kept->status)) {
		outcome->end = END_SIGNAL;
		outcome->value = WTERMSIG(kept->status);
	} else {
		outcome->end = END_EXIT;
		outcome->value = WEXITSTATUS(kept->status);
	}
}

static bool is_keeper(const struct pool *pool, pid_t pid)
{
	for (const struct running *r = pool->running; r; r = r->next)
		if (r->keeper.pid == pid)
			return true;
	return false;
}

/* Kill and reap our children, but for the keepers; false if there are none. */
static bool kill_children(const struct pool *pool)
{
	FILE *file = fopen("/proc/thread-self/children", "re");
	bool any = false;
	int pid;

	while (file && fscanf(file, "%d", &pid) == 1) {
		if (is_keeper(pool, pid))
			continue;
		kill(pid, SIGKILL);
		any = waitpid(pid, NULL, 0) == pid || any;
	}
	if (file)
		fclose(file);
	return any;
}

/*
 * Without a namespace, a keeper that was killed leaves us its children, and
 * each of them its own: pass after pass reaches the last.
 */
static void kill_orphans(const struct pool *pool)
{
	while (kill_children(pool))
		;
}

static void finish(struct pool *pool, struct running *running)
{
	struct keeper *keeper = &running->keeper;
	struct outcome outcome = { 0 };
	struct kept kept = { 0 };
	bool complete = read(keeper->kept, &kept, sizeof(kept)) == sizeof(kept);

	waitpid(keeper->pid, NULL, 0);
	for (struct running **at = &pool->running; *at; at = &(*at)->next) {
		if (*at != running)
			continue;
		*at = running->next;
		break;
	}
	pool->n_running--;
	if (!complete)
		kill_orphans(pool);
	/* Nobody is left to write, but somebody may have escaped. */
	take_output(pool, running, &keeper->out, DRAIN_MAX);
	take_output(pool, running, &keeper->err, DRAIN_MAX);
	fill_outcome(running, &kept, complete, &outcome);
	if (running->phase != RUNNING) {
		outcome.end = END_TIMEOUT;
		outcome.value = ceil(running->task->timeout_s);
		if (running->stopped)
			snprintf(outcome.reason, sizeof(outcome.reason),
				 "stopped by SIG%s",
				 sigabbrev_np(pool->signal));
	}
	unwatch(pool, &keeper->pidfd);
	unwatch(pool, &keeper->out);
	unwatch(pool, &keeper->err);
	close(keeper->control);
	close(keeper->kept);
	running->task->on_end(running->task->context, &outcome,
			      running->phase == RUNNING ? kept.left_behind : 0);
	free(running);
}

static void next_phase(struct running *running)
{
	char command =
		running->phase == RUNNING ? KEEPER_TERMINATE : KEEPER_KILL;

	if (running->phase < KEEPER_KILLED)
		running->phase++;
	if (running->phase == KEEPER_KILLED)
		syscall(SYS_pidfd_send_signal, running->keeper.pidfd, SIGKILL,
			NULL, 0);
	else
		(void)!write(running->keeper.control, &command, 1);
	running->next_phase = now_ns() + GRACE_MS * 1000000ull;
}

static void take_signal(struct pool *pool)
{
	struct signalfd_siginfo info;

	if (read(pool->signals, &info, sizeof(info)) != sizeof(info))
		return;
	pool->signal = info.ssi_signo;
	/* A second signal shortens the grace. */
	for (struct running *r = pool->running; r; r = r->next) {
		r->stopped = r->stopped || r->phase == RUNNING;
		r->next_phase = 0;
	}
}

static void handle(struct pool *pool, struct running *running)
{
	siginfo_t info = { 0 };

	take_output(pool, running, &running->keeper.out, DRAIN_MAX);
	take_output(pool, running, &running->keeper.err, DRAIN_MAX);
	if (waitid(P_PIDFD, running->keeper.pidfd, &info,
		   WEXITED | WNOHANG | WNOWAIT) == 0 &&
	    info.si_pid)
		finish(pool, running);
}

/* How long until the first deadline. */
static int ms_to_wait(const struct pool *pool, int wait_ms)
{
	uint64_t now = now_ns();

	for (const struct running *r = pool->running; r; r = r->next) {
		uint64_t left = r->next_phase > now ? r->next_phase - now : 0;
		int ms = left / 1000000 + (left % 1000000 != 0);

		if (wait_ms == -1 || ms < wait_ms)
			wait_ms = ms;
	}
	return wait_ms;
}

bool pool_step(struct pool *pool, int wait_ms)
{
	struct epoll_event event;
	int n = epoll_wait(pool->epoll, &event, 1, ms_to_wait(pool, wait_ms));
	uint64_t now;

	if (n == 1 && !event.data.ptr)
		take_signal(pool);
	else if (n == 1)
		handle(pool, event.data.ptr);
	/* Each round, so that a flood of output cannot put a deadline off. */
	now = now_ns();
	for (struct running *r = pool->running; r; r = r->next)
		if (now >= r->next_phase)
			next_phase(r);
	return !pool->signal;
}
