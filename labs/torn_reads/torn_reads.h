/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * One way to store and load a value at @at. All values that are ever stored
 * are repeated in both halves, so whatever a load returns shows which half is
 * from which store.
 */
struct access {
	const char *name;
	void (*store)(void *at, uint64_t value);
	uint64_t (*load)(const void *at);
};

enum way { LONG, HALVES, INT128, BYTE, PAIR, PAIR_RWLOCK, PAIR_SEQCOUNT, WAYS };
extern const struct access ways[WAYS];

/* Whether @value is none of those that the writer stores, all 0 or all 1. */
bool is_torn(uint64_t value);

/*
 * Loops that wait for a flag of struct spin: a plain bool, compiled with and
 * without optimisation, the same as volatile, and an atomic one. They give up
 * when @rounds reaches @limit. In a file of their own, which is optimised
 * whatever the rest of the lab is.
 */
struct spin {
	bool flag;
	atomic_bool atomic;
	volatile long rounds, limit;
};

void spin_plain(struct spin *s);
void spin_unoptimised(struct spin *s);
void spin_volatile(struct spin *s);
void spin_relaxed(struct spin *s);

/*
 * Run @loop in a thread, set its flags, and give it @limit rounds more. The
 * rounds that it made afterwards: @limit if it never saw the flag.
 */
long rounds_too_many(void (*loop)(struct spin *s), long limit);
