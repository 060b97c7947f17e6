// SPDX-License-Identifier: MIT
/*
 * eventfd - a counter in the kernel that you can wait for.
 *
 * First what reads and writes do to the counter, then its upper end, who may
 * signal whom, and last the one value that no write can reach.
 */
#include "eventfd.h"

#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/kernel.h"
#include "common/lab.h"
#include "common/spawn.h"

enum { DEADLINE_MS = 5000 };

bool parse_count(const char *fdinfo, uint64_t *count)
{
	static const char key[] = "eventfd-count:";
	const char *line = strstr(fdinfo, key);
	char *end;

	if (!line)
		return false;
	line += strlen(key);
	*count = strtoull(line, &end, 16);
	return end != line;
}

uint64_t eventfd_count(int fd)
{
	char path[32], text[512] = "";
	uint64_t count;
	int info;

	sprintf(path, "/proc/self/fdinfo/%d", fd);
	info = must(open(path, O_RDONLY | O_CLOEXEC));
	must(read(info, text, sizeof(text) - 1));
	close(info);
	if (!parse_count(text, &count))
		die("%s is not an eventfd's", path);
	return count;
}

int by_poll(int fd)
{
	struct pollfd wait = { fd, POLLIN | POLLOUT, 0 };

	must(poll(&wait, 1, 0));
	return wait.revents;
}

int by_select(int fd)
{
	fd_set in, out;
	struct timeval now = { 0 };

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(fd, &in);
	FD_SET(fd, &out);
	must(select(fd + 1, &in, &out, NULL, &now));
	return (FD_ISSET(fd, &in) ? POLLIN : 0) |
	       (FD_ISSET(fd, &out) ? POLLOUT : 0);
}

int by_epoll(int fd)
{
	int epoll = must(epoll_create1(EPOLL_CLOEXEC));
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT };
	int ready;

	must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
	ready = must(epoll_wait(epoll, &event, 1, 0));
	close(epoll);
	/* On Linux, EPOLLIN is POLLIN, and so with the others. */
	return ready ? (int)event.events : 0;
}

const char *event_names(int events, char out[EVENT_NAMES_MAX])
{
	static const struct {
		int bit;
		const char *name;
	} table[] = {
		{ POLLIN, "|IN" },
		{ POLLOUT, "|OUT" },
		{ POLLERR, "|ERR" },
	};
	char joined[EVENT_NAMES_MAX] = "";

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (events & table[i].bit)
			strcat(joined, table[i].name);
	return strcpy(out, *joined ? joined + 1 : "none");
}

static bool all_say(int fd, int events)
{
	return by_poll(fd) == events && by_select(fd) == events &&
	       by_epoll(fd) == events;
}

static void header(void)
{
	printf("%-26s %20s  %-9s %-9s %s\n", "", "counter", "poll", "select",
	       "epoll");
}

static void row(const char *after, int fd)
{
	char poll[EVENT_NAMES_MAX], select[EVENT_NAMES_MAX],
		epoll[EVENT_NAMES_MAX];

	printf("%-26s %20llu  %-9s %-9s %s\n", after,
	       (unsigned long long)eventfd_count(fd),
	       event_names(by_poll(fd), poll),
	       event_names(by_select(fd), select),
	       event_names(by_epoll(fd), epoll));
}

static int new_eventfd(unsigned int initval, int flags)
{
	return must(eventfd(initval, EFD_CLOEXEC | EFD_NONBLOCK | flags));
}

/* What one read returns. That is never 0, so 0 stands for EAGAIN. */
static uint64_t take(int fd)
{
	eventfd_t value;

	return errno_of(eventfd_read(fd, &value)) == 0 ? value : 0;
}

static void birth(void)
{
	const long too_wide = (1L << 32) + 5;
	int three = new_eventfd(3, 0);
	int five = must(syscall(SYS_eventfd2, too_wide, EFD_CLOEXEC));

	row("eventfd(3)", three);
	row("eventfd(2^32 + 5)", five);
	claim("fdinfo-count", eventfd_count(three) == 3);
	claim("starts-at-initval", take(three) == 3);
	control("starts-at-initval", take(new_eventfd(0, 0)) == 0);
	control("fdinfo-count", eventfd_count(three) == 0);

	claim("initval-32-bit", eventfd_count(five) == 5);
	must(eventfd_write(five, 1L << 32));
	control("initval-32-bit", eventfd_count(five) == too_wide);
}

