// SPDX-License-Identifier: MIT
/*
 * page_table_levels - nine bits of the address for each level of tables.
 *
 * A page table of 4 kB holds 512 entries of 8 bytes. Touching single bytes at
 * four strides shows how much of the address space each table covers. Then:
 * when tables go away, what huge pages save, and where addresses end.
 */
#include "page_table_levels.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/kernel.h"
#include "common/lab.h"
#include "common/probe.h"
#include "common/proc.h"

#define HUGE	  (2 * MIB)
#define BORDER_47 ((char *)(1ULL << 47)) /* four levels end user space here */

/* Newer than the headers of some distributions (Linux 6.1). */
enum { COLLAPSE = 25 }; /* MADV_COLLAPSE */

struct walk split_address(uintptr_t address)
{
	return (struct walk){
		.pgd = address >> 39 & (ENTRIES - 1),
		.pud = address >> 30 & (ENTRIES - 1),
		.pmd = address >> 21 & (ENTRIES - 1),
		.pte = address >> 12 & (ENTRIES - 1),
		.offset = address & (PAGE - 1),
	};
}

/* @flag with a blank before it: no other flag begins like ours. */
static bool cpu_has(const char *flag)
{
	FILE *file = must_ptr(fopen("/proc/cpuinfo", "re"));
	char line[8192];
	bool found = false;

	while (!found && fgets(line, sizeof(line), file))
		found = strstr(line, flag);
	fclose(file);
	return found;
}

