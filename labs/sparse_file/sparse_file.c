// SPDX-License-Identifier: MIT
/*
 * sparse_file - what a hole is, what it costs to read it and to fill it.
 *
 * Most of it on a tmpfs, which is everywhere; what only a disk shows, in the
 * current directory. Last, a file system of 64 KiB with a file of 1 TiB.
 */
#include "sparse_file.h"

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/lab.h"
#include "common/spawn.h"

enum { PAGES = 16, SIZE = PAGES * PAGE };
#define TIB (1L << 40)

bool is_zero(const char *data, size_t len)
{
	return len == 0 || (*data == 0 && !memcmp(data, data + 1, len - 1));
}

long occupied(int fd)
{
	struct stat st;

	must(fstat(fd, &st));
	return st.st_blocks * 512; /* in this unit whatever the block size */
}

static off_t size_of(int fd)
{
	struct stat st;

	must(fstat(fd, &st));
	return st.st_size;
}

const char *strip(int fd, size_t pages, char out[STRIP_MAX])
{
	for (size_t i = 0; i < pages; i++)
		out[i] = lseek(fd, i * PAGE, SEEK_DATA) == (off_t)i * PAGE
				 ? '#'
				 : '.';
	out[pages] = '\0';
	return out;
}

void copy(int from, int to, bool skip_zeros)
{
	char page[PAGE];
	off_t at = 0;

	for (ssize_t n; (n = must(pread(from, page, PAGE, at))) > 0; at += n)
		if (!skip_zeros || !is_zero(page, n))
			must(pwrite(to, page, n, at));
	must(ftruncate(to, at)); /* for the last hole */
}

static int new_file(off_t size)
{
	int fd = must(memfd_create("sparse", MFD_CLOEXEC));

	must(ftruncate(fd, size));
	return fd;
}

static void write_pages(int fd, off_t first, int count, char byte)
{
	char page[PAGE];

	memset(page, byte, PAGE);
	for (int i = 0; i < count; i++)
		must(pwrite(fd, page, PAGE, (first + i) * PAGE));
}

static void punch(int fd, off_t first, off_t count)
{
	must(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		       first * PAGE, count * PAGE));
}

static bool reads_zero(int fd, off_t first, int count)
{
	static char data[SIZE];

	must(pread(fd, data, count * PAGE, first * PAGE));
	return is_zero(data, count * PAGE);
}

static void row(const char *what, int fd)
{
	char out[STRIP_MAX];

	printf("%-26s %19ld %9ld  %s\n", what, (long)size_of(fd), occupied(fd),
	       strip(fd, PAGES, out));
}

static void zeros_and_holes(void)
{
	int zeros = new_file(0), hole = new_file(SIZE), far = new_file(0);
	int punched = new_file(0);

	write_pages(zeros, 0, PAGES, 0);
	row("64 KiB of zeros, written", zeros);
	row("64 KiB by ftruncate", hole);
	refuted("zeros-are-holes", occupied(zeros) == 0);
	control("zeros-are-holes", occupied(hole) == 0);
	claim("hole-is-free", occupied(hole) == 0 && size_of(hole) == SIZE);
	control("hole-is-free", occupied(zeros) == SIZE);

	must(pwrite(far, "x", 1, TIB - 1));
	row("one byte before 1 TiB", far);
	claim("one-byte-one-page", occupied(far) == PAGE);
	control("one-byte-one-page", occupied(zeros) == SIZE);

	write_pages(punched, 0, PAGES, 'x');
	row("64 KiB of x", punched);
	control("hole-reads-zero", !reads_zero(punched, 4, 8));
	punch(punched, 4, 8);
	row("32 KiB of it punched", punched);
	claim("hole-reads-zero",
	      reads_zero(punched, 4, 8) && reads_zero(hole, 0, PAGES));
	claim("punch-frees",
	      occupied(punched) == SIZE / 2 && size_of(punched) == SIZE);
	write_pages(punched, 4, 8, 0);
	row("zeros written there", punched);
	control("punch-frees", occupied(punched) == SIZE);
}

