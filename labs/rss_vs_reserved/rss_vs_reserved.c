// SPDX-License-Identifier: MIT
/*
 * rss_vs_reserved - what RSS counts, and what it leaves out.
 *
 * A private mapping goes through its life, and after each step there is a
 * row of numbers side by side. Each is "its memory", and few agree. Then
 * memory that RSS hides or exaggerates, and who may look.
 */
#include "rss_vs_reserved.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/lab.h"
#include "common/probe.h"
#include "common/proc.h"
#include "common/spawn.h"

#define KIB	((size_t)1 << 10)
#define MIB	((size_t)1 << 20)
#define HUGE	(2 * MIB)
#define SIZE	(64 * MIB)
#define READ	(32 * MIB)
#define WRITTEN (16 * MIB)
enum { WRITTEN_KB = 16 << 10, HUGE_KB = 2 << 10 };

#define HUGE_2MB   (21 << MAP_HUGE_SHIFT) /* MAP_HUGE_2MB, of linux/mman.h */
#define OVERCOMMIT "/proc/sys/vm/nr_overcommit_hugepages"

/* Newer than the headers of some distributions (Linux 6.1). */
enum { COLLAPSE = 25 }; /* MADV_COLLAPSE */

long smaps_value(const char *smaps, unsigned long at, const char *key)
{
	size_t len = strlen(key);
	bool inside = false;

	for (const char *line = smaps; *line; line += strcspn(line, "\n") + 1) {
		unsigned long start, end;

		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = start <= at && at < end;
		else if (inside && !strncmp(line, key, len) && line[len] == ':')
			return atol(line + len + 1);
		if (!strchr(line, '\n'))
			break;
	}
	return -1;
}

bool pmap_row(const char *out, unsigned long at, long *size, long *rss)
{
	for (const char *line = out; line; line = strchr(line, '\n')) {
		unsigned long start;

		line += *line == '\n';
		if (sscanf(line, "%lx %ld %ld", &start, size, rss) == 3 &&
		    start == at)
			return true;
	}
	return false;
}

/* What smaps says of one mapping, in kB. */
struct row {
	long size, rss, pss, uss, lazy_free;
};

/* The smaps of @pid, as this /proc has it, which may show another namespace. */
static const char *read_smaps(const char *pid)
{
	static char text[1 << 20];
	size_t len = 0, got;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/smaps", pid);
	file = must_ptr(fopen(path, "re"));
	while ((got = fread(text + len, 1, sizeof(text) - 1 - len, file)))
		len += got;
	fclose(file);
	text[len] = '\0';
	return text;
}

static struct row row_of(const char *pid, const void *at)
{
	const char *text = read_smaps(pid);
	unsigned long address = (uintptr_t)at;

	return (struct row){
		.size = smaps_value(text, address, "Size"),
		.rss = smaps_value(text, address, "Rss"),
		.pss = smaps_value(text, address, "Pss"),
		.uss = smaps_value(text, address, "Private_Clean") +
		       smaps_value(text, address, "Private_Dirty"),
		.lazy_free = smaps_value(text, address, "LazyFree"),
	};
}

long rss_kb(const void *at)
{
	return smaps_value(read_smaps("self"), (uintptr_t)at, "Rss");
}

static struct row print_row(const char *state, struct row row)
{
	printf("%-30s %8ld %8ld %8ld %8ld %8ld\n", state, row.size, row.rss,
	       row.pss, row.uss, row.lazy_free);
	return row;
}

