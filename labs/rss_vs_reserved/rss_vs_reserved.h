/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { PAGE = 4096 };

/*
 * The number behind "@key:" for the mapping that holds the address @at, in
 * @smaps, the text of a /proc/PID/smaps; -1 if there is none. In kB.
 */
long smaps_value(const char *smaps, unsigned long at, const char *key);

/*
 * Find the mapping that begins at @at in @out, what pmap -x printed, and
 * its columns Kbytes and RSS.
 */
bool pmap_row(const char *out, unsigned long at, long *size, long *rss);

/*
 * @size bytes of private memory, from a multiple of 2 MiB on, not touched,
 * which the kernel cannot join with a neighbour.
 */
char *map_island(size_t size);

/* The Rss of the mapping that holds @at, in kB. */
long rss_kb(const void *at);
