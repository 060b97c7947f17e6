// SPDX-License-Identifier: MIT
/*
 * signals - why a signal handler must not print, and what it may do.
 *
 * First what signal(3) does. Then the textbook program hangs, and its stack
 * says where; then one printf is interrupted before each of its instructions,
 * and every outcome is counted. At last three ways that lose nothing.
 */
#include "signals.h"

#include <fcntl.h>
#include <gnu/libc-version.h>
#include <libunwind-ptrace.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <x86intrin.h>

#include "common/clock.h"
#include "common/lab.h"
#include "common/proc.h"
#include "common/spawn.h"

#define TRAP_FLAG 0x100
#define CAUGHT	  "caught 2\n" /* SIGINT is 2 on every architecture */

enum { DEADLINE_MS = 30000 };

/* ---- Handlers: the textbook's, and two that are allowed ---- */

static volatile sig_atomic_t caught;

static void print_signal(int sig)
{
	printf("caught %d\n", sig);
	caught++; /* also keeps the call above from becoming a jump */
}

static void write_signal(int sig)
{
	int saved = errno;

	(void)sig;
	(void)!write(STDOUT_FILENO, CAUGHT, strlen(CAUGHT));
	caught++;
	errno = saved;
}

static void note_signal(int sig)
{
	(void)sig;
	caught++;
}

static void (*const handlers[])(int) = {
	[BY_PRINTF] = print_signal,
	[BY_WRITE] = write_signal,
	[BY_FLAG] = note_signal,
};

/* ---- signal(3) and its relatives ---- */

static int survive_sigint(void *catch_it)
{
	signal(SIGINT, catch_it ? note_signal : SIG_DFL);
	raise(SIGINT);
	return caught;
}

/* Whether the handler is still there once it has run. */
static int handler_stays(void *bsd)
{
	struct sigaction now;

	(bsd ? signal : sysv_signal)(SIGUSR1, note_signal);
	raise(SIGUSR1);
	must(sigaction(SIGUSR1, NULL, &now));
	return now.sa_handler == note_signal;
}

static void every_20_ms(void)
{
	const struct itimerval period = { { 0, 20000 }, { 0, 20000 } };

	must(setitimer(ITIMER_REAL, &period, NULL));
}

static int wake_up[2];

/* The third signal gives the reader what it waits for. */
static void feed_reader(int sig)
{
	(void)sig;
	if (++caught == 3)
		(void)!write(wake_up[1], "", 1);
}

/* How many signals a read(2) saw until it came back, 100 if with EINTR. */
static int interrupt_read(void *by_signal)
{
	const struct sigaction no_restart = { .sa_handler = feed_reader };
	char byte;

	must(pipe(wake_up));
	if (by_signal)
		signal(SIGALRM, feed_reader);
	else
		must(sigaction(SIGALRM, &no_restart, NULL));
	every_20_ms();
	return errno_of(read(wake_up[0], &byte, 1)) == EINTR ? 100 : caught;
}

static int interrupt_sleep(void *caught_signal)
{
	signal(SIGALRM, caught_signal ? note_signal : SIG_IGN);
	every_20_ms();
	return sleep(caught_signal ? 100 : 1);
}

static int run(int (*fn)(void *), bool arg)
{
	return spawn_fn(fn, arg ? "yes" : NULL, DEADLINE_MS).status;
}

