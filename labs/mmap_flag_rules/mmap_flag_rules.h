/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { PAGE = 4096 };

/* The name of @type, one of the 16 values under the mask MAP_TYPE; or "". */
const char *type_name(int type);

/* The errno of mmap(2) of a writable page with @flags of @fd, or 0. */
int flags_errno(int flags, int fd);

/* A file of @size bytes, all '0' in the first page, '1' in the second... */
int numbered_file(size_t size);

/* A line of /proc/PID/maps. */
struct maps_line {
	unsigned long start, end; /* the first address, and behind the last */
	unsigned long inode;	  /* 0: no file */
	char name[64];		  /* "" without one */
};
bool parse_maps_line(const char *line, struct maps_line *out);
