// SPDX-License-Identifier: MIT
/*
 * memfd_seal - hand shared memory to a peer you do not trust.
 *
 * First the two attacks that unsealed memory allows, then the same attacks
 * on sealed memory, then each seal's own rule.
 */
#include "memfd_seal.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <signal.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/kernel.h"
#include "common/lab.h"
#include "common/proc.h"
#include "common/spawn.h"

#define IMMUTABLE (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)
#define PAGE	  4096
/* Newer than the headers of some distributions. */
#define NOEXEC_SEAL 0x0008U /* MFD_NOEXEC_SEAL */

static const struct {
	int bit;
	const char *name;
} seal_table[] = {
	{ F_SEAL_WRITE, "WRITE" },
	{ F_SEAL_SHRINK, "SHRINK" },
	{ F_SEAL_GROW, "GROW" },
	{ F_SEAL_SEAL, "SEAL" },
	{ F_SEAL_FUTURE_WRITE, "FUTURE_WRITE" },
};

const char *seal_names(int seals, char out[SEAL_NAMES_MAX])
{
	char *end = out;

	for (size_t i = 0; i < ARRAY_SIZE(seal_table); i++)
		if (seals & seal_table[i].bit)
			end += sprintf(end, "%s%s", end == out ? "" : "|",
				       seal_table[i].name);
	return end == out ? strcpy(out, "none") : out;
}

static int sealable_memfd(off_t size)
{
	int fd = must(memfd_create("demo", MFD_CLOEXEC | MFD_ALLOW_SEALING));

	must(ftruncate(fd, size));
	return fd;
}

static int add_seals(int fd, int seals)
{
	return fcntl(fd, F_ADD_SEALS, seals);
}

int sealed_memfd(const void *data, size_t len)
{
	int fd = sealable_memfd(0);

	must(write(fd, data, len));
	must(add_seals(fd, IMMUTABLE));
	return fd;
}

bool is_immutable(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);

	return seals != -1 && (seals & IMMUTABLE) == IMMUTABLE;
}

static void print_seals(const char *when, int fd)
{
	char names[SEAL_NAMES_MAX];

	printf("%-28s %s\n", when,
	       seal_names(must(fcntl(fd, F_GET_SEALS)), names));
}

static void *map_shared(int fd, int protection)
{
	return mmap(NULL, PAGE, protection, MAP_SHARED, fd, 0);
}

static long shmem_kb(void)
{
	return proc_field("/proc/meminfo", "Shmem");
}

static void birth(void)
{
	int fd = must(memfd_create("a/b", MFD_CLOEXEC));
	int twin = must(memfd_create("a/b", MFD_CLOEXEC));
	char link[64] = "", proc_path[32], name[251];
	struct stat st, other;
	struct statfs fs;

	must(fstat(fd, &st));
	must(fstatfs(fd, &fs));
	sprintf(proc_path, "/proc/self/fd/%d", fd);
	must(readlink(proc_path, link, sizeof(link) - 1));
	printf("%-28s %s, %ld links, %ld bytes\n", "a new memfd:", link,
	       (long)st.st_nlink, (long)st.st_size);
	print_seals("its seals:", fd);

	claim("no-name-in-fs", st.st_nlink == 0 && fs.f_type == TMPFS_MAGIC &&
				       !strcmp(link, "/memfd:a/b (deleted)"));
	must(stat("/proc/self/exe", &other));
	control("no-name-in-fs", other.st_nlink > 0);

	must(fstat(twin, &other));
	claim("names-are-free", st.st_ino != other.st_ino);
	must(fstat(dup(twin), &st));
	control("names-are-free", st.st_ino == other.st_ino);

	memset(name, 'n', sizeof(name));
	name[250] = '\0';
	claim("name-limit", errno_of(memfd_create(name, 0)) == EINVAL);
	name[249] = '\0';
	control("name-limit", errno_of(memfd_create(name, 0)) == 0);

	refuted("takes-a-size", other.st_size > 0);
	must(ftruncate(twin, PAGE));
	must(fstat(twin, &other));
	control("takes-a-size", other.st_size == PAGE);

	refuted("born-sealable", errno_of(add_seals(fd, F_SEAL_WRITE)) == 0);
	control("born-sealable",
		errno_of(add_seals(sealable_memfd(PAGE), F_SEAL_WRITE)) == 0);
}

static void not_for_every_file(void)
{
	int fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	struct statfs fs;

	if (fd == -1 || fstatfs(fd, &fs) == -1 || fs.f_type != TMPFS_MAGIC) {
		claim_skip("tmpfs-files-seal", "a tmpfs on /dev/shm", "none",
			   "mount one");
		return;
	}
	print_seals("a file on /dev/shm:", fd);
	refuted("tmpfs-files-seal", errno_of(add_seals(fd, F_SEAL_WRITE)) == 0);
	control("tmpfs-files-seal",
		errno_of(add_seals(sealable_memfd(PAGE), F_SEAL_WRITE)) == 0);
	close(fd);
}

