// SPDX-License-Identifier: MIT
/*
 * torn_reads - what a reader sees while a writer writes.
 *
 * A writer on one CPU stores all zeros and all ones in turn, a reader on
 * another looks for anything else. Then the other half of the matter: what a
 * compiler does to a loop that reads a plain flag.
 */
#include "torn_reads.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/lab.h"

#define PAGE 4096

bool is_torn(uint64_t value)
{
	return value != 0 && value != UINT64_MAX;
}

/* One instruction, at any address. */
typedef uint64_t any_u64 __attribute__((aligned(1), may_alias));

static void store_long(void *at, uint64_t value)
{
	*(volatile any_u64 *)at = value;
}

static uint64_t load_long(const void *at)
{
	return *(const volatile any_u64 *)at;
}

/* As code for a 32-bit CPU does it. */
static void store_halves(void *at, uint64_t value)
{
	volatile uint32_t *half = at;

	half[0] = value;
	half[1] = value >> 32;
}

static uint64_t load_halves(const void *at)
{
	const volatile uint32_t *half = at;
	uint64_t low = half[0];

	return low | (uint64_t)half[1] << 32;
}

/* The low half of @a beside the high half of @b. */
static uint64_t fold(uint64_t a, uint64_t b)
{
	return (a & UINT32_MAX) | (b & ~(uint64_t)UINT32_MAX);
}

static void store_int128(void *at, uint64_t value)
{
	*(volatile unsigned __int128 *)at =
		(unsigned __int128)value << 64 | value;
}

static uint64_t load_int128(const void *at)
{
	unsigned __int128 value = *(const volatile unsigned __int128 *)at;

	return fold(value, value >> 64);
}

static void store_byte(void *at, uint64_t value)
{
	*(volatile int8_t *)at = value;
}

static uint64_t load_byte(const void *at)
{
	return (int64_t) * (const volatile int8_t *)at;
}

/* A structure that is whole when both fields are equal. */
struct pair {
	atomic_uint_fast64_t a, b;
};

static void store_pair(void *at, uint64_t value)
{
	struct pair *p = at;

	atomic_store_explicit(&p->a, value, memory_order_relaxed);
	atomic_store_explicit(&p->b, value, memory_order_relaxed);
}

static uint64_t load_pair(const void *at)
{
	const struct pair *p = at;
	uint64_t a = atomic_load_explicit(&p->a, memory_order_relaxed);

	return fold(a, atomic_load_explicit(&p->b, memory_order_relaxed));
}

/* So that the other side gets its turn. */
static void take_a_break(void)
{
	for (volatile int i = 0; i < 100; i++)
		;
}

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

static void store_locked(void *at, uint64_t value)
{
	must_zero(pthread_rwlock_wrlock(&lock));
	store_pair(at, value);
	must_zero(pthread_rwlock_unlock(&lock));
}

static uint64_t load_locked(const void *at)
{
	uint64_t value;

	must_zero(pthread_rwlock_rdlock(&lock));
	value = load_pair(at);
	must_zero(pthread_rwlock_unlock(&lock));
	take_a_break();
	return value;
}

/* Odd while the writer is at work; it never waits for a reader. */
static atomic_uint sequence;
static atomic_long retries;

