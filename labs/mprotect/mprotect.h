/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { PAGE = 4096 };

/*
 * The si_code of the SIGSEGV that a load from @at raises, or 0 if none;
 * and that of a store, of the byte that is there already.
 */
int load_fault(void *at);
int store_fault(void *at);

/* How many mappings of @maps, a /proc/PID/maps, overlap [@from, @to). */
int count_vmas(FILE *maps, uintptr_t from, uintptr_t to);

/*
 * A write barrier: to which of the @pages pages at @base has been written?
 * Only one can be armed; the handler of SIGSEGV keeps it.
 */
enum { BARRIER_MAX = 1024 };
struct barrier {
	char *base;
	size_t pages;
	volatile size_t faults;		  /* that the handler has seen */
	volatile bool dirty[BARRIER_MAX]; /* by page */
};

/*
 * From now on, the first write to each of the up to BARRIER_MAX pages marks
 * it in @b, which starts out clean.
 */
void barrier_arm(struct barrier *b, void *base, size_t pages);

/* Open all pages; no further write is noticed. */
void barrier_disarm(struct barrier *b);

/* The page of @b that @at lies in, or -1. */
long barrier_page(const struct barrier *b, const void *at);