static void registering(void)
{
	const struct sigaction action = { .sa_handler = note_signal };
	int survived = run(survive_sigint, true);
	int killed = run(survive_sigint, false);
	int stays, reset, restarted, failed, rest, slept;

	printf("SIGINT, caught:                   handler ran %d time\n",
	       WEXITSTATUS(survived));
	printf("SIGINT, default:                  killed by SIG%s\n",
	       sigabbrev_np(WTERMSIG(killed)));
	claim("handler-runs",
	      WIFEXITED(survived) && WEXITSTATUS(survived) == 1);
	control("handler-runs", WTERMSIG(killed) == SIGINT);
	claim("kill-uncatchable",
	      errno_of(sigaction(SIGKILL, &action, NULL)) == EINVAL &&
		      errno_of(sigaction(SIGSTOP, &action, NULL)) == EINVAL &&
		      errno_of(signal(SIGKILL, note_signal)) == EINVAL);
	control("kill-uncatchable",
		errno_of(sigaction(SIGUSR2, &action, NULL)) == 0);

	stays = WEXITSTATUS(run(handler_stays, true));
	reset = !WEXITSTATUS(run(handler_stays, false));
	printf("handler by signal(3), once run:   %s\n",
	       stays ? "stays" : "is gone");
	printf("handler by sysv_signal(3):        %s\n",
	       reset ? "is gone" : "stays");
	claim("handler-stays", stays);
	control("handler-stays", reset);

	restarted = WEXITSTATUS(run(interrupt_read, true));
	failed = WEXITSTATUS(run(interrupt_read, false));
	printf("read(2), handler by signal(3):    back after %d signals\n",
	       restarted);
	printf("read(2), by a plain sigaction(2): %s\n",
	       failed == 100 ? "EINTR" : "no EINTR");
	claim("read-restarts", restarted == 3);
	control("read-restarts", failed == 100);

	rest = WEXITSTATUS(run(interrupt_sleep, true));
	slept = WEXITSTATUS(run(interrupt_sleep, false));
	printf("sleep(100), signal caught:        returned %d\n", rest);
	printf("sleep(1), signal ignored:         returned %d\n", slept);
	claim("sleep-cut-short", rest > 0 && rest <= 100);
	control("sleep-cut-short", slept == 0);
}

/* ---- The textbook program, with a signal every 50 us ---- */

bool version_since(const char *version, int major, int minor)
{
	int has_major = 0, has_minor = 0;

	sscanf(version, "%d.%d", &has_major, &has_minor);
	return has_major > major || (has_major == major && has_minor >= minor);
}

/* Since then, libc takes stdio's locks in earnest only beside a thread. */
static bool spares_lone_thread(void)
{
	return version_since(gnu_get_libc_version(), 2, 37);
}

static void *idle(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void start_idle_thread(void)
{
	pthread_t thread;

	must_zero(pthread_create(&thread, NULL, idle, NULL));
}

static void stdout_to(int fd)
{
	must(fd);
	must(dup2(fd, STDOUT_FILENO));
}

/* Shared between the program and who watches it. */
struct program {
	enum manner manner;
	long signals_max; /* then it waits in pause(2) */
	volatile long ticks;
	volatile long signals;
};

/*
 * One shot at a time, so that a slow handler cannot eat all of the time: the
 * loop gets to print at least once between two signals.
 */
static __attribute__((noinline)) void print_ticks(struct program *program)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
				  .sigev_signo = SIGINT };
	struct itimerspec shot = { 0 };
	timer_t timer;

	must(timer_create(CLOCK_MONOTONIC, &event, &timer));
	while (program->signals < program->signals_max) {
		if (program->signals == caught) {
			shot.it_value.tv_nsec = 50000 + caught % 64 * 100;
			must(timer_settime(timer, 0, &shot, NULL));
			program->signals++;
		}
		printf("tick %ld\n", program->ticks);
		program->ticks++;
	}
}

static __attribute__((noinline)) _Noreturn void textbook(
	struct program *program)
{
	stdout_to(open("/dev/null", O_WRONLY));
	signal(SIGINT, handlers[program->manner]);
	if (spares_lone_thread())
		start_idle_thread();
	print_ticks(program);
	for (;;)
		pause();
}

/*
 * Whether @pid comes to stay in system call @number: the same in 20 looks in
 * a row, without a tick in between.
 */
static bool gets_stuck(pid_t pid, const struct program *program, long number)
{
	uint64_t deadline = now_ns() + DEADLINE_MS * 1000000ull;
	long ticks = -1;
	char path[32];
	int same = 0;

	sprintf(path, "/proc/%d/syscall", pid);
	while (same < 20 && now_ns() < deadline) {
		poll(NULL, 0, 5);
		same = proc_long(path) == number && program->ticks == ticks
			       ? same + 1
			       : 0;
		ticks = program->ticks;
	}
	return same == 20;
}

/*
 * Whether @ip is where a handler returns to: "mov $SYS_rt_sigreturn, %rax".
 * unw_is_signal_frame() means that frame or the next, by version.
 */
static bool is_trampoline(pid_t pid, unsigned long ip)
{
	long code = ptrace(PTRACE_PEEKTEXT, pid, ip, 0);

	return (code & 0xffffffffffffff) == 0x0fc0c748;
}