static void count_up(void)
{
	const uint64_t values[] = { 5, 6 };
	int fd = new_eventfd(0, 0);
	uint64_t first;
	int pipes[2];

	row("eventfd(0)", fd);
	control("poll-select-epoll", all_say(fd, POLLOUT));
	must(eventfd_write(fd, 0));
	row("write 0", fd);
	claim("zero-write", all_say(fd, POLLOUT));
	must(eventfd_write(fd, values[0]));
	row("write 5", fd);
	control("zero-write", all_say(fd, POLLIN | POLLOUT));
	claim("poll-select-epoll", all_say(fd, POLLIN | POLLOUT));
	must(eventfd_write(fd, values[1]));
	row("write 6", fd);

	claim("write-adds", take(fd) == 11);
	row("read", fd);
	must(pipe2(pipes, O_CLOEXEC));
	must(write(pipes[1], values, sizeof(values)));
	must(read(pipes[0], &first, sizeof(first)));
	control("write-adds", first == 5);
	claim("read-resets", eventfd_count(fd) == 0 && take(fd) == 0);

	fd = new_eventfd(3, EFD_SEMAPHORE);
	row("eventfd(3, SEMAPHORE)", fd);
	claim("semaphore", take(fd) == 1 && eventfd_count(fd) == 2);
	row("read", fd);
	control("read-resets", take(fd) == 1 && take(fd) == 1 && take(fd) == 0);
	control("semaphore", take(new_eventfd(3, 0)) == 3);
}

static void upper_end(void)
{
	int fd = new_eventfd(0, 0);

	must(eventfd_write(fd, COUNT_MAX - 1));
	row("write 2^64 - 3", fd);
	claim("no-partial-add", errno_of(eventfd_write(fd, 2)) == EAGAIN &&
					eventfd_count(fd) == COUNT_MAX - 1);
	row("write 2: EAGAIN", fd);
	control("max-by-write", errno_of(eventfd_write(fd, 1)) == 0);
	row("write 1", fd);
	control("no-partial-add", eventfd_count(fd) == COUNT_MAX);
	claim("max-by-write", errno_of(eventfd_write(fd, 1)) == EAGAIN &&
				      eventfd_count(fd) == COUNT_MAX);
	claim("full-not-writable", all_say(fd, POLLIN));
	take(fd);
	row("read", fd);
	control("full-not-writable", all_say(fd, POLLOUT));

	claim("all-ones", errno_of(eventfd_write(fd, UINT64_MAX)) == EINVAL);
	control("all-ones", errno_of(eventfd_write(fd, COUNT_MAX)) == 0);
}

static void on_tick(int sig)
{
	(void)sig;
}

/*
 * Write 1 to @fd. While the write waits for room, a timer interrupts it,
 * and each time @waiting is signalled. Returns the errno of the write.
 */
static int write_or_tell(int fd, int waiting)
{
	const struct timeval period = { .tv_usec = 10000 };
	const struct itimerval ticks = { period, period };
	const struct sigaction no_restart = { .sa_handler = on_tick };
	int error;

	must(sigaction(SIGALRM, &no_restart, NULL));
	must(setitimer(ITIMER_REAL, &ticks, NULL));
	while ((error = errno_of(eventfd_write(fd, 1))) == EINTR)
		must(eventfd_write(waiting, 1));
	return error;
}

static pid_t start_writer(int fd, int waiting)
{
	pid_t pid = fork_tied();

	if (pid == 0)
		_exit(write_or_tell(fd, waiting));
	return pid;
}