static void store_counted(void *at, uint64_t value)
{
	unsigned int n = atomic_load_explicit(&sequence, memory_order_relaxed);

	atomic_store_explicit(&sequence, n + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	store_pair(at, value);
	atomic_store_explicit(&sequence, n + 2, memory_order_release);
	take_a_break();
}

static uint64_t load_counted(const void *at)
{
	for (;; atomic_fetch_add(&retries, 1)) {
		unsigned int n =
			atomic_load_explicit(&sequence, memory_order_acquire);
		uint64_t value = load_pair(at);

		atomic_thread_fence(memory_order_acquire);
		if (n % 2 == 0 &&
		    n == atomic_load_explicit(&sequence, memory_order_relaxed))
			return value;
	}
}

const struct access ways[WAYS] = {
	[LONG] = { "long", store_long, load_long },
	[HALVES] = { "long as two ints", store_halves, load_halves },
	[INT128] = { "__int128", store_int128, load_int128 },
	[BYTE] = { "bool", store_byte, load_byte },
	[PAIR] = { "two longs", store_pair, load_pair },
	[PAIR_RWLOCK] = { "two, rwlock", store_locked, load_locked },
	[PAIR_SEQCOUNT] = { "two, seqcount", store_counted, load_counted },
};

/* The writer and the reader, each on a CPU of its own. */
struct race {
	const struct access *way;
	void *at;
	uint64_t step; /* 0: all zeros and all ones in turn; else count by it */
	atomic_bool stop;
};

static int reader_cpu = -1, writer_cpu = -1;

static void *writer(void *arg)
{
	struct race *r = arg;
	uint64_t value = 0;

	while (!atomic_load_explicit(&r->stop, memory_order_relaxed)) {
		value = r->step ? value + r->step : ~value;
		r->way->store(r->at, value);
	}
	return NULL;
}

/* A change is a read that finds another value than the one before. */
struct outcome {
	long reads, changes, torn, backwards;
	uint64_t example; /* the last torn value */
};

static cpu_set_t only(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return set;
}

/*
 * Read until @changes were seen and, if so wished, a torn value or a step
 * back; 20 s at most.
 */
static struct outcome run(struct race r, long changes, bool until_seen)
{
	uint64_t deadline = now_ns() + 20000000000ull, last = 0, value;
	cpu_set_t there = only(writer_cpu);
	struct outcome o = { 0 };
	pthread_attr_t attr;
	pthread_t thread;

	r.way->store(r.at, 0);
	must_zero(pthread_attr_init(&attr));
	must_zero(pthread_attr_setaffinity_np(&attr, sizeof(there), &there));
	must_zero(pthread_create(&thread, &attr, writer, &r));
	pthread_attr_destroy(&attr);
	while ((o.changes < changes ||
		(until_seen && !o.torn && !o.backwards)) &&
	       (o.reads % 256 != 0 || now_ns() < deadline)) {
		value = r.way->load(r.at);
		o.reads++;
		if (value == last)
			continue;
		o.changes++;
		o.backwards += r.step && value < last;
		if (!r.step && is_torn(value)) {
			o.torn++;
			o.example = value;
		}
		last = value;
	}
	atomic_store(&r.stop, true);
	must_zero(pthread_join(thread, NULL));
	return o;
}

static char arena[2 * PAGE] __attribute__((aligned(PAGE)));

static struct outcome race_at(enum way way, int offset, long changes,
			      bool until_torn)
{
	return run((struct race){ .way = &ways[way], .at = arena + offset },
		   changes, until_torn);
}

static struct outcome row(enum way way, int offset, bool until_torn)
{
	struct outcome o = race_at(way, offset, 3000, until_torn);

	printf("%-16s %6d %9ld %8ld %8ld  ", ways[way].name, offset, o.reads,
	       o.changes, o.torn);
	if (o.torn)
		printf("%016llx", (unsigned long long)o.example);
	putchar('\n');
	return o;
}

static bool whole(struct outcome o)
{
	return o.torn == 0 && o.changes >= 200;
}

static void tears(void)
{
	struct outcome aligned, halves, line, edge, page, big, small;

	printf("%-16s %6s %9s %8s %8s  %s\n", "", "offset", "reads", "changes",
	       "torn", "such as");
	aligned = row(LONG, 0, false);
	halves = row(HALVES, 0, true);
	refuted("long-tears", aligned.torn > 0);
	control("long-tears", halves.torn > 0);
	claim("aligned-is-whole",
	      whole(aligned) && whole(row(LONG, 56, false)));
	row(LONG, 1, false);
	row(LONG, 4, false);
	line = row(LONG, 60, true);
	edge = row(LONG, 63, true);
	page = row(LONG, PAGE - 4, true);
	control("aligned-is-whole", line.torn > 0);
	claim("line-border-tears",
	      line.torn > 0 && edge.torn > 0 && page.torn > 0);
	control("line-border-tears", whole(aligned));
	claim("two-halves-tear", halves.torn > 0);
	control("two-halves-tear", whole(aligned));
	big = row(INT128, 0, true);
	claim("int128-tears", big.torn > 0);
	control("int128-tears", whole(aligned));
	small = row(BYTE, 63, false);
	claim("bool-is-whole", whole(small));
	control("bool-is-whole", edge.torn > 0);
}

static void structures(void)
{
	struct outcome bare = row(PAIR, 0, true);
	struct outcome locked = row(PAIR_RWLOCK, 0, false);
	struct outcome counted = row(PAIR_SEQCOUNT, 0, false);

	printf("the reader of the seqcount tried again %ld times\n",
	       atomic_load(&retries));
	claim("half-updated", bare.torn > 0);
	control("half-updated", whole(locked));
	claim("rwlock-excludes", whole(locked));
	control("rwlock-excludes", bare.torn > 0);
	claim("seqcount-retries", whole(counted) && retries > 0);
	control("seqcount-retries", bare.torn > 0);
}

/* Counts by half of what 32 bits hold, so every other step carries. */
static void coherence(void)
{
	struct race r = { .way = &ways[LONG], .at = arena, .step = 1ull << 31 };
	struct outcome one = run(r, 3000, false), two;

	r.way = &ways[HALVES];
	two = run(r, 3000, true);
	printf("a counter in one store:  %ld of %ld changes went back\n",
	       one.backwards, one.changes);
	printf("a counter in two stores: %ld of %ld\n", two.backwards,
	       two.changes);
	claim("never-backwards", one.backwards == 0 && one.changes >= 200);
	control("never-backwards", two.backwards > 0);
}

static void series(void)
{
	int inside = 0, across = 0;

	for (int offset = 0; offset < 128; offset++) {
		struct outcome o = race_at(LONG, offset, 200, false);

		point("torn", offset, 100.0 * o.torn / o.changes);
		if (offset % 64 > 56)
			across += o.torn > 0;
		else if (offset % 8 != 0)
			inside += o.torn > 0;
	}
	printf("of 14 offsets that cross a line, %d tear; of 98 misaligned "
	       "ones inside a line, %d\n",
	       across, inside);
	metric("torn_across_lines", across, "offsets");
	metric("torn_inside_lines", inside, "offsets");
}

static void locks(void)
{
	int read_busy, write_busy, read_twice;

	must_zero(pthread_rwlock_wrlock(&lock));
	read_busy = pthread_rwlock_tryrdlock(&lock);
	must_zero(pthread_rwlock_unlock(&lock));
	must_zero(pthread_rwlock_rdlock(&lock));
	write_busy = pthread_rwlock_trywrlock(&lock);
	read_twice = pthread_rwlock_tryrdlock(&lock);
	must_zero(pthread_rwlock_unlock(&lock));
	if (read_twice == 0)
		must_zero(pthread_rwlock_unlock(&lock));
	printf("held for writing: tryrdlock %s\n", errno_name(read_busy));
	printf("held for reading: trywrlock %s, tryrdlock %s\n",
	       errno_name(write_busy), errno_name(read_twice));
	claim("locks-exclude", read_busy == EBUSY && write_busy == EBUSY);
	control("locks-exclude", read_twice == 0);
}

struct spinner {
	void (*loop)(struct spin *s);
	struct spin spin;
};

static void *spinner(void *arg)
{
	struct spinner *s = arg;

	s->loop(&s->spin);
	return NULL;
}

long rounds_too_many(void (*loop)(struct spin *s), long limit)
{
	struct spinner s = { .loop = loop, .spin.limit = LONG_MAX };
	pthread_t thread;
	long before;

	must_zero(pthread_create(&thread, NULL, spinner, &s));
	while (s.spin.rounds == 0)
		sched_yield();
	*(volatile bool *)&s.spin.flag = true;
	atomic_store_explicit(&s.spin.atomic, true, memory_order_relaxed);
	before = s.spin.rounds;
	s.spin.limit = before + limit;
	must_zero(pthread_join(thread, NULL));
	return s.spin.rounds - before;
}

static bool saw_the_flag(const char *name, void (*loop)(struct spin *s))
{
	const long limit = 20000000;
	long rounds = rounds_too_many(loop, limit);

	printf("%-22s %9ld rounds after the flag was set%s\n", name, rounds,
	       rounds < limit ? "" : ", given up");
	return rounds < limit;
}

static void flags(void)
{
	bool plain = saw_the_flag("plain bool, -O2:", spin_plain);
	bool unoptimised = saw_the_flag("plain bool, -O0:", spin_unoptimised);
	bool forced = saw_the_flag("volatile bool, -O2:", spin_volatile);
	bool relaxed = saw_the_flag("relaxed atomic, -O2:", spin_relaxed);

	refuted("bool-needs-nothing", plain);
	control("bool-needs-nothing", relaxed);
	claim("compiler-did-it", unoptimised && forced);
	control("compiler-did-it", !plain);
	refuted("barrier-makes-it-new", !relaxed);
	control("barrier-makes-it-new", !plain);
}

static bool choose_cpus(const cpu_set_t *set)
{
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, set)) {
			reader_cpu = reader_cpu == -1 ? cpu : reader_cpu;
			writer_cpu = cpu;
		}
	return reader_cpu != writer_cpu;
}

