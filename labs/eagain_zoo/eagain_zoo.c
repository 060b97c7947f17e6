// SPDX-License-Identifier: MIT
/*
 * eagain_zoo - ten calls that fail with EAGAIN, and what each means by it.
 *
 * Each call is made until it fails; then the lab tries what ends that: the
 * readiness that poll(2) reports, somebody else's act, a second look, or
 * only another request.
 */
#include "eagain_zoo.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/lab.h"
#include "common/module.h"
#include "common/probe.h"
#include "common/spawn.h"

_Static_assert(EAGAIN == EWOULDBLOCK, "a port of Linux on which they differ");

enum { DEADLINE_MS = 5000, PAGE = 4096, TRIES = 100 };

const char *cure_text(enum cure cure)
{
	static const char *const texts[] = {
		[BY_POLL] = "wait with poll, then the same call",
		[BY_WAITING] = "wait otherwise, then the same call",
		[BY_LOOKING] = "look again before any other call",
		[BY_CHANGE] = "ask for less, or for a higher limit",
	};

	return texts[cure];
}

bool says(int fd, int events)
{
	struct pollfd now = { fd, events, 0 };

	must(poll(&now, 1, 0));
	return (now.revents & events) == events;
}

static void on_tick(int sig)
{
	(void)sig;
}

int read_until_signal(int fd)
{
	const struct itimerval ticks = { { 0, 10000 }, { 0, 10000 } },
			       none = { 0 };
	char byte;
	int error;

	/* Without SA_RESTART, so that the read does not start again. */
	must(sigaction(SIGALRM, &(struct sigaction){ .sa_handler = on_tick },
		       NULL));
	must(setitimer(ITIMER_REAL, &ticks, NULL));
	error = errno_of(read(fd, &byte, 1));
	must(setitimer(ITIMER_REAL, &none, NULL));
	return error;
}

/* How many animals there are, and how many of them poll(2) can watch. */
static int seen, by_poll;

static void show(const char *call, int error, enum cure cure)
{
	printf("%-33s %-8s %s\n", call, errno_name(error), cure_text(cure));
	seen++;
	by_poll += cure == BY_POLL;
}

static void empty_pipe(void)
{
	int fds[2], blocking[2], early, waiting;
	bool before, after;
	char byte;

	must(pipe2(fds, O_NONBLOCK | O_CLOEXEC));
	must(pipe2(blocking, O_CLOEXEC));
	before = says(fds[0], POLLIN);
	early = errno_of(read(fds[0], &byte, 1));
	show("read, empty pipe, O_NONBLOCK", early, BY_POLL);
	must(write(fds[1], "x", 1));
	after = says(fds[0], POLLIN);
	claim("empty-pipe", early == EAGAIN && !before && after);
	control("poll-knows", early == EAGAIN && !before);
	control("empty-pipe", errno_of(read(fds[0], &byte, 1)) == 0);

	waiting = read_until_signal(blocking[0]);
	printf("%-33s %-8s %s\n", "  the same, blocking", errno_name(waiting),
	       "(a signal ended it)");
	claim("blocking-waits", waiting == EINTR);
	control("blocking-waits", read_until_signal(fds[0]) == EAGAIN);
}

static void full_socket(void)
{
	static char data[PAGE];
	int fds[2], error;
	bool before, after;

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
			fds));
	while ((error = errno_of(send(fds[0], data, PAGE, 0))) == 0)
		;
	before = says(fds[0], POLLOUT);
	show("send, full socket, O_NONBLOCK", error, BY_POLL);
	while (read(fds[1], data, PAGE) > 0)
		;
	after = says(fds[0], POLLOUT);
	claim("full-socket", error == EAGAIN && !before && after);
	control("full-socket", errno_of(send(fds[0], data, PAGE, 0)) == 0);
}