static void unwind(pid_t pid, struct stack *stack)
{
	unw_addr_space_t space =
		must_ptr(unw_create_addr_space(&_UPT_accessors, 0));
	void *context = must_ptr(_UPT_create(pid));
	unw_word_t ip, offset;
	unw_cursor_t cursor;

	stack->depth = 0;
	if (unw_init_remote(&cursor, space, context) == 0)
		do {
			char *name = stack->name[stack->depth++];

			unw_get_reg(&cursor, UNW_REG_IP, &ip);
			if (is_trampoline(pid, ip))
				strcpy(name, SIGNAL_FRAME);
			else if (unw_get_proc_name(&cursor, name, FRAME_NAME,
						   &offset))
				strcpy(name, "?");
		} while (stack->depth < FRAMES_MAX && unw_step(&cursor) > 0);
	_UPT_destroy(context);
	unw_destroy_addr_space(space);
}

bool printf_over_printf(const struct stack *stack, const char *handler)
{
	enum { INNER, HANDLER, FRAME, OUTER, FOUND } want = INNER;

	for (size_t i = 0; i < stack->depth && want != FOUND; i++) {
		const char *name = stack->name[i];

		if (want == HANDLER ? !strcmp(name, handler)
		    : want == FRAME ? !strcmp(name, SIGNAL_FRAME)
				    : strstr(name, "printf") != NULL)
			want++;
	}
	return want == FOUND;
}

static bool has_frame(const struct stack *stack, const char *name)
{
	for (size_t i = 0; i < stack->depth; i++)
		if (!strcmp(stack->name[i], name))
			return true;
	return false;
}

/* libc's own layout of what FILE's _lock points to. */
struct stdio_lock {
	int word;  /* 0 free, 1 taken, 2 taken and waited for */
	int depth; /* how often the owner took it again */
	void *owner;
};

/* What a stopped child was doing, seen from outside. */
struct autopsy {
	int error; /* of ptrace(2); nothing else is valid then */
	unsigned long futex;
	struct stdio_lock lock;
	struct stack stack;
};

