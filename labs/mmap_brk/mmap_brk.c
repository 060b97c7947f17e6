// SPDX-License-Identifier: MIT
/*
 * mmap_brk - where a process's memory comes from, and when.
 *
 * mmap(2) and brk(2) hand out addresses; the first touch of each page brings
 * the memory. Then: what the break is, who limits it, who uses it, and what
 * stands in its way.
 */
#include "mmap_brk.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/lab.h"
#include "common/proc.h"
#include "common/spawn.h"

enum { PAGES = 4096, SIZE = PAGES * PAGE, STEP = PAGES / 32, KIB = 1024 };

/* Outside of user space, and inside of it but far below any program. */
#define KERNEL_HALF ((void *)0xffff800000000000)
#define LOW	    ((void *)0x100000)

long resident_pages(const void *at, size_t pages)
{
	unsigned char *flags = must_ptr(malloc(pages));
	long resident = 0;

	if (mincore((void *)at, pages * PAGE, flags) == -1)
		resident = -1;
	for (size_t i = 0; resident != -1 && i < pages; i++)
		resident += flags[i] & 1;
	free(flags);
	return resident;
}

void touch(void *at, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		((volatile char *)at)[i * PAGE] = 1;
}

unsigned long stat_field(const char *line, int n)
{
	/* The name may contain anything, also blanks and parentheses. */
	const char *at = strrchr(line, ')');

	if (n < 3)
		return n == 1 ? strtoul(line, NULL, 10) : 0;
	for (int field = 2; at && field < n; field++)
		at = strchr(at + 1, ' ');
	return at ? strtoul(at, NULL, 10) : 0;
}

/* Field @n of the stat of @pid, which may be "self". */
static unsigned long read_stat(const char *pid, int n)
{
	char path[64], line[1024] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	fd = must(open(path, O_RDONLY | O_CLOEXEC));
	must(read(fd, line, sizeof(line) - 1));
	close(fd);
	return stat_field(line, n);
}

enum { STAT_END_DATA = 46, STAT_START_BRK = 47 };

bool in_heap(const void *at)
{
	return (uintptr_t)at >= read_stat("self", STAT_START_BRK) &&
	       at < sbrk(0);
}

static void *map(size_t size, int flags)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

/* What an act costs: faults, page tables, and pages with memory. */
struct cost {
	long faults;
	long tables_kb;
	long resident;
};

static struct cost cost_now(void)
{
	struct cost now = { .tables_kb =
				    proc_field("/proc/self/status", "VmPTE") };
	struct rusage usage;

	/* Last, so that the line above does not count. */
	must(getrusage(RUSAGE_SELF, &usage));
	now.faults = usage.ru_minflt;
	return now;
}

static struct cost cost_since(struct cost before, const char *act, void *at)
{
	struct rusage usage;
	struct cost cost;

	must(getrusage(RUSAGE_SELF, &usage));
	cost.faults = usage.ru_minflt - before.faults;
	cost.tables_kb =
		proc_field("/proc/self/status", "VmPTE") - before.tables_kb;
	cost.resident = resident_pages(at, PAGES);
	printf("%-26s %6ld %9ld %+7ld kB\n", act, cost.faults, cost.resident,
	       cost.tables_kb);
	return cost;
}

/* No memory yet. A few faults are the program's own, in new code. */
static bool is_only_address(struct cost cost)
{
	return cost.resident == 0 && cost.tables_kb == 0 && cost.faults < 64;
}

/* One fault a page; a sanitizer's shadow memory adds an eighth. */
static bool is_fault_per_page(struct cost cost)
{
	return cost.resident == PAGES && cost.faults >= PAGES &&
	       cost.faults < PAGES + PAGES / 4;
}

/* 4096 entries fill eight tables, of which one may have been there. */
static bool has_new_tables(struct cost cost)
{
	return cost.tables_kb >= 7 * PAGE / KIB;
}