static void walk(void)
{
	int fd = new_file(SIZE), full = new_file(0);
	int after;

	write_pages(full, 0, PAGES, 'x');
	write_pages(fd, 2, 2, 'x');
	write_pages(fd, 9, 1, 'x');
	row("data at 2, 3 and 9", fd);
	after = errno_of(lseek(fd, 10 * PAGE, SEEK_DATA));
	printf("data from 0: %ld, hole from there: %ld, data from 40960: %s\n",
	       (long)lseek(fd, 0, SEEK_DATA),
	       (long)lseek(fd, 2 * PAGE, SEEK_HOLE), errno_name(after));
	claim("seek-finds-data",
	      lseek(fd, 0, SEEK_DATA) == 2 * PAGE &&
		      lseek(fd, 4 * PAGE, SEEK_DATA) == 9 * PAGE);
	control("seek-finds-data", lseek(full, 0, SEEK_DATA) == 0);
	claim("no-data-is-enxio", after == ENXIO);
	control("no-data-is-enxio",
		lseek(fd, 10 * PAGE - 1, SEEK_DATA) == 10 * PAGE - 1);
	claim("hole-at-end", lseek(full, 0, SEEK_HOLE) == SIZE);
	control("hole-at-end", lseek(fd, 0, SEEK_HOLE) == 0);
}

static int resident(volatile char *map)
{
	unsigned char pages[PAGES];
	int count = 0;

	must(mincore((char *)map, SIZE, pages));
	for (int i = 0; i < PAGES; i++)
		count += pages[i] & 1;
	return count;
}

static void cost(const char *act, volatile char *map, int fd)
{
	printf("%-28s %2d pages in memory, %5ld bytes occupied\n", act,
	       resident(map), occupied(fd));
}

static void read_holes(void)
{
	int fd = new_file(SIZE);
	volatile char *map =
		must(mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0));

	reads_zero(fd, 0, PAGES);
	cost("tmpfs, by read(2):", map, fd);
	claim("read-leaves-tmpfs", resident(map) == 0 && occupied(fd) == 0);
	control("load-fills-tmpfs", occupied(fd) == 0);
	for (int i = 0; i < PAGES; i++)
		(void)map[i * PAGE];
	cost("tmpfs, by loads:", map, fd);
	control("read-leaves-tmpfs", resident(map) == PAGES);
	claim("load-fills-tmpfs", occupied(fd) == SIZE);
}

/* What FIEMAP says of the first pages, as strip() does; how many extents. */
static int fiemap(int fd, char out[STRIP_MAX])
{
	union {
		struct fiemap map;
		char room[sizeof(struct fiemap) +
			  PAGES * sizeof(struct fiemap_extent)];
	} u = { .map = { .fm_length = SIZE,
			 .fm_flags = FIEMAP_FLAG_SYNC,
			 .fm_extent_count = PAGES } };

	must(ioctl(fd, FS_IOC_FIEMAP, &u.map));
	memset(out, '.', PAGES);
	out[PAGES] = '\0';
	for (unsigned int i = 0; i < u.map.fm_mapped_extents; i++) {
		const struct fiemap_extent *e = &u.map.fm_extents[i];

		memset(out + e->fe_logical / PAGE, '#', e->fe_length / PAGE);
	}
	return u.map.fm_mapped_extents;
}

static void on_ext4(int fd)
{
	char map[STRIP_MAX], walked[STRIP_MAX];
	int before, extents, beyond;
	volatile char *pages;

	must(ftruncate(fd, SIZE));
	pages = must(mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0));
	before = resident(pages);
	reads_zero(fd, 0, PAGES);
	cost("ext4, by read(2):", pages, fd);
	claim("read-fills-cache",
	      resident(pages) == PAGES && occupied(fd) == 0);
	control("read-fills-cache", before == 0);

	control("fiemap-agrees", fiemap(fd, map) == 0);
	write_pages(fd, 2, 2, 'x');
	write_pages(fd, 9, 1, 'x');
	extents = fiemap(fd, map);
	row("ext4, data at 2, 3 and 9", fd);
	printf("%56s  %s by FIEMAP\n", "", map);
	claim("fiemap-agrees",
	      extents == 2 && !strcmp(map, strip(fd, PAGES, walked)));

	beyond = errno_of(ftruncate(fd, 16 * TIB - PAGE + 1));
	printf("ext4, one byte more than 16 TiB - 4096: %s\n",
	       errno_name(beyond));
	claim("ext4-below-16-tib", beyond == EFBIG);
	control("ext4-below-16-tib",
		errno_of(ftruncate(fd, 16 * TIB - PAGE)) == 0 &&
			size_of(fd) == 16 * TIB - PAGE);
}