static void examine(pid_t pid, struct autopsy *autopsy)
{
	struct user_regs_struct regs;
	long words[sizeof(struct stdio_lock) / sizeof(long)];

	autopsy->error = errno_of(ptrace(PTRACE_SEIZE, pid, 0, 0));
	if (autopsy->error)
		return;
	must(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
	must(waitpid(pid, NULL, 0));
	must(ptrace(PTRACE_GETREGS, pid, 0, &regs));
	autopsy->futex = regs.rdi;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		words[i] = ptrace(PTRACE_PEEKDATA, pid,
				  (long *)stdout->_lock + i, 0);
	memcpy(&autopsy->lock, words, sizeof(words));
	unwind(pid, &autopsy->stack);
}

/* Run the program until it is stuck in @call, and look at it. */
static bool watch(struct program *program, long call, struct autopsy *autopsy)
{
	pid_t pid = fork_tied();
	bool stuck;

	if (pid == 0)
		textbook(program);
	stuck = gets_stuck(pid, program, call);
	examine(pid, autopsy);
	reap(pid, 0);
	return stuck;
}

static void print_stack(const struct stack *stack)
{
	for (size_t i = 0; i < stack->depth; i++)
		printf("  #%-2zu %s\n", i, stack->name[i]);
}

static void judge_stacks(const struct autopsy *dead,
			 const struct autopsy *alive)
{
	unsigned long lock = (unsigned long)stdout->_lock;
	struct stdio_lock held;

	if (dead->error) {
		claim_skip("stack-shows-it", "ptrace(2) of a child",
			   errno_name(dead->error), "no other tracer");
		claim_skip("lock-without-owner", "ptrace(2) of a child",
			   errno_name(dead->error), "no other tracer");
		return;
	}
	puts("\nThe stack of the hung one, innermost frame first:");
	print_stack(&dead->stack);
	claim("stack-shows-it",
	      printf_over_printf(&dead->stack, "print_signal"));
	control("stack-shows-it",
		has_frame(&alive->stack, "textbook") &&
			!has_frame(&alive->stack, SIGNAL_FRAME));

	printf("It waits for %s; the word in there is %d, the owner %s.\n",
	       dead->futex == lock ? "the lock of stdout" : "some other lock",
	       dead->lock.word, dead->lock.owner ? "a thread" : "nobody");
	claim("lock-without-owner", dead->futex == lock &&
					    dead->lock.word != 0 &&
					    dead->lock.owner == NULL);
	flockfile(stdout);
	memcpy(&held, stdout->_lock, sizeof(held));
	funlockfile(stdout);
	control("lock-without-owner", held.word != 0 && held.owner != NULL);
}

static void textbook_program(void)
{
	struct program *hung =
		must(mmap(NULL, sizeof(*hung) * 2, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	struct program *fine = hung + 1;
	static struct autopsy dead, alive;
	bool stuck, survived;

	hung->manner = BY_PRINTF;
	hung->signals_max = 1000000000;
	stuck = watch(hung, SYS_futex, &dead);
	fine->manner = BY_FLAG;
	fine->signals_max = 4 * hung->signals + 1000;
	survived = watch(fine, SYS_pause, &alive);

	printf("printf in the handler: %s after %ld signals, %ld lines\n",
	       stuck ? "in futex(2) for ever" : "still alive", hung->signals,
	       hung->ticks);
	printf("a flag in the handler: %s after %ld signals, %ld lines\n",
	       survived ? "alive" : "stuck", fine->signals, fine->ticks);
	metric("signals_until_hung", hung->signals, "signals");
	claim("printf-hangs", stuck);
	control("printf-hangs", survived);
	judge_stacks(&dead, &alive);
	must(munmap(hung, sizeof(*hung) * 2));
}

/* ---- One printf, interrupted before each instruction ---- */

enum outcome judge(const char *out, const char *text, const char *line)
{
	size_t len = strlen(line), whole = strlen(text) + len;
	size_t same = 0;

	while (out[same] && out[same] == text[same])
		same++;
	/* Where @line and @text start alike, it may begin further left. */
	if (strlen(out) == whole)
		for (size_t at = same + 1; at-- > 0;)
			if (!memcmp(out + at, line, len) &&
			    !strcmp(out + at + len, text + at))
				return at == 0 || text[at - 1] == '\n' ? WHOLE
								       : SPLIT;
	return strlen(out) > whole ? DOUBLED : LOST;
}

size_t count(const struct exploration *found, enum outcome outcome)
{
	size_t n = 0;

	for (size_t i = 0; i < found->points; i++)
		n += found->outcome[i] == outcome;
	return n;
}

enum { BUFFER = 4096, LINE = 9 };

static struct {
	struct exploration *found;
	char text[2 * BUFFER];
} stepping;

/*
 * Runs before each instruction. SIGINT is blocked in here, so the fork finds
 * it pending and takes it where it goes on. fork(3) itself would wait for
 * stdio's locks; the system call does not.
 */
static void fork_here(int sig, siginfo_t *info, void *context)
{
	struct exploration *found = stepping.found;
	ucontext_t *where = context;
	off_t end = lseek(STDOUT_FILENO, 0, SEEK_CUR);
	static char out[4 * BUFFER];
	ssize_t len;
	int status;
	pid_t pid;

	(void)sig;
	(void)info;
	pid = syscall(SYS_fork);
	if (pid == 0) {
		where->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
		kill(getpid(), SIGINT);
		return;
	}
	if (found->points == POINTS_MAX || waitpid(pid, &status, 0) != pid)
		_exit(LAB_BROKEN);
	len = pread(STDOUT_FILENO, out, sizeof(out) - 1, 0);
	out[len > 0 ? len : 0] = '\0';
	/* A fork that crashed has lost its text, too. */
	found->outcome[found->points++] =
		WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS
			? HUNG
			: judge(out, stepping.text, CAUGHT);
	(void)!ftruncate(STDOUT_FILENO, end);
	lseek(STDOUT_FILENO, end, SEEK_SET);
}

/*
 * A fork has one thread, so a futex that it waits for is never woken: let the
 * kernel end it with SIGSYS at that very moment.
 */
static int die_of_futex_wait(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, args[1])),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, FUTEX_CMD_MASK),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FUTEX_WAKE, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_SIZE(code), code };

	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	return must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}

/* Print the last line of the text with the trap flag set. */
static __attribute__((noinline)) void step_through_printf(int line)
{
	__writeeflags(__readeflags() | TRAP_FLAG);
	printf("tick %03d\n", line);
	__writeeflags(__readeflags() & ~TRAP_FLAG);
}