static void map_then_touch(void)
{
	struct cost before, mapped, touched, again;
	void *at;

	cost_now(); /* its own first faults come before the story */
	puts("16 MiB, 4096 pages          faults  resident  page tables");
	before = cost_now();
	at = must(map(SIZE, 0));
	mapped = cost_since(before, "mmap", at);
	before = cost_now();
	touch(at, PAGES);
	touched = cost_since(before, "  first touch", at);
	before = cost_now();
	touch(at, PAGES);
	again = cost_since(before, "  second touch", at);
	must(munmap(at, SIZE));

	claim("mmap-only-records", is_only_address(mapped));
	refuted("mmap-allocates", mapped.resident > 0 || mapped.tables_kb > 0);
	claim("touch-brings-page",
	      is_fault_per_page(touched) && has_new_tables(touched));
	control("touch-brings-page", again.faults < 64 && !again.tables_kb);
	control("populate-prepays",
		mapped.faults < 64 && is_fault_per_page(touched));

	before = cost_now();
	at = must(map(SIZE, MAP_POPULATE));
	mapped = cost_since(before, "mmap MAP_POPULATE", at);
	before = cost_now();
	touch(at, PAGES);
	touched = cost_since(before, "  first touch", at);
	must(munmap(at, SIZE));

	control("mmap-only-records",
		is_fault_per_page(mapped) && has_new_tables(mapped));
	control("mmap-allocates", mapped.resident > 0 && mapped.tables_kb > 0);
	claim("populate-prepays",
	      is_fault_per_page(mapped) && touched.faults < 64);
}

static void break_then_touch(void)
{
	struct cost before = cost_now(), moved, touched;
	void *at = must(sbrk(SIZE));

	moved = cost_since(before, "sbrk", at);
	before = cost_now();
	touch(at, PAGES);
	touched = cost_since(before, "  first touch", at);
	claim("brk-only-moves-end",
	      is_only_address(moved) && is_fault_per_page(touched));
	must(sbrk(-SIZE));
}

enum { FEW = 8 }; /* pages that fit into any RLIMIT_MEMLOCK */

/* The raw call: sanitizers make the wrapper do nothing. */
static int sbrk_while_locking(void *unused)
{
	void *at;

	(void)unused;
	if (syscall(SYS_mlockall, MCL_FUTURE) == -1)
		return LAB_SKIP;
	at = sbrk(FEW * PAGE);
	return at == (void *)-1 ? LAB_SKIP : resident_pages(at, FEW);
}

static void break_that_populates(void)
{
	int status = spawn_fn(sbrk_while_locking, NULL, 5000).status;

	if (WEXITSTATUS(status) == LAB_SKIP)
		no_control("brk-only-moves-end", "mlockall(2) is not allowed");
	else
		control("brk-only-moves-end", status == FEW << 8);
}

static long rss_kb(void)
{
	/* Counts pages; the sum in "status" lags behind on many CPUs. */
	return proc_field("/proc/self/smaps_rollup", "Rss");
}

static void read_then_write(void)
{
	char *at = must(map(SIZE, 0));
	long before, read, written, sum = 0;

	rss_kb();
	before = rss_kb();
	for (size_t i = 0; i < PAGES; i++)
		sum += ((volatile char *)at)[i * PAGE];
	read = rss_kb() - before;
	touch(at, PAGES);
	written = rss_kb() - before;
	printf("RSS after reading every page %+ld kB (sum %ld), "
	       "after writing %+ld kB\n",
	       read, sum, written);
	claim("reads-share-zero-page", sum == 0 && read < SIZE / KIB / 2);
	control("reads-share-zero-page", written >= SIZE / KIB);
	must(munmap(at, SIZE));
}

/* The best of a few, in ns: mapping 16 MiB, then writing to each page. */
static void time_touching(int flags, uint64_t *map_ns, uint64_t *touch_ns)
{
	*map_ns = *touch_ns = UINT64_MAX;
	for (int round = 0; round < 7; round++) {
		uint64_t start = now_ns(), mapped, touched;
		void *at = must(map(SIZE, flags));

		mapped = now_ns();
		touch(at, PAGES);
		touched = now_ns();
		must(munmap(at, SIZE));
		if (mapped - start < *map_ns)
			*map_ns = mapped - start;
		if (touched - mapped < *touch_ns)
			*touch_ns = touched - mapped;
	}
}

static void what_costs_time(void)
{
	uint64_t map_ns, touch_ns, populate_ns, after_ns;

	time_touching(0, &map_ns, &touch_ns);
	time_touching(MAP_POPULATE, &populate_ns, &after_ns);
	printf("%-26s %9.1f us, touching %9.1f us\n", "mmap", map_ns / 1e3,
	       touch_ns / 1e3);
	printf("%-26s %9.1f us, touching %9.1f us\n", "mmap MAP_POPULATE",
	       populate_ns / 1e3, after_ns / 1e3);
	metric("mmap", map_ns, "ns");
	metric("first-touch", (double)touch_ns / PAGES, "ns/page");
	refuted("mmap-is-the-cost", map_ns > touch_ns / 10);
	control("mmap-is-the-cost", populate_ns > after_ns);
}

