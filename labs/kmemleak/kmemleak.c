// SPDX-License-Identifier: MIT
/*
 * kmemleak - ask the kernel which of its memory nobody can reach any more.
 *
 * A module loses objects in several ways, keeps some, and hides one. The lab
 * scans, and reads which of them are reported, and when. At last it takes the
 * memory away that the detector itself needs.
 */
#include "kmemleak.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/lab.h"
#include "common/module.h"
#include "common/probe.h"
#include "common/spawn.h"
#include "labs/kmemleak/mod/kmemleak_leaks.h"

#define MODULE	   "kmemleak_leaks"
#define KMEMLEAK   "/sys/kernel/debug/kmemleak"
#define OPTION	   "DEBUG_KMEMLEAK_"
#define POOL_EMPTY "kmemleak: Memory pool empty"

/*
 * A copy of the address that was left somewhere may hide a leak, so each is
 * made some times over, and all but one may go unseen.
 */
enum { ALIKE = 5 };

/* The age that kmemleak asks for; a higher one; how long anything may take. */
enum { LEAST_AGE_S = 5, OLD_S = 6, DEADLINE_S = 30 };

static int device; /* of the module */

int kmemleak_tell(const char *command)
{
	int fd = must(open(KMEMLEAK, O_WRONLY | O_CLOEXEC));
	int error = errno_of(write(fd, command, strlen(command)));

	close(fd);
	return error;
}

struct leaks leaks_parse(FILE *report, const char *module)
{
	struct leaks leaks = { 0 };
	char line[256], in_module[80];
	struct leak *leak = NULL, next = { 0 };

	snprintf(in_module, sizeof(in_module), "[%s]", module);
	while (fgets(line, sizeof(line), report)) {
		if (sscanf(line, "unreferenced object %lx (size %zu)",
			   &next.address, &next.size) == 2) {
			if (leaks.n == LEAKS_MAX)
				break;
			leak = &leaks.list[leaks.n++];
			*leak = next;
		} else if (leak && !leak->pid) {
			sscanf(line, " comm \"%15[^\"]\", pid %d", leak->comm,
			       &leak->pid);
		} else if (leak && !leak->by[0] && strstr(line, in_module)) {
			sscanf(line, " [<%*[^>]>] %63[^+]", leak->by);
		}
	}
	return leaks;
}

int leaks_count(const struct leaks *leaks, const char *by, const char *comm)
{
	int count = 0;

	for (size_t i = 0; i < leaks->n; i++)
		count += !strcmp(leaks->list[i].by, by) &&
			 !strcmp(leaks->list[i].comm, comm);
	return count;
}

int leaks_common(const struct leaks *a, const struct leaks *b)
{
	int count = 0;

	for (size_t i = 0; i < a->n; i++)
		for (size_t j = 0; j < b->n; j++)
			count += a->list[i].address == b->list[j].address;
	return count;
}

static struct leaks read_report(void)
{
	FILE *file = must_ptr(fopen(KMEMLEAK, "re"));
	struct leaks leaks = leaks_parse(file, MODULE);

	fclose(file);
	return leaks;
}

/* Where the module allocates: a column for each. */
static const char *const functions[] = { "leak_written", "leak_zeroed",
					 "leak_vmalloc", "leak_pages",
					 "keep",	 "hide",
					 "hold" };

/* The name of the children who allocate. */
static const char *leaker = "leaker";

static bool has(const struct leaks *leaks, const char *by)
{
	return leaks_count(leaks, by, leaker) > 0;
}

/* One scan; prints @when and how many it reports of each kind of object. */
static struct leaks scan(const char *when)
{
	int error = kmemleak_tell("scan");
	struct leaks leaks;

	if (error)
		die("scan: %s", errno_name(error));
	leaks = read_report();
	printf("%-24s", when);
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		printf(" %7d", leaks_count(&leaks, functions[i], leaker));
	puts("");
	return leaks;
}

static uint64_t deadline(void)
{
	return now_ns() + DEADLINE_S * 1000000000ull;
}

static void act(unsigned int command)
{
	must(ioctl(device, command));
}

/*
 * The same as a child that ends: kmemleak also looks for addresses on kernel
 * stacks, and what is left on ours could hide a leak.
 */
static int act_as_leaker(void *command)
{
	must(prctl(PR_SET_NAME, leaker));
	act(*(unsigned int *)command);
	return 0;
}

static void act_apart(unsigned int command, int times)
{
	for (; times > 0; times--) {
		int status = spawn_fn(act_as_leaker, &command, 5000).status;

		if (status)
			die("a child of the lab ended with %#x", status);
	}
}

