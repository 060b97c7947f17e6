// SPDX-License-Identifier: MIT
#include "runner/tap.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "runner/note.h"

/* A lab that floods must not fill the runner's memory. */
enum {
	LINE_LEN_MAX = 2048, /* the rest is not looked at */
	REPORTS_MAX = 1000,
	POINTS_MAX = 100000,
	PROBLEMS_MAX = 20
};

static void __attribute__((format(printf, 2, 3)))
problem(struct tap *tap, const char *format, ...)
{
	va_list args;
	char *text;

	if (tap->n_problems == PROBLEMS_MAX)
		return;
	va_start(args, format);
	if (vasprintf(&text, format, args) == -1)
		abort();
	va_end(args);
	*push(tap->problems, tap->n_problems) = text;
}

/* How much of @text a problem quotes. */
static int shown(const char *text)
{
	return whole_characters(text, strnlen(text, 80));
}

void tap_start(struct tap *tap)
{
	*tap = (struct tap){ .plan = -1, .where_of = -1 };
}

static void where_free(struct where *where)
{
	free(where->at);
	free(where->condition);
	*where = (struct where){ 0 };
}

void tap_free(struct tap *tap)
{
	for (size_t i = 0; i < tap->n_reports; i++) {
		free(tap->reports[i].id);
		free(tap->reports[i].skip);
		free(tap->reports[i].no_control);
		where_free(&tap->reports[i].where);
		where_free(&tap->reports[i].control_where);
	}
	for (size_t i = 0; i < tap->n_metrics; i++) {
		free(tap->metrics[i].name);
		free(tap->metrics[i].unit);
	}
	for (size_t i = 0; i < tap->n_points; i++)
		free(tap->points[i].series);
	for (size_t i = 0; i < tap->n_unmet; i++) {
		free(tap->unmet[i].need);
		free(tap->unmet[i].found);
		free(tap->unmet[i].remedy);
	}
	for (size_t i = 0; i < tap->n_expected_in_log; i++)
		free(tap->expected_in_log[i]);
	free(tap->expected_in_log);
	for (size_t i = 0; i < tap->n_problems; i++)
		free(tap->problems[i]);
	free(tap->reports);
	free(tap->metrics);
	free(tap->points);
	free(tap->unmet);
	free(tap->problems);
	tap_start(tap);
}

const struct report *tap_last(const struct tap *tap)
{
	return tap->where_of == -1 ? NULL : &tap->reports[tap->where_of];
}

const struct report *tap_report(const struct tap *tap, const char *id)
{
	for (size_t i = 0; i < tap->n_reports; i++)
		if (!strcmp(tap->reports[i].id, id))
			return &tap->reports[i];
	return NULL;
}

/* The report of @id, made if it is new; it becomes the last one. */
static struct report *report_of(struct tap *tap, const char *id, size_t len)
{
	for (size_t i = 0; i < tap->n_reports; i++) {
		if (strncmp(tap->reports[i].id, id, len) != 0 ||
		    tap->reports[i].id[len])
			continue;
		tap->where_of = i;
		return &tap->reports[i];
	}
	if (tap->n_reports == REPORTS_MAX) {
		problem(tap, "more than %d claims", REPORTS_MAX);
		return NULL;
	}
	tap->where_of = tap->n_reports;
	push(tap->reports, tap->n_reports)->id = xstrndup(id, len);
	return &tap->reports[tap->where_of];
}

/* The text behind @prefix in @line, or NULL. */
static const char *after(const char *line, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(line, prefix, len) == 0 ? line + len : NULL;
}

static enum tap_line take_control(struct tap *tap, const char *id, bool held)
{
	struct report *report = report_of(tap, id, strlen(id));

	tap->where_of_control = true;
	/* Of several controls, show the first that failed. */
	if (report && report->control != CONTROL_FAILED) {
		report->control = held ? CONTROL_HELD : CONTROL_FAILED;
		where_free(&report->control_where);
	}
	return TAP_CONTROL;
}

static enum tap_line take_verdict(struct tap *tap, const char *id, bool holds)
{
	const char *skip = strstr(id, " # SKIP ");
	const char *todo = strstr(id, " # TODO refuted");
	size_t len = strcspn(id, " ");
	struct report *report;

	if ((!skip && !todo && id[len]) || len > CLAIM_ID_MAX)
		problem(tap, "a verdict line that no lab prints: %.*s",
			shown(id), id);
	report = report_of(tap, id, len);
	if (!report)
		return TAP_VERDICT;
	tap->where_of_control = false;
	if (report->seen != SEEN_NOTHING) {
		problem(tap, "a second verdict on %s", report->id);
		/* The worse one counts: a forged "ok" hides nothing. */
		if (!holds && !skip)
			report->seen = SEEN_REFUTED;
		return TAP_VERDICT;
	}
	report->seen = skip ? SEEN_SKIPPED : holds ? SEEN_HOLDS : SEEN_REFUTED;
	report->says_refuted = todo;
	report->skip = skip ? xstrdup(skip + strlen(" # SKIP ")) : NULL;
	return TAP_VERDICT;
}

