// SPDX-License-Identifier: MIT
/*
 * worse_is_better_eintr - what the kernel does when a signal meets a wait.
 *
 * A traced child waits in a call, a signal ends the wait, and the tracer
 * sees what the program does not: the kernel's private result, and whether
 * the program is set back to the call or gets an EINTR.
 */
#include "worse_is_better_eintr.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/lab.h"
#include "common/spawn.h"

enum { DEADLINE_MS = 10000 };

const char *hidden_name(long result)
{
	switch (-result) {
	case ERESTARTSYS:
		return "ERESTARTSYS";
	case ERESTARTNOINTR:
		return "ERESTARTNOINTR";
	case ERESTARTNOHAND:
		return "ERESTARTNOHAND";
	case ERESTART_RESTARTBLOCK:
		return "ERESTART_RESTARTBLOCK";
	}
	return errno_name(-result);
}

bool is_repeated(long result, enum fate fate)
{
	switch (-result) {
	case ERESTARTSYS:
		return fate != HANDLED;
	case ERESTARTNOINTR:
		return true;
	case ERESTARTNOHAND:
	case ERESTART_RESTARTBLOCK:
		return fate == SWALLOWED;
	}
	return false;
}

char stat_state(const char *line)
{
	/* The name before it may have spaces and brackets of its own. */
	const char *end = strrchr(line, ')');

	return end && end[1] == ' ' ? end[2] : 0;
}

static char state_of(pid_t pid)
{
	char path[32], line[512] = "";
	int fd;

	sprintf(path, "/proc/%d/stat", pid);
	fd = must(open(path, O_RDONLY | O_CLOEXEC));
	must(read(fd, line, sizeof(line) - 1));
	close(fd);
	return stat_state(line);
}

/* Wait until @pid sleeps, has ended, or a tracer holds it: does it sleep? */
static bool wait_asleep(pid_t pid)
{
	uint64_t deadline = now_ns() + DEADLINE_MS * 1000000ull;

	for (;;) {
		char state = state_of(pid);

		if (state == 'S' || state == 'Z' || state == 't')
			return state == 'S';
		if (now_ns() > deadline)
			die("process %d neither sleeps nor ends", pid);
		sched_yield();
	}
}

/* The calls, all of which wait; what they wait for, setup() makes. */
static char byte;
static int futex_word, pi_word;
static struct epoll_event event;
static const struct timespec minutes = { 600, 0 }, far = { 1 << 30, 0 };

enum call {
	READ,
	WRITE,
	ACCEPT,
	RECV,
	WAIT4,
	FUTEX,
	LOCK_PI,
	SELECT,
	SLEEP_UNTIL,
	SLEEP,
	POLL,
	FUTEX_TIMED,
	RECV_TIMED,
	EPOLL,
	CALLS
};

