// SPDX-License-Identifier: MIT
/*
 * shm_is_tmpfs - what is behind memory that processes share.
 *
 * A file is, always: /proc/self/map_files has a link to it. The demo follows
 * the links of ten kinds of memory, and sees on which file system they end.
 */
#include "shm_is_tmpfs.h"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/lab.h"
#include "common/proc.h"
#include "common/spawn.h"

#define SIZE	   ((size_t)4 << 20)
#define OVERCOMMIT "/proc/sys/vm/nr_overcommit_hugepages"
enum { PAGE = 4096, SIZE_KB = 4096 };

/* Not in the headers of the C library. */
#define HUGE_2MB (21 << 26) /* MAP_HUGE_2MB, SHM_HUGE_2MB, MFD_HUGE_2MB */
#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif
#ifndef SECRETMEM_MAGIC
#define SECRETMEM_MAGIC 0x5345434d
#endif

const char *fs_name(long magic)
{
	static const struct {
		long magic;
		const char *name;
	} table[] = {
		{ TMPFS_MAGIC, "tmpfs" },
		{ RAMFS_MAGIC, "ramfs" },
		{ HUGETLBFS_MAGIC, "hugetlbfs" },
		{ EXT4_SUPER_MAGIC, "ext4" },
		{ XFS_SUPER_MAGIC, "xfs" },
		{ BTRFS_SUPER_MAGIC, "btrfs" },
		{ OVERLAYFS_SUPER_MAGIC, "overlay" },
		{ SECRETMEM_MAGIC, "secretmem" },
		{ ANON_INODE_FS_MAGIC, "anon_inode" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].magic == magic)
			return table[i].name;
	return magic == -1 ? "-" : "?";
}

/* The link to the file behind a mapping; there is none without a file. */
static void link_path(const void *at, size_t size, char path[64])
{
	snprintf(path, 64, "/proc/self/map_files/%lx-%lx", (uintptr_t)at,
		 (uintptr_t)at + size);
}

long magic_behind(const void *at, size_t size)
{
	struct statfs fs;
	char path[64];

	link_path(at, size, path);
	return statfs(path, &fs) == -1 ? -1 : fs.f_type;
}

enum {
	PRIVATE,
	SHARED,
	MEMFD,
	POSIX,
	SYSV,
	HUGE_SHARED,
	HUGE_MEMFD,
	HUGE_SYSV,
	OF_FILE,
	SECRET,
	KINDS
};
static const char *const names[KINDS] = {
	[PRIVATE] = "private anonymous",
	[SHARED] = "shared anonymous",
	[MEMFD] = "memfd_create",
	[POSIX] = "shm_open",
	[SYSV] = "shmget",
	[HUGE_SHARED] = "shared, huge",
	[HUGE_MEMFD] = "memfd, huge",
	[HUGE_SYSV] = "shmget, huge",
	[OF_FILE] = "a file",
	[SECRET] = "memfd_secret",
};

/* An object with a name, which goes at once: the descriptor is enough. */
static int posix_fd(void)
{
	int fd = shm_open("/notelab", O_CREAT | O_EXCL | O_RDWR, 0600);

	if (fd != -1)
		must(shm_unlink("/notelab"));
	return fd;
}

static int file_fd(void)
{
	char name[] = "file-XXXXXX";
	int fd = mkostemp(name, O_CLOEXEC);

	if (fd != -1)
		must(unlink(name));
	return fd;
}

static void *map_fd(int fd)
{
	void *at = MAP_FAILED;

	if (fd == -1)
		return at;
	if (ftruncate(fd, SIZE) == 0)
		at = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			  0);
	close(fd);
	return at;
}

static void *map_anon(int flags)
{
	return mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags,
		    -1, 0);
}

static void *map_sysv(int flags)
{
	int id = shmget(IPC_PRIVATE, SIZE, IPC_CREAT | 0600 | flags);
	void *at;

	if (id == -1)
		return MAP_FAILED;
	at = shmat(id, NULL, 0);
	must(shmctl(id, IPC_RMID, NULL));
	return at;
}

