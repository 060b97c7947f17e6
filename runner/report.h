/* SPDX-License-Identifier: MIT */
/* report.h - what came out, for people and for machines. */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include "runner/run.h"

struct totals {
	size_t runs, by_status[STATUS_ERROR + 1];
	size_t claims, by_verdict[VERDICT_VACUOUS + 1];
	size_t with_control, without_control;
};

struct totals totals_of(struct run *const *runs, size_t n);

/* The run as text for people; @verbose shows controls and conditions. */
void report_text(FILE *out, const struct run *run, bool colour, bool verbose);

/* The lines below many labs. */
void report_totals(FILE *out, struct run *const *runs, size_t n, bool colour);

/*
 * Labs and their claims down, places across, the verdict in the cell, and a
 * footnote for each skip.
 */
void report_table(FILE *out, struct run *const *runs, size_t n);

/* Whole documents: TAP 14, JUnit as Jenkins has it, JSON (docs/design.md). */
void report_tap(FILE *out, struct run *const *runs, size_t n);
void report_junit(FILE *out, struct run *const *runs, size_t n);
void report_json(FILE *out, struct run *const *runs, size_t n);

/* @text, folded at 80 columns, each further line indented by @indent. */
void put_folded(FILE *out, const char *text, int column, int indent);
