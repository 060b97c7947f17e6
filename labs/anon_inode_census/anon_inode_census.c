// SPDX-License-Identifier: MIT
/*
 * anon_inode_census - whose inode is behind a descriptor without a file?
 *
 * First a census: two descriptors of each kind that has no path, grouped by
 * inode. Then what it means to share one, and last, with the function
 * tracer, which system calls make a new one.
 */
#include "anon_inode_census.h"

#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <linux/kvm.h>
#include <linux/magic.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "common/kernel.h"
#include "common/lab.h"
#include "common/probe.h"

#define TRACEFS "/sys/kernel/tracing"
/* Not in the headers of every distribution. */
#define SECRET_MAGIC 0x5345434d
#define PIDFS_MAGIC  0x50494446

enum { MANY = 100 };

/* The first four are on each kernel, and for everybody. */
enum kind {
	EVENTFD,
	EPOLL,
	TIMERFD,
	INOTIFY,
	KVM_VM,
	USERFAULTFD,
	IO_URING,
	GUEST_MEMFD,
	SECRETMEM,
	MEMFD,
	PIDFD,
	PIPE,
	SOCKET,
	KINDS,
	AIO = KINDS /* makes an inode, but no descriptor */
};
static const char *const names[] = {
	"eventfd",     "epoll",	   "timerfd",	  "inotify",	  "KVM VM",
	"userfaultfd", "io_uring", "guest_memfd", "memfd_secret", "memfd",
	"pidfd",       "pipe",	   "socket",	  "io_setup",
};

static int open_vm(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int vm;

	if (kvm == -1)
		return -1;
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	close(kvm);
	return vm;
}

/* Memory that is the guest's alone: KVM_CREATE_GUEST_MEMFD, Linux 6.8. */
static int open_guest_memfd(void)
{
	struct {
		uint64_t size, flags, reserved[6];
	} create = { .size = 4096 };
	int vm = open_vm(), fd;

	if (vm == -1)
		return -1;
	fd = ioctl(vm, _IOC(_IOC_READ | _IOC_WRITE, KVMIO, 0xd4, 64), &create);
	close(vm);
	return fd;
}

static int set_up_aio(void)
{
	aio_context_t context = 0;

	if (syscall(SYS_io_setup, 1, &context) == -1)
		return -1;
	return syscall(SYS_io_destroy, context);
}

/* A new descriptor, or -1 where there is no such kind. */
static int open_kind(enum kind kind)
{
	struct io_uring_params params = { 0 };
	int ends[2];

	switch (kind) {
	case EVENTFD:
		return eventfd(0, EFD_CLOEXEC);
	case EPOLL:
		return epoll_create1(EPOLL_CLOEXEC);
	case TIMERFD:
		return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	case INOTIFY:
		return inotify_init1(IN_CLOEXEC);
	case KVM_VM:
		return open_vm();
	case USERFAULTFD:
		return syscall(SYS_userfaultfd,
			       O_CLOEXEC | UFFD_USER_MODE_ONLY);
	case IO_URING:
		return syscall(SYS_io_uring_setup, 1, &params);
	case GUEST_MEMFD:
		return open_guest_memfd();
	case SECRETMEM:
		return syscall(SYS_memfd_secret, O_CLOEXEC);
	case MEMFD:
		return memfd_create("census", MFD_CLOEXEC);
	case PIDFD:
		return syscall(SYS_pidfd_open, getpid(), 0);
	case PIPE:
		return pipe2(ends, O_CLOEXEC) == -1 ? -1 : ends[0];
	case SOCKET:
		return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	case AIO:
		return set_up_aio();
	}
	return -1;
}

int count_inodes(const struct stat *files, size_t n)
{
	int count = 0;

	for (size_t i = 0; i < n; i++) {
		size_t first = 0;

		while (files[first].st_dev != files[i].st_dev ||
		       files[first].st_ino != files[i].st_ino)
			first++;
		count += first == i;
	}
	return count;
}

const char *fs_name(unsigned long magic)
{
	static const struct {
		unsigned long magic;
		const char *name;
	} table[] = {
		{ ANON_INODE_FS_MAGIC, "anon_inodefs" },
		{ SECRET_MAGIC, "secretmem" },
		{ TMPFS_MAGIC, "tmpfs" },
		{ PIDFS_MAGIC, "pidfs" },
		{ PIPEFS_MAGIC, "pipefs" },
		{ SOCKFS_MAGIC, "sockfs" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].magic == magic)
			return table[i].name;
	return "?";
}

