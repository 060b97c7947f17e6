/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/* How many different inodes are behind the @n files of @files. */
int count_inodes(const struct stat *files, size_t n);

/* "anon_inodefs", "tmpfs", ... for what fstatfs(2) calls @magic, or "?". */
const char *fs_name(unsigned long magic);

/*
 * How often the task that wrote "begin @mark" to the marker of @trace, the
 * text of a function trace, entered the traced function before it wrote its
 * next marker; -1 if there is no such mark. @caller receives from where, the
 * last time.
 */
int calls_after(const char *trace, const char *mark, char caller[64]);