static void try_ext4(void)
{
	static const char *const ids[] = { "read-fills-cache", "fiemap-agrees",
					   "ext4-below-16-tib" };
	int fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	struct statfs fs;

	if (fd != -1 && fstatfs(fd, &fs) == 0 &&
	    fs.f_type == EXT4_SUPER_MAGIC && fs.f_bsize == PAGE) {
		on_ext4(fd);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		claim_skip(ids[i], "ext4 with blocks of 4096 bytes",
			   "another file system here", "run it on such a disk");
}

static void largest(void)
{
	int fd = new_file(0), more;

	must(ftruncate(fd, INT64_MAX));
	row("8 EiB - 1 by ftruncate", fd);
	more = errno_of(fallocate(fd, 0, INT64_MAX, 1));
	printf("one byte more: %s\n", errno_name(more));
	claim("tmpfs-to-8-eib", size_of(fd) == INT64_MAX && occupied(fd) == 0);
	control("tmpfs-to-8-eib", more == EFBIG);
}

/* A file on a new tmpfs of 64 KiB, which is mounted nowhere. */
static int file_on_small_tmpfs(void)
{
	int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), mount = -1, fd = -1;

	if (fs != -1 &&
	    fsconfig(fs, FSCONFIG_SET_STRING, "size", "64k", 0) == 0 &&
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		mount = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (mount != -1)
		fd = openat(mount, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return fd;
}

static void map_id(const char *path, unsigned int id)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	dprintf(fd, "%u %u 1", id, id);
	close(fd);
}

/*
 * The same without privilege: a child gets it in a user namespace of its
 * own. It shares our descriptors, so what it opens stays open here.
 */
static int file_by_namespace(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	pid_t pid = must(syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0));
	int fd, groups;

	if (pid == 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNS) == -1)
			_exit(0);
		groups = open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC);
		dprintf(groups, "deny");
		close(groups);
		map_id("/proc/self/uid_map", uid);
		map_id("/proc/self/gid_map", gid);
		fd = file_on_small_tmpfs();
		_exit(fd == -1 ? 0 : fd);
	}
	fd = WEXITSTATUS(reap(pid, 5000));
	return fd ? fd : -1;
}

/* Touch the page at @at; the code of the SIGBUS that it raises, or 0. */
static sigjmp_buf back;
static siginfo_t bus;

static void on_bus(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	bus = *info;
	siglongjmp(back, 1);
}

static int touch(volatile char *at, bool store)
{
	memset(&bus, 0, sizeof(bus));
	if (sigsetjmp(back, true) == 0) {
		if (store)
			*at = 'x';
		else
			(void)*at;
	}
	return bus.si_addr == at ? bus.si_code : 0;
}

