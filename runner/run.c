// SPDX-License-Identifier: MIT
#include "runner/run.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/lab.h"

const char *const status_words[] = { "pass", "skip", "drift", "fail", "error" };
const char *const verdict_words[] = {
	"holds", "refuted", "skipped", "missing", "undeclared", "vacuous",
};
const char *const control_words[] = { "none", "held", "failed" };
const char *const record_words[] = { "none", "current", "new", "drift" };
const char *const end_words[] = {
	"exit", "signal", "timeout", "panic", "boot-failure", "lost",
};

static void on_line(void *context, const char *line)
{
	tap_line(context, line);
}

struct run *run_new(struct lab_dir dir)
{
	struct run *run = xcalloc(1, sizeof(*run));
	char *path = xasprintf("%s/note.md", dir.source);
	char *shown = xasprintf("%s/note.md", dir.path);
	struct error error;

	run->lab = dir;
	tap_start(&run->tap);
	capture_start(&run->out, on_line, &run->tap);
	capture_start(&run->err, NULL, NULL);
	run->has_note = note_read(&run->note, path, &error) == 0;
	if (!run->has_note) {
		/* Name the file as the user knows it. */
		char *at = strstr(error.text, path);

		if (at)
			run_reason(run, STATUS_ERROR, "%.*s%s%s",
				   (int)(at - error.text), error.text, shown,
				   at + strlen(path));
		else
			run_reason(run, STATUS_ERROR, "%s", error.text);
	}
	free(path);
	free(shown);
	return run;
}

void run_free(struct run *run)
{
	lab_dir_free(&run->lab);
	note_free(&run->note);
	capture_free(&run->out);
	capture_free(&run->err);
	tap_free(&run->tap);
	for (size_t i = 0; i < run->n_results; i++)
		free(run->results[i].reason);
	for (size_t i = 0; i < run->n_reasons; i++)
		free(run->reasons[i]);
	free(run->results);
	free(run->reasons);
	free(run->place);
	free(run->kernel);
	free(run->series);
	free(run->accel);
	free(run->record_path);
	free(run);
}

void run_reason(struct run *run, enum status status, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	if (vasprintf(&text, format, args) == -1)
		abort();
	va_end(args);
	*push(run->reasons, run->n_reasons) = text;
	if (status > run->status)
		run->status = status;
}

char *outcome_text(const struct outcome *outcome)
{
	const char *colon = *outcome->reason ? ": " : "";

	switch (outcome->end) {
	case END_EXIT:
		return xasprintf("exit status %d", outcome->value);
	case END_SIGNAL:
		/* Real-time signals have no names. */
		if (!sigabbrev_np(outcome->value))
			return xasprintf("killed by signal %d", outcome->value);
		return xasprintf("killed by SIG%s%s%s",
				 sigabbrev_np(outcome->value), colon,
				 outcome->reason);
	case END_TIMEOUT:
		if (*outcome->reason)
			return xstrdup(outcome->reason);
		return xasprintf("no end within %d s; killed", outcome->value);
	case END_PANIC:
		return xasprintf("the guest panicked%s%s", colon,
				 outcome->reason);
	case END_BOOT_FAILURE:
		return xasprintf("the guest did not boot%s%s", colon,
				 outcome->reason);
	default:
		return xasprintf("its exit status was lost%s%s", colon,
				 outcome->reason);
	}
}

static const char *or_unknown(const char *text)
{
	return text ? text : "the lab's source";
}

static void judge_claim(struct run *run, const struct claim *claim)
{
	const struct report *report = tap_report(&run->tap, claim->id);
	const char *wanted = claim->refuted ? "refuted" : "to hold";
	struct result *result = push(run->results, run->n_results);

	*result = (struct result){ .id = claim->id,
				   .claim = claim,
				   .report = report,
				   .recorded = -1 };
	if (!report || report->seen == SEEN_NOTHING) {
		result->verdict = VERDICT_MISSING;
		result->reason = xasprintf(
			"the note lists it (%s/note.md:%d), but the lab never "
			"reported it",
			run->lab.path, claim->line);
		return;
	}
	if (report->seen == SEEN_SKIPPED) {
		result->verdict = VERDICT_SKIPPED;
		result->expected = true;
		return;
	}
	result->verdict =
		report->seen == SEEN_HOLDS ? VERDICT_HOLDS : VERDICT_REFUTED;
	if (report->control == CONTROL_FAILED) {
		result->verdict = VERDICT_VACUOUS;
		result->reason = xasprintf(
			"its control failed, so it proves nothing: %s: %s",
			or_unknown(report->control_where.at),
			or_unknown(report->control_where.condition));
	} else if (claim->refuted != (report->seen == SEEN_REFUTED)) {
		result->reason =
			xasprintf("expected %s, came out %s: %s: %s", wanted,
				  report->seen == SEEN_HOLDS ? "true" : "false",
				  or_unknown(report->where.at),
				  or_unknown(report->where.condition));
	} else if (claim->refuted != report->says_refuted) {
		result->reason = xasprintf(
			"the note lists it under %s (%s/note.md:%d), but %s "
			"reports it with %s()",
			claim->refuted ? "Refuted" : "Claims", run->lab.path,
			claim->line, or_unknown(report->where.at),
			report->says_refuted ? "refuted" : "claim");
	} else if (report->control == CONTROL_NONE && !report->no_control) {
		result->reason = xasprintf(
			"it has neither control() nor no_control(): %s",
			or_unknown(report->where.at));
	} else {
		result->expected = true;
	}
}