static void races(void)
{
	static const char *const ids[] = {
		"long-tears",	   "aligned-is-whole", "line-border-tears",
		"two-halves-tear", "int128-tears",     "bool-is-whole",
		"half-updated",	   "rwlock-excludes",  "seqcount-retries",
		"never-backwards",
	};
	cpu_set_t all, here;
	char found[64] = "1";
	long changes = 0;

	must(sched_getaffinity(0, sizeof(all), &all));
	if (choose_cpus(&all)) {
		here = only(reader_cpu);
		must(sched_setaffinity(0, sizeof(here), &here));
		/* On two CPUs that take turns, nothing changes under a read. */
		changes = race_at(LONG, 0, 1000, false).changes;
		sprintf(found, "%ld changes seen in 20 s", changes);
	}
	if (changes < 1000) {
		for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
			claim_skip(ids[i], "2 CPUs that run at the same time",
				   found, "run it on 2 idle CPUs");
		must(sched_setaffinity(0, sizeof(all), &all));
		return;
	}
	tears();
	series();
	puts("\nA structure, and who waits for whom");
	structures();
	puts("\nOne variable, one history");
	coherence();
	must(sched_setaffinity(0, sizeof(all), &all));
}

static void demo(void)
{
	races();
	puts("\nThe lock by itself");
	locks();
	puts("\nA loop that waits for a flag");
	flags();
}

const struct lab lab = {
	.name = "torn_reads",
	.demo = demo,
};
