// SPDX-License-Identifier: MIT
/* report_tap.c - TAP 14: a test point for each lab, a subtest for each claim.
 */
#include "runner/report.h"

#include <stdlib.h>
#include <string.h>

/* In a description, '#' would begin a directive and '\' an escape. */
static void put_description(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '#' || *text == '\\')
			fputc('\\', out);
		fputc(*text == '\n' ? ' ' : *text, out);
	}
}

static void put_claim(FILE *out, size_t number, const struct result *result)
{
	fprintf(out, "    %sok %zu - %s: ", result->expected ? "" : "not ",
		number, result->id);
	put_description(out, result->claim ? result->claim->sentence : "");
	if (result->verdict == VERDICT_SKIPPED) {
		fputs(" # SKIP ", out);
		put_description(out, result->report->skip);
	} else if (result->expected && result->claim->refuted) {
		fputs(" (refuted, as the note says)", out);
	}
	fputc('\n', out);
	if (result->reason)
		fprintf(out, "    # %s\n", result->reason);
}

static void put_run(FILE *out, size_t number, const struct run *run)
{
	bool ok = run->status == STATUS_PASS || run->status == STATUS_SKIP;

	if (run->n_results) {
		fprintf(out, "# Subtest: %s\n", run->lab.name);
		for (size_t i = 0; i < run->n_results; i++)
			put_claim(out, i + 1, &run->results[i]);
		fprintf(out, "    1..%zu\n", run->n_results);
	}
	for (size_t i = 0; i < run->n_reasons; i++)
		fprintf(out, "# %s\n", run->reasons[i]);
	fprintf(out, "%sok %zu - %s on %s", ok ? "" : "not ", number,
		run->lab.name, run->place ? run->place : "no place");
	if (run->status == STATUS_SKIP) {
		fputs(" # SKIP ", out);
		put_description(out, run->reasons[0]);
	}
	fputc('\n', out);
}

void report_tap(FILE *out, struct run *const *runs, size_t n)
{
	/* prove(1) tells so which version it can read; the rest is the same. */
	const char *asked = getenv("TAP_VERSION");

	fprintf(out, "TAP version %s\n",
		asked && !strcmp(asked, "13") ? asked : "14");
	for (size_t i = 0; i < n; i++)
		put_run(out, i + 1, runs[i]);
	fprintf(out, "1..%zu\n", n);
}
