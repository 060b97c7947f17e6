// SPDX-License-Identifier: MIT
/* die.c - the end of a lab whose set-up failed. */
#include "common/lab.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *errno_name(int error)
{
	const char *name = error ? strerrorname_np(error) : "0";

	return name ? name : "unknown errno";
}

void die_errno(const struct evidence *at, int error)
{
	fprintf(stderr, "%s:%d: %s: %s (%s)\n", at->file, at->line,
		at->condition, errno_name(error), strerror(error));
	exit(LAB_BROKEN);
}

void die_at(const char *file, int line, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s:%d: ", file, line);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(LAB_BROKEN);
}