/* SIZE bytes of @kind, not touched; or MAP_FAILED, with errno. */
static void *map_kind(int kind)
{
	switch (kind) {
	case PRIVATE:
		return map_anon(MAP_PRIVATE);
	case SHARED:
		return map_anon(MAP_SHARED);
	case MEMFD:
		return map_fd(memfd_create("lab", MFD_CLOEXEC));
	case POSIX:
		return map_fd(posix_fd());
	case SYSV:
		return map_sysv(0);
	case HUGE_SHARED:
		return map_anon(MAP_SHARED | MAP_HUGETLB | HUGE_2MB);
	case HUGE_MEMFD:
		return map_fd(memfd_create("lab", MFD_HUGETLB | HUGE_2MB));
	case HUGE_SYSV:
		return map_sysv(SHM_HUGETLB | HUGE_2MB);
	case OF_FILE:
		return map_fd(file_fd());
	default:
		return map_fd(syscall(SYS_memfd_secret, O_CLOEXEC));
	}
}

/* How smaps_rollup counts memory, and the names for that in the plot. */
enum { ANON, CACHE, SHMEM, HUGE, COUNTS };
static const char *const count_keys[COUNTS] = { "Pss_Anon", "Pss_File",
						"Pss_Shmem",
						"Private_Hugetlb" };
static const char *const count_names[COUNTS] = { "anon", "file", "shmem",
						 "hugetlb" };

/* What was found out about a kind; @error if it cannot be had. */
struct found {
	int error;
	long magic;
	dev_t dev;
	long kb[COUNTS];
};

static void count_kb(long kb[COUNTS])
{
	for (int i = 0; i < COUNTS; i++)
		kb[i] = proc_field("/proc/self/smaps_rollup", count_keys[i]);
}

/* Most of the memory is counted as @count; the program's own pages vary. */
static bool counts_as(const struct found *found, int count)
{
	return found->kb[count] > SIZE_KB / 2;
}

static struct found look_at(int kind)
{
	struct found found = { .magic = -1 };
	char path[64], name[512] = "no file";
	long before[COUNTS];
	struct stat st;
	void *at;

	count_kb(before);
	at = map_kind(kind);
	if (at == MAP_FAILED) {
		found.error = errno;
		printf("%-20s %s\n", names[kind], errno_name(found.error));
		return found;
	}
	memset(at, 'x', SIZE);
	count_kb(found.kb);
	link_path(at, SIZE, path);
	found.magic = magic_behind(at, SIZE);
	if (stat(path, &st) == 0) {
		found.dev = st.st_dev;
		memset(name, 0, sizeof(name));
		must(readlink(path, name, sizeof(name) - 1));
	}
	if (kind == OF_FILE) /* without its folder */
		memmove(name, basename(name), strlen(basename(name)) + 1);
	printf("%-20s %-10s", names[kind], fs_name(found.magic));
	for (int i = 0; i < COUNTS; i++) {
		found.kb[i] -= before[i];
		printf(" %5ld", found.kb[i]);
	}
	printf("  %s\n", name);
	must(munmap(at, SIZE));
	return found;
}

/* Whether /proc/self/mountinfo has a mount of @dev. */
static bool is_mounted(dev_t dev)
{
	FILE *file = must_ptr(fopen("/proc/self/mountinfo", "re"));
	char line[1024];
	bool mounted = false;
	unsigned int major, minor;

	while (!mounted && fgets(line, sizeof(line), file))
		mounted = sscanf(line, "%*d %*d %u:%u", &major, &minor) == 2 &&
			  makedev(major, minor) == dev;
	fclose(file);
	return mounted;
}

static void skip_two(const char *one, const char *other, const char *need,
		     const char *what, const char *remedy)
{
	claim_skip(one, need, what, remedy);
	claim_skip(other, need, what, remedy);
}

static void the_four(const struct found *found)
{
	const struct found *private = &found[PRIVATE], *posix = &found[POSIX];
	bool tmpfs = true, shmem = true, hidden = true;

	for (int kind = SHARED; kind <= SYSV; kind++) {
		tmpfs &= found[kind].magic == TMPFS_MAGIC;
		shmem &= counts_as(&found[kind], SHMEM);
		hidden &= kind == POSIX || found[kind].dev == found[SHARED].dev;
	}
	if (posix->magic != TMPFS_MAGIC) {
		skip_two("four-are-tmpfs", "mounted-nowhere",
			 "a tmpfs on /dev/shm", "none", "mount one");
		return;
	}
	claim("four-are-tmpfs", tmpfs && shmem);
	control("four-are-tmpfs",
		private->magic == -1 && counts_as(private, ANON));
	claim("mounted-nowhere", hidden && !is_mounted(found[SHARED].dev));
	control("mounted-nowhere", is_mounted(posix->dev));
}

