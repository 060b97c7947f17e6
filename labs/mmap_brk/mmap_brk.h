/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { PAGE = 4096 };

/*
 * How many of the @pages pages at @at have memory behind them; -1 with
 * ENOMEM if part of the range is not mapped. In private anonymous memory
 * that is: how many have an entry in the page table.
 */
long resident_pages(const void *at, size_t pages);

/* Write one byte to each of the @pages pages at @at. */
void touch(void *at, size_t pages);

/*
 * Field @n (from 1, as in proc_pid_stat(5)) of @line, the content of a
 * /proc/PID/stat; 0 if there is none. Field 2, the name, is no number.
 */
unsigned long stat_field(const char *line, int n);

/* Whether @at lies between the start of the heap and the break. */
bool in_heap(const void *at);
