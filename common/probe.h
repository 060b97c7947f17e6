/* SPDX-License-Identifier: MIT */
/*
 * probe.h - what a lab can need of the place where it runs, tried out.
 *
 * A need is a name, some with an argument after a colon: "root",
 * "tool:gdb", "config:DEBUG_KMEMLEAK". A probe tries the very thing and
 * leaves nothing behind. The names stand in one table, in probe.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct probe {
	bool met;
	char found[160];  /* what there is: "uid 1000" */
	char remedy[200]; /* what to do about it: "run it with sudo" */
};

/* Try @need. An unknown need is not met, and its remedy says so. */
struct probe probe(const char *need);

/*
 * The kinds of needs, one by one: the name of kind @i, from 0 until NULL.
 * @meaning receives what it stands for, @takes_argument whether the name
 * alone is no need yet.
 */
const char *probe_kind(size_t i, const char **meaning, bool *takes_argument);

/*
 * Print each unmet need of the NULL-terminated @needs as a TAP comment,
 * "# unmet NAME: found FOUND; remedy: REMEDY"; returns how many there are.
 */
int probe_report_unmet(const char *const *needs);

/*
 * Print all of @needs, one a line: name, met or unmet, found, remedy, with
 * tabs between.
 */
void probe_list(const char *const *needs);
