// SPDX-License-Identifier: MIT
/*
 * errno_conventions - -1, -EINVAL or -errno: who returns which, and why.
 *
 * Each failing call is made twice, once by the bare instruction and once by
 * libc. Then successful calls whose result looks like an error, and last the
 * mistakes that come from mixing two conventions.
 */

/* Before any other header: a name that this one does not define stays. */
#include <asm-generic/errno-base.h>
#define EXPANDED(x)    EXPANDED_TO(x)
#define EXPANDED_TO(x) #x
static const char base_erange[] = EXPANDED(ERANGE);
static const char base_enosys[] = EXPANDED(ENOSYS);

#include "errno_conventions.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/lab.h"

enum { NO_SUCH_CALL = 9999 };

long raw_call(long number, long a, long b, long c)
{
	register long fourth __asm__("r10") = 0;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "0"(number), "D"(a), "S"(b), "d"(c), "r"(fourth)
			 : "rcx", "r11", "memory");
	return result;
}

int raw_errno(long result)
{
	return result < 0 && result >= -MAX_ERRNO ? -result : 0;
}

static void row(const char *what, long raw, long libc, int error)
{
	printf("%-36s %6ld %6ld  %s\n", what, raw, libc,
	       error ? errno_name(error) : "-");
}

static void ten_failures(void)
{
	static char long_name[NAME_MAX + 2];
	const struct {
		const char *what;
		long number, a, b;
		int error;
	} calls[] = {
		{ "close(-1)", SYS_close, -1, 0, EBADF },
		{ "open(/none)", SYS_open, (long)"/none", 0, ENOENT },
		{ "open(/, O_WRONLY)", SYS_open, (long)"/", O_WRONLY, EISDIR },
		{ "mkdir(/)", SYS_mkdir, (long)"/", 0, EEXIST },
		{ "chdir(/dev/null)", SYS_chdir, (long)"/dev/null", 0,
		  ENOTDIR },
		{ "munmap(1)", SYS_munmap, 1, 4096, EINVAL },
		{ "kill(2147483647, 0)", SYS_kill, INT_MAX, 0, ESRCH },
		{ "open(/proc/self/cwd, O_NOFOLLOW)", SYS_open,
		  (long)"/proc/self/cwd", O_NOFOLLOW, ELOOP },
		{ "rmdir(256 letters)", SYS_rmdir, (long)long_name, 0,
		  ENAMETOOLONG },
		{ "system call 9999", NO_SUCH_CALL, 0, 0, ENOSYS },
	};
	size_t agree = 0;

	memset(long_name, 'n', sizeof(long_name) - 1);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		long number = calls[i].number, a = calls[i].a, b = calls[i].b;
		long raw = raw_call(number, a, b, 0);
		long libc = syscall(number, a, b, 0);
		int error = errno;

		row(calls[i].what, raw, libc, error);
		agree += raw == -calls[i].error && libc == -1 && error == -raw;
	}
	claim("kernel-negates", agree == ARRAY_SIZE(calls));
}

static void success_is_silent(void)
{
	int fds[2], libc, after;
	long raw;

	must(pipe2(fds, O_CLOEXEC));
	raw = raw_call(SYS_close, fds[0], 0, 0);
	errno = EXDEV;
	libc = close(fds[1]);
	after = errno;
	row("close(a pipe), errno EXDEV before", raw, libc, after);
	control("kernel-negates", raw == 0 && libc == 0);
	claim("success-keeps-errno", after == EXDEV);
	errno = EXDEV;
	close(-1);
	control("success-keeps-errno", errno == EBADF);
}

static void numbers(void)
{
	long unknown = raw_call(NO_SUCH_CALL, 0, 0, 0);
	int names = 0, highest = 0;

	for (int i = 1; i <= MAX_ERRNO; i++)
		if (strerrorname_np(i)) {
			names++;
			highest = i;
		}
	printf("with errno-base.h alone, ERANGE is %s, ENOSYS is %s\n",
	       base_erange, base_enosys);
	printf("names in libc: %d, the highest %d, %s\n", names, highest,
	       errno_name(highest));
	refuted("base-header-has-all",
		unknown != -ENOSYS || !strcmp(base_enosys, "38"));
	control("base-header-has-all", !strcmp(base_erange, "34"));
	claim("highest-is-133", highest == 133 && highest == EHWPOISON);
	control("highest-is-133", !strerrorname_np(highest + 1));
}

/* What two threads see of each other: errno is not shared, this is. */
static int shared;

static void *fail_elsewhere(void *arg)
{
	int **address = arg;

	*address = &errno;
	errno = EXDEV;
	shared = EXDEV;
	return NULL;
}

static void macro_per_thread(void)
{
	int *address, mine;
	pthread_t thread;

	printf("errno expands to %s\n", EXPANDED(errno));
	claim("errno-is-macro", strcmp(EXPANDED(errno), "errno") != 0);
	control("errno-is-macro", !strcmp(EXPANDED(environ), "environ"));

	errno = shared = EBADF;
	must_zero(pthread_create(&thread, NULL, fail_elsewhere, &address));
	must_zero(pthread_join(thread, NULL));
	mine = errno;
	printf("another thread sets both to EXDEV: errno %s, a static %s\n",
	       errno_name(mine), errno_name(shared));
	claim("errno-per-thread", mine == EBADF && address != &errno);
	control("errno-per-thread", shared == EXDEV);
}

static void positive_numbers(void)
{
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	int busy, error;

	must_zero(pthread_mutex_lock(&mutex));
	errno = 0;
	busy = pthread_mutex_trylock(&mutex);
	error = errno;
	printf("pthread_mutex_trylock: %d, errno %s\n", busy,
	       errno_name(error));
	claim("pthread-is-positive", busy == EBUSY && error == 0);
	must_zero(pthread_mutex_unlock(&mutex));
	control("pthread-is-positive", pthread_mutex_trylock(&mutex) == 0);
	must_zero(pthread_mutex_unlock(&mutex));
}

/* What lseek(2) to @to returns, by raw_call() and by libc. */
struct seek {
	long raw, libc;
	int error;
};

static struct seek seek_to(const char *name, int fd, long to)
{
	struct seek s = { .raw = raw_call(SYS_lseek, fd, to, SEEK_SET) };
	char what[64];

	errno = 0;
	s.libc = lseek(fd, to, SEEK_SET);
	s.error = errno;
	snprintf(what, sizeof(what), "lseek(%s, %ld)", name, to);
	row(what, s.raw, s.libc, s.error);
	return s;
}

/* The memory of a process has offsets that are negative as a signed long. */
static void seeks(void)
{
	int mem = must(open("/proc/self/mem", O_RDONLY | O_CLOEXEC));
	int file = must(memfd_create("file", MFD_CLOEXEC));
	struct seek seek, outside, last;
	long position;

	must(lseek(file, 5, SEEK_SET));
	seek = seek_to("file", file, -22);
	position = lseek(file, 0, SEEK_CUR);
	printf("%-36s %6ld\n", "  then 0 bytes on", position);
	control("seek-to-minus-22", seek.error == EINVAL && position == 5);

	seek = seek_to("memory", mem, -22);
	position = lseek(mem, 23, SEEK_CUR);
	printf("%-36s %6ld\n", "  then 23 bytes on", position);
	claim("seek-to-minus-22", seek.raw == -22 && seek.libc == -1 &&
					  seek.error == EINVAL &&
					  position == 1);

	last = seek_to("memory", mem, -MAX_ERRNO);
	outside = seek_to("memory", mem, -MAX_ERRNO - 1);
	claim("window-is-4095", last.libc == -1 && last.error == MAX_ERRNO);
	control("window-is-4095",
		outside.libc == -MAX_ERRNO - 1 && outside.error == 0);
	refuted("sign-tells-success", outside.raw >= 0);
	control("sign-tells-success", raw_call(SYS_lseek, file, 22, 0) == 22);
	close(mem);
	close(file);
}

