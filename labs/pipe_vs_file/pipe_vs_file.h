/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

/*
 * Write bytes to the non-blocking @fd until it takes no more, but @most at
 * most; returns how many it took.
 */
size_t fill(int fd, size_t most);

/* How many of the records of @size bytes in @data do not repeat one byte. */
size_t torn_records(const char *data, size_t len, size_t size);