static void link_text(int fd, char out[64])
{
	char path[32];

	sprintf(path, "/proc/self/fd/%d", fd);
	out[must(readlink(path, out, 63))] = '\0';
}

static int reopen_errno(int fd)
{
	char path[32];
	int again, error;

	sprintf(path, "/proc/self/fd/%d", fd);
	again = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	error = errno_of(again);
	if (!error)
		close(again);
	return error;
}

/* Two of each kind, open until the end: else a number may come again. */
static struct {
	int fd[2];
	struct stat st[2];
	int error; /* why there is none, or 0 */
} census[KINDS];

static bool same_fs(enum kind a, enum kind b)
{
	return census[a].st[0].st_dev == census[b].st[0].st_dev;
}

/* Whether one of @a and another of @b have one inode. */
static bool same_inode(enum kind a, enum kind b)
{
	const struct stat st[] = { census[a].st[0], census[b].st[1] };

	return count_inodes(st, 2) == 1;
}

static void print_row(enum kind kind)
{
	const struct stat *st = census[kind].st;
	int fd = census[kind].fd[0], error = reopen_errno(fd);
	struct statfs fs;
	char text[64];

	must(fstatfs(fd, &fs));
	link_text(fd, text);
	printf("%-12s %8lu %8lu  %-12s %6s  %s\n", names[kind],
	       (unsigned long)st[0].st_ino, (unsigned long)st[1].st_ino,
	       fs_name(fs.f_type), error ? errno_name(error) : "works", text);
}

static void take_census(void)
{
	printf("%-12s %17s  %-12s %6s  %s\n", "two of kind", "their inodes",
	       "file system", "open", "link");
	for (enum kind kind = 0; kind < KINDS; kind++) {
		for (int i = 0; i < 2 && !census[kind].error; i++) {
			census[kind].fd[i] = open_kind(kind);
			census[kind].error = errno_of(census[kind].fd[i]);
			fstat(census[kind].fd[i], &census[kind].st[i]);
		}
		if (census[kind].error)
			printf("%-12s none here: %s\n", names[kind],
			       errno_name(census[kind].error));
		else
			print_row(kind);
	}
}

/* How many inodes MANY descriptors of @kind have, all open at a time. */
static int inodes_of_many(enum kind kind)
{
	struct stat st[MANY];
	int fds[MANY], count;

	for (int i = 0; i < MANY; i++) {
		fds[i] = must(open_kind(kind));
		must(fstat(fds[i], &st[i]));
	}
	count = count_inodes(st, MANY);
	for (int i = 0; i < MANY; i++)
		close(fds[i]);
	return count;
}