char *map_slots(void)
{
	/* A private mapping that nobody may write is charged to nobody. */
	char *at = must(mmap(NULL, (SLOTS + 1) * SLOT, PROT_READ,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	size_t lead = -(uintptr_t)at % SLOT;

	if (lead)
		must(munmap(at, lead));
	must(munmap(at + lead + SLOTS * SLOT, SLOT - lead));
	return at + lead;
}

void unmap_slots(char *at)
{
	must(munmap(at, SLOTS * SLOT));
}

/* VmPTE, read without malloc(3), whose memory may bring tables of its own. */
static long tables_kb(void)
{
	static char text[4096];
	int fd = must(open("/proc/self/status", O_RDONLY | O_CLOEXEC));

	text[must(read(fd, text, sizeof(text) - 1))] = '\0';
	close(fd);
	return atol(must_ptr(strstr(text, "VmPTE:")) + strlen("VmPTE:"));
}

/* ASan would look at its shadow of the byte, and so add tables of its own. */
#define NO_ASAN __attribute__((no_sanitize("address")))

static NO_ASAN void look_at(const char *at)
{
	(void)*(const volatile char *)at;
}

static NO_ASAN void write_to(char *at)
{
	*(volatile char *)at = 1;
}

long touch_cost(const char *at, size_t stride, int touches, long *each)
{
	long start, before;

	tables_kb(); /* its own first touches do not count */
	start = before = tables_kb();
	for (int i = 0; i < touches; i++) {
		look_at(at + i * stride);
		if (!each)
			continue;
		each[i] = tables_kb() - before;
		before += each[i];
	}
	return tables_kb() - start;
}

/* What each touch costs from entry @first on of a table of @stride's level. */
struct march {
	uintptr_t start;
	long each[ENTRIES + 1];
};

static struct march march(size_t stride, int touches, int first)
{
	char *slots = map_slots();
	struct march m = { .start = (uintptr_t)slots + first * stride };

	touch_cost(slots + first * stride, stride, touches, m.each);
	unmap_slots(slots);
	return m;
}

/* Touches @from to @to - 1 cost @kb each. */
static bool cost_is(const struct march *m, int from, int to, long kb)
{
	while (from < to && m->each[from] == kb)
		from++;
	return from == to;
}

static void print_march(const struct march *m, const char *name, size_t stride,
			int touches)
{
	const int shown[] = { 0, 1, touches - 2, touches - 1 };

	for (int row = 0; row < 4; row++) {
		int i = shown[row];
		struct walk w = split_address(m->start + i * stride);

		printf("%-8s %6d   %5u %5u %5u %5u   %2ld kB\n",
		       row ? "" : name, i, w.pgd, w.pud, w.pmd, w.pte,
		       m->each[i]);
	}
}

/*
 * Nine bits: after the first touch, 511 more cost @kb each, the next one
 * the same and a table more. One entry later, so does the touch before it.
 */
static void nine_bits(const char *id, const char *name, size_t stride, long kb)
{
	const int touches = ENTRIES + 1, last = ENTRIES;
	struct march m = march(stride, touches, 0);
	struct march shifted = march(stride, touches, 1);

	print_march(&m, name, stride, touches);
	claim(id, m.each[0] == 12 && cost_is(&m, 1, last, kb) &&
			  m.each[last] == kb + 4);
	control(id, cost_is(&shifted, 1, last - 1, kb) &&
			    shifted.each[last - 1] == kb + 4);
}

static void four_strides(void)
{
	struct march m, half;

	puts("stride    touch     pgd   pud   pmd   pte   new tables");
	nine_bits("pte-9-bits", "4KiB", PAGE, 0);
	nine_bits("pmd-9-bits", "2MiB", HUGE, 4);
	nine_bits("pud-9-bits", "1GiB", GIB, 8);

	m = march(SLOT, SLOTS, 0);
	half = march(SLOT / 2, SLOTS, 0);
	print_march(&m, "512GiB", SLOT, SLOTS);
	claim("pgd-is-shared", cost_is(&m, 0, SLOTS, 12));
	control("pgd-is-shared",
		half.each[0] == 12 && half.each[1] == 8 && half.each[2] == 12);
}

static void series(const char *name, size_t stride, int most)
{
	for (int touches = 1; touches <= most; touches *= 2) {
		char *slots = map_slots();

		point(name, touches, touch_cost(slots, stride, touches, NULL));
		unmap_slots(slots);
	}
}

static void twelve_bits(void)
{
	char *slots = map_slots();
	unsigned char before[2], after[2]; /* has it an entry? */
	long aligned, shifted, twelve;

	touch_cost(slots, 1, PAGE, NULL);
	must(mincore(slots, sizeof(before) * PAGE, before));
	look_at(slots + PAGE);
	must(mincore(slots, sizeof(after) * PAGE, after));
	printf("entries after touching bytes 0 to 4095: %d, and 4096: %d\n",
	       before[0] + before[1], after[0] + after[1]);
	claim("offset-12-bits", before[0] == 1 && before[1] == 0);
	control("offset-12-bits", after[1] == 1);

	/* The tables above are there by now, but for that of the pages. */
	aligned = touch_cost(slots + 16 * MIB, PAGE, ENTRIES, NULL);
	shifted = touch_cost(slots + 33 * MIB, PAGE, ENTRIES, NULL);
	twelve = touch_cost(slots + 48 * MIB, PAGE, 4096, NULL);
	printf(" 512 pages from a multiple of 2 MiB on:   %2ld kB of tables\n"
	       " 512 pages from the middle of 2 MiB on:   %2ld kB\n"
	       "4096 pages from a multiple of 16 MiB on:  %2ld kB\n",
	       aligned, shifted, twelve);
	claim("unaligned-one-more", shifted == 8);
	control("unaligned-one-more", aligned == 4);
	refuted("pte-takes-12-bits", twelve == 4);
	control("pte-takes-12-bits", aligned == 4);
	unmap_slots(slots);
}

static void emptied_tables(void)
{
	struct probe reclaim = probe("config:PT_RECLAIM");
	long start = tables_kb(), full, partly, emptied, unmapped;
	char *slots = map_slots();

	touch_cost(slots, PAGE, ENTRIES, NULL);
	full = tables_kb() - start;
	must(madvise(slots, HUGE - PAGE, MADV_DONTNEED));
	partly = tables_kb() - start;
	look_at(slots);
	must(madvise(slots, HUGE, MADV_DONTNEED));
	emptied = tables_kb() - start;
	unmap_slots(slots);
	unmapped = tables_kb() - start;
	printf("512 pages: %ld kB of tables; 511 dropped: %ld kB; all: %ld kB; "
	       "unmapped: %ld kB\n",
	       full, partly, emptied, unmapped);

	if (emptied == full && kernel_since(6, 14) && !reclaim.met) {
		claim_skip("dontneed-and-tables", "CONFIG_PT_RECLAIM",
			   reclaim.found, reclaim.remedy);
	} else {
		claim("dontneed-and-tables",
		      emptied == (kernel_since(6, 14) ? full - 4 : full));
		control("dontneed-and-tables",
			kernel_since(6, 14) ? partly == full : unmapped == 0);
	}
	claim("munmap-frees", unmapped == 0);
	control("munmap-frees", full == 12 && emptied >= 8);
}

/*
 * kB of tables for 2 MiB of @fd, or of private memory: as 512 pages, as one
 * huge page, and with one page of that dropped. Whether it became huge is
 * what smaps says under @kind.
 */
static bool collapse(int fd, const char *kind, long kb[3])
{
	int flags = fd == -1 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	char *slots = map_slots(), *at = slots + HUGE;
	bool is_huge;
	long start;

	look_at(slots); /* the tables above are there */
	must(mmap(at, HUGE, PROT_READ | PROT_WRITE, MAP_FIXED | flags, fd, 0));
	start = tables_kb();
	for (int i = 0; i < ENTRIES; i++)
		write_to(at + i * PAGE);
	kb[0] = tables_kb() - start;
	must(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0));
	madvise(at, HUGE, COLLAPSE);
	write_to(at);
	kb[1] = tables_kb() - start;
	is_huge = proc_field("/proc/self/smaps_rollup", kind) == 2048;
	start = tables_kb() - kb[1]; /* without what malloc(3) added */
	must(madvise(at, PAGE, MADV_DONTNEED));
	write_to(at);
	kb[2] = tables_kb() - start;
	must(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	unmap_slots(slots);
	return is_huge;
}

static void huge_pages(void)
{
	int fd = must(memfd_create("huge", MFD_CLOEXEC));
	long anon[3], shared[3];
	bool anon_huge, shared_huge;

	must(ftruncate(fd, HUGE));
	anon_huge = collapse(-1, "AnonHugePages", anon);
	shared_huge = collapse(fd, "ShmemPmdMapped", shared);
	close(fd);
	printf("2 MiB of memory:  512 pages   one huge page   a page dropped\n"
	       "private           %6ld kB   %10ld kB   %11ld kB\n"
	       "shared            %6ld kB   %10ld kB   %11ld kB\n",
	       anon[0], anon[1], anon[2], shared[0], shared[1], shared[2]);
	if (!anon_huge) {
		claim_skip("huge-keeps-table", "MADV_COLLAPSE (Linux 6.1)",
			   "no huge page", "a kernel with huge pages");
		return;
	}
	claim("huge-keeps-table", anon[0] == 4 && anon[1] == 4 && anon[2] == 4);
	if (shared_huge)
		control("huge-keeps-table", shared[0] == 4 && shared[1] == 0);
	else
		no_control("huge-keeps-table", "shared memory stays small");
}

/* The errno of mapping @size bytes, which stay mapped for no longer; or 0. */
static int map_errno(void *hint, size_t size, int flags)
{
	void *at = mmap(hint, size, PROT_READ,
			MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	if (at == MAP_FAILED)
		return errno;
	must(munmap(at, size));
	return 0;
}

int huge_size_errno(int log2)
{
	/* MAP_NORESERVE: the pool of huge pages may be empty. */
	return map_errno(NULL, (size_t)1 << log2,
			 MAP_NORESERVE | MAP_HUGETLB |
				 (unsigned int)log2 << MAP_HUGE_SHIFT);
}

static void page_sizes(void)
{
	bool gib = cpu_has(" pdpe1gb"), only_these = true, plain = true;

	if (huge_size_errno(21) != 0) {
		claim_skip("huge-sizes", "CONFIG_HUGETLBFS",
			   errno_name(huge_size_errno(21)),
			   "a kernel with hugetlbfs");
		return;
	}
	printf("page sizes that MAP_HUGETLB takes:");
	for (int log2 = 12; log2 <= 45; log2++) {
		bool taken = huge_size_errno(log2) == 0;

		if (taken)
			printf(" 2^%d", log2);
		only_these &= taken ? log2 == 21 || (log2 == 30 && gib)
				    : huge_size_errno(log2) == EINVAL;
		plain &= map_errno(NULL, (size_t)1 << log2, 0) == 0;
	}
	printf("; the CPU has %spdpe1gb\n", gib ? "" : "no ");
	claim("huge-sizes", only_these);
	control("huge-sizes", plain);
}

static void end_of_addresses(void)
{
	bool five = cpu_has(" la57");
	char *at = must(mmap(BORDER_47, PAGE, PROT_READ,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	int above = map_errno(BORDER_47, PAGE, MAP_FIXED_NOREPLACE);
	int below = map_errno(BORDER_47 - 2 * PAGE, PAGE, MAP_FIXED_NOREPLACE);

	printf("the CPU has %sla57; asked for 2^47, mmap maps at %p\n",
	       five ? "" : "no ", (void *)at);
	printf("with MAP_FIXED_NOREPLACE at 2^47: %s; two pages below: %s\n",
	       errno_name(above), errno_name(below));
	claim("beyond-2-47",
	      five ? at == BORDER_47 : at < BORDER_47 && above == ENOMEM);
	/* EEXIST: the place exists, something of ours is there. */
	control("beyond-2-47", below == 0 || below == EEXIST);
	must(munmap(at, PAGE));
}

static void demo(void)
{
	/* A huge page would stand for a whole table. */
	must(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	puts("Where the next table begins");
	four_strides();
	twelve_bits();
	puts("\nkB of tables over the number of touches");
	series("4KiB", PAGE, ENTRIES);
	series("2MiB", HUGE, ENTRIES);
	series("1GiB", GIB, ENTRIES);
	series("512GiB", SLOT, SLOTS);
	puts("\nWhen tables go away");
	emptied_tables();
	puts("\nHuge pages end the walk early");
	huge_pages();
	page_sizes();
	puts("\nWhere addresses end");
	end_of_addresses();
}

const struct lab lab = {
	.name = "page_table_levels",
	.demo = demo,
};
