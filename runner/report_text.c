// SPDX-License-Identifier: MIT
/* report_text.c - a run as a person reads it: ids become sentences. */
#include "runner/report.h"

#include <stdlib.h>
#include <string.h>

enum { WIDTH = 80, INDENT = 11 };

static const char *const colours[] = {
	[STATUS_PASS] = "\033[32m",  [STATUS_SKIP] = "\033[33m",
	[STATUS_DRIFT] = "\033[35m", [STATUS_FAIL] = "\033[31m",
	[STATUS_ERROR] = "\033[31m",
};

static const char *on(bool colour, enum status status)
{
	return colour ? colours[status] : "";
}

static const char *off(bool colour)
{
	return colour ? "\033[0m" : "";
}

void put_folded(FILE *out, const char *text, int column, int indent)
{
	bool first = true;

	while (*text) {
		size_t len = strcspn(text, " \n");
		char *word = xstrndup(text, len);
		int width = text_width(word);

		if (!first && column + 1 + width > WIDTH) {
			fprintf(out, "\n%*s", indent, "");
			column = indent;
		} else if (!first) {
			fputc(' ', out);
			column++;
		}
		fputs(word, out);
		free(word);
		first = false;
		column += width;
		text += len;
		text += strspn(text, " \n");
	}
	fputc('\n', out);
}

static void put_mark(FILE *out, const char *mark, enum status status,
		     bool colour, const char *text)
{
	fprintf(out, "  %s%-9s%s", on(colour, status), mark, off(colour));
	put_folded(out, text, INDENT, INDENT);
}

static const struct result *result_of(const struct run *run, const char *id)
{
	for (size_t i = 0; i < run->n_results; i++)
		if (!strcmp(run->results[i].id, id))
			return &run->results[i];
	return NULL;
}

static void put_more(FILE *out, const char *text)
{
	fprintf(out, "%*s", INDENT, "");
	put_folded(out, text, INDENT, INDENT);
}

/* A sentence with its verdict, in the place of the lab's verdict line. */
static void put_result(FILE *out, const struct result *result, bool colour)
{
	const char *sentence =
		result->claim ? result->claim->sentence : result->id;

	if (!result->expected) {
		char *text = xasprintf("%s: %s", result->id, sentence);

		put_mark(out, "FAILED", STATUS_FAIL, colour, text);
		put_more(out, result->reason);
		free(text);
	} else if (result->verdict == VERDICT_SKIPPED) {
		put_mark(out, "skipped", STATUS_SKIP, colour, sentence);
		put_more(out, result->report->skip);
	} else if (result->claim->refuted) {
		put_mark(out, "refuted", STATUS_PASS, colour, sentence);
		put_more(out, result->claim->really);
	} else {
		put_mark(out, "holds", STATUS_PASS, colour, sentence);
	}
}

static void put_line(FILE *out, const struct run *run, struct tap *tap,
		     const char *line, bool colour, bool verbose)
{
	enum tap_line kind = tap_line(tap, line);
	const struct report *last = tap_last(tap);
	const struct result *result;

	switch (kind) {
	case TAP_TEXT:
		fprintf(out, "%s\n", line);
		break;
	case TAP_VERDICT:
		result = last ? result_of(run, last->id) : NULL;
		if (result)
			put_result(out, result, colour);
		break;
	case TAP_CONTROL:
	case TAP_NO_CONTROL:
		if (verbose)
			fprintf(out, "%*s%s\n", INDENT, "", line);
		break;
	case TAP_WHERE:
		if (verbose)
			put_more(out, line + strlen("# at "));
		break;
	case TAP_METRIC:
		fprintf(out, "           %s\n", line + strlen("# metric "));
		break;
	case TAP_UNMET:
		/* Unfolded, for ci/test.sh to find it in ctest's log. */
		fprintf(out, "%s%s%s\n", on(colour, STATUS_SKIP), line,
			off(colour));
		break;
	case TAP_POINT:
	case TAP_EXPECTED_IN_LOG:
	case TAP_PLAN:
		break;
	}
}

static void put_output(FILE *out, const struct run *run, bool colour,
		       bool verbose)
{
	char *text = capture_text(&run->out), *rest = text;
	struct tap tap;

	tap_start(&tap);
	while (rest && *rest)
		put_line(out, run, &tap, strsep(&rest, "\n"), colour, verbose);
	tap_free(&tap);
	free(text);
}

/* Results that no line of the output stands for. */
static void put_missing(FILE *out, const struct run *run, bool colour)
{
	for (size_t i = 0; i < run->n_results; i++)
		if (run->results[i].verdict == VERDICT_MISSING)
			put_result(out, &run->results[i], colour);
}

/* Claims and needs speak for themselves; this is for the rest. */
static void put_reasons(FILE *out, const struct run *run, bool colour)
{
	static const char *const marks[] = { "", "skipped", "DRIFT", "FAILED",
					     "ERROR" };

	for (size_t i = 0; i < run->n_reasons; i++) {
		bool of_claim = !strncmp(run->reasons[i], "claim ", 6) &&
				!strstr(run->reasons[i], ": recorded ");
		bool of_need = !strncmp(run->reasons[i], "need ", 5);

		/* Their own lines have told. */
		if (!of_claim && !of_need)
			put_mark(out, marks[run->status], run->status, colour,
				 run->reasons[i]);
	}
}

