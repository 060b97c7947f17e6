// SPDX-License-Identifier: MIT
/* report_json.c - one JSON document; its shape stands in docs/design.md. */
#include "runner/report.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static json_t *text_or_null(const char *text)
{
	return text ? json_string(text) : json_null();
}

static json_t *claim_json(const struct result *result)
{
	const struct report *report = result->report;
	const struct claim *claim = result->claim;
	const char *reason = result->reason ? result->reason
			     : report	    ? report->skip
					    : NULL;

	return json_pack(
		"{s:s, s:o, s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:b}", "id",
		result->id, "sentence",
		text_or_null(claim ? claim->sentence : NULL), "really",
		text_or_null(claim ? claim->really : NULL), "expected",
		text_or_null(!claim	      ? NULL
			     : claim->refuted ? "refuted"
					      : "holds"),
		"verdict", verdict_words[result->verdict], "control",
		control_words[report ? report->control : 0], "no_control",
		text_or_null(report ? report->no_control : NULL), "where",
		text_or_null(report ? report->where.at : NULL), "condition",
		text_or_null(report ? report->where.condition : NULL), "reason",
		text_or_null(reason), "as_expected", result->expected);
}

static json_t *series_json(const struct tap *tap)
{
	json_t *all = json_object();

	for (size_t i = 0; i < tap->n_points; i++) {
		const struct point *point = &tap->points[i];
		json_t *series = json_object_get(all, point->series);

		if (!series) {
			series = json_array();
			json_object_set_new(all, point->series, series);
		}
		json_array_append_new(series,
				      json_pack("[f, f]", point->x, point->y));
	}
	return all;
}

/* Of a guest, if it was kept. */
static json_t *console_json(const struct run *run)
{
	char *text = capture_text(&run->err);
	json_t *json = text_or_null(run->accel && *text ? text : NULL);

	free(text);
	return json;
}

static json_t *run_json(const struct run *run)
{
	const struct outcome *outcome = &run->outcome;
	json_t *claims = json_array(), *metrics = json_array();
	json_t *unmet = json_array(), *reasons = json_array();

	for (size_t i = 0; i < run->n_results; i++)
		json_array_append_new(claims, claim_json(&run->results[i]));
	for (size_t i = 0; i < run->tap.n_metrics; i++)
		json_array_append_new(
			metrics, json_pack("{s:s, s:f, s:s}", "name",
					   run->tap.metrics[i].name, "value",
					   run->tap.metrics[i].value, "unit",
					   run->tap.metrics[i].unit));
	for (size_t i = 0; i < run->tap.n_unmet; i++)
		json_array_append_new(
			unmet, json_pack("{s:s, s:s, s:s}", "need",
					 run->tap.unmet[i].need, "found",
					 run->tap.unmet[i].found, "remedy",
					 run->tap.unmet[i].remedy));
	for (size_t i = 0; i < run->n_reasons; i++)
		json_array_append_new(reasons, json_string(run->reasons[i]));
	return json_pack(
		"{s:s, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, "
		"s:{s:s, s:i}, s:o, s:f, s:f, s:f, s:I, s:s}",
		"lab", run->lab.name, "title", text_or_null(run->note.title),
		"place", text_or_null(run->place), "kernel",
		text_or_null(run->kernel), "accel", text_or_null(run->accel),
		"status", status_words[run->status], "reason",
		text_or_null(run->n_reasons ? run->reasons[0] : NULL),
		"reasons", reasons, "unmet", unmet, "claims", claims, "metrics",
		metrics, "series", series_json(&run->tap), "exit", "kind",
		end_words[run->outcome.end], "value", outcome->value, "console",
		console_json(run), "wall_ms", outcome->wall_ms, "user_ms",
		outcome->user_ms, "sys_ms", outcome->sys_ms, "max_rss_kib",
		(json_int_t)outcome->max_rss_kib, "record",
		record_words[run->record]);
}

void report_json(FILE *out, struct run *const *runs, size_t n)
{
	json_t *all = json_array(), *document;

	for (size_t i = 0; i < n; i++)
		json_array_append_new(all, run_json(runs[i]));
	document = json_pack("{s:i, s:o}", "notelab", 1, "runs", all);
	json_dumpf(document, out, JSON_INDENT(2));
	fputc('\n', out);
	json_decref(document);
}