/* Children that sleep in the kernel, with an address on each one's stack. */
static void start_holders(pid_t holders[ALIKE])
{
	for (int i = 0; i < ALIKE; i++) {
		holders[i] = fork_tied();
		if (holders[i] == 0) {
			must(prctl(PR_SET_NAME, leaker));
			ioctl(device, HOLD);
			_exit(LAB_BROKEN);
		}
	}
}

/* No event to wait for: a scan that asks for the age changes the result. */
static void grow_old(void)
{
	const struct timespec age = { .tv_sec = OLD_S };

	must_zero(clock_nanosleep(CLOCK_MONOTONIC, 0, &age, NULL));
}

static void scan_once_and_twice(void)
{
	struct leaks first = scan("first scan"), second = scan("second scan");
	const struct leak *one = &second.list[0];

	printf("one of them: %zu bytes, allocated by %s, process %s, %d\n",
	       one->size, one->by, one->comm, one->pid);
	refuted("one-scan-lists-all", has(&first, "leak_written"));
	control("one-scan-lists-all", has(&second, "leak_written"));
	claim("zeros-need-one-scan", has(&first, "leak_zeroed"));
	control("zeros-need-one-scan", !has(&first, "leak_written"));
	control("least-age", has(&second, "leak_written"));
	claim("second-scan", has(&second, "leak_written") &&
				     has(&second, "leak_zeroed") &&
				     has(&second, "leak_vmalloc"));
	control("second-scan", !has(&second, "keep"));
	claim("pages-unseen", !has(&second, "leak_pages"));
	control("pages-unseen", has(&second, "leak_vmalloc"));
	claim("report-names-it",
	      leaks_count(&second, "leak_written", "leaker") > 0 &&
		      leaks_count(&second, "leak_written", "newcomer") == 0);
	claim("stack-hides", !has(&second, "hold"));
}

static void what_points(const pid_t holders[ALIKE])
{
	bool vmap = probe("config:VMAP_STACK").met;
	uint64_t end = deadline();
	struct leaks before, leaks;

	act(DROP);
	act(TOUCH);
	must_zero(kmemleak_tell("stack=off"));
	before = scan("drop, touch, stack=off");
	claim("changed-is-spared", !has(&before, "hide"));
	if (vmap)
		claim("stack-off-in-vain", !has(&before, "hold"));
	else
		claim_skip("stack-off-in-vain", "stacks from vmalloc", "others",
			   "a kernel with CONFIG_VMAP_STACK");
	leaks = scan("nothing else");
	control("second-scan", has(&leaks, "keep"));
	claim("hidden-pointer", has(&leaks, "hide"));
	control("changed-is-spared", has(&leaks, "hide"));
	control("clear-hides", leaks_common(&before, &leaks) > 0);

	act(SHOW);
	for (int i = 0; i < ALIKE; i++)
		reap(holders[i], 0);
	do
		leaks = scan("show, holders killed");
	while (!has(&leaks, "hold") && now_ns() < end);
	control("hidden-pointer", !has(&leaks, "hide"));
	control("stack-hides", has(&leaks, "hold"));
	if (vmap)
		control("stack-off-in-vain", has(&leaks, "hold"));
	must_zero(kmemleak_tell("stack=on"));
}

/* Records that kmemleak keeps, one for each object of the kernel's. */
static long count_records(void)
{
	FILE *file = must_ptr(fopen("/proc/slabinfo", "re"));
	char line[256];
	long count = -1;

	while (count == -1 && fgets(line, sizeof(line), file))
		sscanf(line, "kmemleak_object %ld", &count);
	fclose(file);
	return count;
}

/* Returns what was reported before. */
static struct leaks clear(void)
{
	struct leaks before = read_report(), after;
	long records = count_records(), left;

	must_zero(kmemleak_tell("clear"));
	after = scan("clear");
	left = count_records();
	printf("records of objects: %ld, then %ld\n", records, left);
	metric("records", records, "objects");
	claim("clear-hides",
	      before.n > 0 && leaks_common(&before, &after) == 0);
	control("clear-when-off", left > records / 2);
	return before;
}