static void sweep_one(const char *name, void *at, long rss, long tables)
{
	char series[32];

	for (size_t pages = 0;; pages += STEP) {
		snprintf(series, sizeof(series), "rss-%s", name);
		point(series, pages, rss_kb() - rss);
		snprintf(series, sizeof(series), "tables-%s", name);
		point(series, pages,
		      proc_field("/proc/self/status", "VmPTE") - tables);
		if (pages == PAGES)
			return;
		touch((char *)at + pages * PAGE, STEP);
	}
}

static void sweep(void)
{
	long rss = rss_kb(), tables = cost_now().tables_kb;
	void *at = must(map(SIZE, 0));

	sweep_one("mmap", at, rss, tables);
	must(munmap(at, SIZE));

	rss = rss_kb(), tables = cost_now().tables_kb;
	at = must(map(SIZE, MAP_POPULATE));
	sweep_one("populate", at, rss, tables);
	must(munmap(at, SIZE));

	rss = rss_kb(), tables = cost_now().tables_kb;
	at = must(sbrk(SIZE));
	sweep_one("sbrk", at, rss, tables);
	must(sbrk(-SIZE));
}

/* The kernel's own answer: the break, the new one or the old one. */
static void *raw_brk(void *end)
{
	return (void *)syscall(SYS_brk, end);
}

/* The first page above the break: the one that it grows into next. */
static char *page_above_break(void)
{
	uintptr_t end = (uintptr_t)sbrk(0);

	return (char *)((end + PAGE - 1) / PAGE * PAGE);
}

static void what_the_break_is(void)
{
	char *idle = sbrk(0), *old = sbrk(0), *page = page_above_break();
	char *before = must(sbrk(4 * PAGE)), *grown = sbrk(0);

	printf("sbrk(0) is %p; sbrk(16384) returns %p; sbrk(0) is %p\n", old,
	       before, grown);
	claim("sbrk-adds", before == old && grown == old + 4 * PAGE);
	control("sbrk-adds", idle == old);

	control("sbrk-shrinks", resident_pages(page, 3) == 0);
	must(sbrk(-4 * PAGE));
	claim("sbrk-shrinks",
	      sbrk(0) == old && errno_of(resident_pages(page, 3)) == ENOMEM);

	claim("brk-sets-end",
	      errno_of(brk(old + 100)) == 0 && sbrk(0) == old + 100);
	must(brk(old));
	control("brk-sets-end",
		errno_of(brk(KERNEL_HALF)) == ENOMEM && sbrk(0) == old);

	printf("brk beyond user space: the wrapper fails with ENOMEM, the raw "
	       "call returns %p\n",
	       raw_brk(KERNEL_HALF));
	claim("raw-brk-no-errno", raw_brk(KERNEL_HALF) == old);
	control("raw-brk-no-errno", raw_brk(old + 100) == old + 100);
	must(brk(old));

	claim("low-brk-ignored", errno_of(brk(LOW)) == 0 && sbrk(0) == old);
	control("low-brk-ignored", errno_of(brk(KERNEL_HALF)) == ENOMEM);
}

/* Starts this program afresh, to be looked at before its first instruction. */
static _Noreturn void exec_traced(bool randomized)
{
	if ((randomized || personality(ADDR_NO_RANDOMIZE) != -1) &&
	    ptrace(PTRACE_TRACEME, 0, NULL, NULL) != -1)
		execl("/proc/self/exe", "mmap_brk", "--needs", NULL);
	_exit(LAB_BROKEN);
}

/* From the end of .bss to the start of the heap, in a new process; or -1. */
static long heap_gap(bool randomized)
{
	extern char edata[], end[];
	pid_t child = fork_tied();
	long gap = -1;
	char pid[32];
	int status;

	if (child == 0)
		exec_traced(randomized);
	must(waitpid(child, &status, 0));
	if (!WIFSTOPPED(status))
		return -1;
	/* Its PID as /proc has it, which may show another PID namespace. */
	snprintf(pid, sizeof(pid), "%ld",
		 proc_long("/proc/thread-self/children"));
	if (strcmp(pid, "-1") != 0)
		gap = read_stat(pid, STAT_START_BRK) -
		      read_stat(pid, STAT_END_DATA) -
		      ((uintptr_t)end - (uintptr_t)edata);
	kill(child, SIGKILL);
	reap(child, 0);
	return gap;
}