static struct {
	const char *name;
	int hidden; /* as the kernel's source has it */
	long number, a, b, c, d;
} calls[CALLS] = {
	[READ] = { "read, empty pipe", ERESTARTSYS, SYS_read, 0, (long)&byte, 1,
		   0 },
	[WRITE] = { "write, full pipe", ERESTARTSYS, SYS_write, 0, (long)&byte,
		    1, 0 },
	[ACCEPT] = { "accept4", ERESTARTSYS, SYS_accept4, 0, 0, 0, 0 },
	[RECV] = { "recvfrom", ERESTARTSYS, SYS_recvfrom, 0, (long)&byte, 1,
		   0 },
	[WAIT4] = { "wait4", ERESTARTSYS, SYS_wait4, -1, 0, 0, 0 },
	[FUTEX] = { "futex, FUTEX_WAIT", ERESTARTSYS, SYS_futex,
		    (long)&futex_word, FUTEX_WAIT, 0, 0 },
	[LOCK_PI] = { "futex, FUTEX_LOCK_PI", ERESTARTNOINTR, SYS_futex,
		      (long)&pi_word, FUTEX_LOCK_PI, 0, 0 },
	[SELECT] = { "pselect6", ERESTARTNOHAND, SYS_pselect6, 0, 0, 0, 0 },
	[SLEEP_UNTIL] = { "clock_nanosleep, absolute", ERESTARTNOHAND,
			  SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME,
			  (long)&far, 0 },
	[SLEEP] = { "nanosleep", ERESTART_RESTARTBLOCK, SYS_nanosleep,
		    (long)&minutes, 0, 0, 0 },
	[POLL] = { "poll", ERESTART_RESTARTBLOCK, SYS_poll, 0, 0, -1, 0 },
	[FUTEX_TIMED] = { "futex, FUTEX_WAIT, timeout", ERESTART_RESTARTBLOCK,
			  SYS_futex, (long)&futex_word, FUTEX_WAIT, 0,
			  (long)&minutes },
	[RECV_TIMED] = { "recvfrom, SO_RCVTIMEO", EINTR, SYS_recvfrom, 0,
			 (long)&byte, 1, 0 },
	[EPOLL] = { "epoll_wait", EINTR, SYS_epoll_wait, 0, (long)&event, 1,
		    -1 },
};

static void setup(void)
{
	const struct timeval timeout = { 600, 0 };
	int pipe_fds[2], full[2], pair[2], timed[2], listener;

	must(pipe2(pipe_fds, O_CLOEXEC));
	calls[READ].a = pipe_fds[0];

	must(pipe2(full, O_CLOEXEC | O_NONBLOCK));
	while (write(full[1], &byte, 1) == 1)
		;
	must(fcntl(full[1], F_SETFL, 0));
	calls[WRITE].a = full[1];

	listener = must(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	must(bind(listener, &(struct sockaddr){ AF_UNIX, "" },
		  sizeof(sa_family_t)));
	must(listen(listener, 1));
	calls[ACCEPT].a = listener;

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, timed));
	must(setsockopt(timed[0], SOL_SOCKET, SO_RCVTIMEO, &timeout,
			sizeof(timeout)));
	calls[RECV].a = pair[0];
	calls[RECV_TIMED].a = timed[0];

	calls[EPOLL].a = must(epoll_create1(EPOLL_CLOEXEC));
}

/* The child: wait in @call, and exit with the errno that it fails with. */
static _Noreturn void wait_in(enum call call)
{
	pi_word = getppid(); /* the owner, who never unlocks */
	if (call == WAIT4 && fork_tied() == 0)
		pause();
	must(raise(SIGSTOP));
	_exit(errno_of(syscall(calls[call].number, calls[call].a, calls[call].b,
			       calls[call].c, calls[call].d, NULL, NULL)));
}

static void on_signal(int sig)
{
	(void)sig;
}

static void install_handler(enum fate fate)
{
	struct sigaction action = { .sa_handler = on_signal };

	if (fate == HANDLED_RESTART)
		action.sa_flags = SA_RESTART;
	must(sigaction(SIGUSR1, &action, NULL));
}

typedef struct __ptrace_syscall_info syscall_info;

/* Wait for the next stop of @pid; returns its signal, 0 if a system call's. */
static int wait_stop(pid_t pid, syscall_info *info)
{
	int status;

	*info = (syscall_info){ 0 };
	must(waitpid(pid, &status, 0));
	if (!WIFSTOPPED(status))
		die("the traced child ended with status %x", status);
	must(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(*info), info));
	return WSTOPSIG(status) == (SIGTRAP | 0x80) ? 0 : WSTOPSIG(status);
}

/* Let @pid run with @sig delivered, up to its next stop. */
static int step(pid_t pid, int sig, syscall_info *info)
{
	must(ptrace(PTRACE_SYSCALL, pid, 0, sig));
	return wait_stop(pid, info);
}

