// SPDX-License-Identifier: MIT
/*
 * report_junit.c - JUnit's XML as Jenkins reads it: a test suite for each
 * lab, a test case for each claim.
 */
#include "runner/report.h"

#include <libxml/xmlwriter.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void attribute(xmlTextWriter *xml, const char *name, const char *value)
{
	xmlTextWriterWriteAttribute(xml, BAD_CAST name, BAD_CAST value);
}

static void __attribute__((format(printf, 3, 4)))
attribute_f(xmlTextWriter *xml, const char *name, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	xmlTextWriterWriteVFormatAttribute(xml, BAD_CAST name, format, args);
	va_end(args);
}

static void start(xmlTextWriter *xml, const char *name)
{
	xmlTextWriterStartElement(xml, BAD_CAST name);
}

static void end(xmlTextWriter *xml)
{
	xmlTextWriterEndElement(xml);
}

/* <skipped>, <failure> or <error>. */
static void put_problem(xmlTextWriter *xml, const char *kind,
			const char *message)
{
	start(xml, kind);
	attribute(xml, "message", message);
	if (strcmp(kind, "skipped") != 0)
		attribute(xml, "type", kind);
	end(xml);
}

static void put_output(xmlTextWriter *xml, const char *name,
		       const struct capture *capture)
{
	char *text = capture_text(capture);

	start(xml, name);
	xmlTextWriterWriteString(xml, BAD_CAST text);
	end(xml);
	free(text);
}

static void put_claim(xmlTextWriter *xml, const struct run *run,
		      const struct result *result)
{
	start(xml, "testcase");
	attribute(xml, "name", result->id);
	attribute(xml, "classname", run->lab.name);
	attribute(xml, "time", "0");
	if (!result->expected)
		put_problem(xml, "failure", result->reason);
	else if (result->verdict == VERDICT_SKIPPED)
		put_problem(xml, "skipped", result->report->skip);
	end(xml);
}

/* The lab as a whole, with all that is not a claim's fault. */
static void put_whole(xmlTextWriter *xml, const struct run *run)
{
	static const char *const kinds[] = {
		[STATUS_SKIP] = "skipped",
		[STATUS_DRIFT] = "failure",
		[STATUS_FAIL] = "failure",
		[STATUS_ERROR] = "error",
	};

	start(xml, "testcase");
	attribute(xml, "name", "run");
	attribute(xml, "classname", run->lab.name);
	attribute_f(xml, "time", "%.3f", run->outcome.wall_ms / 1e3);
	if (run->status != STATUS_PASS)
		put_problem(xml, kinds[run->status], run->reasons[0]);
	if (run->status != STATUS_PASS && run->ran) {
		put_output(xml, "system-out", &run->out);
		put_output(xml, "system-err", &run->err);
	}
	end(xml);
}

static void put_run(xmlTextWriter *xml, const struct run *run)
{
	struct totals t = totals_of((struct run *[]){ (struct run *)run }, 1);
	size_t failures = t.by_status[STATUS_FAIL] + t.by_status[STATUS_DRIFT];

	for (size_t i = 0; i < run->n_results; i++)
		failures += !run->results[i].expected;
	start(xml, "testsuite");
	attribute(xml, "name", run->lab.name);
	attribute_f(xml, "tests", "%zu", run->n_results + 1);
	attribute_f(xml, "failures", "%zu", failures);
	attribute_f(xml, "errors", "%zu", t.by_status[STATUS_ERROR]);
	attribute_f(xml, "skipped", "%zu",
		    t.by_verdict[VERDICT_SKIPPED] + t.by_status[STATUS_SKIP]);
	attribute_f(xml, "time", "%.3f", run->outcome.wall_ms / 1e3);
	start(xml, "properties");
	for (int i = 0; i < 2; i++) {
		const char *value = i ? run->kernel : run->place;

		start(xml, "property");
		attribute(xml, "name", i ? "kernel" : "place");
		attribute(xml, "value", value ? value : "unknown");
		end(xml);
	}
	end(xml);
	for (size_t i = 0; i < run->n_results; i++)
		put_claim(xml, run, &run->results[i]);
	put_whole(xml, run);
	end(xml);
}

void report_junit(FILE *out, struct run *const *runs, size_t n)
{
	xmlBuffer *buffer = xmlBufferCreate();
	xmlTextWriter *xml = xmlNewTextWriterMemory(buffer, 0);

	xmlTextWriterSetIndent(xml, 1);
	xmlTextWriterStartDocument(xml, NULL, "UTF-8", NULL);
	start(xml, "testsuites");
	for (size_t i = 0; i < n; i++)
		put_run(xml, runs[i]);
	end(xml);
	xmlTextWriterEndDocument(xml);
	xmlFreeTextWriter(xml);
	fputs((const char *)xmlBufferContent(buffer), out);
	xmlBufferFree(buffer);
}