static void where_the_break_begins(void)
{
	long mode = proc_long("/proc/sys/kernel/randomize_va_space");
	long gap = 0, packed, once;

	/* Chance may pick a gap of 0 once, not three times. */
	for (int round = 0; round < 3 && gap != -1; round++) {
		once = heap_gap(true);
		gap = once == -1 || once > gap ? once : gap;
	}
	packed = heap_gap(false);
	printf("from .bss to the heap: %ld kB; without randomization: "
	       "%ld bytes\n",
	       gap / KIB, packed);
	if (mode != 2 || gap == -1) {
		claim_skip("break-behind-data",
			   "kernel.randomize_va_space=2 and ptrace(2)",
			   gap == -1 ? "no ptrace" : "another setting",
			   "sysctl kernel.randomize_va_space=2");
		return;
	}
	refuted("break-behind-data", gap < PAGE);
	if (packed == -1)
		no_control("break-behind-data", "personality(2) is refused");
	else if (packed >= PAGE && !getauxval(AT_BASE))
		no_control("break-behind-data",
			   "a static PIE never has its heap behind its data");
	else
		control("break-behind-data", packed < PAGE);
}

static void under_data_limit(void)
{
	struct rlimit old, low;
	int by_brk, by_map, by_read_only_map, later;
	void *read_only;

	must(getrlimit(RLIMIT_DATA, &old));
	low = (struct rlimit){ PAGE, old.rlim_max };
	must(setrlimit(RLIMIT_DATA, &low));
	by_brk = errno_of(sbrk(FEW * PAGE));
	by_map = errno_of(map(PAGE, 0));
	read_only =
		mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	by_read_only_map = errno_of(read_only);
	must(setrlimit(RLIMIT_DATA, &old));
	later = errno_of(sbrk(FEW * PAGE));
	must(sbrk(-FEW * PAGE));

	printf("RLIMIT_DATA of one page: sbrk %s, mmap writable %s, "
	       "read-only %s\n",
	       errno_name(by_brk), errno_name(by_map),
	       errno_name(by_read_only_map));
	claim("data-limit-stops-brk", by_brk == ENOMEM);
	control("data-limit-stops-brk", later == 0);
	claim("data-limit-stops-mmap", by_map == ENOMEM);
	control("data-limit-stops-mmap", by_read_only_map == 0);
}

static void beyond_memory(void)
{
	size_t size = 2048 * (proc_field("/proc/meminfo", "MemTotal") +
			      proc_field("/proc/meminfo", "SwapTotal"));
	int by_brk;
	void *at;

	if (proc_long("/proc/sys/vm/overcommit_memory") == 1) {
		claim_skip("brk-needs-memory", "vm.overcommit_memory not 1",
			   "1", "sysctl vm.overcommit_memory=0");
		return;
	}
	by_brk = errno_of(sbrk(size));
	printf("sbrk of %zu MiB, twice the RAM and swap: %s\n", size >> 20,
	       errno_name(by_brk));
	claim("brk-needs-memory", by_brk == ENOMEM);
	at = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	control("brk-needs-memory", errno_of(at) == 0);
	must(munmap(at, size));
}

/* For chunks that stay: the compiler must not drop the call. */
static void *chunk(size_t size)
{
	void *volatile at = must_ptr(malloc(size));

	return at;
}

/* Where the second of two chunks of 1 MiB lies, the first being free again. */
static int second_in_heap(void *is_fixed)
{
	if (*(bool *)is_fixed)
		mallopt(M_MMAP_THRESHOLD, 128 * KIB);
	free(chunk(1024 * KIB));
	return in_heap(chunk(1024 * KIB));
}

static void *thread_in_heap(void *result)
{
	*(bool *)result = in_heap(chunk(1000));
	return NULL;
}

enum { CHUNKS = 64, CHUNK = 64 * KIB };

/* How many of 64 chunks malloc finds elsewhere than in the heap. */
static int chunks_elsewhere(void *is_blocked)
{
	int elsewhere = 0;

	if (*(bool *)is_blocked)
		must(mmap(page_above_break(), PAGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
			  0));
	for (int i = 0; i < CHUNKS; i++)
		elsewhere += !in_heap(chunk(CHUNK));
	return elsewhere;
}