static int step(void *arg)
{
	const struct experiment *experiment = arg;
	struct sigaction trap = { .sa_sigaction = fork_here,
				  .sa_flags = SA_SIGINFO };
	static char buffer[BUFFER];
	/* The last line is the one for which the buffer has no room. */
	int lines = experiment->to_file ? 1 + BUFFER / LINE : 1;

	for (int line = 0; line <= lines; line++)
		sprintf(stepping.text + LINE * line, "tick %03d\n", line);
	stdout_to(memfd_create("stdout", 0));
	setvbuf(stdout, buffer, experiment->to_file ? _IOFBF : _IOLBF, BUFFER);
	for (int line = 0; line < lines; line++) {
		printf("tick %03d\n", line);
		if (line == 0)
			fflush(stdout); /* ends the old way of buffering */
	}

	if (experiment->second_thread)
		start_idle_thread();
	sigaddset(&trap.sa_mask, SIGINT);
	must(sigaction(SIGTRAP, &trap, NULL));
	signal(SIGINT, handlers[experiment->manner]);
	die_of_futex_wait();
	step_through_printf(lines);
	/* Here goes on the one who stepped, and each fork that did not hang. */
	fflush(stdout);
	_exit(0);
}

bool explore(const struct experiment *experiment, struct exploration *found)
{
	struct spawned end;

	fflush(stdout);
	found->points = 0;
	stepping.found = found;
	end = spawn_fn(step, (void *)experiment, 2 * DEADLINE_MS);
	return end.status == 0;
}

/* The call from left to right: a letter is the worst of its instructions. */
static void print_strip(const struct exploration *found)
{
	enum { WIDTH = 64 };
	static const char letters[OUTCOMES] = ".sdlH";

	printf("  |");
	for (size_t column = 0; column < WIDTH; column++) {
		size_t end = (column + 1) * found->points / WIDTH;
		int worst = WHOLE;

		for (size_t i = column * found->points / WIDTH; i < end; i++)
			if (found->outcome[i] > worst)
				worst = found->outcome[i];
		putchar(letters[worst]);
	}
	puts("|");
}

enum { TERMINAL, TO_FILE, WRITE, WRITE_FILE, THREADS, EXPERIMENTS };
static const struct experiment experiments[] = {
	[TERMINAL] = { "printf, terminal", BY_PRINTF, false, false },
	[TO_FILE] = { "printf, file", BY_PRINTF, true, false },
	[WRITE] = { "write, terminal", BY_WRITE, false, false },
	[WRITE_FILE] = { "write, file", BY_WRITE, true, false },
	/* The last, as it is left out where one thread is enough. */
	[THREADS] = { "printf, 2 threads", BY_PRINTF, false, true },
};

static size_t tally[EXPERIMENTS][OUTCOMES];

static void print_experiment(size_t row, const struct exploration *found)
{
	printf("%-17s %6zu", experiments[row].name, found->points);
	for (enum outcome o = WHOLE; o < OUTCOMES; o++) {
		tally[row][o] = count(found, o);
		printf(" %7zu", tally[row][o]);
	}
	putchar('\n');
	print_strip(found);
}

