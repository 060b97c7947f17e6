/* SPDX-License-Identifier: MIT */
#pragma once

/* The kernel returns -1 to -MAX_ERRNO for an error; all else is a value. */
#define MAX_ERRNO 4095

/* A system call by its instruction alone: what the kernel returns. */
long raw_call(long number, long a, long b, long c);

/* What libc makes of @result: the errno that it sets, or 0. */
int raw_errno(long result);

/*
 * Open @path, log the failure to the descriptor @log, return the descriptor
 * or -errno. The first takes errno after the log, the second before it.
 */
int open_negating_late(const char *path, int log);
int open_negating_early(const char *path, int log);