static void early_timer(void)
{
	const struct itimerspec hour = { .it_value.tv_sec = 3600 },
				now = { .it_value.tv_nsec = 1 };
	int fd = must(
		timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
	struct pollfd wait = { fd, POLLIN, 0 };
	uint64_t count;
	int error;
	bool before;

	must(timerfd_settime(fd, 0, &hour, NULL));
	before = says(fd, POLLIN);
	error = errno_of(read(fd, &count, sizeof(count)));
	show("read, timerfd not yet expired", error, BY_POLL);
	must(timerfd_settime(fd, 0, &now, NULL));
	claim("early-timer", error == EAGAIN && !before &&
				     must(poll(&wait, 1, DEADLINE_MS)) == 1);
	control("early-timer", errno_of(read(fd, &count, sizeof(count))) == 0);
}

static void timed_out(void)
{
	const struct timeval limit = { .tv_usec = 20000 }, never = { 0 };
	int fds[2], error, flags;
	uint64_t start, waited;
	char byte;

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	must(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &limit,
			sizeof(limit)));
	flags = must(fcntl(fds[0], F_GETFL));
	start = now_ns();
	error = errno_of(recv(fds[0], &byte, 1, 0));
	waited = now_ns() - start;
	show("recv, blocking, SO_RCVTIMEO", error, BY_POLL);
	printf("  it had waited for %.1f of 20 ms\n", waited / 1e6);
	/* The kernel's clock ticks, so a little less than 20 ms is possible. */
	claim("timed-out",
	      error == EAGAIN && !(flags & O_NONBLOCK) && waited > 10000000);
	must(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &never,
			sizeof(never)));
	control("timed-out", read_until_signal(fds[0]) == EINTR);
}

static void held_lock(void)
{
	int mine = must(memfd_create("lock", MFD_CLOEXEC)), other, error;
	char path[32];
	bool ready;

	sprintf(path, "/proc/self/fd/%d", mine);
	other = must(open(path, O_RDWR | O_CLOEXEC));
	must(flock(mine, LOCK_EX));
	error = errno_of(flock(other, LOCK_EX | LOCK_NB));
	ready = says(other, POLLIN | POLLOUT);
	show("flock, held, LOCK_NB", error, BY_WAITING);
	claim("held-lock", error == EAGAIN);
	refuted("poll-knows", !ready);
	must(flock(mine, LOCK_UN));
	control("held-lock", errno_of(flock(other, LOCK_EX | LOCK_NB)) == 0);
}

static int try_connect(int fd, const struct sockaddr_un *to, socklen_t len)
{
	return errno_of(connect(fd, (const struct sockaddr *)to, len));
}

static void full_backlog(void)
{
	const int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
	int listener = must(socket(AF_UNIX, type, 0)), fd, error;
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(name);
	bool ready;

	/* A name without a path: the kernel chooses one. */
	must(bind(listener, (struct sockaddr *)&name, sizeof(sa_family_t)));
	must(getsockname(listener, (struct sockaddr *)&name, &len));
	must(listen(listener, 0));
	do {
		fd = must(socket(AF_UNIX, type, 0));
		error = try_connect(fd, &name, len);
	} while (error == 0);
	ready = says(fd, POLLOUT);
	show("connect, full UNIX backlog", error, BY_WAITING);
	claim("full-backlog", error == EAGAIN && ready &&
				      try_connect(fd, &name, len) == EAGAIN);
	close(must(accept(listener, NULL, NULL)));
	control("full-backlog", try_connect(fd, &name, len) == 0);
}

/* Wait while @word is @expected, a moment at most; the errno of it. */
static int futex_wait(const uint32_t *word, uint32_t expected)
{
	const struct timespec moment = { .tv_nsec = 1000000 };

	return errno_of(syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected,
				&moment, NULL, 0));
}

static void changed_futex(void)
{
	const uint32_t word = 1;
	int again = 0;

	for (int i = 0; i < TRIES; i++)
		again += futex_wait(&word, 0) == EAGAIN;
	show("FUTEX_WAIT, the value is another", futex_wait(&word, 0),
	     BY_LOOKING);
	claim("changed-futex", again == TRIES);
	control("changed-futex", futex_wait(&word, word) == ETIMEDOUT);
}

