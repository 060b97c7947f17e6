/* SPDX-License-Identifier: MIT */
/* needs.h - what a lab says that it needs, and what this host has of it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "runner/project.h"

struct need {
	char *name; /* "tool:gdb" */
	bool met;
	char *found, *remedy;
};

struct needs {
	struct need *list;
	size_t n;
};

/*
 * Ask the program of @lab (LAB --needs). -1 if it is not built, or does not
 * tell. On success needs_free() releases @needs.
 */
int needs_ask(const struct lab_dir *lab, struct needs *needs,
	      struct error *error);
void needs_free(struct needs *needs);

/* Whether all are met here. */
bool needs_met(const struct needs *needs);

/* The need @name in @needs, or NULL. */
const struct need *needs_find(const struct needs *needs, const char *name);