char *map_island(size_t size)
{
	char *at = must(mmap(NULL, size + 2 * HUGE, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	at += HUGE - (uintptr_t)at % HUGE;
	must(mprotect(at, size, PROT_READ | PROT_WRITE));
	return at;
}

/* Write to each page; @at may be shared with readers. */
static void fill(volatile char *at, size_t size)
{
	for (size_t i = 0; i < size; i += PAGE)
		at[i] = 'x';
}

/* In how many pages an 'x' is to be read. */
static size_t count_filled(const volatile char *at, size_t size)
{
	size_t filled = 0;

	for (size_t i = 0; i < size; i += PAGE)
		filled += at[i] == 'x';
	return filled;
}

static size_t count_entries(char *at, size_t size)
{
	unsigned char flags[SIZE / PAGE];
	size_t count = 0;

	must(mincore(at, size, flags));
	for (size_t i = 0; i < size / PAGE; i++)
		count += flags[i] & 1;
	return count;
}

static long tables_kb(void)
{
	return proc_field("/proc/self/status", "VmPTE");
}

/* The PID of this process, in the eyes of /proc. */
static void proc_pid(char pid[16])
{
	memset(pid, 0, 16);
	must(readlink("/proc/self", pid, 15));
}

/* What pmap -x says in the columns Kbytes and RSS. */
static void run_pmap(const char *at, long *size, long *rss)
{
	char pid[16];
	const char *const argv[] = { "pmap", "-x", pid, NULL };
	struct spawned pmap;

	proc_pid(pid);
	pmap = spawn_program(argv, NULL, 0, 10000);
	if (!pmap_row(pmap.out, (uintptr_t)at, size, rss))
		die("pmap -x does not show %p", (const void *)at);
	free(pmap.out);
}

static void reserve_read_write(char *at)
{
	struct row reserved, read, written, again;
	struct probe pmap = probe("tool:pmap");
	long size, rss[2], tables, read_tables;
	size_t entries, unread;

	reserved = print_row("reserved", row_of("self", at));
	if (pmap.met)
		run_pmap(at, &size, &rss[0]);
	tables = tables_kb();
	count_filled(at, READ);
	read_tables = tables_kb() - tables;
	read = print_row("32 MiB read", row_of("self", at));
	entries = count_entries(at, READ);
	unread = count_entries(at + READ, SIZE - READ);
	fill(at, WRITTEN);
	written = print_row("16 MiB of that written", row_of("self", at));
	fill(at, WRITTEN);
	again = row_of("self", at);
	printf("reading made %zu entries and %ld kB of page tables\n", entries,
	       read_tables);

	claim("reserve-is-free", reserved.rss == 0);
	control("reserve-is-free", written.rss > 0);
	refuted("rss-is-touched", read.rss == READ / KIB);
	control("rss-is-touched", written.rss == WRITTEN_KB);
	claim("reads-make-entries",
	      read.rss == 0 && entries == READ / PAGE && read_tables >= 60);
	control("reads-make-entries", unread == 0);
	claim("writes-count", written.rss == WRITTEN_KB);
	control("writes-count", again.rss == written.rss);

	if (!pmap.met) {
		claim_skip("pmap-reads-smaps", "tool:pmap", pmap.found,
			   pmap.remedy);
		return;
	}
	run_pmap(at, &size, &rss[1]);
	printf("pmap -x says:                  %8ld %8ld\n", size, rss[1]);
	claim("pmap-reads-smaps",
	      size == written.size && rss[1] == written.rss);
	control("pmap-reads-smaps", rss[0] == 0);
}

/* What a child sees, and then leaves; in memory that parent and child share. */
struct family {
	char *at;
	char parent_pid[16];
	struct row parent, child, parent_after, child_after;
};

static int look_and_write(void *arg)
{
	struct family *family = arg;

	family->parent = row_of(family->parent_pid, family->at);
	family->child = row_of("self", family->at);
	fill(family->at, WRITTEN);
	family->parent_after = row_of(family->parent_pid, family->at);
	family->child_after = row_of("self", family->at);
	return 0;
}

static void forked(char *at)
{
	struct family *f = must(mmap(NULL, sizeof(*f), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0));

	f->at = at;
	proc_pid(f->parent_pid);
	if (spawn_fn(look_and_write, f, 10000).status)
		die("the child failed");
	print_row("after fork: the parent", f->parent);
	print_row("            the child", f->child);
	print_row("child wrote: the parent", f->parent_after);
	print_row("             the child", f->child_after);

	claim("fork-halves-pss",
	      f->parent.rss == WRITTEN_KB && f->child.rss == WRITTEN_KB &&
		      f->parent.pss == WRITTEN_KB / 2 && f->parent.uss == 0);
	control("fork-halves-pss", f->parent_after.pss == WRITTEN_KB &&
					   f->parent_after.uss == WRITTEN_KB);
	refuted("rss-is-cost",
		f->parent.pss + f->child.pss == f->parent.rss + f->child.rss);
	control("rss-is-cost",
		f->parent_after.pss + f->child_after.pss ==
			f->parent_after.rss + f->child_after.rss);
	must(munmap(f, sizeof(*f)));
}

static void given_back(char *at)
{
	const size_t pages = WRITTEN / PAGE;
	struct row freed, taken, dropped;
	size_t kept, left;

	/* What reclaim would do under pressure, at once and to these pages. */
	madvise(at, WRITTEN, MADV_PAGEOUT);
	kept = count_filled(at, WRITTEN);
	fill(at, WRITTEN);
	must(madvise(at, WRITTEN, MADV_FREE));
	freed = print_row("MADV_FREE", row_of("self", at));
	madvise(at, WRITTEN, MADV_PAGEOUT);
	taken = print_row("  and reclaimed", row_of("self", at));
	left = count_filled(at, WRITTEN);
	fill(at, WRITTEN);
	must(madvise(at, WRITTEN, MADV_DONTNEED));
	dropped = print_row("written, MADV_DONTNEED", row_of("self", at));

	claim("freed-stays-in-rss",
	      freed.rss == WRITTEN_KB && freed.lazy_free > WRITTEN_KB / 2);
	control("freed-stays-in-rss", dropped.rss == 0);
	claim("freed-can-go", taken.rss < WRITTEN_KB / 2 && left < pages / 2);
	control("freed-can-go", kept == pages);
	claim("dontneed-is-now",
	      dropped.rss == 0 && count_filled(at, WRITTEN) == 0);
	control("dontneed-is-now", kept == pages);
}

static void shared_and_dropped(void)
{
	int fd = must(memfd_create("shared", MFD_CLOEXEC));
	struct row written, dropped;
	struct stat full, empty;
	size_t filled;
	char *at;

	must(ftruncate(fd, WRITTEN));
	at = must(
		mmap(NULL, WRITTEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	fill(at, WRITTEN);
	written = print_row("shared, 16 MiB written", row_of("self", at));
	must(madvise(at, WRITTEN, MADV_DONTNEED));
	dropped = print_row("shared, MADV_DONTNEED", row_of("self", at));
	must(fstat(fd, &full));
	filled = count_filled(at, WRITTEN);
	must(ftruncate(fd, 0));
	must(fstat(fd, &empty));
	printf("the file behind it still occupies %ld kB\n",
	       (long)full.st_blocks / 2);
	claim("shared-is-hidden", written.rss == WRITTEN_KB &&
					  dropped.rss == 0 &&
					  full.st_blocks / 2 == WRITTEN_KB &&
					  filled == WRITTEN / PAGE);
	control("shared-is-hidden", empty.st_blocks == 0);
	must(munmap(at, WRITTEN));
	close(fd);
}

/* Make the 2 MiB at @at one huge page, if the kernel has any. */
static bool make_huge(char *at)
{
	must(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0));
	madvise(at, HUGE, COLLAPSE);
	must(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	return rss_kb(at) >= HUGE_KB;
}

static void huge(void)
{
	char *at = map_island(HUGE), *pool;
	struct row small, one;
	long in_pool;

	*at = 'x';
	small = row_of("self", at);
	if (make_huge(at)) {
		one = print_row("one byte in a huge page", row_of("self", at));
		claim("huge-exaggerates", one.rss == HUGE_KB);
		control("huge-exaggerates", small.rss == 4);
	} else {
		claim_skip("huge-exaggerates", "MADV_COLLAPSE (Linux 6.1)",
			   "no huge page", "a kernel with huge pages");
	}

	/* Room for one huge page, for as long as the lab runs. */
	if (proc_long(OVERCOMMIT) == 0 && access(OVERCOMMIT, W_OK) == 0)
		proc_set(OVERCOMMIT, "1");
	pool = mmap(NULL, HUGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | HUGE_2MB, -1,
		    0);
	if (pool == MAP_FAILED) {
		claim_skip("hugetlb-is-outside", "a free page for MAP_HUGETLB",
			   errno_name(errno),
			   "sysctl vm.nr_overcommit_hugepages=1");
		return;
	}
	*pool = 'x';
	print_row("one byte with MAP_HUGETLB", row_of("self", pool));
	in_pool = rss_kb(pool);
	fill(at, HUGE);
	claim("hugetlb-is-outside", in_pool == 0);
	control("hugetlb-is-outside", rss_kb(at) == HUGE_KB);
	must(munmap(pool, HUGE));
}

static int open_as_nobody(void *path)
{
	const uid_t nobody = 65534;

	if (getuid() == nobody || setresuid(nobody, nobody, nobody) == -1)
		return LAB_SKIP;
	return errno_of(open(path, O_RDONLY | O_CLOEXEC));
}

static void who_may_look(void)
{
	char pid[16], path[64], line[64];
	int by_nobody, by_us, alive, gone, to_child[2], smaps;
	pid_t child;

	proc_pid(pid);
	snprintf(path, sizeof(path), "/proc/%s/smaps", pid);
	by_nobody = spawn_fn(open_as_nobody, path, 5000).status;
	by_us = errno_of(open(path, O_RDONLY | O_CLOEXEC));
	if (WEXITSTATUS(by_nobody) == LAB_SKIP) {
		claim_skip("others-are-refused", "the right to change users",
			   "none", "run it with sudo");
	} else {
		printf("open as nobody: %s, as the same user: %s\n",
		       errno_name(WEXITSTATUS(by_nobody)), errno_name(by_us));
		claim("others-are-refused", WEXITSTATUS(by_nobody) == EACCES);
		control("others-are-refused", by_us == 0);
	}

	must(pipe2(to_child, O_CLOEXEC));
	child = fork_tied();
	if (child == 0) {
		proc_pid(pid);
		must(write(to_child[1], pid, sizeof(pid)));
		pause();
		_exit(0);
	}
	must(read(to_child[0], pid, sizeof(pid)));
	snprintf(path, sizeof(path), "/proc/%s/smaps", pid);
	smaps = must(open(path, O_RDONLY | O_CLOEXEC));
	alive = errno_of(pread(smaps, line, sizeof(line), 0));
	reap(child, 0);
	gone = errno_of(pread(smaps, line, sizeof(line), 0));
	printf("after the process is gone: read %s, open %s\n",
	       errno_name(gone), errno_name(errno_of(open(path, O_RDONLY))));
	claim("gone-is-esrch",
	      gone == ESRCH && errno_of(open(path, O_RDONLY)) == ENOENT);
	control("gone-is-esrch", alive == 0);
}

/* Rss over the pages touched: by reading, by writing, with huge pages. */
static void series(void)
{
	static const char *const names[] = { "read", "write", "huge" };
	const size_t size = 2 * HUGE, step = size / 16;
	char *at[3];

	for (int i = 0; i < 3; i++)
		at[i] = map_island(size);
	for (size_t done = 0;; done += step) {
		const char *smaps = read_smaps("self");

		for (int i = 0; i < 3; i++)
			point(names[i], done / PAGE,
			      smaps_value(smaps, (uintptr_t)at[i], "Rss"));
		if (done == size)
			break;
		count_filled(at[0] + done, step);
		fill(at[1] + done, step);
		fill(at[2] + done, step);
		if (done % HUGE == 0)
			make_huge(at[2] + done);
	}
}

static void demo(void)
{
	char *at = map_island(SIZE);

	/* Else one write would bring 512 pages. */
	must(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	puts("kB of a mapping                    Size      Rss      Pss      "
	     "Uss LazyFree");
	reserve_read_write(at);
	forked(at);
	given_back(at);
	must(munmap(at, SIZE));
	puts("\nWhat Rss hides, and what it exaggerates");
	shared_and_dropped();
	huge();
	puts("\nWho may look");
	who_may_look();
	puts("\nkB of Rss over the number of pages touched");
	series();
}

const struct lab lab = {
	.name = "rss_vs_reserved",
	.demo = demo,
};
