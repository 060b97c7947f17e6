/* SPDX-License-Identifier: MIT */
/* proc.h - one number of a file in /proc or /sys, and setting it for a while.
 */
#pragma once

/*
 * The number behind "@key:" in @path, such as ("/proc/self/status", "VmRSS"),
 * in the file's own unit (proc(5): mostly kB); -1 without such a line.
 */
long proc_field(const char *path, const char *key);

/* The number that is all of @path; -1 if there is none. */
long proc_long(const char *path);

/*
 * Write @value to @path, and put the old content back when the process
 * exits, if only by exit(3) or a return from main. Ends the lab on errors.
 */
void proc_set(const char *path, const char *value);

/* How many descriptors this process has open. */
int proc_count_fds(void);
