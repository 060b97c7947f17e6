/* SPDX-License-Identifier: MIT */
/*
 * kernels.h - the kernels that guests can boot, and how they are had.
 *
 * Each is a folder of ${XDG_CACHE_HOME:-~/.cache}/notelab/kernels, made
 * aside and renamed, so that one that is there is complete:
 *
 *	bzImage		as it came; absent if a vmlinux was added
 *	vmlinux		the same as a PVH ELF, which boots faster; optional
 *	config		its configuration; optional
 *	release		"6.1.0-56-cloud-amd64"
 *	modules/	/lib/modules/RELEASE; optional
 *	headers/	what module builds need, if asked for; the folder to
 *			build in is headers/build
 *	accel-*		what guest.c found out about it
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct kernel {
	char name[64];	    /* "6.12-rt" */
	char dir[1024];	    /* of the cache */
	char image[1088];   /* what QEMU boots */
	char modules[1088]; /* "" without */
	char config[1088];  /* "" without */
	char build[1088];   /* for make -C; "" without headers */
	char release[128];
};

/* The prepared kernel @name; -1, with @error and the remedy, if there is none.
 */
int kernel_find(const char *name, struct kernel *kernel, char *error);

/*
 * All prepared kernels, by name; free(*kernels). Returns how many, or -1
 * with @error.
 */
int kernel_list(struct kernel **kernels, char *error);

/*
 * The runner line that prepares @name: "runner kernels fetch 6.1". Written
 * to @line and returned.
 */
#define KERNEL_REMEDY_MAX 160
const char *kernel_remedy(const char *name, char line[KERNEL_REMEDY_MAX]);

/* The command `runner kernels ...`, argv[0] being "kernels"; exit status. */
int kernels_command(int argc, char **argv);
