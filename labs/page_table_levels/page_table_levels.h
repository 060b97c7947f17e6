/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { PAGE = 4096, ENTRIES = 512 };
#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)

/* How the CPU cuts an address below 2^48: an index for each table, the rest. */
struct walk {
	unsigned int pgd, pud, pmd, pte;
	unsigned int offset;
};
struct walk split_address(uintptr_t address);

/* A slot is what one entry of the pgd covers; all of them are 32 TiB. */
enum { SLOTS = 64 };
#define SLOT (512 * GIB)

/* All slots, from a multiple of 512 GiB on: readable, none of it touched. */
char *map_slots(void);
void unmap_slots(char *at);

/*
 * Read @touches bytes, the first at @at and then one each @stride bytes.
 * Returns how many kB of page tables that adds; what touch i adds goes to
 * @each[i], unless @each is NULL.
 */
long touch_cost(const char *at, size_t stride, int touches, long *each);

/* The errno of a mapping with huge pages of 2^@log2 bytes, or 0. */
int huge_size_errno(int log2);