static void blocked_write(void)
{
	int fd = must(eventfd(0, EFD_CLOEXEC)), waiting = new_eventfd(0, 0);
	struct pollfd wait = { waiting, POLLIN, 0 };
	pid_t writer = start_writer(fd, waiting);
	bool written = reap(writer, DEADLINE_MS) == 0, blocked;

	control("write-blocks", written && take(waiting) == 0);

	must(eventfd_write(fd, COUNT_MAX - eventfd_count(fd)));
	writer = start_writer(fd, waiting);
	blocked = must(poll(&wait, 1, DEADLINE_MS)) == 1;
	take(fd);
	written = reap(writer, DEADLINE_MS) == 0;
	printf("another process writes to a full eventfd: it %s; "
	       "after a read the counter is %llu\n",
	       blocked ? "waits" : "does not wait",
	       (unsigned long long)eventfd_count(fd));
	claim("write-blocks", blocked && written && eventfd_count(fd) == 1);
}

/* Write @len bytes of the words 2 and 3; what write(2) returns, or -errno. */
static ssize_t write_bytes(int fd, size_t len)
{
	const uint64_t words[2] = { 2, 3 };
	ssize_t ret = write(fd, words, len);

	return ret == -1 ? -errno : ret;
}

static ssize_t read_bytes(int fd, size_t len)
{
	uint64_t words[2];
	ssize_t ret = read(fd, words, len);

	return ret == -1 ? -errno : ret;
}

static void print_size(const char *call, size_t len, ssize_t ret, int fd)
{
	printf("%-5s %2zu bytes: ", call, len);
	if (ret < 0)
		printf("%-6s", errno_name(-ret));
	else
		printf("%-6zd", ret);
	printf("  counter %llu\n", (unsigned long long)eventfd_count(fd));
}

static void sizes(void)
{
	static const size_t lens[] = { 4, 8, 16 };
	int fd = new_eventfd(0, 0);
	ssize_t written[3], got[3];
	uint64_t sum[3];

	for (int i = 0; i < 3; i++) {
		written[i] = write_bytes(fd, lens[i]);
		print_size("write", lens[i], written[i], fd);
		sum[i] = eventfd_count(fd);
	}
	for (int i = 0; i < 3; i++) {
		must(eventfd_write(fd, 1));
		got[i] = read_bytes(fd, lens[i]);
		print_size("read", lens[i], got[i], fd);
	}
	claim("short-write", written[0] == -EINVAL && sum[0] == 0);
	control("short-write", written[1] == 8 && sum[1] == 2);
	claim("long-write", kernel_since(6, 9)
				    ? written[2] == -EINVAL && sum[2] == 2
				    : written[2] == 8 && sum[2] == 4);
	control("long-write", written[1] == 8 && sum[1] == 2);
	claim("short-read", got[0] == -EINVAL);
	control("short-read", got[1] == 8);
	claim("long-read", got[2] == 8);
	control("long-read", got[0] == -EINVAL);
}

static void no_position(void)
{
	const uint64_t one = 1;
	int fd = new_eventfd(7, 0), file = must(memfd_create("file", 0));
	off_t moved = lseek(fd, 100, SEEK_SET);
	int refused = errno_of(pwrite(fd, &one, sizeof(one), 0));

	printf("lseek to 100: %ld; pwrite: %s; counter %llu\n", (long)moved,
	       errno_name(refused), (unsigned long long)eventfd_count(fd));
	claim("no-position",
	      moved == 0 && refused == ESPIPE && eventfd_count(fd) == 7);
	control("no-position",
		lseek(file, 100, SEEK_SET) == 100 &&
			errno_of(pwrite(file, &one, sizeof(one), 0)) == 0);
}

/*
 * What a read of a timer says that first expired at @start, then every
 * @interval if that is not 0; all in nanoseconds, below a second.
 */
static uint64_t expirations(uint64_t start, long interval)
{
	const struct itimerspec when = {
		.it_value = { start / 1000000000, start % 1000000000 },
		.it_interval.tv_nsec = interval,
	};
	int fd = must(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
	uint64_t count;

	must(timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL));
	must(read(fd, &count, sizeof(count)));
	close(fd);
	return count;
}

static void timer(void)
{
	const uint64_t ms = 1000000, before = now_ns(),
		       start = before - 10 * ms;
	uint64_t periodic = expirations(start, ms), after = now_ns();
	uint64_t once = expirations(start, 0);

	printf("timerfd, every ms since 10 ms ago: read %llu; "
	       "once, 10 ms ago: read %llu\n",
	       (unsigned long long)periodic, (unsigned long long)once);
	claim("timer-counts-expirations",
	      periodic >= (before - start) / ms + 1 &&
		      periodic <= (after - start) / ms + 1);
	control("timer-counts-expirations", once == 1);
}

