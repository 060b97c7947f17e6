/* SPDX-License-Identifier: MIT */
/* util.h - errors as text, memory that is there, files, and safe text. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Exit status of the runner; 0 is "all as expected". */
enum {
	EXIT_UNEXPECTED = 1,
	EXIT_USAGE = 2,
	EXIT_SKIPPED = 77,
	EXIT_BROKEN = 99
};

/* What went wrong: what failed, the value found, the remedy. */
struct error {
	char text[1024];
};

/* Fill @error from the printf @format; returns -1. */
int fail(struct error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Memory, or the end of the runner. The results belong to the caller. */
void *xcalloc(size_t n, size_t size);
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t max);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * One more element, zeroed, behind the @n of @array; returns it. Growing
 * moves the array, so keep indices and not pointers into it.
 */
#define push(array, n)                                                         \
	(grow((void **)&(array), &(n), sizeof(*(array))), &(array)[(n)-1])
void grow(void **array, size_t *n, size_t size);

/*
 * All of the file @path, NUL behind it; at most @max bytes, more is an
 * error. free() it. NULL on failure.
 */
char *read_file(const char *path, size_t max, size_t *len, struct error *error);

/*
 * Replace the file NAME in the folder @dir by @text, whole or not at all:
 * written aside, synced, renamed. Makes @dir if needed.
 */
int replace_file(const char *dir, const char *name, const char *text,
		 size_t len, struct error *error);

/*
 * @len bytes of @text to @out, fit for a terminal, a log and JSON: what is
 * not printable UTF-8, a newline or a tab becomes \xNN, so that nothing
 * drives the terminal or reorders the text.
 */
void put_safe(FILE *out, const char *text, size_t len);

/* How many bytes at the start of @text put_safe() leaves as they are. */
size_t safe_span(const char *text, size_t len);

/* What put_safe() prints, as a string; free() it. */
char *safe_text(const char *text, size_t len);

/* @len, less the bytes of a last character that was cut short by it. */
size_t whole_characters(const char *text, size_t len);

/* Columns that printable UTF-8 @text takes: wide characters take two. */
int text_width(const char *text);