static void priorities(void)
{
	int nice = getpriority(PRIO_PROCESS, 0), same, error;
	long raw = raw_call(SYS_getpriority, PRIO_PROCESS, 0, 0);

	row("getpriority()", raw, nice, 0);
	claim("priority-is-biased", raw == 20 - nice);
	/* A call without a bias comes back from libc as it is. */
	control("priority-is-biased",
		raw_call(SYS_getpgid, 0, 0, 0) == getpgid(0));

	if (setpriority(PRIO_PROCESS, 0, -1) == -1) {
		claim_skip("minus-one-is-nice", "the right to be nice -1",
			   errno_name(errno), "run it with sudo");
		return;
	}
	raw = raw_call(SYS_getpriority, PRIO_PROCESS, 0, 0);
	errno = 0;
	same = getpriority(PRIO_PROCESS, 0);
	error = errno;
	row("getpriority() at nice -1", raw, same, error);
	claim("minus-one-is-nice", raw == 21 && same == -1 && error == 0);
	control("minus-one-is-nice",
		errno_of(getpriority(PRIO_PROCESS, INT_MAX)) == ESRCH);
	must(setpriority(PRIO_PROCESS, 0, nice));
}

/*
 * A process group whose negated id lies in the window, but is not -1, which
 * libc's callers take for a failure anyway; 0 if there is none.
 */
static pid_t small_group(void)
{
	for (pid_t pid = 2; pid <= MAX_ERRNO; pid++)
		if (getpgid(pid) == pid)
			return pid;
	return 0;
}

static void owner(void)
{
	int fds[2], group = small_group(), generic, error, wrapper;
	long raw;

	if (!group) {
		claim_skip("owner-looks-failed", "a group with a small id",
			   "none", "run it in a new PID namespace");
		return;
	}
	must(pipe2(fds, O_CLOEXEC));
	must(fcntl(fds[0], F_SETOWN, -group));
	raw = raw_call(SYS_fcntl, fds[0], F_GETOWN, 0);
	generic = syscall(SYS_fcntl, fds[0], F_GETOWN);
	error = errno;
	wrapper = fcntl(fds[0], F_GETOWN);
	row("syscall(F_GETOWN), owner a group", raw, generic, error);
	row("fcntl(F_GETOWN), owner a group", raw, wrapper, 0);
	claim("owner-looks-failed", raw == -group && generic == -1 &&
					    error == group &&
					    wrapper == -group);
	must(fcntl(fds[0], F_SETOWN, getpid()));
	control("owner-looks-failed",
		syscall(SYS_fcntl, fds[0], F_GETOWN) == getpid());
	close(fds[0]);
	close(fds[1]);
}

/* As a logger does: whether it worked is nobody's business. */
static void log_failure(int log, const char *path)
{
	const struct iovec line[] = { { "cannot open ", 12 },
				      { (char *)path, strlen(path) } };

	(void)!writev(log, line, ARRAY_SIZE(line));
}

int open_negating_late(const char *path, int log)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd == -1) {
		log_failure(log, path);
		return -errno;
	}
	return fd;
}

int open_negating_early(const char *path, int log)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd == -1) {
		fd = -errno;
		log_failure(log, path);
	}
	return fd;
}

static void mixtures(void)
{
	int log = must(open("/dev/full", O_WRONLY | O_CLOEXEC));
	int late = open_negating_late("/none", log);
	int early = open_negating_early("/none", log);
	/* Returned by a function whose caller expects a negated errno. */
	int unnegated = open("/none", O_RDONLY);

	close(log);
	printf("-errno taken before the log line:  %s\n", errno_name(-early));
	printf("-errno taken after it:             %s\n", errno_name(-late));
	printf("-1, read as a negated errno:       %s\n",
	       errno_name(-unnegated));
	claim("log-spoils-errno", late == -ENOSPC);
	control("log-spoils-errno", early == -ENOENT);
	claim("minus-one-is-eperm", raw_errno(unnegated) == EPERM);
	control("minus-one-is-eperm", raw_errno(early) == ENOENT);
}

static void demo(void)
{
	printf("%-36s %6s %6s  %s\n", "Failures, and one success", "kernel",
	       "libc", "errno");
	ten_failures();
	success_is_silent();
	puts("\nThe numbers and the variable");
	numbers();
	macro_per_thread();
	positive_numbers();
	printf("\n%-36s %6s %6s  %s\n", "Successes that look like failures",
	       "kernel", "libc", "errno");
	seeks();
	priorities();
	owner();
	puts("\nOne function, two conventions: open(\"/none\") fails");
	mixtures();
}

const struct lab lab = {
	.name = "errno_conventions",
	.demo = demo,
};
