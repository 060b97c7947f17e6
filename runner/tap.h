/* SPDX-License-Identifier: MIT */
/*
 * tap.h - what a lab's output says: verdicts, controls, metrics, points and
 * unmet needs. See common/lab.h for the lines. Everything else is text.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "runner/util.h"

enum seen { SEEN_NOTHING, SEEN_HOLDS, SEEN_REFUTED, SEEN_SKIPPED };
enum control { CONTROL_NONE, CONTROL_HELD, CONTROL_FAILED };

/* Where and by which condition; the strings are empty if it was not said. */
struct where {
	char *at; /* "labs/memfd_seal/memfd_seal.c:91" */
	char *condition;
};

/* All that the output says about one id. */
struct report {
	char *id;
	enum seen seen;
	bool says_refuted; /* reported by refuted(), not by claim() */
	struct where where;
	char *skip; /* the reason, or NULL */
	enum control control;
	struct where control_where; /* of the control that failed */
	char *no_control;	    /* the reason, or NULL */
};

struct metric {
	char *name;
	double value;
	char *unit;
};

struct point {
	char *series;
	double x, y;
};

struct unmet {
	char *need, *found, *remedy;
};

struct tap {
	struct report *reports; /* in the order of their first line */
	size_t n_reports;
	struct metric *metrics;
	size_t n_metrics;
	struct point *points;
	size_t n_points;
	struct unmet *unmet;
	size_t n_unmet;
	char **expected_in_log; /* parts of lines of the kernel's log */
	size_t n_expected_in_log;
	char **problems; /* what no honest lab prints, in words */
	size_t n_problems;
	long numbered;	       /* verdict lines so far */
	long plan;	       /* -1 until it came */
	bool where_of_control; /* what the next "# at" belongs to */
	long where_of;	       /* index into reports, or -1 */
};

/* What kind of line tap_line() met. */
enum tap_line {
	TAP_TEXT,
	TAP_VERDICT, /* of a claim, or its skip */
	TAP_CONTROL,
	TAP_NO_CONTROL,
	TAP_WHERE,
	TAP_METRIC,
	TAP_POINT,
	TAP_UNMET,
	TAP_EXPECTED_IN_LOG,
	TAP_PLAN,
};

void tap_start(struct tap *tap);
void tap_free(struct tap *tap);

/* Take in one line, without its newline, as fit for printing. */
enum tap_line tap_line(struct tap *tap, const char *line);

/* The output is over. */
void tap_end(struct tap *tap);

/*
 * The report that a line of kind TAP_VERDICT, TAP_CONTROL, TAP_NO_CONTROL or
 * TAP_WHERE just spoke of.
 */
const struct report *tap_last(const struct tap *tap);

/* What was said of @id, or NULL. */
const struct report *tap_report(const struct tap *tap, const char *id);
