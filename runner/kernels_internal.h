/* SPDX-License-Identifier: MIT */
/* kernels_internal.h - the cache as those see it who fill it. */
#pragma once

#include "runner/kernels.h"

#include <limits.h>

/* A kernel in the making. */
struct making {
	const char *name;
	char part[PATH_MAX]; /* what is kept for a second try */
	char done[PATH_MAX]; /* part/done, to become the kernel */
	char dest[PATH_MAX];
	int lock;
};

/*
 * Lock @name, waiting for another runner if need be, and make the empty
 * folder done. End with making_finish or making_fail.
 */
int making_start(struct making *m, const char *name, char *error);

/*
 * Put the kernel image @image into done: checked, with its vmlinux and its
 * release.
 */
int making_add_image(struct making *m, const char *image, char *error);

/* Replace the cache's entry by done, and clean up. */
int making_finish(struct making *m, char *error);

/* Unlock; what was downloaded stays, so that a second try goes on. */
int making_fail(struct making *m);

/* One line of progress. */
void making_says(const struct making *m, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* How the kernels known by name are had. */
struct source {
	const char *name;
	const char *package;
	const char *headers; /* NULL: it is built */
	const char *meaning;
};
extern const struct source kernel_sources[]; /* ends with a NULL name */

int kernels_fetch(const char *name, bool headers, char *error);
int kernels_build_debug(char *error);
