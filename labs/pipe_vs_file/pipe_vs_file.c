// SPDX-License-Identifier: MIT
/*
 * pipe_vs_file - "a | b" and "a > f" from the inside.
 *
 * What the shell connects, how far a program may run ahead of its reader,
 * what happens when the reader leaves, and what becomes of the bytes of
 * several writers.
 */
#include "pipe_vs_file.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/lab.h"
#include "common/proc.h"
#include "common/spawn.h"

enum { DEADLINE_MS = 5000, PAGE = 4096, BIG = 100000 };

size_t fill(int fd, size_t most)
{
	static const char bytes[PAGE];
	size_t taken = 0;

	while (taken < most) {
		size_t left = most - taken;
		ssize_t n = write(fd, bytes, left < PAGE ? left : PAGE);

		if (n == -1 && errno == EAGAIN)
			break;
		taken += must(n);
	}
	return taken;
}

size_t torn_records(const char *data, size_t len, size_t size)
{
	size_t torn = len % size != 0;

	for (; len >= size; data += size, len -= size)
		torn += memcmp(data, data + 1, size - 1) != 0;
	return torn;
}

/* Not a memfd: no lock guards its offset, and two writers may lose bytes. */
static int new_file(void)
{
	return fileno(must_ptr(tmpfile()));
}

/* The file @fd opened afresh, with an offset of its own. */
static int open_again(int fd, int flags)
{
	char path[32];

	sprintf(path, "/proc/self/fd/%d", fd);
	return must(open(path, flags | O_CLOEXEC));
}

/* The first line that a script prints, and that it leaves in the file $f. */
struct left {
	char out[32], file[32];
};

static struct left shell(const char *script)
{
	const char *const argv[] = { "sh", "-c", script, NULL };
	struct left left = { 0 };
	struct spawned end;
	int file = new_file();
	char path[32];

	sprintf(path, "/proc/%d/fd/%d", getpid(), file);
	must(setenv("f", path, true));
	must(write(file, "old", 3));
	end = spawn_program(argv, NULL, 0, DEADLINE_MS);
	snprintf(left.out, sizeof(left.out), "%s", end.out);
	must(pread(file, left.file, sizeof(left.file) - 1, 0));
	free(end.out);
	close(file);
	left.out[strcspn(left.out, "\n")] = '\0';
	left.file[strcspn(left.file, "\n")] = '\0';
	printf("%s\n    prints \"%s\", leaves \"%s\" in $f\n", script, left.out,
	       left.file);
	return left;
}

/* The builtin test(1) tells pipes (-p) from files (-f), and which (-ef). */
#define IN	    "/proc/self/fd/0"
#define OUT	    "/proc/self/fd/1"
#define ERR_IS_MINE "[ /proc/self/fd/2 -ef /proc/$$/fd/2 ] && echo same"

static void by_shell(void)
{
	struct left l;

	l = shell("echo new | { read x; [ -p " IN " ] && echo $x; }");
	claim("pipe-joins", !strcmp(l.out, "new") && !strcmp(l.file, "old"));
	l = shell("{ [ -f " OUT " ] && echo new; } >$f");
	control("pipe-joins", !strcmp(l.out, ""));
	claim("redirect-is-file", !strcmp(l.file, "new"));
	l = shell("{ read x; [ -f " IN " ] && echo $x; } <$f");
	claim("redirect-reads-file", !strcmp(l.out, "old"));
	l = shell("echo new | { read x; [ -f " IN " ] && echo $x; }");
	control("redirect-reads-file", !strcmp(l.out, ""));
	control("redirect-is-file", !strcmp(l.file, "old"));

	l = shell("{ " ERR_IS_MINE "; } | { read x; echo $x; }");
	claim("stderr-stays", !strcmp(l.out, "same"));
	l = shell("{ " ERR_IS_MINE "; } 2>&1 | { read x; echo $x; }");
	control("stderr-stays", !strcmp(l.out, ""));

	l = shell("exec 2>&-; no-such-command >$f");
	claim("truncated-first", !strcmp(l.file, ""));
	l = shell("exec 2>&-; no-such-command >>$f");
	control("truncated-first", !strcmp(l.file, "old"));
	l = shell("echo new 7>$f >&7");
	claim("any-descriptor", !strcmp(l.file, "new"));
	l = shell("exec 2>&-; echo new >&7 7>$f");
	control("any-descriptor", !strcmp(l.file, "old"));
}