/* The file systems of the kinds @first to @last: claim @id, or skip it. */
static void lie_on(const char *id, const struct found *found, int first,
		   int last, long magic, int count, const char *need,
		   const char *remedy)
{
	bool holds = true;

	for (int kind = first; kind <= last; kind++) {
		if (found[kind].error) {
			claim_skip(id, need, errno_name(found[kind].error),
				   remedy);
			return;
		}
		holds &= found[kind].magic == magic &&
			 counts_as(&found[kind], count);
	}
	claim(id, holds);
	control(id, found[MEMFD].magic == TMPFS_MAGIC &&
			    counts_as(&found[MEMFD], SHMEM));
}

/* io_uring's ring; its file is neither on a disk nor in a tmpfs. */
static long ring_magic(void)
{
	struct io_uring_params params = { 0 };
	int fd = syscall(SYS_io_uring_setup, 4, &params);
	void *at = MAP_FAILED;
	long magic;

	if (fd != -1)
		at = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd,
			  IORING_OFF_SQ_RING);
	if (at == MAP_FAILED)
		return -1;
	magic = magic_behind(at, PAGE);
	must(munmap(at, PAGE));
	close(fd);
	return magic;
}

static void the_others(const struct found *found)
{
	long ring = ring_magic(), here;
	struct statfs fs;
	bool all_tmpfs = ring == -1 || ring == TMPFS_MAGIC, any = ring != -1;

	must(statfs(".", &fs));
	here = fs.f_type;
	for (int kind = HUGE_SHARED; kind < KINDS; kind++) {
		any |= kind != OF_FILE && !found[kind].error;
		all_tmpfs &=
			found[kind].error || found[kind].magic == TMPFS_MAGIC;
	}
	if (any) {
		refuted("all-is-tmpfs", all_tmpfs);
		control("all-is-tmpfs", found[MEMFD].magic == TMPFS_MAGIC);
	} else {
		claim_skip("all-is-tmpfs", "any other kind", "none",
			   "sysctl vm.nr_overcommit_hugepages=2");
	}

	lie_on("huge-is-hugetlbfs", found, HUGE_SHARED, HUGE_SYSV,
	       HUGETLBFS_MAGIC, HUGE, "free huge pages",
	       "sysctl vm.nr_overcommit_hugepages=2");
	lie_on("secret-is-secretmem", found, SECRET, SECRET, SECRETMEM_MAGIC,
	       CACHE, "memfd_secret(2)", "boot with secretmem.enable=1");
	if (here == TMPFS_MAGIC || here == RAMFS_MAGIC)
		claim_skip("file-is-where-it-is", "a folder on a disk",
			   fs_name(here), "run it in another folder");
	else
		lie_on("file-is-where-it-is", found, OF_FILE, OF_FILE, here,
		       CACHE, "a writable folder", "run it elsewhere");
	if (ring == -1) {
		claim_skip("ring-is-anon-inode", "io_uring", "no ring",
			   "sysctl kernel.io_uring_disabled=0");
		return;
	}
	printf("%-20s %s\n", "an io_uring ring", fs_name(ring));
	claim("ring-is-anon-inode", ring == ANON_INODE_FS_MAGIC);
	control("ring-is-anon-inode", found[MEMFD].magic == TMPFS_MAGIC);
}

/* Kinds SHARED to SYSV, in a place with a ramfs on /dev/shm. */
struct elsewhere {
	int error;
	long magic[SYSV + 1];
};

static int over_dev_shm(void *arg)
{
	struct elsewhere *elsewhere = arg;

	if (unshare(CLONE_NEWNS) == -1 ||
	    mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == -1 ||
	    mount("none", "/dev/shm", "ramfs", 0, NULL) == -1) {
		elsewhere->error = errno;
		return 0;
	}
	for (int kind = SHARED; kind <= SYSV; kind++) {
		void *at = map_kind(kind);

		elsewhere->magic[kind] =
			at == MAP_FAILED ? -1 : magic_behind(at, SIZE);
	}
	return 0;
}