static void fill_up(int fd)
{
	const struct sigaction catch = { .sa_sigaction = on_bus,
					 .sa_flags = SA_SIGINFO };
	struct sigaction old;
	int taken = 0, refused, stored, loaded;
	volatile char *map;

	must(ftruncate(fd, TIB));
	while (taken < 2 * PAGES && pwrite(fd, "x", 1, taken * 3 * PAGE) == 1)
		taken++;
	refused = errno_of(pwrite(fd, "x", 1, taken * 3 * PAGE));
	row("1 TiB on 64 KiB, full", fd);
	printf("pages taken: %d, then write: %s\n", taken, errno_name(refused));
	claim("larger-than-disk", size_of(fd) == TIB && occupied(fd) == SIZE);
	claim("write-is-enospc", taken == PAGES && refused == ENOSPC);

	/* Page 0 is there, page 1 is a hole. */
	map = must(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			0));
	must(sigaction(SIGBUS, &catch, &old));
	stored = touch(map + PAGE, true);
	loaded = touch(map + PAGE, false);
	printf("in a hole: a store %s, a load %s, read(2) %s\n",
	       stored == BUS_ADRERR ? "SIGBUS" : "?",
	       loaded == BUS_ADRERR ? "SIGBUS" : "?",
	       reads_zero(fd, 1, 1) ? "zeros" : "?");
	refuted("always-enospc", stored == 0);
	control("always-enospc", touch(map, true) == 0);
	claim("store-is-sigbus", stored == BUS_ADRERR);
	claim("load-is-sigbus", loaded == BUS_ADRERR && reads_zero(fd, 1, 1));
	punch(fd, 3, 1);
	control("larger-than-disk", occupied(fd) == SIZE - PAGE);
	control("store-is-sigbus", touch(map + PAGE, true) == 0);
	punch(fd, 1, 1);
	control("load-is-sigbus", touch(map + PAGE, false) == 0);
	punch(fd, 1, 1);
	control("write-is-enospc", pwrite(fd, "x", 1, 3 * PAGE) == 1);
	must(sigaction(SIGBUS, &old, NULL));
}

static void full_disk(void)
{
	static const char *const ids[] = { "larger-than-disk",
					   "write-is-enospc", "always-enospc",
					   "store-is-sigbus",
					   "load-is-sigbus" };
	int fd = file_on_small_tmpfs(), error = errno;

	if (fd == -1 && error == EPERM)
		fd = file_by_namespace();
	if (fd != -1) {
		fill_up(fd);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		claim_skip(ids[i], "a tmpfs of one's own", errno_name(error),
			   "run it with sudo, or allow user namespaces");
}

static bool same_bytes(int a, int b)
{
	static char x[SIZE], y[SIZE];

	return must(pread(a, x, SIZE, 0)) == SIZE &&
	       must(pread(b, y, SIZE, 0)) == SIZE && !memcmp(x, y, SIZE);
}

static void copies(void)
{
	int from = new_file(SIZE), all = new_file(0), data = new_file(0);

	write_pages(from, 2, 2, 'x');
	write_pages(from, 9, 4, 0);
	row("x at 2-3, zeros at 9-12", from);
	copy(from, all, false);
	row("copied byte by byte", all);
	copy(from, data, true);
	row("copied without zero pages", data);
	claim("copy-fills-holes", occupied(all) == SIZE);
	control("copy-fills-holes", occupied(data) < occupied(from));
	claim("copy-makes-holes",
	      occupied(data) == 2 * PAGE && same_bytes(from, data));
	control("copy-makes-holes",
		occupied(from) == 6 * PAGE && same_bytes(from, all));
}

static void series(void)
{
	for (int pages = PAGES; pages <= 16 * PAGES; pages += PAGES) {
		int full = new_file(0), far = new_file(0), kib = pages * 4;

		write_pages(full, 0, pages, 'x');
		point("written", kib, occupied(full) / 1024);
		for (int i = 0; i < pages; i += 2)
			punch(full, i, 1);
		point("punched", kib, occupied(full) / 1024);
		must(pwrite(far, "x", 1, pages * PAGE - 1));
		point("sought", kib, occupied(far) / 1024);
		close(full);
		close(far);
	}
}

static void demo(void)
{
	printf("%-26s %19s %9s  %s\n", "Files on a tmpfs", "size", "occupied",
	       "first 16 pages");
	zeros_and_holes();
	walk();
	largest();
	puts("\nCopies");
	copies();
	series();
	puts("\nWhat it costs to read 16 pages of hole");
	read_holes();
	puts("\nOn a disk");
	try_ext4();
	puts("\nA file system of 64 KiB");
	full_disk();
}

const struct lab lab = {
	.name = "sparse_file",
	.demo = demo,
};
