/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define PAGE 4096

/* Whether @len bytes of @data are all 0. */
bool is_zero(const char *data, size_t len);

/* The bytes of storage that the file @fd occupies. */
long occupied(int fd);

#define STRIP_MAX 32
/*
 * The first @pages < STRIP_MAX pages of @fd by SEEK_DATA and SEEK_HOLE, '#'
 * for data and '.' for a hole; written to @out and returned.
 */
const char *strip(int fd, size_t pages, char out[STRIP_MAX]);

/*
 * Copy all that @from holds to the empty file @to, page by page; with
 * @skip_zeros, leave holes where a page is 0.
 */
void copy(int from, int to, bool skip_zeros);