/* A traced child, which has stopped itself before @call; 0: not allowed. */
static pid_t start_traced(enum call call, enum fate fate)
{
	pid_t pid = fork_tied();
	int status;

	if (pid == 0) {
		install_handler(fate);
		if (ptrace(PTRACE_TRACEME, 0, 0, 0) == -1)
			_exit(0);
		wait_in(call);
	}
	must(waitpid(pid, &status, 0));
	if (WIFEXITED(status))
		return 0;
	must(ptrace(PTRACE_SETOPTIONS, pid, 0,
		    PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL));
	return pid;
}

static struct outcome {
	long hidden; /* the result by which the call left its wait */
	long by;     /* the call that goes on with it, -1: none, ... */
	long error;  /* ... because the program got this */
	long back;   /* bytes that the program was set back by */
} seen[CALLS][FATES];

/* Whether @pid is at the start of the call that tells what came of @call. */
static bool is_telling(enum call call, const syscall_info *info)
{
	return info->op == PTRACE_SYSCALL_INFO_ENTRY &&
	       ((long)info->entry.nr == calls[call].number ||
		info->entry.nr == SYS_restart_syscall ||
		info->entry.nr == SYS_exit_group);
}

/* False where a child cannot be traced, or does not make just our calls. */
static bool observe(enum call call, enum fate fate)
{
	pid_t pid = start_traced(call, fate);
	struct outcome o = { .by = -1 };
	syscall_info info;
	uint64_t behind_call;

	if (!pid)
		return false;
	do
		step(pid, 0, &info);
	while (!is_telling(call, &info));
	behind_call = info.instruction_pointer;
	must(ptrace(PTRACE_SYSCALL, pid, 0, 0));
	if (!wait_asleep(pid)) {
		reap(pid, 0);
		return false;
	}
	must(kill(pid, SIGUSR1));

	wait_stop(pid, &info);
	o.hidden = info.exit.rval;
	if (step(pid, 0, &info) != SIGUSR1)
		die("%s: no signal after its end", calls[call].name);
	step(pid, fate == SWALLOWED ? 0 : SIGUSR1, &info);
	if (fate != SWALLOWED) {
		/* At the handler's rt_sigreturn; then at the end of that. */
		step(pid, 0, &info);
		o.back = behind_call - info.instruction_pointer;
	}
	while (!is_telling(call, &info))
		step(pid, 0, &info);
	if (info.entry.nr == SYS_exit_group)
		o.error = info.entry.args[0];
	else
		o.by = info.entry.nr;
	reap(pid, 0);
	seen[call][fate] = o;
	return true;
}

static const char *ending(const struct outcome *o)
{
	if (o->by == SYS_restart_syscall)
		return "restart_syscall";
	return o->by == -1 ? errno_name(o->error) : "goes on";
}

/* Whether the calls from @first to @last were all made again, or all not. */
static bool all(enum call first, enum call last, enum fate fate, bool repeated)
{
	for (enum call c = first; c <= last; c++)
		if ((seen[c][fate].by != -1) != repeated)
			return false;
	return true;
}

static bool matrix(void)
{
	for (enum call c = 0; c < CALLS; c++) {
		for (enum fate fate = 0; fate < FATES; fate++)
			if (!observe(c, fate))
				return false;
		printf("%-27s %4ld %-21s  %-8s %-10s %s\n", calls[c].name,
		       seen[c][0].hidden, hidden_name(seen[c][0].hidden),
		       ending(&seen[c][HANDLED]),
		       ending(&seen[c][HANDLED_RESTART]),
		       ending(&seen[c][SWALLOWED]));
	}
	return true;
}