static void on_tick(int sig)
{
	(void)sig;
}

/*
 * Write BIG bytes; should that wait, a signal ends it. A pipe looks for
 * signals only when it is full, so an early one does no harm.
 */
static ssize_t write_until_signal(int fd)
{
	static const char bytes[BIG];
	const struct itimerval ticks = { { 0, 10000 }, { 0, 10000 } },
			       none = { 0 };
	ssize_t written;

	/* Without SA_RESTART, so that the write does not start again. */
	must(sigaction(SIGALRM, &(struct sigaction){ .sa_handler = on_tick },
		       NULL));
	must(setitimer(ITIMER_REAL, &ticks, NULL));
	written = write(fd, bytes, BIG);
	must(setitimer(ITIMER_REAL, &none, NULL));
	return written;
}

/* Without any privilege, make a pipe of @size bytes; the errno of it. */
static int ask_for_size(void *size)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct none[2] = { 0 };
	int fds[2];

	must(pipe2(fds, O_CLOEXEC));
	must(syscall(SYS_capset, &header, none));
	return errno_of(fcntl(fds[0], F_SETPIPE_SZ, *(int *)size));
}

static int size_error(int size)
{
	return WEXITSTATUS(spawn_fn(ask_for_size, &size, DEADLINE_MS).status);
}

static void position(void)
{
	int fds[2], file = new_file(), in, out, other;

	must(pipe2(fds, O_CLOEXEC));
	in = errno_of(lseek(fds[0], 0, SEEK_CUR));
	out = errno_of(lseek(fds[1], 0, SEEK_CUR));
	other = errno_of(lseek(file, 0, SEEK_CUR));
	printf("lseek: read end %s, write end %s, file %s\n", errno_name(in),
	       errno_name(out), errno_name(other));
	claim("pipe-cannot-seek", in == ESPIPE && out == ESPIPE);
	control("pipe-cannot-seek", other == 0);
}

static void capacity(void)
{
	int fds[2], blocking[2], file = new_file(), empty = new_file();
	int max = proc_long("/proc/sys/fs/pipe-max-size"), full, more, most;
	ssize_t to_pipe, to_file;
	size_t taken;
	char byte;

	must(pipe2(fds, O_NONBLOCK | O_CLOEXEC));
	must(pipe2(blocking, O_CLOEXEC));
	claim("reader-waits", errno_of(read(fds[0], &byte, 1)) == EAGAIN);
	control("reader-waits", read(empty, &byte, 1) == 0);

	taken = fill(fds[1], BIG);
	full = errno_of(write(fds[1], "x", 1));
	printf("of %d bytes the pipe takes %zu, then: %s\n", BIG, taken,
	       errno_name(full));
	claim("pipe-holds-64k", taken == 65536 && full == EAGAIN);
	control("pipe-holds-64k", fill(file, BIG) == BIG);

	to_pipe = write_until_signal(blocking[1]);
	to_file = write_until_signal(file);
	printf("a blocking write, ended by a signal: pipe %zd, file %zd\n",
	       to_pipe, to_file);
	claim("full-pipe-waits", to_pipe == 65536);
	control("full-pipe-waits", to_file == BIG);

	most = size_error(max);
	more = size_error(max + 1);
	printf("F_SETPIPE_SZ without privilege: %d: %s, %d: %s\n", max,
	       most ? errno_name(most) : "works", max + 1, errno_name(more));
	claim("size-has-limit", more == EPERM);
	control("size-has-limit", most == 0);
}