static void explore_all(void)
{
	struct exploration *found =
		must(mmap(NULL, sizeof(*found), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	size_t rows = spares_lone_thread() ? EXPERIMENTS : THREADS;

	puts("A strip is the call from left to right: . whole, s split, "
	     "d doubled, l lost, H hung");
	printf("%-17s %6s %7s %7s %7s %7s %7s\n", "handler, stdout", "forks",
	       "whole", "split", "doubled", "lost", "hung");
	for (size_t row = 0; row < rows; row++) {
		if (!explore(&experiments[row], found))
			die("%s: stepping failed", experiments[row].name);
		print_experiment(row, found);
	}
	must(munmap(found, sizeof(*found)));
}

static bool all_whole(size_t row)
{
	return tally[row][SPLIT] + tally[row][DOUBLED] + tally[row][LOST] +
		       tally[row][HUNG] ==
	       0;
}

static size_t damaged(size_t row)
{
	return tally[row][DOUBLED] + tally[row][LOST];
}

static void every_instruction(void)
{
	size_t lone, fatal;

	explore_all();
	lone = tally[TERMINAL][HUNG];
	fatal = spares_lone_thread() ? tally[THREADS][HUNG] : lone;
	metric("fatal_instructions", fatal, "instructions");
	claim("fatal-instructions",
	      fatal > 0 && (lone > 0) == !spares_lone_thread());
	control("fatal-instructions",
		tally[WRITE][HUNG] == 0 && tally[WRITE_FILE][HUNG] == 0);
	claim("text-damaged", damaged(TERMINAL) > 0 && damaged(TO_FILE) > 0);
	control("text-damaged",
		damaged(WRITE) == 0 && damaged(WRITE_FILE) == 0);
	claim("write-is-whole", all_whole(WRITE));
	control("write-is-whole", !all_whole(TERMINAL));
	claim("write-overtakes",
	      tally[WRITE_FILE][SPLIT] > 0 && damaged(WRITE_FILE) == 0);
	control("write-overtakes", tally[WRITE][SPLIT] == 0);
	refuted("may-print", all_whole(TERMINAL) && all_whole(TO_FILE));
	control("may-print", all_whole(WRITE));
}

/* ---- The lock is recursive, which is why the hang is rare ---- */

static void *try_stdout(void *got_it)
{
	*(bool *)got_it = ftrylockfile(stdout) == 0;
	return NULL;
}

/* Print from a handler while the same thread holds the lock of stdout. */
static int print_under_lock(void *arg)
{
	(void)arg;
	stdout_to(open("/dev/null", O_WRONLY));
	signal(SIGINT, print_signal);
	flockfile(stdout);
	raise(SIGINT);
	funlockfile(stdout);
	return caught;
}

static void recursive_lock(void)
{
	struct spawned nested;
	pthread_t thread;
	bool other;

	fflush(stdout);
	nested = spawn_fn(print_under_lock, NULL, DEADLINE_MS);
	flockfile(stdout);
	must_zero(pthread_create(&thread, NULL, try_stdout, &other));
	must_zero(pthread_join(thread, NULL));
	funlockfile(stdout);
	printf("stdout locked, then a handler prints: %s\n",
	       nested.timed_out ? "hangs" : "passes");
	printf("stdout locked, another thread tries:  %s\n",
	       other ? "gets it" : "is refused");
	claim("lock-is-recursive",
	      !nested.timed_out && nested.status == 1 << 8);
	control("lock-is-recursive", !other);
}

/* ---- Three ways to take a signal in, and lose none ---- */

static int self_pipe[2], signal_fd;
static sigset_t usr1;

static void write_pipe(int sig)
{
	int saved = errno;

	(void)sig;
	(void)!write(self_pipe[1], "", 1);
	errno = saved;
}

/* Blocked but in sigsuspend(2), or it could slip in before the wait. */
static void set_up_flag(void)
{
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	signal(SIGUSR1, note_signal);
}

static int receive_flag(void)
{
	sigset_t open_mask;
	int seen;

	sigemptyset(&open_mask);
	while (!caught)
		sigsuspend(&open_mask);
	seen = caught;
	caught = 0;
	return seen;
}

static void set_up_pipe(void)
{
	must(pipe2(self_pipe, O_CLOEXEC | O_NONBLOCK));
	must(fcntl(self_pipe[0], F_SETFL, 0)); /* only a full pipe may fail */
	signal(SIGUSR1, write_pipe);
}

static int receive_pipe(void)
{
	char bytes[64];

	return must(read(self_pipe[0], bytes, sizeof(bytes)));
}

static void set_up_signalfd(void)
{
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	signal_fd = must(signalfd(-1, &usr1, SFD_CLOEXEC));
}

static int receive_signalfd(void)
{
	struct signalfd_siginfo info[8];

	return must(read(signal_fd, info, sizeof(info))) / sizeof(info[0]);
}

static const struct way {
	const char *id;
	const char *name;
	void (*set_up)(void);
	int (*receive)(void); /* waits; how many signals it saw */
} ways[] = {
	{ "flag-counts", "flag, sigsuspend", set_up_flag, receive_flag },
	{ "pipe-counts", "self-pipe", set_up_pipe, receive_pipe },
	{ "signalfd-counts", "signalfd", set_up_signalfd, receive_signalfd },
};

/* Prints right after each answer, when the next signal is on its way. */
static _Noreturn void receive_all(const struct way *way, int answers)
{
	stdout_to(open("/dev/null", O_WRONLY));
	way->set_up();
	for (int seen = 0;; seen = way->receive()) {
		must(write(answers, &seen, sizeof(seen)));
		printf("caught %d\n", seen);
	}
}

/* -1 if the answer does not come. */
static int await_answer(int answers)
{
	struct pollfd wait = { answers, POLLIN, 0 };
	int seen = -1;

	if (must(poll(&wait, 1, DEADLINE_MS)) == 0 ||
	    must(read(answers, &seen, sizeof(seen))) != sizeof(seen))
		return -1;
	return seen;
}

enum { SIGNALS = 1000, BURST = 100 };

/*
 * Send the next signal when the last one was seen; the receiver saw @one_by_one
 * in all. Then send as many while it is stopped, of which it saw @burst.
 */
static void measure(const struct way *way, int *one_by_one, int *burst)
{
	int answers[2], seen;
	pid_t pid;

	must(pipe2(answers, O_CLOEXEC));
	pid = fork_tied();
	if (pid == 0) {
		close(answers[0]);
		receive_all(way, answers[1]);
	}
	close(answers[1]);
	seen = await_answer(answers[0]); /* it is set up */
	*one_by_one = 0;
	for (int i = 0; i < SIGNALS && seen != -1; i++) {
		must(kill(pid, SIGUSR1));
		seen = await_answer(answers[0]);
		*one_by_one += seen;
	}
	must(kill(pid, SIGSTOP));
	must(waitpid(pid, NULL, WUNTRACED));
	for (int i = 0; i < SIGNALS; i++)
		must(kill(pid, SIGUSR1));
	must(kill(pid, SIGCONT));
	*burst = await_answer(answers[0]);
	reap(pid, 0);
	close(answers[0]);
}

/* A burst while the signal is blocked; how many of them arrive. */
static int count_burst(void *realtime)
{
	int sig = realtime ? SIGRTMIN : SIGUSR1;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	signal(sig, note_signal);
	must(sigprocmask(SIG_BLOCK, &set, NULL));
	for (int i = 0; i < BURST; i++)
		must(kill(getpid(), sig));
	must(sigprocmask(SIG_UNBLOCK, &set, NULL));
	return caught;
}

static void ways_that_work(void)
{
	int standard = WEXITSTATUS(run(count_burst, false));
	int realtime = WEXITSTATUS(run(count_burst, true));

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		int seen, burst;

		measure(&ways[i], &seen, &burst);
		printf("%-17s %d sent one by one, %d seen; at once, %d\n",
		       ways[i].name, SIGNALS, seen, burst);
		claim(ways[i].id, seen == SIGNALS);
		control(ways[i].id, burst == 1);
	}
	printf("%-17s %d sent while blocked, %d seen\n", "SIGUSR1", BURST,
	       standard);
	printf("%-17s %d sent while blocked, %d seen\n", "SIGRTMIN", BURST,
	       realtime);
	claim("pending-coalesce", standard == 1);
	control("pending-coalesce", realtime == BURST);
}

static int trap_myself(void *arg)
{
	(void)arg;
	signal(SIGTRAP, SIG_DFL);
	__writeeflags(__readeflags() | TRAP_FLAG);
	__writeeflags(__readeflags() & ~TRAP_FLAG);
	return 0;
}

const char *cannot_explore(void)
{
	char self[16] = "";

	if (WTERMSIG(run(trap_myself, false)) != SIGTRAP)
		return "no trap, as under valgrind";
	if (errno_of(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL)) !=
	    EFAULT)
		return "no seccomp filters";
	if (readlink("/proc/self", self, sizeof(self) - 1) == -1 ||
	    atoi(self) != getpid())
		return "no /proc of this PID namespace";
	if (proc_long("/proc/self/syscall") == -1)
		return "no /proc/self/syscall";
	return NULL;
}

static void skip_hang(const char *found)
{
	static const char *const ids[] = {
		"printf-hangs",	      "stack-shows-it", "lock-without-owner",
		"fatal-instructions", "text-damaged",	"write-is-whole",
		"write-overtakes",    "may-print",
	};

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		claim_skip(ids[i], "the trap flag, seccomp and /proc", found,
			   "run it on a plain kernel");
}

static void demo(void)
{
	const char *missing = cannot_explore();

	puts("What signal(3) does");
	registering();
	if (missing) {
		skip_hang(missing);
	} else {
		puts("\nThe textbook program, a signal every 50 us");
		textbook_program();
		puts("\nOne printf, interrupted before each instruction");
		every_instruction();
	}
	puts("\nThe lock of stdout");
	recursive_lock();
	puts("\nThree ways that work");
	ways_that_work();
}

const struct lab lab = {
	.name = "signals",
	.demo = demo,
};