static void who_uses_the_break(void)
{
	static const int sizes[] = { 4, 32, 64, 128, 256, 1024 };
	bool yes = true, no = false, thread = false, small[2];
	bool heap[ARRAY_SIZE(sizes)];
	int moved, fixed, open, blocked;
	pthread_t id;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		heap[i] = in_heap(chunk(sizes[i] * KIB));
		printf("malloc of %4d KiB: %s\n", sizes[i],
		       heap[i] ? "heap, by brk" : "mmap");
	}
	refuted("malloc-avoids-brk", !heap[1] && !heap[2]);
	control("malloc-avoids-brk", !heap[3] && !heap[4] && !heap[5]);

	moved = spawn_fn(second_in_heap, &no, 5000).status;
	fixed = spawn_fn(second_in_heap, &yes, 5000).status;
	printf("1 MiB after a free of 1 MiB: %s; with M_MMAP_THRESHOLD set: "
	       "%s\n",
	       moved ? "heap" : "mmap", fixed ? "heap" : "mmap");
	claim("threshold-moves", moved == true << 8);
	control("threshold-moves", fixed == false << 8);

	must_zero(pthread_create(&id, NULL, thread_in_heap, &thread));
	must_zero(pthread_join(id, NULL));
	small[0] = in_heap(chunk(1000));
	printf("malloc of 1000 bytes: %s; in a second thread: %s\n",
	       small[0] ? "heap" : "mmap", thread ? "heap" : "mmap");
	claim("threads-leave-heap", !thread);
	control("threads-leave-heap", small[0]);

	open = spawn_fn(chunks_elsewhere, &no, 5000).status;
	blocked = spawn_fn(chunks_elsewhere, &yes, 5000).status;
	printf("of 64 chunks of 64 KiB, outside of the heap: %d; "
	       "with the break blocked: %d\n",
	       WEXITSTATUS(open), WEXITSTATUS(blocked));
	claim("malloc-falls-back", WIFEXITED(blocked) &&
					   WEXITSTATUS(blocked) > CHUNKS / 2 &&
					   WEXITSTATUS(blocked) <= CHUNKS);
	control("malloc-falls-back", open == 0);
}

static void skip_malloc(void)
{
	static const char *const ids[] = { "malloc-avoids-brk",
					   "threshold-moves",
					   "threads-leave-heap",
					   "malloc-falls-back" };

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		claim_skip(ids[i], "glibc's malloc", "a sanitizer's",
			   "build without SANITIZE");
}

static void in_the_way(void)
{
	void *wall = must(
		mmap(page_above_break(), PAGE, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));

	claim("break-is-confined", errno_of(sbrk(FEW * PAGE)) == ENOMEM);
	must(munmap(wall, PAGE));
	control("break-is-confined", errno_of(sbrk(FEW * PAGE)) == 0);
	must(sbrk(-FEW * PAGE));
}

/* The errno of mapping page 0; with the capability to, or without any. */
static int map_page_zero(void *is_capable)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct none[2] = { 0 };

	if (!*(bool *)is_capable)
		must(syscall(SYS_capset, &header, none));
	return errno_of(mmap(NULL, PAGE, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
}

static void anywhere(void)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
	bool yes = true, no = false;
	void *old = sbrk(0), *at = mmap(LOW, PAGE, PROT_NONE, flags, -1, 0);
	int low_error = errno_of(at), high_error;
	int user, capable;

	high_error = errno_of(mmap(KERNEL_HALF, PAGE, PROT_NONE, flags, -1, 0));
	user = WEXITSTATUS(spawn_fn(map_page_zero, &no, 5000).status);
	capable = WEXITSTATUS(spawn_fn(map_page_zero, &yes, 5000).status);
	printf("mmap at %p: %s, at %p: %s\n", LOW, errno_name(low_error),
	       KERNEL_HALF, errno_name(high_error));
	printf("mmap at 0 without capabilities: %s, with those we have: %s\n",
	       errno_name(user), errno_name(capable));

	claim("mmap-at-will", low_error == 0 && at == LOW);
	control("mmap-at-will", raw_brk(LOW) == old);
	refuted("mmap-anywhere", high_error == 0);
	control("mmap-anywhere", low_error == 0);
	must(munmap(at, PAGE));

	if (proc_long("/proc/sys/vm/mmap_min_addr") <= 0) {
		claim_skip("low-pages-kept", "vm.mmap_min_addr above 0",
			   "not so", "sysctl vm.mmap_min_addr=65536");
		return;
	}
	claim("low-pages-kept", user == EPERM);
	if (capable == EPERM)
		no_control("low-pages-kept", "CAP_SYS_RAWIO is missing");
	else
		control("low-pages-kept", capable == 0);
}

static void demo(void)
{
	/* A huge page would make one fault of 512. */
	must(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));

	puts("Addresses first, memory at the touch");
	map_then_touch();
	break_then_touch();
	break_that_populates();
	read_then_write();
	what_costs_time();
	puts("\nkB of memory and of page tables, as pages are touched");
	sweep();
	puts("\nWhat the break is");
	what_the_break_is();
	where_the_break_begins();
	puts("\nWho limits it");
	under_data_limit();
	beyond_memory();
	puts("\nWho uses it");
	SANITIZED ? skip_malloc() : who_uses_the_break();
	puts("\nWhat stands in the way");
	in_the_way();
	anywhere();
}

const struct lab lab = {
	.name = "mmap_brk",
	.demo = demo,
};