static void judge_matrix(void)
{
	bool as_listed = true, by_rule = true, only_eintr = true;

	for (enum call c = 0; c < CALLS; c++)
		for (enum fate fate = 0; fate < FATES; fate++) {
			const struct outcome *o = &seen[c][fate];

			as_listed &= o->hidden == -calls[c].hidden;
			by_rule &=
				is_repeated(o->hidden, fate) == (o->by != -1);
			only_eintr &= o->by != -1 || o->error == EINTR;
		}
	claim("hidden-number", as_listed && only_eintr);
	control("hidden-number",
		seen[POLL][HANDLED].error != -seen[POLL][HANDLED].hidden);
	claim("number-decides", by_rule);
	control("number-decides", seen[READ][HANDLED_RESTART].by !=
					  seen[POLL][HANDLED_RESTART].by);

	claim("some-restart", all(READ, FUTEX, HANDLED_RESTART, true));
	control("some-restart", all(READ, FUTEX, HANDLED, false));
	claim("always-restarted", all(LOCK_PI, LOCK_PI, HANDLED, true));
	control("always-restarted", all(FUTEX, FUTEX, HANDLED, false));
	claim("never-restarted", all(SELECT, EPOLL, HANDLED_RESTART, false));
	control("never-restarted", all(SELECT, FUTEX_TIMED, SWALLOWED, true));
	claim("eintr-without-handler",
	      all(RECV_TIMED, EPOLL, SWALLOWED, false));
	control("eintr-without-handler",
		all(RECV, RECV, SWALLOWED, true) &&
			all(POLL, POLL, SWALLOWED, true));

	claim("restart-syscall",
	      seen[SLEEP][SWALLOWED].by == SYS_restart_syscall &&
		      seen[POLL][SWALLOWED].by == SYS_restart_syscall &&
		      seen[FUTEX_TIMED][SWALLOWED].by == SYS_restart_syscall);
	control("restart-syscall",
		seen[SLEEP_UNTIL][SWALLOWED].by == SYS_clock_nanosleep);

	refuted("flag-is-enough", all(POLL, POLL, HANDLED_RESTART, true));
	control("flag-is-enough", all(READ, READ, HANDLED_RESTART, true));
	refuted("futex-restarts",
		all(FUTEX_TIMED, FUTEX_TIMED, HANDLED_RESTART, true));
	control("futex-restarts", all(FUTEX, FUTEX, HANDLED_RESTART, true));
}

static void program_counter(void)
{
	long plain = seen[READ][HANDLED].back;
	long restart = seen[READ][HANDLED_RESTART].back;

	printf("without SA_RESTART: behind the call, with EINTR\n"
	       "with SA_RESTART:    %ld bytes before that, at the instruction "
	       "of the call\n",
	       restart);
	claim("backs-out", restart == 2);
	control("backs-out", plain == 0);
	refuted("never-backs-out", restart == 0);
	control("never-backs-out", plain == 0);
}

static void skip_all(void)
{
	static const char *const ids[] = {
		"hidden-number",    "number-decides",  "some-restart",
		"always-restarted", "never-restarted", "eintr-without-handler",
		"restart-syscall",  "flag-is-enough",  "futex-restarts",
		"backs-out",	    "never-backs-out",
	};

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		claim_skip(ids[i], "ptrace(2) of a child",
			   "refused, or a child that makes other calls",
			   "run it outside of valgrind or a container");
}

/* Stop @pid by SIGSTOP and let it go on; false if it has ended before. */
static bool stop_and_continue(pid_t pid)
{
	siginfo_t info;

	must(kill(pid, SIGSTOP));
	must(waitid(P_PID, pid, &info, WSTOPPED | WEXITED | WNOWAIT));
	if (info.si_code != CLD_STOPPED)
		return false;
	must(kill(pid, SIGCONT));
	return true;
}