/* As an ordinary user, of whom one process is too many, fork. */
static int fork_below(void *limited)
{
	struct rlimit limit;

	if (geteuid() == 0 && setresuid(65534, 65534, 65534) == -1)
		return errno;
	must(getrlimit(RLIMIT_NPROC, &limit));
	if (*(bool *)limited)
		limit.rlim_cur = 0;
	must(setrlimit(RLIMIT_NPROC, &limit));
	for (int i = 0; i < TRIES; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		if (pid != -1) {
			must(waitpid(pid, NULL, 0));
			return 0;
		}
	}
	return errno;
}

static int errno_in_child(int (*fn)(void *arg), bool limited)
{
	return WEXITSTATUS(spawn_fn(fn, &limited, DEADLINE_MS).status);
}

static void too_many_processes(void)
{
	int limited = errno_in_child(fork_below, true);
	int unlimited = errno_in_child(fork_below, false);

	if (unlimited) {
		claim_skip("too-many-processes", "an ordinary user",
			   errno_name(unlimited),
			   "run it outside of a container");
		return;
	}
	show("fork, over RLIMIT_NPROC", limited, BY_CHANGE);
	claim("too-many-processes", limited == EAGAIN);
	control("too-many-processes", unlimited == 0);
}

/* Without privilege, lock 16 pages; with a limit of 1 page or of 16. */
static void limit_locking(bool limited)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct none[2] = { 0 };
	struct rlimit limit;

	must(syscall(SYS_capset, &header, none));
	must(getrlimit(RLIMIT_MEMLOCK, &limit));
	limit.rlim_cur = limited ? PAGE : 16 * PAGE;
	must(setrlimit(RLIMIT_MEMLOCK, &limit));
}

static int map_locked(void *limited)
{
	limit_locking(*(bool *)limited);
	return errno_of(mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0));
}

static int map_then_lock(void *limited)
{
	void *at = must(mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	limit_locking(*(bool *)limited);
	return errno_of(mlock(at, 16 * PAGE));
}

static void too_much_memory(void)
{
	int mapped = errno_in_child(map_locked, true);
	int locked = errno_in_child(map_then_lock, true);

	show("MAP_LOCKED, over RLIMIT_MEMLOCK", mapped, BY_CHANGE);
	printf("%-33s %s\n", "  mlock, over the same limit",
	       errno_name(locked));
	claim("too-much-memory", mapped == EAGAIN);
	control("too-much-memory", errno_in_child(map_locked, false) == 0);
	refuted("mlock-too", locked == EAGAIN);
	control("mlock-too", errno_in_child(map_then_lock, false) == 0);
}

static void busy_module(void)
{
	struct probe module = probe("module");
	int error, fd;

	if (!module.met || module_load("busy", "held=1") == -1) {
		claim_skip("busy-module", "the lab's own module",
			   module.met ? errno_name(errno) : module.found,
			   module.remedy);
		return;
	}
	error = errno_of(module_unload("busy"));
	show("delete_module, in use, O_NONBLOCK", error, BY_WAITING);
	claim("busy-module", error == EAGAIN);
	fd = must(open("/sys/module/busy/parameters/held", O_WRONLY));
	must(write(fd, "0", 1));
	close(fd);
	control("busy-module", errno_of(module_unload("busy")) == 0);
}

static void numbers(void)
{
	const int again = EAGAIN, would_block = EWOULDBLOCK;

	printf("EAGAIN is %d, EWOULDBLOCK is %d\n\n", again, would_block);
	claim("same-number", again == would_block);
	no_control("same-number", "both are constants of the compiler");
}

static void demo(void)
{
	numbers();
	printf("%-33s %-8s %s\n", "the call", "errno", "what helps");
	empty_pipe();
	full_socket();
	early_timer();
	timed_out();
	held_lock();
	full_backlog();
	busy_module();
	changed_futex();
	too_many_processes();
	too_much_memory();
	printf("\npoll helps with %d of %d\n", by_poll, seen);
}

const struct lab lab = {
	.name = "eagain_zoo",
	.demo = demo,
};