static int64_t ns(struct timespec t)
{
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/* Whether the inode of @kind was made since @start. */
static bool made_since(struct timespec start, enum kind kind)
{
	struct timespec made = census[kind].st[0].st_ctim, now;

	clock_gettime(CLOCK_REALTIME, &now);
	/* A clock that was set back shows the boot in the future. */
	return ns(made) >= ns(start) && ns(made) <= ns(now);
}

/* Whether claim @id is skipped because there is no @kind here. */
static bool skipped(enum kind kind, const char *id)
{
	if (census[kind].error)
		claim_skip(id, names[kind], errno_name(census[kind].error),
			   "a kernel that has it, and permits it");
	return census[kind].error != 0;
}

static void the_shared_one(struct timespec start)
{
	int eventfds = inodes_of_many(EVENTFD), memfds = inodes_of_many(MEMFD);
	bool family = true;

	for (enum kind kind = EVENTFD; kind <= INOTIFY; kind++)
		family &= same_inode(EVENTFD, kind);
	printf("inodes of %d eventfds: %d; of %d memfds: %d\n", MANY, eventfds,
	       MANY, memfds);
	printf("the shared inode is %ld s older than this demo\n",
	       (long)(start.tv_sec - census[EVENTFD].st[0].st_ctim.tv_sec));
	claim("shared-inode", family);
	control("shared-inode", !same_inode(MEMFD, MEMFD));
	claim("hundred-eventfds", eventfds == 1);
	control("hundred-eventfds", memfds == MANY);
	claim("made-before", !made_since(start, EVENTFD));
	control("made-before", made_since(start, MEMFD));
}

/* Those on the same file system that want an inode for each descriptor. */
static void the_others(void)
{
	bool all_shared = true, all_own = true;

	for (enum kind kind = USERFAULTFD; kind <= GUEST_MEMFD; kind++) {
		bool own = !same_inode(kind, kind);

		if (census[kind].error || !same_fs(kind, EVENTFD))
			continue;
		all_shared &= !own;
		all_own &= own;
	}
	if (census[IO_URING].error && census[USERFAULTFD].error) {
		skipped(USERFAULTFD, "one-inode");
		skipped(USERFAULTFD, "own-inode");
		return;
	}
	refuted("one-inode", all_shared);
	control("one-inode", same_inode(EVENTFD, TIMERFD));
	claim("own-inode", all_own);
	control("own-inode", same_inode(EVENTFD, EVENTFD));
}

static void other_file_systems(void)
{
	claim("often-miscounted", !same_fs(MEMFD, EVENTFD) &&
					  !same_fs(PIPE, EVENTFD) &&
					  !same_fs(SOCKET, EVENTFD));
	control("often-miscounted", same_fs(EPOLL, EVENTFD));
	if (!skipped(SECRETMEM, "secret-elsewhere")) {
		claim("secret-elsewhere",
		      !same_fs(SECRETMEM, EVENTFD) &&
			      !same_inode(SECRETMEM, SECRETMEM));
		control("secret-elsewhere", same_fs(TIMERFD, EVENTFD));
	}
	if (!skipped(PIDFD, "pidfd-moved")) {
		claim("pidfd-moved",
		      kernel_since(6, 9) == !same_fs(PIDFD, EVENTFD));
		control("pidfd-moved", same_fs(EPOLL, EVENTFD));
	}
}

/*
 * What the kernel does with any open file, and why each needs an inode. The
 * lock is the machine's only one for all of these descriptors; so it also
 * keeps a second run of this demo from meddling with the mode.
 */
static void what_inodes_are_for(void)
{
	const int *eventfd = census[EVENTFD].fd, *memfd = census[MEMFD].fd;
	int timerfd = census[TIMERFD].fd[0], refused;
	int no_entry = geteuid() == 0 ? ENXIO : EACCES;
	char text[64], other[64];
	struct stat st;

	link_text(eventfd[0], text);
	link_text(timerfd, other);
	claim("no-way-back", reopen_errno(eventfd[0]) == no_entry);
	control("no-way-back", reopen_errno(memfd[0]) == 0);
	refuted("no-dentry", strcmp(text, "anon_inode:[eventfd]") != 0);
	control("no-dentry", same_inode(EVENTFD, TIMERFD) &&
				     !strcmp(other, "anon_inode:[timerfd]"));

	must(flock(eventfd[0], LOCK_EX));
	must(flock(memfd[0], LOCK_EX));
	refused = errno_of(flock(timerfd, LOCK_EX | LOCK_NB));
	printf("flock of an eventfd, then of a timerfd: %s\n",
	       errno_name(refused));
	claim("lock-is-shared", refused == EWOULDBLOCK);
	control("lock-is-shared",
		errno_of(flock(memfd[1], LOCK_EX | LOCK_NB)) == 0);

	refused = errno_of(fchmod(eventfd[0], 0640));
	must(fstat(timerfd, &st));
	if (!refused)
		must(fchmod(eventfd[0], 0600));
	must(flock(eventfd[0], LOCK_UN));
	printf("fchmod of an eventfd to 0640: %s; a timerfd's mode: %04o\n",
	       errno_name(refused), st.st_mode & 0777);
	if (refused == EPERM) {
		claim_skip("mode-is-shared", "root, who owns the inode",
			   "EPERM", "run it with sudo");
		return;
	}
	claim("mode-is-shared",
	      (st.st_mode & 0777) == (refused == EOPNOTSUPP ? 0600 : 0640));
	must(fchmod(memfd[0], 0640));
	must(fstat(memfd[1], &st));
	control("mode-is-shared", (st.st_mode & 0777) != 0640);
}

int calls_after(const char *trace, const char *mark, char caller[64])
{
	static const char marker[] = "tracing_mark_write: ";
	char task[64], owner[64], event[128];
	int count = -1;

	/* "NAME-PID [CPU] FLAGS TIME: FUNCTION <-CALLER" */
	for (const char *line = trace; *line;
	     line += strcspn(line, "\n"), line += *line == '\n') {
		if (sscanf(line, " %63[^[#\n][%*d] %*s %*s %127[^\n]", task,
			   event) != 2)
			continue;
		if (count == -1) {
			if (strncmp(event, marker, strlen(marker)) ||
			    strcmp(event + strlen(marker), mark))
				continue;
			strcpy(owner, task);
			count = 0;
		} else if (!strcmp(task, owner)) {
			if (!strncmp(event, marker, strlen(marker)))
				break;
			count += sscanf(event, "%*s <-%63s", caller) == 1;
		}
	}
	return count;
}

/* A tracing instance: settings and a buffer that are the demo's alone. */
static char instance[64];

static int instance_write(const char *file, const char *text)
{
	char path[128];
	int fd;
	bool done;

	sprintf(path, "%s/%s", instance, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd == -1)
		return -1;
	done = write(fd, text, strlen(text)) != -1;
	close(fd);
	return done ? 0 : -1;
}

static void remove_instance(void)
{
	instance_write("current_tracer", "nop");
	rmdir(instance);
}

/* NULL, or what is in the way. */
static const char *start_tracing(void)
{
	if (!probe("tracefs").met)
		return "no tracefs to write to";
	sprintf(instance, TRACEFS "/instances/notelab-%d", getpid());
	if (mkdir(instance, 0700) == -1)
		return "no instance of it";
	atexit(remove_instance);
	if (instance_write("set_ftrace_filter", "alloc_anon_inode") == -1 ||
	    instance_write("current_tracer", "function") == -1)
		return "no tracer for alloc_anon_inode";
	return NULL;
}

static void read_trace(char *text, size_t size)
{
	char path[128];
	size_t len = 0;
	ssize_t got;
	int fd;

	sprintf(path, "%s/trace", instance);
	fd = must(open(path, O_RDONLY | O_CLOEXEC));
	while ((got = must(read(fd, text + len, size - 1 - len))) > 0)
		len += got;
	text[len] = '\0';
	close(fd);
}

static void who_makes_inodes(void)
{
	const char *obstacle = start_tracing();
	static char trace[65536];
	int calls[AIO + 1];
	char caller[64];

	for (int i = 0; obstacle && i < 2; i++)
		claim_skip(i ? "never-its-own" : "makes-new-inode",
			   "the function tracer", obstacle,
			   "root, tracefs, and CONFIG_FUNCTION_TRACER");
	if (obstacle)
		return;
	for (enum kind kind = 0; kind <= AIO; kind++) {
		must(instance_write("trace_marker", names[kind]));
		open_kind(kind);
	}
	read_trace(trace, sizeof(trace));
	puts("who calls alloc_anon_inode(), how often, and from where");
	for (enum kind kind = 0; kind <= AIO; kind++) {
		calls[kind] = calls_after(trace, names[kind], caller);
		if (calls[kind] > 0)
			printf("%-12s %d  %s\n", names[kind], calls[kind],
			       caller);
	}
	claim("makes-new-inode", calls[AIO] == 1);
	control("makes-new-inode", calls[EVENTFD] == 0 && calls[PIPE] == 0);
	if (skipped(USERFAULTFD, "never-its-own"))
		return;
	refuted("never-its-own",
		calls[USERFAULTFD] == 0 || !same_fs(USERFAULTFD, EVENTFD));
	control("never-its-own", calls[MEMFD] == 0 && !same_fs(MEMFD, EVENTFD));
}

static void demo(void)
{
	struct timespec start;

	/* The kernel stamps inodes by the coarse clock, which lags behind. */
	clock_gettime(CLOCK_REALTIME_COARSE, &start);
	take_census();
	puts("\nThe shared inode, and the others");
	the_shared_one(start);
	the_others();
	other_file_systems();
	puts("\nWhy an eventfd has an inode at all");
	what_inodes_are_for();
	puts("\nWhere new ones come from");
	who_makes_inodes();
}

const struct lab lab = {
	.name = "anon_inode_census",
	.demo = demo,
};