/* The errno of an untraced @call after a stop; 0 if it still waits. */
static int errno_after_stop(enum call call)
{
	pid_t pid = fork_tied();
	siginfo_t info;
	int status;

	if (pid == 0)
		wait_in(call);
	must(waitid(P_PID, pid, &info, WSTOPPED));
	must(kill(pid, SIGCONT));
	if (!wait_asleep(pid) || !stop_and_continue(pid))
		die("%s does not wait", calls[call].name);
	wait_asleep(pid);
	status = reap(pid, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

static void stopped(void)
{
	int poll_error = errno_after_stop(POLL);
	int epoll_error = errno_after_stop(EPOLL);

	printf("poll:       %s\n",
	       poll_error ? errno_name(poll_error) : "waits");
	printf("epoll_wait: %s\n",
	       epoll_error ? errno_name(epoll_error) : "waits");
	claim("stop-is-eintr", epoll_error == EINTR);
	control("stop-is-eintr", poll_error == 0);
}

/* A nap, in memory that parent and child share. */
enum { NAP_MS = 100, ATTEMPTS = 10 };
static struct nap {
	uint64_t start;
	uint64_t ns;
	int interrupted;
} * nap;

static _Noreturn void take_nap(void)
{
	const struct timespec whole = { 0, NAP_MS * 1000000 };

	install_handler(HANDLED);
	nap->start = now_ns();
	while (nanosleep(&whole, NULL) == -1)
		nap->interrupted++;
	nap->ns = now_ns() - nap->start;
	_exit(0);
}

/* How long the nap takes if @sig ends it after half of it; 0: too late. */
static uint64_t interrupted_nap(int sig)
{
	pid_t pid;
	uint64_t half;
	bool in_time = true;

	*nap = (struct nap){ 0 };
	pid = fork_tied();
	if (pid == 0)
		take_nap();
	if (!wait_asleep(pid) || !nap->start)
		die("the nap is over before it begins");
	half = nap->start + NAP_MS * 1000000 / 2;
	must(clock_nanosleep(
		CLOCK_MONOTONIC, TIMER_ABSTIME,
		&(struct timespec){ half / 1000000000, half % 1000000000 },
		NULL));
	if (sig == SIGSTOP)
		in_time = stop_and_continue(pid);
	else
		must(kill(pid, sig));
	reap(pid, DEADLINE_MS);
	return in_time && nap->interrupted == (sig != SIGSTOP) ? nap->ns : 0;
}

/*
 * The shortest of some naps: a busy machine makes each of them longer, but
 * none shorter than the kernel or the program wanted it.
 */
static double shortest_nap_ms(int sig, double expected_ms)
{
	uint64_t shortest = UINT64_MAX;

	for (int i = 0; i < ATTEMPTS && shortest > expected_ms * 1.2e6; i++) {
		uint64_t ns = interrupted_nap(sig);

		if (ns && ns < shortest)
			shortest = ns;
	}
	return shortest / 1e6;
}

static void naps(void)
{
	double kept, again;

	nap = must(mmap(NULL, sizeof(*nap), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	kept = shortest_nap_ms(SIGSTOP, NAP_MS);
	again = shortest_nap_ms(SIGUSR1, 1.5 * NAP_MS);
	printf("stopped half-way, restarted by the kernel:  %6.1f ms\n", kept);
	printf("interrupted half-way, repeated in a loop:   %6.1f ms\n", again);
	metric("nap_restarted", kept, "ms");
	metric("nap_repeated", again, "ms");
	claim("total-is-kept", kept >= NAP_MS && kept < 1.5 * NAP_MS);
	control("total-is-kept", again >= 1.5 * NAP_MS);
}

static void demo(void)
{
	setup();
	printf("%-27s %-26s  %-8s %-10s %s\n", "A signal ends the wait in",
	       "the kernel's result", "handler", "SA_RESTART", "no handler");
	if (matrix()) {
		judge_matrix();
		puts("\nWhere read(2) of a pipe goes on");
		program_counter();
	} else {
		skip_all();
	}
	puts("\nNo tracer, no handler, only SIGSTOP and SIGCONT");
	stopped();
	printf("\nA sleep of %d ms\n", NAP_MS);
	naps();
}

const struct lab lab = {
	.name = "worse_is_better_eintr",
	.demo = demo,
};