static void put_stderr(FILE *out, const struct run *run)
{
	char *text = capture_text(&run->err), *rest = text;

	if (*text)
		fprintf(out, "  %s:\n", run->accel ? "console" : "stderr");
	while (rest && *rest)
		fprintf(out, "  | %s\n", strsep(&rest, "\n"));
	free(text);
}

static const char *record_sentence(const struct run *run)
{
	switch (run->record) {
	case RECORD_CURRENT:
		return "as recorded";
	case RECORD_NEW:
		return "recorded";
	case RECORD_DRIFT:
		return "unlike the record";
	default:
		return "not recorded";
	}
}

static void put_summary(FILE *out, struct run *run, bool colour)
{
	struct totals t = totals_of(&run, 1);
	static const char *const words[] = { "passed", "skipped", "DRIFT",
					     "FAILED", "ERROR" };

	fprintf(out, "%s%s %s%s on %s, Linux %s", on(colour, run->status),
		run->lab.name, words[run->status], off(colour),
		run->place ? run->place : "?", run->series ? run->series : "?");
	if (run->n_results)
		fprintf(out,
			": %zu claims, %zu hold, %zu refuted, %zu skipped; "
			"%.2f s; %s",
			t.claims, t.by_verdict[VERDICT_HOLDS],
			t.by_verdict[VERDICT_REFUTED],
			t.by_verdict[VERDICT_SKIPPED],
			run->outcome.wall_ms / 1e3, record_sentence(run));
	fputc('\n', out);
	if (run->record == RECORD_NEW)
		fprintf(out, "  wrote %s\n", run->record_path);
	if (run->record == RECORD_DRIFT)
		fprintf(out,
			"  compare %s with %s.new; adopt with \"runner accept "
			"%s\"\n",
			run->record_path, run->record_path, run->lab.name);
}

void report_text(FILE *out, const struct run *run, bool colour, bool verbose)
{
	fprintf(out, "%s%s%s: %s\n\n", colour ? "\033[1m" : "", run->lab.path,
		off(colour), run->has_note ? run->note.title : "no note");
	if (run->ran)
		put_output(out, run, colour, verbose);
	put_missing(out, run, colour);
	put_reasons(out, run, colour);
	if (verbose || run->status >= STATUS_FAIL || run->show_err)
		put_stderr(out, run);
	fputc('\n', out);
	put_summary(out, (struct run *)run, colour);
}

struct totals totals_of(struct run *const *runs, size_t n)
{
	struct totals t = { .runs = n };

	for (size_t i = 0; i < n; i++) {
		t.by_status[runs[i]->status]++;
		for (size_t j = 0; j < runs[i]->n_results; j++) {
			const struct result *r = &runs[i]->results[j];

			t.claims++;
			t.by_verdict[r->verdict]++;
			if (r->verdict > VERDICT_REFUTED)
				continue;
			if (r->report->control == CONTROL_HELD)
				t.with_control++;
			else
				t.without_control++;
		}
	}
	return t;
}

void report_totals(FILE *out, struct run *const *runs, size_t n, bool colour)
{
	struct totals t = totals_of(runs, n);
	size_t bad = t.by_status[STATUS_FAIL] + t.by_status[STATUS_ERROR];
	enum status worst = bad				? STATUS_FAIL
			    : t.by_status[STATUS_DRIFT] ? STATUS_DRIFT
			    : t.by_status[STATUS_PASS]	? STATUS_PASS
							: STATUS_SKIP;

	fputc('\n', out);
	for (size_t i = 0; i < n; i++)
		if (runs[i]->status != STATUS_PASS)
			fprintf(out, "%s%-8s%s %s on %s: %s\n",
				on(colour, runs[i]->status),
				status_words[runs[i]->status], off(colour),
				runs[i]->lab.name,
				runs[i]->place ? runs[i]->place : "?",
				runs[i]->reasons[0]);
	fprintf(out,
		"%s%zu runs: %zu passed, %zu failed, %zu drifted, %zu "
		"skipped%s\n",
		on(colour, worst), t.runs, t.by_status[STATUS_PASS], bad,
		t.by_status[STATUS_DRIFT], t.by_status[STATUS_SKIP],
		off(colour));
	fprintf(out,
		"%zu claims: %zu hold, %zu refuted, %zu skipped, %zu "
		"otherwise; %zu with a control, %zu without\n",
		t.claims, t.by_verdict[VERDICT_HOLDS],
		t.by_verdict[VERDICT_REFUTED], t.by_verdict[VERDICT_SKIPPED],
		t.by_verdict[VERDICT_MISSING] +
			t.by_verdict[VERDICT_UNDECLARED] +
			t.by_verdict[VERDICT_VACUOUS],
		t.with_control, t.without_control);
}