/*
 * The peer of the attacks: flips the length that it shares for as long as it
 * may, between one that the receiver accepts and one that it must not use.
 */
enum { ACCEPTED = 16, POISONED = 1 << 20 };

static _Noreturn void flip_length(int fd)
{
	for (int length = ACCEPTED;; length ^= ACCEPTED ^ POISONED)
		if (pwrite(fd, &length, sizeof(length), 0) == -1)
			_exit(errno);
}

/*
 * The receiver: checks the length, works, uses it. Returns in which round
 * the length that it used was not the one that it checked; 0 if that never
 * happened in @rounds, nor before @deadline_s was over.
 */
static int first_double_fetch(const volatile int *length, int rounds,
			      int deadline_s)
{
	uint64_t deadline = now_ns() + deadline_s * 1000000000ull;

	for (int round = 1; round <= rounds && now_ns() < deadline; round++) {
		bool accepted = *length == ACCEPTED;

		sched_yield(); /* the work between check and use */
		if (accepted && *length != ACCEPTED)
			return round;
	}
	return 0;
}

static void attack_length(void)
{
	const int accepted = ACCEPTED;
	int open_fd = sealable_memfd(PAGE);
	int sealed_fd = sealed_memfd(&accepted, sizeof(accepted));
	void *open_map = must(map_shared(open_fd, PROT_READ));
	int *bytes =
		must(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, sealed_fd, 0));
	pid_t peer = fork_tied();
	int hit, miss, status;

	if (peer == 0)
		flip_length(open_fd);
	hit = first_double_fetch(open_map, INT_MAX, 10);
	reap(peer, 0);
	printf("unsealed: checked one length, used another in round %d\n", hit);
	claim("double-fetch", hit > 0);

	peer = fork_tied();
	if (peer == 0)
		flip_length(sealed_fd);
	miss = first_double_fetch(bytes, 100000, 10);
	status = reap(peer, 5000);
	printf("sealed:   100000 rounds, none; the peer's write failed: %s\n",
	       errno_name(WEXITSTATUS(status)));
	control("double-fetch", miss == 0);
	claim("no-double-fetch",
	      is_immutable(sealed_fd) && miss == 0 &&
		      WEXITSTATUS(status) == EPERM &&
		      errno_of(ftruncate(sealed_fd, 0)) == EPERM &&
		      errno_of(map_shared(sealed_fd, PROT_WRITE)) == EPERM);
	control("no-double-fetch", !is_immutable(open_fd) && hit > 0);
}

/* Shrink @fd if it lets us, then load a byte through a mapping of it. */
static int shrink_and_load(void *fd)
{
	volatile char *map =
		must(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, *(int *)fd, 0));

	signal(SIGBUS, SIG_DFL);
	(void)!ftruncate(*(int *)fd, 0);
	return map[0];
}

static void attack_size(void)
{
	int open_fd = sealable_memfd(PAGE);
	int sealed_fd = sealed_memfd("", 1);
	int open_status = spawn_fn(shrink_and_load, &open_fd, 5000).status;
	int sealed_status = spawn_fn(shrink_and_load, &sealed_fd, 5000).status;

	printf("unsealed: a load after the peer shrank the file: SIG%s\n",
	       sigabbrev_np(WTERMSIG(open_status)));
	claim("shrink-is-sigbus", WTERMSIG(open_status) == SIGBUS);
	control("shrink-is-sigbus",
		WIFEXITED(sealed_status) && WEXITSTATUS(sealed_status) == 0);
}

static void write_seal(void)
{
	int fd = sealable_memfd(PAGE);
	void *map = must(map_shared(fd, PROT_WRITE));
	char path[32];
	int again;

	claim("busy-while-mapped",
	      errno_of(add_seals(fd, F_SEAL_WRITE)) == EBUSY);
	must(munmap(map, PAGE));
	control("busy-while-mapped",
		errno_of(add_seals(fd, F_SEAL_WRITE)) == 0);
	print_seals("after F_SEAL_WRITE:", fd);

	claim("size-still-free", errno_of(ftruncate(fd, 2 * PAGE)) == 0);
	must(add_seals(fd, F_SEAL_GROW | F_SEAL_SHRINK));
	control("size-still-free", errno_of(ftruncate(fd, 0)) == EPERM);

	sprintf(path, "/proc/self/fd/%d", fd);
	again = must(open(path, O_RDWR | O_CLOEXEC));
	claim("seals-follow-inode",
	      is_immutable(again) && errno_of(write(again, "x", 1)) == EPERM);
	control("seals-follow-inode", !is_immutable(sealable_memfd(PAGE)));

	map = map_shared(fd, PROT_READ);
	printf("%-28s %s\n", "shared read-only mapping:",
	       map == MAP_FAILED ? errno_name(errno) : "allowed");
	if (map == MAP_FAILED && errno == EPERM && !kernel_since(6, 7)) {
		for (int i = 0; i < 2; i++)
			claim_skip(i ? "stays-read-only" : "read-only-map",
				   "Linux 6.7, or its backport", "EPERM",
				   "a newer kernel");
		return;
	}
	claim("read-only-map", errno_of(map) == 0);
	control("read-only-map",
		errno_of(map_shared(fd, PROT_READ | PROT_WRITE)) == EPERM);
	claim("stays-read-only",
	      errno_of(mprotect(map, PAGE, PROT_WRITE)) == EACCES);
	map = must(map_shared(sealable_memfd(PAGE), PROT_READ));
	control("stays-read-only",
		errno_of(mprotect(map, PAGE, PROT_WRITE)) == 0);
}