/*
 * Write SENT bytes to @fd without blocking while a slow reader takes a page
 * from @reader at each tick. Returns how far the writer was ahead, at most.
 */
enum { SENT = 40 * PAGE };

static size_t most_ahead(const char *series, int fd, int reader)
{
	const struct itimerspec tick = { .it_interval.tv_nsec = 1000000,
					 .it_value.tv_nsec = 1000000 };
	int timer = must(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
	size_t sent = 0, got = 0, ahead = 0, taken;
	uint64_t start = now_ns(), ticks;
	char page[PAGE];

	must(timerfd_settime(timer, 0, &tick, NULL));
	while (got < SENT) {
		sent += taken = fill(fd, SENT - sent);
		if (taken)
			point(series, (now_ns() - start) / 1e6, sent / 1024.0);
		if (sent - got > ahead)
			ahead = sent - got;
		must(read(timer, &ticks, sizeof(ticks)));
		got += must(read(reader, page, sizeof(page)));
	}
	point(series, (now_ns() - start) / 1e6, sent / 1024.0);
	close(timer);
	return ahead;
}

static void slow_reader(void)
{
	int fds[2], file = new_file(), reader = open_again(file, O_RDONLY);
	size_t pipe_ahead, file_ahead;

	must(pipe2(fds, O_NONBLOCK | O_CLOEXEC));
	pipe_ahead = most_ahead("pipe", fds[1], fds[0]);
	file_ahead = most_ahead("file", file, reader);
	printf("ahead of a slow reader by, at most: pipe %zu, file %zu\n",
	       pipe_ahead, file_ahead);
	claim("reader-sets-pace", pipe_ahead == 65536);
	control("reader-sets-pace", file_ahead == SENT);
}

static int write_byte(void *fd)
{
	return errno_of(write(*(int *)fd, "x", 1));
}

/* How a program ends that writes to @fd, with SIGPIPE at @action. */
static int writers_end(int fd, void (*action)(int))
{
	signal(SIGPIPE, action);
	return spawn_fn(write_byte, &fd, DEADLINE_MS).status;
}

static void reader_leaves(void)
{
	int fds[2], file = new_file(), reader = open_again(file, O_RDONLY);
	int killed, ignored, to_file;

	must(pipe2(fds, O_CLOEXEC));
	close(fds[0]);
	close(reader);
	ignored = writers_end(fds[1], SIG_IGN);
	killed = writers_end(fds[1], SIG_DFL);
	to_file = writers_end(file, SIG_DFL);
	printf("to the pipe: killed by SIG%s; with SIGPIPE ignored: %s\n",
	       WIFSIGNALED(killed) ? sigabbrev_np(WTERMSIG(killed)) : "none",
	       errno_name(WEXITSTATUS(ignored)));
	printf("to the file: %s\n", to_file == 0 ? "works" : "fails");
	claim("sigpipe-kills", WTERMSIG(killed) == SIGPIPE);
	control("sigpipe-kills", to_file == 0);
	claim("ignored-is-epipe", WEXITSTATUS(ignored) == EPIPE);
	control("ignored-is-epipe", to_file == 0);
}

/* Start a program that writes @count records, full of @letter, to @fd. */
static pid_t start_writer(int fd, char letter, size_t record, size_t count)
{
	pid_t pid = fork_tied();
	char *bytes;

	if (pid != 0)
		return pid;
	bytes = must_ptr(malloc(record));
	memset(bytes, letter, record);
	for (size_t i = 0; i < count; i++)
		if (write(fd, bytes, record) != (ssize_t)record)
			_exit(LAB_BROKEN);
	_exit(0);
}

static void end_writer(pid_t pid)
{
	if (reap(pid, DEADLINE_MS) != 0)
		die("a writer did not end as it should");
}

/* Torn records in what a pipe brings from four writers. */
static size_t torn_by_pipe(size_t record, size_t count)
{
	size_t len = 4 * record * count, got = 0;
	char *data = must_ptr(malloc(len));
	int fds[2];
	pid_t pids[4];

	must(pipe2(fds, O_CLOEXEC));
	for (int i = 0; i < 4; i++)
		pids[i] = start_writer(fds[1], 'a' + i, record, count);
	close(fds[1]);
	for (ssize_t n; (n = must(read(fds[0], data + got, len - got))) > 0;)
		got += n;
	close(fds[0]);
	for (int i = 0; i < 4; i++)
		end_writer(pids[i]);
	got = torn_records(data, got, record);
	free(data);
	return got;
}

/* The size of a file into which two programs write 10000 bytes each. */
static off_t left_in_file(int first, int second)
{
	pid_t a = start_writer(first, 'a', 10, 1000);
	pid_t b = start_writer(second, 'b', 10, 1000);
	struct stat st;

	end_writer(a);
	end_writer(b);
	must(fstat(first, &st));
	return st.st_size;
}

static void into_one_pipe(void)
{
	size_t whole = torn_by_pipe(PIPE_BUF, 200), torn = 0, rounds = 0;
	int fds[2];
	ssize_t part;
	int none;

	/* Writers must meet to tear, which a busy machine may prevent. */
	for (uint64_t start = now_ns();
	     !torn && now_ns() - start < DEADLINE_MS * 1000000ull; rounds++)
		torn = torn_by_pipe(2 * 65536, 8);
	printf("torn records from 4 writers: %zu of 800 of %d bytes; "
	       "%zu of %zu of 131072\n",
	       whole, PIPE_BUF, torn, 32 * rounds);
	claim("pipe-buf-is-atomic", whole == 0);
	control("pipe-buf-is-atomic", torn > 0);

	/* Room for 3996 bytes, at the end of the last page. */
	must(pipe2(fds, O_NONBLOCK | O_CLOEXEC));
	fill(fds[1], must(fcntl(fds[1], F_GETPIPE_SZ)) - PAGE + 100);
	none = errno_of(write(fds[1], (char[PIPE_BUF]){ 0 }, PIPE_BUF));
	part = write(fds[1], (char[5000]){ 0 }, 5000);
	printf("into 3996 bytes of room: %d bytes %s, of 5000 it takes %zd\n",
	       PIPE_BUF, errno_name(none), part);
	claim("all-or-nothing", none == EAGAIN);
	control("all-or-nothing", part > 0 && part < 5000);
}

static void into_one_file(void)
{
	int one = new_file(), mine = new_file(), append = new_file();
	off_t shared, own, appended;

	shared = left_in_file(one, one);
	own = left_in_file(open_again(mine, O_WRONLY),
			   open_again(mine, O_WRONLY));
	appended = left_in_file(open_again(append, O_WRONLY | O_APPEND),
				open_again(append, O_WRONLY | O_APPEND));
	puts("two programs write 10000 bytes each:");
	printf("  (a & b) >f     %5ld bytes left\n", (long)shared);
	printf("  a >f & b >f    %5ld\n", (long)own);
	printf("  a >>f & b >>f  %5ld\n", (long)appended);
	claim("shared-offset", shared == 20000);
	control("shared-offset", own == 10000);
	claim("append-keeps-all", appended == 20000);
	control("append-keeps-all", own == 10000);
}

static void demo(void)
{
	puts("What the shell makes of | and >; $f holds \"old\" before each");
	by_shell();
	puts("\nA position in the file, or a distance to the reader");
	position();
	capacity();
	slow_reader();
	puts("\nWhen the reader has left");
	reader_leaves();
	puts("\nSeveral writers");
	into_one_pipe();
	into_one_file();
}

const struct lab lab = {
	.name = "pipe_vs_file",
	.needs = NEEDS("tool:sh"),
	.demo = demo,
};