static enum tap_line take_numbered(struct tap *tap, const char *rest,
				   bool holds)
{
	char *end;
	long number = strtol(rest, &end, 10);
	const char *id = after(end, " - ");
	const char *of;

	tap->numbered++;
	tap->where_of = -1;
	if (number != tap->numbered)
		problem(tap, "verdict line %ld has number %ld", tap->numbered,
			number);
	if (tap->plan != -1)
		problem(tap, "a verdict line after the plan: %.*s", shown(rest),
			rest);
	if (!id) {
		problem(tap, "a verdict line without an id: %.*s", shown(rest),
			rest);
		return TAP_VERDICT;
	}
	of = after(id, "control of ");
	return of ? take_control(tap, of, holds) : take_verdict(tap, id, holds);
}

static enum tap_line take_plan(struct tap *tap, const char *rest)
{
	char *end;
	long plan = strtol(rest, &end, 10);

	if (end == rest || (*end && !after(end, " # SKIP ")))
		return TAP_TEXT;
	if (tap->plan != -1)
		problem(tap, "a second plan, 1..%ld", plan);
	tap->plan = plan;
	return TAP_PLAN;
}

/* "FILE:LINE: CONDITION" of the verdict or control just before. */
static enum tap_line take_where(struct tap *tap, const char *rest)
{
	const char *colon = strstr(rest, ": ");
	struct report *report;
	struct where *where;

	if (!colon || tap->where_of == -1)
		return TAP_TEXT;
	report = &tap->reports[tap->where_of];
	where = tap->where_of_control ? &report->control_where : &report->where;
	if (where->at)
		return TAP_WHERE;
	where->at = xstrndup(rest, colon - rest);
	where->condition = xstrdup(colon + 2);
	return TAP_WHERE;
}

static enum tap_line take_no_control(struct tap *tap, const char *rest)
{
	size_t len = strcspn(rest, ":");
	const char *reason = after(rest + len, ": ");
	struct report *report = report_of(tap, rest, len);

	if (report && reason && !report->no_control)
		report->no_control = xstrdup(reason);
	return TAP_NO_CONTROL;
}

static enum tap_line take_metric(struct tap *tap, const char *rest)
{
	char name[64], unit[32];
	double value;
	int end;

	if (sscanf(rest, "%63s %lf %31s%n", name, &value, unit, &end) != 3 ||
	    rest[end] || !isfinite(value) || tap->n_metrics == POINTS_MAX)
		return TAP_TEXT;
	*push(tap->metrics, tap->n_metrics) =
		(struct metric){ xstrdup(name), value, xstrdup(unit) };
	return TAP_METRIC;
}

static enum tap_line take_point(struct tap *tap, const char *rest)
{
	char series[64];
	double x, y;
	int end;

	if (sscanf(rest, "%63s %lf %lf%n", series, &x, &y, &end) != 3 ||
	    rest[end] || !isfinite(x) || !isfinite(y) ||
	    tap->n_points == POINTS_MAX)
		return TAP_TEXT;
	*push(tap->points, tap->n_points) =
		(struct point){ xstrdup(series), x, y };
	return TAP_POINT;
}

static enum tap_line take_unmet(struct tap *tap, const char *rest)
{
	const char *found = strstr(rest, ": found ");
	const char *remedy = found ? strstr(found, "; remedy: ") : NULL;

	if (!remedy || tap->n_unmet == REPORTS_MAX)
		return TAP_TEXT;
	*push(tap->unmet, tap->n_unmet) = (struct unmet){
		xstrndup(rest, found - rest),
		xstrndup(found + 8, remedy - found - 8),
		xstrdup(remedy + 10),
	};
	return TAP_UNMET;
}

/* A word at least: to expect anything would be to accept everything. */
static enum tap_line take_expected(struct tap *tap, const char *rest)
{
	if (strlen(rest) < 4 || tap->n_expected_in_log == REPORTS_MAX)
		return TAP_TEXT;
	*push(tap->expected_in_log, tap->n_expected_in_log) = xstrdup(rest);
	return TAP_EXPECTED_IN_LOG;
}

enum tap_line tap_line(struct tap *tap, const char *line)
{
	char start[LINE_LEN_MAX + 1];
	size_t len = strnlen(line, LINE_LEN_MAX);
	const char *rest;

	if (line[len]) {
		len = whole_characters(line, len);
		memcpy(start, line, len);
		start[len] = '\0';
		line = start;
	}
	if ((rest = after(line, "ok ")))
		return take_numbered(tap, rest, true);
	if ((rest = after(line, "not ok ")))
		return take_numbered(tap, rest, false);
	if ((rest = after(line, "1..")))
		return take_plan(tap, rest);
	if ((rest = after(line, "# at ")))
		return take_where(tap, rest);
	if ((rest = after(line, "# no control of ")))
		return take_no_control(tap, rest);
	if ((rest = after(line, "# metric ")))
		return take_metric(tap, rest);
	if ((rest = after(line, "# point ")))
		return take_point(tap, rest);
	if ((rest = after(line, "# unmet ")))
		return take_unmet(tap, rest);
	if ((rest = after(line, "# expects in the kernel's log: ")))
		return take_expected(tap, rest);
	return TAP_TEXT;
}

void tap_end(struct tap *tap)
{
	if (tap->plan != -1 && tap->plan != tap->numbered)
		problem(tap, "the plan says 1..%ld, but %ld verdict lines came",
			tap->plan, tap->numbered);
}