static void future_write_seal(void)
{
	int fd = sealable_memfd(PAGE);
	char *map = must(map_shared(fd, PROT_READ | PROT_WRITE));
	char seen = 0;

	must(add_seals(fd, F_SEAL_FUTURE_WRITE));
	print_seals("after F_SEAL_FUTURE_WRITE:", fd);
	map[0] = 'x';
	must(pread(fd, &seen, 1, 0));
	claim("future-write",
	      seen == 'x' && errno_of(write(fd, "y", 1)) == EPERM &&
		      errno_of(map_shared(fd, PROT_WRITE)) == EPERM);
	fd = sealable_memfd(PAGE);
	control("future-write",
		errno_of(write(fd, "y", 1)) == 0 &&
			errno_of(map_shared(fd, PROT_WRITE)) == 0);

	fd = sealable_memfd(PAGE);
	control("sealed-for-good", errno_of(add_seals(fd, F_SEAL_SHRINK)) == 0);
	must(add_seals(fd, F_SEAL_SEAL));
	print_seals("after F_SEAL_SEAL:", fd);
	claim("sealed-for-good", errno_of(add_seals(fd, F_SEAL_GROW)) == EPERM);
}

static void last_reference(void)
{
	const size_t size = 64 << 20;
	int fd = sealable_memfd(size);
	long before, mapped, closed, unmapped;
	char *map;

	before = shmem_kb();
	map = must(mmap(NULL, size, PROT_WRITE, MAP_SHARED, fd, 0));
	memset(map, 1, size);
	mapped = shmem_kb() - before;
	close(fd);
	closed = shmem_kb() - before;
	must(munmap(map, size));
	unmapped = shmem_kb() - before;
	printf("Shmem of a 64 MiB memfd: filled %+ld kB, closed %+ld kB, "
	       "unmapped %+ld kB\n",
	       mapped, closed, unmapped);

	/* Other processes share the counter, so half is close enough. */
	claim("mapping-keeps-it", closed > 32 << 10);
	control("mapping-keeps-it", unmapped < 32 << 10);
}

/* Run the program in @fd; where it may not run, the child says why. */
static int run_memfd(void *fd)
{
	char *argv[] = { "memfd", "--needs", NULL };
	int null = must(open("/dev/null", O_WRONLY | O_CLOEXEC));

	/* What it prints is of no interest, only that it runs. */
	must(dup2(null, STDOUT_FILENO));
	fexecve(*(int *)fd, argv, environ);
	return errno;
}

static int memfd_with_program(unsigned int flags)
{
	int self = must(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
	int fd = memfd_create("program", MFD_CLOEXEC | flags);
	struct stat st;

	if (fd == -1)
		return -1;
	must(fstat(self, &st));
	/* One call moves at most 2 GiB, which a lab is far below. */
	must(sendfile(fd, self, NULL, st.st_size));
	close(self);
	return fd;
}

static void as_program(void)
{
	int plain = must(memfd_with_program(0));
	int noexec = memfd_with_program(NOEXEC_SEAL), error = errno;
	int ran = spawn_fn(run_memfd, &plain, 5000).status, refused;
	struct stat st;

	must(fchmod(plain, 0666));
	refused = spawn_fn(run_memfd, &plain, 5000).status;
	printf("executing a memfd: %s; with mode 666: %s\n",
	       ran == 0 ? "runs" : "fails", errno_name(WEXITSTATUS(refused)));
	claim("runs-as-program", ran == 0);
	control("runs-as-program", WEXITSTATUS(refused) == EACCES);

	if (noexec == -1) {
		claim_skip("noexec-seal", "MFD_NOEXEC_SEAL, Linux 6.3",
			   errno_name(error), "a newer kernel");
		return;
	}
	must(fstat(noexec, &st));
	claim("noexec-seal", (st.st_mode & 0777) == 0666 &&
				     errno_of(fchmod(noexec, 0777)) == EPERM);
	control("noexec-seal", errno_of(fchmod(plain, 0777)) == 0);
}

static void demo(void)
{
	puts("Birth");
	birth();
	not_for_every_file();
	puts("\nTwo attacks, unsealed and sealed");
	attack_length();
	attack_size();
	puts("\nEach seal's own rule");
	write_seal();
	future_write_seal();
	puts("\nLife and death");
	last_reference();
	as_program();
}

const struct lab lab = {
	.name = "memfd_seal",
	.needs = NEEDS("memfd"),
	.demo = demo,
};