static void without_dev_shm(const struct found *found)
{
	struct elsewhere *e =
		must(mmap(NULL, sizeof(*e), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0));

	if (spawn_fn(over_dev_shm, e, 10000).status || e->error) {
		skip_two("need-no-dev-shm", "posix-is-a-path",
			 "mounts of its own", errno_name(e->error),
			 "run it as root");
		return;
	}
	printf("with a ramfs mounted on /dev/shm: shm_open %s, memfd %s, "
	       "shmget %s\n",
	       fs_name(e->magic[POSIX]), fs_name(e->magic[MEMFD]),
	       fs_name(e->magic[SYSV]));
	claim("posix-is-a-path", e->magic[POSIX] == RAMFS_MAGIC);
	control("posix-is-a-path", found[POSIX].magic != RAMFS_MAGIC);
	claim("need-no-dev-shm", e->magic[SHARED] == TMPFS_MAGIC &&
					 e->magic[MEMFD] == TMPFS_MAGIC &&
					 e->magic[SYSV] == TMPFS_MAGIC);
	control("need-no-dev-shm", e->magic[POSIX] != TMPFS_MAGIC);
	must(munmap(e, sizeof(*e)));
}

static int load(void *at)
{
	signal(SIGBUS, SIG_DFL);
	return *(volatile char *)at != 'x';
}

static void what_a_descriptor_can_do(void)
{
	int memfd_fd =
		must(memfd_create("lab", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	int fd = posix_fd(), before, after, by_posix, by_memfd;
	char *at;

	if (fd == -1) {
		skip_two("memfd-takes-seals", "shrink-is-sigbus", "shm_open(3)",
			 "none", "mount a tmpfs on /dev/shm");
		return;
	}
	must(ftruncate(fd, SIZE));
	by_posix = errno_of(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
	by_memfd = errno_of(fcntl(memfd_fd, F_ADD_SEALS, F_SEAL_SHRINK));
	at = must(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	memset(at, 'x', SIZE);
	before = spawn_fn(load, at + SIZE - PAGE, 5000).status;
	must(ftruncate(fd, PAGE));
	after = spawn_fn(load, at + SIZE - PAGE, 5000).status;
	printf("F_ADD_SEALS: shm_open %s, memfd %s\n"
	       "a load after ftruncate: SIG%s\n",
	       errno_name(by_posix), errno_name(by_memfd),
	       WIFSIGNALED(after) ? sigabbrev_np(WTERMSIG(after)) : "-");
	claim("memfd-takes-seals", by_memfd == 0);
	control("memfd-takes-seals", by_posix == EPERM);
	claim("shrink-is-sigbus", WTERMSIG(after) == SIGBUS);
	control("shrink-is-sigbus", before == 0);
	must(munmap(at, SIZE));
	close(fd);
	close(memfd_fd);
}

/* Where even root may not follow the links, nothing can be said. */
static bool may_follow_links(void)
{
	static const char *const ids[] = {
		"four-are-tmpfs",      "mounted-nowhere",
		"all-is-tmpfs",	       "huge-is-hugetlbfs",
		"secret-is-secretmem", "file-is-where-it-is",
		"ring-is-anon-inode",  "posix-is-a-path",
		"need-no-dev-shm",     "memfd-takes-seals",
		"shrink-is-sigbus",
	};
	void *at = must(map_kind(SHARED));
	bool may = magic_behind(at, SIZE) != -1;

	for (size_t i = 0; !may && i < ARRAY_SIZE(ids); i++)
		claim_skip(ids[i], "CAP_SYS_ADMIN", "none", "run it with sudo");
	must(munmap(at, SIZE));
	return may;
}

static void demo(void)
{
	struct found found[KINDS];

	if (!may_follow_links())
		return;
	/* Room for two huge pages, for as long as the lab runs. */
	if (proc_long(OVERCOMMIT) == 0 && access(OVERCOMMIT, W_OK) == 0)
		proc_set(OVERCOMMIT, "2");
	puts("4 MiB, by what           on          anon  file shmem  huge  "
	     "file behind it");
	for (int kind = 0; kind < KINDS; kind++)
		found[kind] = look_at(kind);
	the_four(found);
	the_others(found);
	puts("\nWith another file system on /dev/shm");
	without_dev_shm(found);
	puts("\nWhat the owner of a descriptor can do");
	what_a_descriptor_can_do();
	puts("\nkB as smaps counts them, over the kind");
	for (int kind = 0; kind < KINDS; kind++)
		for (int i = 0; i < COUNTS; i++)
			if (!found[kind].error && counts_as(&found[kind], i))
				point(count_names[i], kind, found[kind].kb[i]);
}

const struct lab lab = {
	.name = "shm_is_tmpfs",
	.needs = NEEDS("root"),
	.demo = demo,
};
