/* SPDX-License-Identifier: MIT */
/* unit.h - what every unit test includes; unit.c is its main. */
#pragma once

#include <check.h>

#include "common/lab.h"

/* Check's own old one; the runner's is another. */
#undef fail

/* Each unit test defines it. */
void unit_tests(TCase *tests);

/* Say why @what is not tested here; a test left with no case is skipped. */
void leave_out(const char *what, const char *reason);

/* A fresh, empty folder, gone when all cases are over; free() it. */
char *scratch(void);

/* Make the file DIR/NAME of @text, and of @len bytes. */
void put_file(const char *dir, const char *name, const char *text);
void put_bytes(const char *dir, const char *name, const void *data, size_t len);

/* All of DIR/NAME, NUL behind it; free() it. */
char *get_file(const char *dir, const char *name);

/* How many entries @dir has; -1 if it is no folder. */
int count_entries(const char *dir);

#define ck_assert_contains(text, part)                                         \
	ck_assert_msg(strstr((text), (part)) != NULL,                          \
		      "\"%.2000s\" does not contain \"%s\"", (text), (part))
