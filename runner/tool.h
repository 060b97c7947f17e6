/* SPDX-License-Identifier: MIT */
/* tool.h - programs that the runner calls, and errors told in words. */
#pragma once

#include <limits.h>
#include <stddef.h>

/* Room for one sentence: what failed, what was found, what to do. */
enum { ERROR_MAX = 1024 };

/* Print the sentence to @error, ERROR_MAX long, and return -1. */
int fail_with(char *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Run @argv (NULL-terminated, searched on PATH) in the folder @dir (here if
 * NULL), stdin /dev/null, stdout and stderr appended to the file @log, or
 * both on our stderr if NULL. Returns the exit status, 128 + n for signal n,
 * or -1 if it could not be started.
 */
int tool_run(const char *const *argv, const char *dir, const char *log);

/*
 * What @argv prints, NUL-terminated; free() it. NULL, with @error, if it
 * could not be started or did not exit with 0. stderr is dropped.
 */
char *tool_output(const char *const *argv, char *error);

/* Whether @name is a program on PATH. */
int tool_exists(const char *name);

/* The same; writes the path of it. */
int tool_find(const char *name, char path[PATH_MAX]);

/*
 * Print a path to @out, PATH_MAX long, and return it. One that is too long
 * becomes "", which no call takes for a file.
 */
const char *pathf(char *out, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* NULL-terminated arguments in place. */
#define ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })
