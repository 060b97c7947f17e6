/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#define LEAKS_MAX 64

/* An object that kmemleak reports as lost. */
struct leak {
	unsigned long address;
	size_t size;
	char comm[16]; /* who allocated it */
	pid_t pid;
	char by[64]; /* the module's function at the top of the backtrace */
};

struct leaks {
	size_t n;
	struct leak list[LEAKS_MAX];
};

/*
 * Read the text of /sys/kernel/debug/kmemleak. @by is "" for an object that
 * another module or the kernel allocated. What is beyond LEAKS_MAX is left out.
 */
struct leaks leaks_parse(FILE *report, const char *module);

/* How many of @leaks the function @by allocated for processes named @comm. */
int leaks_count(const struct leaks *leaks, const char *by, const char *comm);

/* How many objects are in both reports. */
int leaks_common(const struct leaks *a, const struct leaks *b);

/* The errno of writing @command to /sys/kernel/debug/kmemleak, or 0. */
int kmemleak_tell(const char *command);