/* Lose some more, and scan without a break until one is reported. */
static void fresh_leak(struct leaks cleared)
{
	uint64_t born = now_ns(), end = deadline(), start;
	struct leaks leaks;
	char when[32];
	double age;

	leaker = "newcomer";
	act_apart(LEAK_WRITTEN, ALIKE);
	do {
		start = now_ns();
		snprintf(when, sizeof(when), "more, %.1f s old",
			 (start - born) / 1e9);
		leaks = scan(when);
		age = (now_ns() - born) / 1e9;
	} while (!has(&leaks, "leak_written") && now_ns() < end);
	metric("age-when-reported", (start - born) / 1e9, "s");
	claim("new-after-clear", has(&leaks, "leak_written"));
	control("new-after-clear", leaks_common(&cleared, &leaks) == 0);
	/* Its true age at the scan was less than this, after the scan. */
	claim("least-age", has(&leaks, "leak_written") && age > LEAST_AGE_S);
	control("report-names-it",
		leaks_count(&leaks, "leak_written", "newcomer") > 0);
}

/* What follows @words in the kernel's log; NULL if they are not there. */
static const char *logged(const char *words)
{
	static char log[1 << 20];
	int len = must(klogctl(3 /* read all */, log, sizeof(log) - 1));
	const char *at;

	log[len] = '\0';
	at = strstr(log, words);
	return at ? at + strlen(words) : NULL;
}

/* More records than the pool has: first with memory for them, then without. */
static void empty_pool(void)
{
	const char *left = logged("mem pool available: ");
	struct probe pool = probe("config:" OPTION "MEM_POOL_SIZE");
	long size = 0, enough, all;
	bool was_empty;
	int error;

	sscanf(pool.found, "CONFIG_" OPTION "MEM_POOL_SIZE=%ld", &size);
	printf("pool for the boot: %ld records, %ld left after it\n", size,
	       left ? atol(left) : -1);
	enough = must(ioctl(device, RECORD_PAGES, size + 1000));
	was_empty = logged(POOL_EMPTY);
	error = kmemleak_tell("scan");
	printf("%ld pages recorded: scan %s\n", enough, errno_name(error));
	control("pool-empty", enough > size && !was_empty && error == 0);
	control("means-default-off", error == 0);

	all = must(ioctl(device, RECORD_PAGES, LONG_MAX));
	error = kmemleak_tell("scan");
	printf("%ld pages, all there are: scan %s\n", all, errno_name(error));
	claim("pool-empty", logged(POOL_EMPTY) && error == EPERM);
	refuted("means-default-off",
		error == EPERM && probe("config:" OPTION "DEFAULT_OFF").met);
}

static void clear_when_off(void)
{
	struct leaks leaks = read_report();
	long before = count_records(), after;
	uint64_t end = deadline();

	claim("report-stays", has(&leaks, "leak_written"));
	must_zero(kmemleak_tell("clear"));
	/* They are freed some time after the write. */
	do
		after = count_records();
	while (after > before / 10 && now_ns() < end);
	leaks = read_report();
	printf("records of objects: %ld, after clear %ld\n", before, after);
	claim("clear-when-off", after <= before / 10 && leaks.n == 0);
	control("report-stays", leaks.n == 0);
}

static void demo(void)
{
	pid_t holders[ALIKE];

	/* Nobody else scans. */
	must_zero(kmemleak_tell("scan=off"));
	must(module_load(MODULE, ""));
	device = must(open("/dev/" MODULE, O_RDWR | O_CLOEXEC));
	start_holders(holders);
	act_apart(KEEP, 1);
	act_apart(HIDE, 1);
	act_apart(LEAK_WRITTEN, ALIKE);
	act_apart(LEAK_ZEROED, ALIKE);
	act_apart(LEAK_VMALLOC, ALIKE);
	act_apart(LEAK_PAGES, ALIKE);

	puts("How many objects are reported as lost. Lost are 5 each that\n"
	     "are written, zeroed, from vmalloc, whole pages. In use are that\n"
	     "of keep, by a pointer in the module's data, that of hide, by an\n"
	     "inverted one, and 5 of hold, by one on a sleeper's stack.\n");
	printf("Objects %d seconds old  ", OLD_S);
	puts(" written  zeroed vmalloc   pages    keep    hide    hold");
	grow_old();
	scan_once_and_twice();
	puts("\nWhat is a pointer?");
	what_points(holders);
	puts("\nClear, and lose more");
	fresh_leak(clear());
	puts("\nThe detector itself");
	empty_pool();
	clear_when_off();

	must(close(device));
	must(module_unload(MODULE));
}

const struct lab lab = {
	.name = "kmemleak",
	.needs = NEEDS("root", "module", "config:DEBUG_KMEMLEAK"),
	.demo = demo,
};
