// SPDX-License-Identifier: MIT
/*
 * spin.c - four loops that wait for a flag. Only the way to read it differs.
 *
 * The counter is volatile, so the compiler has to go round; whether it has to
 * look at the flag each time is the question.
 */
#include "torn_reads.h"

#ifdef __clang__
#define UNOPTIMISED __attribute__((optnone))
#else
#define UNOPTIMISED __attribute__((optimize("O0")))
#endif

void spin_plain(struct spin *s)
{
	while (!s->flag && s->rounds < s->limit)
		s->rounds++;
}

UNOPTIMISED void spin_unoptimised(struct spin *s)
{
	while (!s->flag && s->rounds < s->limit)
		s->rounds++;
}

void spin_volatile(struct spin *s)
{
	while (!*(volatile bool *)&s->flag && s->rounds < s->limit)
		s->rounds++;
}

void spin_relaxed(struct spin *s)
{
	while (!atomic_load_explicit(&s->atomic, memory_order_relaxed) &&
	       s->rounds < s->limit)
		s->rounds++;
}