static void who_signals(void)
{
	const uint64_t one = 1;
	int fd = new_eventfd(0, 0);
	int timerfd = must(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
	struct pollfd wait = { fd, POLLIN, 0 };
	int refused = errno_of(write(timerfd, &one, sizeof(one)));
	pid_t pid = fork_tied();
	int woken;

	if (pid == 0)
		_exit(errno_of(eventfd_write(fd, 1)));
	woken = must(poll(&wait, 1, DEADLINE_MS));
	reap(pid, DEADLINE_MS);
	printf("another process writes to the eventfd: poll %s\n",
	       woken ? "wakes up" : "sleeps on");
	printf("a write to the timerfd: %s\n", errno_name(refused));
	refuted("kernel-to-user", woken == 0);
	control("kernel-to-user", refused == EINVAL);
}

/* One operation of @ring from start to end; the kernel signals its eventfd. */
static void complete_one(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;

	io_uring_prep_nop(must_ptr(io_uring_get_sqe(ring)));
	must_neg(io_uring_submit_and_wait(ring, 1));
	must_neg(io_uring_peek_cqe(ring, &cqe));
	io_uring_cqe_seen(ring, cqe);
}

static void overflow(struct io_uring *ring)
{
	int fd = new_eventfd(0, 0);
	struct pollfd error = { fd, 0, 0 };

	must_neg(io_uring_register_eventfd(ring, fd));
	complete_one(ring);
	row("io_uring completion", fd);
	control("stays-all-ones", eventfd_count(fd) == 1);

	take(fd);
	must(eventfd_write(fd, COUNT_MAX));
	row("read, write 2^64 - 2", fd);
	control("overflow-pollerr", all_say(fd, POLLIN));
	control("select-is-fooled", by_select(fd) == POLLIN);
	control("max-storable", errno_of(eventfd_write(fd, 1)) == EAGAIN &&
					eventfd_count(fd) == COUNT_MAX);

	complete_one(ring);
	must(poll(&error, 1, DEADLINE_MS));
	row("io_uring completion", fd);
	refuted("max-storable", eventfd_count(fd) <= COUNT_MAX);
	claim("overflow-pollerr", by_poll(fd) == (POLLIN | POLLERR) &&
					  by_epoll(fd) == (POLLIN | POLLERR));
	claim("select-is-fooled",
	      by_select(fd) == (POLLIN | POLLOUT) &&
		      errno_of(eventfd_write(fd, 1)) == EAGAIN);

	complete_one(ring);
	row("io_uring completion", fd);
	claim("stays-all-ones", eventfd_count(fd) == UINT64_MAX);
	control("read-ends-overflow", by_poll(fd) & POLLERR);
	claim("read-ends-overflow",
	      take(fd) == UINT64_MAX && all_say(fd, POLLOUT));
	row("read", fd);
}

static void try_overflow(void)
{
	static const char *const ids[] = { "max-storable", "overflow-pollerr",
					   "select-is-fooled", "stays-all-ones",
					   "read-ends-overflow" };
	struct io_uring ring;
	int ret = io_uring_queue_init(4, &ring, 0);

	if (ret == 0) {
		overflow(&ring);
		io_uring_queue_exit(&ring);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		claim_skip(ids[i], "io_uring", errno_name(-ret),
			   "sysctl kernel.io_uring_disabled=0, outside of a "
			   "container");
}

static void demo(void)
{
	puts("The counter, and what three calls say of it");
	header();
	birth();
	count_up();
	puts("\nThe upper end");
	header();
	upper_end();
	blocked_write();
	puts("\nOther sizes, other calls");
	sizes();
	no_position();
	puts("\nWho signals whom");
	timer();
	who_signals();
	puts("\nThe value that no write can reach");
	header();
	try_overflow();
}

const struct lab lab = {
	.name = "eventfd",
	.demo = demo,
};