static void judge_undeclared(struct run *run, const struct report *report)
{
	struct result *result = push(run->results, run->n_results);

	*result = (struct result){
		.id = report->id,
		.report = report,
		.verdict = VERDICT_UNDECLARED,
		.recorded = -1,
		.reason = xasprintf(
			"%s reports it, but %s/note.md does not list it",
			or_unknown(report->where.at ? report->where.at
						    : report->control_where.at),
			run->lab.path),
	};
}

static void judge_claims(struct run *run)
{
	for (size_t i = 0; i < run->note.n_claims; i++)
		judge_claim(run, &run->note.claims[i]);
	for (size_t i = 0; i < run->tap.n_reports; i++)
		if (!note_claim(&run->note, run->tap.reports[i].id))
			judge_undeclared(run, &run->tap.reports[i]);
	for (size_t i = 0; i < run->n_results; i++)
		if (!run->results[i].expected)
			run_reason(run, STATUS_FAIL, "claim %s: %s",
				   run->results[i].id, run->results[i].reason);
}

/* How the lab ended, apart from its claims. */
static void judge_end(struct run *run)
{
	const struct outcome *outcome = &run->outcome;
	char *text;

	if (outcome->end == END_EXIT &&
	    (outcome->value == 0 || outcome->value == LAB_FAIL))
		return;
	text = outcome_text(outcome);
	if (outcome->end == END_EXIT && outcome->value == LAB_BROKEN)
		run_reason(run, STATUS_ERROR, "the lab's set-up failed");
	else if (outcome->end == END_LOST)
		run_reason(run, STATUS_ERROR, "%s", text);
	else
		run_reason(run, STATUS_FAIL, "%s", text);
	free(text);
}

/* Where no claim was settled, nothing has passed. */
static void judge_all_skipped(struct run *run)
{
	if (run->status != STATUS_PASS || run->n_results == 0)
		return;
	for (size_t i = 0; i < run->n_results; i++)
		if (run->results[i].verdict != VERDICT_SKIPPED)
			return;
	run_reason(run, STATUS_SKIP, "no claim could be settled here: %s",
		   run->results[0].report->skip);
}

static bool is_skip(const struct run *run)
{
	return run->outcome.end == END_EXIT && run->outcome.value == LAB_SKIP &&
	       run->tap.numbered == 0;
}

void run_judge(struct run *run, int left_behind)
{
	capture_end(&run->out);
	capture_end(&run->err);
	tap_end(&run->tap);
	run->ran = true;
	if (is_skip(run)) {
		for (size_t i = 0; i < run->tap.n_unmet; i++)
			run_reason(run, STATUS_SKIP,
				   "need %s: found %s; remedy: %s",
				   run->tap.unmet[i].need,
				   run->tap.unmet[i].found,
				   run->tap.unmet[i].remedy);
		if (run->n_reasons == 0)
			run_reason(run, STATUS_ERROR,
				   "it skipped without naming a need");
		return;
	}
	judge_end(run);
	judge_claims(run);
	/* Whoever was killed had no chance to print its plan. */
	if (run->outcome.end == END_EXIT && run->outcome.value != LAB_BROKEN &&
	    run->tap.plan == -1)
		run_reason(run, STATUS_FAIL, "the output has no plan");
	for (size_t i = 0; i < run->tap.n_problems; i++)
		run_reason(run, STATUS_FAIL, "%s", run->tap.problems[i]);
	if (run->outcome.end == END_EXIT && run->outcome.value == LAB_FAIL &&
	    run->n_reasons == 0)
		run_reason(run, STATUS_FAIL,
			   "exit status 1, though each verdict is as expected");
	judge_all_skipped(run);
	if (left_behind)
		run_reason(run, STATUS_FAIL,
			   "it left %d processes running; they were killed",
			   left_behind);
}

/* "-rt" as a word of a release: 6.1.90-rt30, 6.1.0-56-rt-amd64. */
static bool is_realtime(const char *release)
{
	for (const char *at = release; (at = strstr(at, "-rt")); at++)
		if (!at[3] || at[3] == '-' || isdigit((unsigned char)at[3]))
			return true;
	return false;
}

char *kernel_series(const char *release, const char *version)
{
	size_t len = strspn(release, "0123456789");
	const char *flavour = "";

	if (release[len] == '.')
		len += 1 + strspn(release + len + 1, "0123456789");
	if (strstr(version, "PREEMPT_RT") || is_realtime(release))
		flavour = "-rt";
	else if (strstr(release, "-debug"))
		flavour = "-debug";
	return xasprintf("%.*s%s", (int)len, release, flavour);
}
